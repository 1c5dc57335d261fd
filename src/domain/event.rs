//! Versioned facts in the past tense. What is `Option` only because it may be erased says so.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    audit::AuditRead,
    claims::{self, Claims, Teams},
    client::{ClientAdded, ClientRevoked, ClientRotated},
    courier::CourierIssued,
    denial::{
        CourierRefused, IssuanceRefused, RevocationByRuleRefused, RevocationRefused, RotatedTokenReused,
        RotationRefused, ShadowTokenSeen, SuspensionRefused,
    },
    key::{Algorithm, PublicJwk},
    origin::{Origin, Path},
    person::{LoginRefused, PersonSeen},
    policy::Policy,
    revoke::RevocationReason,
    rule::{Field, Predicate},
    status_list::{Entry, StatusListBegun},
    text::{Audience, Description, Environment, Issuer, Kid, Name, Note, Permission},
};

/// The place of an event in the log: 1, 2, 3 … without a hole; 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A token was issued.
    TokenIssued(Box<TokenIssued>),
    /// A token was revoked.
    TokenRevoked(TokenRevoked),
    /// A token was held back.
    TokenSuspended(SuspensionChanged),
    /// A token that was held back was let go.
    TokenResumed(SuspensionChanged),
    /// A rule was added that revoked tokens.
    TokensRevokedByRule(Box<TokensRevokedByRule>),
    /// The catalog was told who it is.
    Configured(Configured),
    /// A policy took effect.
    PolicyApplied(Box<Policy>),
    /// A status list was begun.
    StatusListBegun(StatusListBegun),
    /// A key was made known, to be published before it signs.
    KeyAdded(KeyAdded),
    /// A key became the one that signs.
    KeyActivated(KeyActivated),
    /// A client was made known.
    ClientAdded(ClientAdded),
    /// A client got a new secret.
    ClientRotated(ClientRotated),
    /// A client was revoked.
    ClientRevoked(ClientRevoked),
    /// A key whose tokens are all over was put away.
    KeyRetired(KeyRetired),
    /// Others may have a key: it signs no more, and what it signed is revoked.
    KeyCompromised(KeyCompromised),
    /// A courier of a revoked token was issued.
    CourierIssued(Box<CourierIssued>),
    /// A courier was asked for and refused.
    CourierRefused(CourierRefused),
    /// A token was asked for and refused.
    IssuanceRefused(Box<IssuanceRefused>),
    /// A revocation was asked for and refused.
    RevocationRefused(RevocationRefused),
    /// A suspension or a resumption was asked for and refused.
    SuspensionRefused(SuspensionRefused),
    /// A rotation was asked for and refused.
    RotationRefused(RotationRefused),
    /// A rotated token was presented after its end.
    RotatedTokenReused(RotatedTokenReused),
    /// A rule was asked for and refused.
    RevocationByRuleRefused(Box<RevocationByRuleRefused>),
    /// Somebody whom a trusted issuer vouches for was not let in.
    LoginRefused(LoginRefused),
    /// A trusted issuer said something new of a person.
    PersonSeen(Box<PersonSeen>),
    /// A validly signed token was presented that is not as it was issued, or never was.
    ShadowTokenSeen(ShadowTokenSeen),
    /// The log was read out, for a report.
    AuditRead(AuditRead),
}

impl Event {
    /// The token the event speaks of, if it speaks of one.
    #[must_use]
    pub fn jti(&self) -> Option<Uuid> {
        match self {
            Self::TokenIssued(issued) => Some(issued.jti),
            Self::TokenRevoked(revoked) => Some(revoked.jti),
            Self::TokenSuspended(changed) | Self::TokenResumed(changed) => Some(changed.jti),
            Self::CourierIssued(issued) => Some(issued.jti),
            Self::CourierRefused(refused) => Some(refused.jti),
            Self::RevocationRefused(refused) => Some(refused.jti),
            Self::SuspensionRefused(refused) => refused.jti,
            Self::RotationRefused(refused) => Some(refused.jti),
            Self::RotatedTokenReused(reused) => Some(reused.jti),
            Self::ShadowTokenSeen(shadow) => shadow.jti,
            Self::Configured(_)
            | Self::PolicyApplied(_)
            | Self::StatusListBegun(_)
            | Self::KeyAdded(_)
            | Self::KeyActivated(_)
            | Self::ClientAdded(_)
            | Self::ClientRotated(_)
            | Self::ClientRevoked(_)
            | Self::KeyRetired(_)
            | Self::KeyCompromised(_)
            | Self::IssuanceRefused(_)
            | Self::LoginRefused(_)
            | Self::AuditRead(_)
            | Self::PersonSeen(_)
            | Self::TokensRevokedByRule(_)
            | Self::RevocationByRuleRefused(_) => None,
        }
    }
}

/// A claim that makes a token more than its bearer's own public-only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elevation {
    /// `is_admin`.
    Admin,
    /// Teams were named, or every team.
    Teams,
    /// Permissions were named.
    Permissions,
    /// A service's token was given a person's address, by which gateways know its bearer.
    Email,
}

impl Elevation {
    /// Every elevation.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Teams, Self::Permissions, Self::Email];

