//! An event as a report reads it: what a fold needs of it, borrowed from wherever it is.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::{
    Actor, Event, Path, Position, Recorded,
    claims::Teams,
    event::{Elevation, First, TokenIssued, TokenRevoked},
    revoke::RevocationReason,
};

/// What stands where a name was erased.
pub const ERASED: &str = "(erased)";
/// What stands for whoever did not say who it was.
pub const ANONYMOUS: &str = "(anonymous)";

/// An event as a report reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<'a> {
    /// Its place.
    pub position: Position,
    /// The decision's clock.
    pub occurred_at: DateTime<Utc>,
    /// The persisted name of its kind.
    pub kind: &'a str,
    /// The door.
    pub path: Path,
    /// Who.
    pub who: Who<'a>,
    /// Whether its personal part is erased.
    pub is_erased: bool,
    /// What happened.
    pub fact: Fact<'a>,
}

/// Who caused an event; what is personal is `None` once erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who<'a> {
    /// The bearer of a token, by its subject, or a person, by whom it speaks for.
    Subject(Option<Cow<'a, str>>),
    /// A client.
    Client(Cow<'a, str>),
    /// A user of a machine.
    OsUser(OsName<'a>),
    /// Whoever it was did not say.
    Anonymous,
}

/// A user of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what it is in `OsUser`")]
pub struct OsName<'a> {
    pub name: Option<Cow<'a, str>>,
    pub login: Option<Cow<'a, str>>,
    pub sudo_user: Option<Cow<'a, str>>,
    pub host: Option<Cow<'a, str>>,
}

/// What happened. Of most events a fold needs little, and they are seen as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact<'a> {
    /// A token was issued.
    Issued(Issued<'a>),
    /// A token was revoked.
    Revoked(Revoked<'a>),
    /// A token was held back.
    Suspended(Uuid),
    /// A token that was held back was let go.
    Resumed(Uuid),
    /// Something was asked for and refused.
    Denied(Denied<'a>),
    /// Anything else.
    Else(&'a Event),
}

/// An issuance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what it is in `TokenIssued`")]
pub struct Issued<'a> {
    pub jti: Uuid,
    pub iat: i64,
    pub exp: i64,
    pub kid: Cow<'a, str>,
    pub is_admin: bool,
    /// `None` = every team.
    pub teams: Option<Vec<Cow<'a, str>>>,
    pub permissions: Vec<Cow<'a, str>>,
    pub out_of_band: bool,
    pub elevated: Vec<Elevation>,
    pub policy_version: u32,
    pub name: Option<Cow<'a, str>>,
    pub reason: Option<Cow<'a, str>>,
    pub family: Option<Uuid>,
    pub predecessor: Option<Uuid>,
    pub first: Option<First>,
    /// `sub` of its claims.
    pub sub: Option<Cow<'a, str>>,
}

/// A revocation of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what it is in `TokenRevoked`")]
pub struct Revoked<'a> {
    pub jti: Uuid,
    pub reason: RevocationReason,
    pub effective_from: Option<DateTime<Utc>>,
    pub successor: Option<Uuid>,
    pub note: Option<Cow<'a, str>>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied<'a> {
    /// The rule that said no.
    pub rule: Cow<'a, str>,
    /// How often it said so.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
    /// The token that it was about.
    pub jti: Option<Uuid>,
    /// Whom it was about.
    pub sub: Option<Cow<'a, str>>,
    /// The teams that were asked for by name.
    pub teams: Vec<Cow<'a, str>>,
}

impl<'a> Seen<'a> {
    /// What a fold needs of an event of the kind with this persisted name.
    #[must_use]
    pub fn of(kind: &'a str, recorded: &'a Recorded, is_erased: bool) -> Self {
        let occurrence = &recorded.occurrence;
        Self {
            position: recorded.position,
            occurred_at: occurrence.occurred_at,
            kind,
            path: occurrence.origin.path,
            who: Who::of(&occurrence.origin.actor),
            is_erased,
            fact: Fact::of(&occurrence.event),
        }
    }
}

impl<'a> Who<'a> {
    fn of(actor: &'a Actor) -> Self {
        match actor {
            Actor::Token { sub, .. } | Actor::Person { sub, .. } => Self::Subject(borrowed(sub.as_ref())),
            Actor::Client { name } => Self::Client(name.as_str().into()),
            Actor::OsUser(user) => Self::OsUser(OsName {
                name: borrowed(user.name.as_ref()),
                login: borrowed(user.login.as_ref()),
                sudo_user: borrowed(user.sudo_user.as_ref()),
                host: borrowed(user.host.as_ref()),
            }),
            Actor::Anonymous => Self::Anonymous,
        }
    }

    /// One line for people, as [`Actor::display`] has it, and always something.
    #[must_use]
    pub fn label(&self) -> Cow<'_, str> {
        match self {
            Self::Subject(sub) => sub.as_deref().unwrap_or(ERASED).into(),
            Self::Client(name) => format!("client {name}").into(),
            Self::OsUser(user) => match (&user.name, &user.host) {
                (Some(name), Some(host)) => format!("{name}@{host}").into(),
                (Some(name), None) => name.as_ref().into(),
                (None, _) => ERASED.into(),
            },
            Self::Anonymous => ANONYMOUS.into(),
        }
    }
}

fn borrowed(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::Borrowed(text.as_str()))
}

impl<'a> Fact<'a> {
    fn of(event: &'a Event) -> Self {
        match event {
            Event::TokenIssued(issued) => Self::Issued(issued.as_ref().into()),
            Event::TokenRevoked(revoked) => Self::Revoked(revoked.into()),
            Event::IssuanceRefused(refused) => Self::Denied(Denied {
                sub: refused.sub.as_ref().map(|sub| sub.as_str().into()),
                teams: refused.teams.as_ref().map(named).unwrap_or_default(),
                ..denied(&refused.rule, refused.count, refused.since)
            }),
            Event::RevocationRefused(refused) => {
                Self::Denied(Denied { jti: Some(refused.jti), ..denied(&refused.rule, refused.count, refused.since) })
            }
            Event::SuspensionRefused(refused) => Self::Denied(Denied {
                jti: refused.jti,
                sub: refused.sub.as_ref().map(|sub| sub.as_str().into()),
                ..denied(&refused.rule, refused.count, refused.since)
            }),
            Event::RotationRefused(refused) => {
                Self::Denied(Denied { jti: Some(refused.jti), ..denied(&refused.rule, refused.count, refused.since) })
            }
            Event::CourierRefused(refused) => {
                Self::Denied(Denied { jti: Some(refused.jti), ..denied(&refused.rule, refused.count, refused.since) })
            }
            Event::RevocationByRuleRefused(refused) => Self::Denied(Denied {
                sub: refused.predicate.sub.as_ref().map(|sub| sub.as_str().into()),
                teams: refused.predicate.team.iter().map(|team| team.as_str().into()).collect(),
                ..denied(&refused.rule, refused.count, refused.since)
            }),
            Event::LoginRefused(refused) => Self::Denied(denied(&refused.rule, refused.count, refused.since)),
            Event::TokenSuspended(changed) => Self::Suspended(changed.jti),
            Event::TokenResumed(changed) => Self::Resumed(changed.jti),
            Event::TokensRevokedByRule(_)
            | Event::Configured(_)
            | Event::PolicyApplied(_)
            | Event::StatusListBegun(_)
            | Event::KeyAdded(_)
            | Event::KeyActivated(_)
            | Event::ClientAdded(_)
            | Event::ClientRotated(_)
            | Event::ClientRevoked(_)
            | Event::KeyRetired(_)
            | Event::KeyCompromised(_)
            | Event::CourierIssued(_)
            | Event::RotatedTokenReused(_)
            | Event::PersonSeen(_)
            | Event::ShadowTokenSeen(_)
            | Event::AuditRead(_) => Self::Else(event),
        }
    }
}

fn denied(rule: &str, count: u32, since: DateTime<Utc>) -> Denied<'_> {
    Denied { rule: rule.into(), count, since, jti: None, sub: None, teams: Vec::new() }
}

