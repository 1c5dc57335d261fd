//! What was refused, and what was presented and never issued: evidence, recorded like anything else.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ChangeSuspension, Event, IssueToken, Predicate, Refusal, RevokeByRule, RevokeToken, RotateToken,
    claims::Teams,
    courier::IssueCourier,
    event::Elevation,
    person::{LoginRefusal, LoginRefused},
    revoke::RevocationReason,
    rotate::Overlap,
    rule::Field,
    suspend::{Change, Which},
    text::{Audience, Kid, Name, Note, Permission, Subject},
};

/// `issuance.refused.v1`: what was asked for, and never a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuanceRefused {
    /// The rule that said no, as [`Refusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// The audiences; empty = the configured one.
    pub aud: Vec<Audience>,
    /// The lifetime, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    /// Whether an administrator's token.
    pub is_admin: bool,
    /// The teams, if any were said.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Teams::deserialize_said")]
    pub teams: Option<Teams>,
    /// The permissions.
    pub permissions: Vec<Permission>,
    /// What would have been elevated.
    pub elevated: Vec<Elevation>,
    /// Personal: for whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Subject>,
    /// Personal: under which name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Personal: why it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Note>,
}

/// `revocation.refused.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRefused {
    /// The rule that said no, as [`Refusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// The token that was to be revoked; it may never have been issued.
    pub jti: Uuid,
    /// Why.
    pub reason: RevocationReason,
    /// Personal: why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// `revocation_by_rule.refused.v1`: a rule that was to be added, and was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationByRuleRefused {
    /// The rule that said no, as [`Refusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// The fields that the predicate names. Those that are personal may have been erased.
    pub fields: Vec<Field>,
    /// What a token was to be like to be revoked.
    #[serde(flatten)]
    pub predicate: Predicate,
    /// Why.
    pub reason: RevocationReason,
    /// Personal: why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// `suspension.refused.v1`: tokens that were to be suspended or resumed, and were not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspensionRefused {
    /// The rule that said no, as [`Refusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// Which way.
    pub change: Change,
    /// The token, if it was one; it may never have been issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// Personal: the subject, if it was all of a subject's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Subject>,
    /// Personal: why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// `rotation.refused.v1`: a token that was to be rotated, and was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationRefused {
    /// The rule that said no, as [`Refusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// The token; it may never have been issued.
    pub jti: Uuid,
    /// For how long it was to stay good.
    pub overlap: Overlap,
    /// The lifetime of its successor, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
}

/// `courier.refused.v1`: a courier that was asked for, and was not issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourierRefused {
    /// The rule that said no, as [`Refusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// The token; it may never have been issued.
    pub jti: Uuid,
}

/// `rotated_token.reused.v1`: a token was presented after its end, though another had taken its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedTokenReused {
    /// The token.
    pub jti: Uuid,
    /// Its family.
    pub family: Uuid,
    /// The token that had taken its place.
    pub successor: Uuid,
}

/// `shadow_token.seen.v1`: a good signature over something that was never issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowTokenSeen {
    /// The identifier that it claims, if it has one in the spelling of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// The key that signed it, which may be stolen.
    pub kid: Kid,
    /// SHA-256 over its `header.payload`, in hex.
    pub claims_digest: String,
    /// What is wrong with it.
    pub what: Shadow,
}

/// How a validly signed token differs from what was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shadow {
    /// No token of its identifier was ever issued, or it has none.
    NeverIssued,
    /// One was, with other claims.
    OtherClaims,
}

impl Shadow {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverIssued => "never issued",
            Self::OtherClaims => "issued with other claims",
        }
    }
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// A token was not issued.
    Issuance(Box<IssuanceRefused>),
    /// A token was not revoked.
    Revocation(RevocationRefused),
    /// Tokens were not suspended, or not resumed.
    Suspension(SuspensionRefused),
    /// A token was not rotated.
    Rotation(RotationRefused),
    /// A courier was not issued.
    Courier(CourierRefused),
    /// A rule was not added.
    Rule(Box<RevocationByRuleRefused>),
    /// Somebody whom a trusted issuer vouches for was not let in.
    Login(LoginRefused),
}

impl Denial {
    /// An issuance that was refused for the first time.
    #[must_use]
    pub fn of_issuance(command: &IssueToken, refusal: &Refusal, now: DateTime<Utc>) -> Self {
        Self::Issuance(Box::new(IssuanceRefused {
            rule: refusal.code().to_owned(),
            count: 1,
            since: now,
            aud: command.aud.clone(),
            expires_in: command.ttl_seconds,
            is_admin: command.is_admin,
            teams: command.teams.clone(),
            permissions: command.scopes.permissions.clone(),
            elevated: command.elevations(),
            sub: Some(command.sub.clone()),
            name: command.name.clone(),
            reason: command.reason.clone(),
        }))
    }

