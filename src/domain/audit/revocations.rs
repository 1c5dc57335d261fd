//! What was revoked: one by one and by rule, why, by whom, and how old it was.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    pool::{Book, Id},
    seen::{Revoked, Seen},
    tally::{Count, Listed, Tally},
};
use crate::domain::{Position, Rule, revoke::RevocationReason};

/// The ages that are told apart, each up to and without so many seconds.
const AGES: [(&str, i64); 5] = [
    ("under 1 minute", 60),
    ("under 1 hour", 3_600),
    ("under 1 day", 86_400),
    ("under 7 days", 604_800),
    ("under 30 days", 2_592_000),
];
const OLDER: &str = "30 days or more";
const PAST: &str = "after its end";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Revocations {
    rotations: u64,
    reason: Tally,
    actor: Tally,
    ages: [u64; AGES.len() + 2],
    tokens: Listed<RevocationRow>,
    rules: Listed<RuleRow>,
    ended_by_rules: u64,
}

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevocationsReport {
    /// How many revocations of one token.
    pub total: u64,
    /// Of these, because another token took its place.
    pub rotations: u64,
    /// By reason, in the words of RFC 5280.
    pub by_reason: Vec<Count>,
    /// By who did it.
    pub by_actor: Vec<Count>,
    /// By the time from the token's issuance.
    pub by_age: Vec<Count>,
    /// One by one.
    pub tokens: Listed<RevocationRow>,
    /// How many tokens rules ended that were live by then.
    pub ended_by_rules: u64,
    /// The rules.
    pub rules: Listed<RuleRow>,
}

/// A revocation of one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRow {
    /// Where in the log.
    pub position: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The token.
    pub jti: Uuid,
    /// Why.
    pub reason: RevocationReason,
    /// Who.
    pub by: String,
    /// Why, in a person's words; `null` if none were given, or erased.
    pub note: Option<String>,
    /// From when on it holds; `null` = at once.
    pub effective_from: Option<DateTime<Utc>>,
    /// The token that took its place.
    pub successor: Option<Uuid>,
    /// The time from its issuance, in seconds; `null` when it had ended long before.
    pub age_seconds: Option<i64>,
}

/// A rule that revoked tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    /// Where in the log.
    pub position: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// What a token is like that it covers.
    pub covers: String,
    /// Why.
    pub reason: RevocationReason,
    /// Who.
    pub by: String,
    /// Why, in a person's words; `null` if none were given, or erased.
    pub note: Option<String>,
    /// How many tokens it ended that were live by then.
    pub ended: u64,
}

impl Revocations {
    /// Adds a revocation of a token of that age, if that is known.
    pub(super) fn add(&mut self, revoked: &Revoked<'_>, seen: &Seen<'_>, by: Id, age: Option<i64>, book: &mut Book) {
        self.rotations += u64::from(revoked.successor.is_some());
        self.reason.add(book.name(revoked.reason.as_str()), 1);
        self.actor.add(by, 1);
        self.ages[bucket(age)] += 1;
        self.tokens.push(|| RevocationRow {
            position: seen.position,
            at: seen.occurred_at,
            jti: revoked.jti,
            reason: revoked.reason,
            by: book.text(by).to_owned(),
            note: revoked.note.as_deref().map(str::to_owned),
            effective_from: revoked.effective_from,
            successor: revoked.successor,
            age_seconds: age,
        });
    }

    /// Adds a rule that ended so many tokens.
    pub(super) fn add_rule(&mut self, rule: &Rule, by: &str, ended: u64) {
        self.ended_by_rules += ended;
        self.rules.push(|| RuleRow {
            position: rule.position,
            at: rule.at,
            covers: rule.predicate.to_string(),
            reason: rule.reason,
            by: by.to_owned(),
            note: rule.note.as_ref().map(ToString::to_string),
            ended,
        });
    }

    pub(super) fn told(self, book: &Book) -> RevocationsReport {
        let names = AGES.iter().map(|(name, _)| *name).chain([OLDER, PAST]);
        RevocationsReport {
            total: self.tokens.total,
            rotations: self.rotations,
            by_reason: self.reason.told(book),
            by_actor: self.actor.told(book),
            by_age: names.zip(self.ages).map(|(name, count)| Count { name: name.to_owned(), count }).collect(),
            tokens: self.tokens,
            ended_by_rules: self.ended_by_rules,
            rules: self.rules,
        }
    }
}

fn bucket(age: Option<i64>) -> usize {
    age.map_or(AGES.len() + 1, |age| AGES.iter().position(|(_, below)| age < *below).unwrap_or(AGES.len()))
}
