//! Revocation by rule: what a token must be like to be covered, and `RevokeByRule`, decided. Rules only unite: none ever
//! makes a token active.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Authority, Path, Position, Recorded, Refusal, State, Token,
    authority::RoutePermission,
    claims::Teams,
    event::{First, KeyCompromised, TokensRevokedByRule},
    revoke::RevocationReason,
    text::{Kid, Name, Note, Permission, Subject, TeamId},
    token::{Revocation, instant},
};

/// The instants that the log keeps, in seconds since 1970: for 8,000 years, within which every reader of a time can read
/// one, and every token is issued.
const SECONDS_MAX: i64 = 8_000 * 365 * 86_400;

/// What a token must be like, all of it. Its fields never change for a token, so whether it is met does not either.
/// They mean what the filters of a listing of the same names mean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicate {
    /// Personal: it speaks for this subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Subject>,
    /// It reaches this team: it names it, or reaches every team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// It came through this door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// This key signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<Kid>,
    /// It may use this permission: it names it or a wildcard over it, or leaves everything to its subject's roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Personal: it has this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// It was issued at this instant or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_after: Option<DateTime<Utc>>,
    /// It was issued before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<DateTime<Utc>>,
    /// It is of the family that began with this token, or is this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Uuid>,
    /// Whether the door, the key and the instants may also be those of the first of its family: all of them, for no token
    /// was ever issued by the one's door at the other's instant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub successors: bool,
}

/// A field that a predicate names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `sub`
    Sub,
    /// `team`
    Team,
    /// `path`
    Path,
    /// `kid`
    Kid,
    /// `permission`
    Permission,
    /// `name`
    Name,
    /// `issued_after`
    IssuedAfter,
    /// `issued_before`
    IssuedBefore,
    /// `family`
    Family,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 9] = [
        Self::Sub,
        Self::Team,
        Self::Path,
        Self::Kid,
        Self::Permission,
        Self::Name,
        Self::IssuedAfter,
        Self::IssuedBefore,
        Self::Family,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sub => "sub",
            Self::Team => "team",
            Self::Path => "path",
            Self::Kid => "kid",
            Self::Permission => "permission",
            Self::Name => "name",
            Self::IssuedAfter => "issued_after",
            Self::IssuedBefore => "issued_before",
            Self::Family => "family",
        }
    }
}

impl Predicate {
    /// The fields that it names.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        Field::ALL.into_iter().filter(|field| self.names(*field)).collect()
    }

    /// Whether it names a field.
    #[must_use]
    pub fn names(&self, field: Field) -> bool {
        match field {
            Field::Sub => self.sub.is_some(),
            Field::Team => self.team.is_some(),
            Field::Path => self.path.is_some(),
            Field::Kid => self.kid.is_some(),
            Field::Permission => self.permission.is_some(),
            Field::Name => self.name.is_some(),
            Field::IssuedAfter => self.issued_after.is_some(),
            Field::IssuedBefore => self.issued_before.is_some(),
            Field::Family => self.family.is_some(),
        }
    }

    /// Whether every token meets it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }

    /// Whether an index of the database leads to the few tokens that may meet it.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        [Field::Sub, Field::Name, Field::Family].into_iter().any(|field| self.names(field))
    }

    /// The same, its instants in whole microseconds and of no year that a database or a reader might write otherwise, as the
    /// log keeps them. Tokens are issued at whole seconds after 1970, so that it is met by the same ones.
    #[must_use]
    pub fn kept(self) -> Self {
        let (issued_after, issued_before) = (self.issued_after.map(kept), self.issued_before.map(kept));
        Self { issued_after, issued_before, ..self }
    }

    /// Whether a token meets it.
    #[must_use]
    pub fn is_met_by(&self, token: &Token) -> bool {
        is_same(self.sub.as_ref(), token.sub.as_ref())
            && self.team.as_ref().is_none_or(|team| reaches(&token.teams, team))
            && self.permission.as_ref().is_none_or(|permission| may_use(&token.scopes.permissions, permission))
            && is_same(self.name.as_ref(), token.name.as_ref())
            && self.family.is_none_or(|family| token.family() == family)
            && (self.is_met_by_issuance(token.path, &token.kid, token.issued_at)
                || (self.successors && token.lineage.first.as_ref().is_some_and(|first| self.is_met_by_first(first))))
    }

    fn is_met_by_first(&self, first: &First) -> bool {
        self.is_met_by_issuance(first.path, &first.kid, instant(first.iat))
    }

    fn is_met_by_issuance(&self, path: Path, kid: &Kid, at: DateTime<Utc>) -> bool {
        is_same(self.path.as_ref(), Some(&path))
            && is_same(self.kid.as_ref(), Some(kid))
            && self.issued_after.is_none_or(|bound| at >= bound)
            && self.issued_before.is_none_or(|bound| at < bound)
    }

    /// Whether it may be met by a token of which erasure has left no subject and no name.
    fn may_have_been_met_by(&self, token: &Token) -> bool {
        Self { sub: None, name: None, ..self.clone() }.is_met_by(token)
    }
}