    /// A revocation that was refused for the first time.
    #[must_use]
    pub fn of_revocation(command: &RevokeToken, refusal: &Refusal, now: DateTime<Utc>) -> Self {
        Self::Revocation(RevocationRefused {
            rule: refusal.code().to_owned(),
            count: 1,
            since: now,
            jti: command.jti,
            reason: command.reason,
            note: command.note.clone(),
        })
    }

    /// A suspension or a resumption that was refused for the first time.
    #[must_use]
    pub fn of_suspension(command: &ChangeSuspension, refusal: &Refusal, now: DateTime<Utc>) -> Self {
        let (jti, sub) = match &command.which {
            Which::Token(jti) => (Some(*jti), None),
            Which::Subject(sub) => (None, Some(sub.clone())),
        };
        Self::Suspension(SuspensionRefused {
            rule: refusal.code().to_owned(),
            count: 1,
            since: now,
            change: command.change,
            jti,
            sub,
            note: command.note.clone(),
        })
    }

    /// A rotation that was refused for the first time.
    #[must_use]
    pub fn of_rotation(command: &RotateToken, refusal: &Refusal, now: DateTime<Utc>) -> Self {
        Self::Rotation(RotationRefused {
            rule: refusal.code().to_owned(),
            count: 1,
            since: now,
            jti: command.jti,
            overlap: command.overlap,
            expires_in: command.ttl_seconds,
        })
    }

    /// A courier that was refused for the first time.
    #[must_use]
    pub fn of_courier(command: &IssueCourier, refusal: &Refusal, now: DateTime<Utc>) -> Self {
        Self::Courier(CourierRefused { rule: refusal.code().to_owned(), count: 1, since: now, jti: command.jti })
    }

    /// A rule that was refused for the first time.
    #[must_use]
    pub fn of_rule(command: &RevokeByRule, refusal: &Refusal, now: DateTime<Utc>) -> Self {
        Self::Rule(Box::new(RevocationByRuleRefused {
            rule: refusal.code().to_owned(),
            count: 1,
            since: now,
            fields: command.predicate.fields(),
            predicate: command.predicate.clone(),
            reason: command.reason,
            note: command.note.clone(),
        }))
    }

    /// A login that was refused for the first time.
    #[must_use]
    pub fn of_login(refusal: LoginRefusal, now: DateTime<Utc>) -> Self {
        Self::Login(LoginRefused { rule: refusal.code().to_owned(), count: 1, since: now })
    }

    /// The event that it is recorded as.
    #[must_use]
    pub fn event(&self) -> Event {
        match self.clone() {
            Self::Issuance(refused) => Event::IssuanceRefused(refused),
            Self::Revocation(refused) => Event::RevocationRefused(refused),
            Self::Suspension(refused) => Event::SuspensionRefused(refused),
            Self::Rotation(refused) => Event::RotationRefused(refused),
            Self::Courier(refused) => Event::CourierRefused(refused),
            Self::Rule(refused) => Event::RevocationByRuleRefused(refused),
            Self::Login(refused) => Event::LoginRefused(refused),
        }
    }

    /// The rule that said no.
    #[must_use]
    pub fn rule(&self) -> &str {
        match self {
            Self::Issuance(refused) => &refused.rule,
            Self::Revocation(refused) => &refused.rule,
            Self::Suspension(refused) => &refused.rule,
            Self::Rotation(refused) => &refused.rule,
            Self::Courier(refused) => &refused.rule,
            Self::Rule(refused) => &refused.rule,
            Self::Login(refused) => &refused.rule,
        }
    }

    /// How often it was said, and since when.
    #[must_use]
    pub fn count(&self) -> (u32, DateTime<Utc>) {
        match self {
            Self::Issuance(refused) => (refused.count, refused.since),
            Self::Revocation(refused) => (refused.count, refused.since),
            Self::Suspension(refused) => (refused.count, refused.since),
            Self::Rotation(refused) => (refused.count, refused.since),
            Self::Courier(refused) => (refused.count, refused.since),
            Self::Rule(refused) => (refused.count, refused.since),
            Self::Login(refused) => (refused.count, refused.since),
        }
    }

    /// The same, said so often since then.
    #[must_use]
    pub fn repeated(mut self, times: u32, from: DateTime<Utc>) -> Self {
        let (count, since) = match &mut self {
            Self::Issuance(refused) => (&mut refused.count, &mut refused.since),
            Self::Revocation(refused) => (&mut refused.count, &mut refused.since),
            Self::Suspension(refused) => (&mut refused.count, &mut refused.since),
            Self::Rotation(refused) => (&mut refused.count, &mut refused.since),
            Self::Courier(refused) => (&mut refused.count, &mut refused.since),
            Self::Rule(refused) => (&mut refused.count, &mut refused.since),
            Self::Login(refused) => (&mut refused.count, &mut refused.since),
        };
        (*count, *since) = (times, from);
        self
    }
}