fn named(teams: &Teams) -> Vec<Cow<'_, str>> {
    match teams {
        Teams::Every => Vec::new(),
        Teams::These(teams) => teams.iter().map(|team| team.as_str().into()).collect(),
    }
}

impl<'a> From<&'a TokenIssued> for Issued<'a> {
    fn from(issued: &'a TokenIssued) -> Self {
        Self {
            jti: issued.jti,
            iat: issued.iat,
            exp: issued.exp,
            kid: issued.kid.as_str().into(),
            is_admin: issued.is_admin,
            teams: (issued.teams != Teams::Every).then(|| named(&issued.teams)),
            permissions: issued.permissions.iter().map(|permission| permission.as_str().into()).collect(),
            out_of_band: issued.out_of_band,
            elevated: issued.elevated.clone(),
            policy_version: issued.policy_version,
            name: issued.name.as_ref().map(|name| name.as_str().into()),
            reason: issued.reason.as_ref().map(|reason| reason.as_str().into()),
            family: issued.family,
            predecessor: issued.predecessor,
            first: issued.first.clone(),
            sub: issued.claims().map(|claims| Cow::Owned(claims.sub.to_string())),
        }
    }
}

impl<'a> From<&'a TokenRevoked> for Revoked<'a> {
    fn from(revoked: &'a TokenRevoked) -> Self {
        Self {
            jti: revoked.jti,
            reason: revoked.reason,
            effective_from: revoked.effective_from,
            successor: revoked.successor,
            note: revoked.note.as_ref().map(|note| note.as_str().into()),
        }
    }
}