    /// The persisted name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Teams => "teams",
            Self::Permissions => "permissions",
            Self::Email => "email",
        }
    }
}

impl fmt::Display for Elevation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the first token of a family was issued. A rotation has another door, another key and another instant, and must not
/// take a token out of what is said of those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// The door it came through.
    pub path: Path,
    /// `iat`, seconds since 1970.
    pub iat: i64,
    /// The key that signs it.
    pub kid: Kid,
}

/// `token.issued.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenIssued {
    /// The token.
    pub jti: Uuid,
    /// `iat`, seconds since 1970.
    pub iat: i64,
    /// `exp`, seconds since 1970.
    pub exp: i64,
    /// The key that signs it.
    pub kid: Kid,
    /// The key's algorithm.
    pub alg: Algorithm,
    /// Whom it is meant for.
    pub aud: Vec<Audience>,
    /// Whether it claims an administrator.
    pub is_admin: bool,
    /// The teams it reaches.
    #[serde(deserialize_with = "Teams::deserialize")]
    pub teams: Teams,
    /// What it may be used for.
    pub permissions: Vec<Permission>,
    /// Whether it came past the API's controls.
    pub out_of_band: bool,
    /// What was elevated.
    pub elevated: Vec<Elevation>,
    /// The version of the policy that allowed it.
    pub policy_version: u32,
    /// Personal: the token's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Personal: what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Personal: why it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Note>,
    /// The first token of its family, for a successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Uuid>,
    /// The token whose place it takes, for a successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Uuid>,
    /// How its family began, for a successor; `None` of those that were issued before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<First>,
    /// Where in a status list its status stands, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_list: Option<Entry>,
    /// Personal: the exact `header.payload` that is signed; `None` once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_input: Option<String>,
}

impl TokenIssued {
    /// Whether the structure repeats what the signed claims say: nothing else of it is ever believed.
    #[must_use]
    pub fn says_what_was_signed(&self) -> bool {
        self.claims().is_some_and(|claims| {
            (claims.jti, claims.iat, claims.exp, claims.user.is_admin) == (self.jti, self.iat, self.exp, self.is_admin)
                && claims.aud == self.aud
                && claims.teams == self.teams
                && claims.scopes.permissions == self.permissions
                && match (&claims.status, self.status_list) {
                    (Some(claim), Some(entry)) => claim.names(entry),
                    (claim, entry) => claim.is_none() && entry.is_none(),
                }
        })
    }

    /// The full claims; `None` once erased.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        self.signing_input.as_deref().and_then(claims::claims_of)
    }
}

/// `token.revoked.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// The token.
    pub jti: Uuid,
    /// Why, in one of RFC 5280's words.
    pub reason: RevocationReason,
    /// From when on it is inactive; `None` = at once, whatever anybody's clock says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<DateTime<Utc>>,
    /// The token that takes its place, when it was rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Uuid>,
    /// Personal: why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// `token.suspended.v1` and `token.resumed.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspensionChanged {
    /// The token.
    pub jti: Uuid,
    /// Whether a full administrator or a shell decided it. Of a suspension it bounds who may resume.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_full_admin: bool,
    /// Personal: why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// `tokens.revoked_by_rule.v1`: every token that was issued before and meets the predicate is revoked, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensRevokedByRule {
    /// The fields that the predicate names. Those that are personal may have been erased.
    pub fields: Vec<Field>,
    /// What a token must be like.
    #[serde(flatten)]
    pub predicate: Predicate,
    /// Why, in one of RFC 5280's words.
    pub reason: RevocationReason,
    /// Personal: why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// `catalog.configured.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// `iss` of every token from here on.
    pub issuer: Issuer,
    /// `aud` of a token for which none was asked.
    pub audience: Audience,
    /// `env` of every token from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Environment>,
}

/// `key.added.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAdded {
    /// The key.
    pub kid: Kid,
    /// Its one algorithm.
    pub alg: Algorithm,
    /// Its public half; a shared secret has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwk: Option<PublicJwk>,
    /// Whether it is for tokens from a shell alone, and never published.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dev: bool,
}

/// `key.activated.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyActivated {
    /// The key.
    pub kid: Kid,
    /// Whether it was before everybody could have read it in the JWK Set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
}

/// `key.retired.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRetired {
    /// The key.
    pub kid: Kid,
    /// The end of the log for which none of its tokens could be used any more.
    pub counted: Position,
}

/// `key.compromised.v1`: every token of the key that was issued between these two positions is revoked, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCompromised {
    /// The key.
    pub kid: Kid,
    /// The first position of those tokens. The event's own is past their last.
    pub from: Position,
    /// The instant that was named; `from` is the first position that was recorded then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Personal: how it came about, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// An event with when and where it came from, before it has a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// What happened.
    pub event: Event,
    /// The decision's clock.
    pub occurred_at: DateTime<Utc>,
    /// Who, and through which door.
    pub origin: Origin,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub position: Position,
    /// The database's clock when its recording began, to a tenth of a second; never goes backwards along the log.
    pub recorded_at: DateTime<Utc>,
    /// What happened, when and where it came from.
    pub occurrence: Occurrence,
}