impl fmt::Display for Predicate {
    /// As its conditions are written on a command line; `everything` when there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let conditions: Vec<String> = [
            self.sub.as_ref().map(|sub| condition("sub", sub.as_str())),
            self.team.as_ref().map(|team| condition("team", team.as_str())),
            self.path.map(|path| condition("path", path.as_str())),
            self.kid.as_ref().map(|kid| condition("kid", kid.as_str())),
            self.permission.as_ref().map(|permission| condition("permission", permission.as_str())),
            self.name.as_ref().map(|name| condition("name", name.as_str())),
            self.issued_after.map(|at| condition("issued_after", &written(at))),
            self.issued_before.map(|at| condition("issued_before", &written(at))),
            self.family.map(|family| condition("family", &family.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(if conditions.is_empty() { "everything" } else { "" })?;
        f.write_str(&conditions.join(" and "))?;
        f.write_str(if self.successors { ", with successors" } else { "" })
    }
}

/// A value that has white space or quotes in it stands in quotes, in which `\` takes the next character as it is.
fn condition(field: &str, value: &str) -> String {
    if value.contains(|character: char| character.is_whitespace() || "'\"\\".contains(character)) {
        format!("{field}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    } else {
        format!("{field}={value}")
    }
}

/// The first instant, at this one or later, that a database can hold: in whole microseconds, and of no year that it or a reader
/// might write otherwise.
#[must_use]
pub fn kept(instant: DateTime<Utc>) -> DateTime<Utc> {
    let is_whole = instant.timestamp_subsec_nanos().is_multiple_of(1_000);
    let micros = instant.timestamp_micros().saturating_add(i64::from(!is_whole));
    DateTime::from_timestamp_micros(micros.clamp(0, SECONDS_MAX * 1_000_000)).unwrap_or(DateTime::UNIX_EPOCH)
}

fn is_same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
    wanted.is_none() || wanted == found
}

pub(super) fn reaches(teams: &Teams, team: &TeamId) -> bool {
    match teams {
        Teams::Every => true,
        Teams::These(teams) => teams.contains(team),
    }
}

pub(super) fn may_use(named: &[Permission], permission: &Permission) -> bool {
    named.is_empty() || named.iter().any(|held| held.covers(permission))
}

/// A rule in the log. It covers the tokens that were issued before its own position and meet its predicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Where in the log.
    pub position: Position,
    /// The first position at which a covered token was issued. Unlike an `iat` nobody but the log chooses it.
    pub from: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// What a covered token is like.
    pub predicate: Predicate,
    /// Why.
    pub reason: RevocationReason,
    /// Personal: why, in a person's words.
    pub note: Option<Note>,
    /// Personal: who, for people to read.
    pub by: Option<String>,
    /// Whether the predicate is all there. Without what was erased of it, it would cover more than it did.
    #[serde(skip)]
    pub is_whole: bool,
}

impl Rule {
    /// The rule that an event adds.
    #[must_use]
    pub fn added(event: &TokensRevokedByRule, recorded: &Recorded) -> Self {
        Self {
            position: recorded.position,
            from: Position(0),
            at: recorded.occurrence.occurred_at,
            predicate: event.predicate.clone(),
            reason: event.reason,
            note: event.note.clone(),
            by: recorded.occurrence.origin.actor.display(),
            is_whole: event.fields == event.predicate.fields(),
        }
    }

    /// The rule that a compromised key makes: nothing that it signed is believed, from a position on.
    #[must_use]
    pub fn of_compromise(event: &KeyCompromised, recorded: &Recorded) -> Self {
        Self {
            position: recorded.position,
            from: event.from,
            at: recorded.occurrence.occurred_at,
            predicate: Predicate { kid: Some(event.kid.clone()), ..Predicate::default() },
            reason: RevocationReason::KeyCompromise,
            note: event.note.clone(),
            by: recorded.occurrence.origin.actor.display(),
            is_whole: true,
        }
    }

    /// Whether a token was issued where those are that it covers.
    fn spans(&self, token: &Token) -> bool {
        self.from <= token.issued && token.issued < self.position
    }

    /// Whether it covers a token. One of which something was erased covers no more than it did until then.
    #[must_use]
    pub fn covers(&self, token: &Token) -> bool {
        self.is_whole && self.spans(token) && self.predicate.is_met_by(token)
    }

    /// Whether nobody can tell any more that it does not cover a token: something of one of them was erased.
    #[must_use]
    pub fn may_have_covered(&self, token: &Token) -> bool {
        let is_known = self.is_whole && token.sub.is_some();
        !is_known && self.spans(token) && self.predicate.may_have_been_met_by(token)
    }

    /// What it does to a token that it covers: at once, whatever anybody's clock says.
    #[must_use]
    pub fn revocation(&self) -> Revocation {
        Revocation {
            position: self.position,
            at: self.at,
            effective_from: None,
            reason: self.reason,
            note: self.note.clone(),
            by: self.by.clone(),
            by_rule: true,
        }
    }
}

/// Ends every token that meets a predicate and was issued before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevokeByRule {
    /// What a token must be like.
    pub predicate: Predicate,
    /// Why.
    pub reason: RevocationReason,
    /// Why, in a person's words.
    pub note: Option<Note>,
}

/// Lets a caller pass that may end every token which a predicate could ever cover: an administrator of every team, and
/// anybody whose own subject it names.
///
/// # Errors
/// [`Refusal::PermissionMissing`] and [`Refusal::RuleTooWide`].
pub fn permit(predicate: &Predicate, authority: &Authority) -> Result<(), Refusal> {
    authority.require(RoutePermission::TokensRevoke)?;
    let is_own = predicate.sub.is_some() && predicate.sub == authority.subject;
    if is_own || (authority.is_admin && authority.teams == Teams::Every) {
        return Ok(());
    }
    Err(Refusal::RuleTooWide { own: authority.subject.clone() })
}

/// Decides a rule. One that covers nothing needs no event: `Ok(None)`; whether it covers anything was looked up before,
/// for what was not issued by then is none of its tokens.
///
/// # Errors
/// [`Refusal`]: the caller may not revoke, or not so much.
pub fn revoke_by_rule(
    state: &State,
    command: &RevokeByRule,
    covers_any: bool,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Option<TokensRevokedByRule>, Refusal> {
    state.require_credential(authority, now)?;
    permit(&command.predicate, authority)?;
    Ok(covers_any.then(|| TokensRevokedByRule {
        fields: command.predicate.fields(),
        predicate: command.predicate.clone(),
        reason: command.reason,
        note: command.note.clone(),
    }))
}
