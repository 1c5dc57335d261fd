//! One token as the log tells it, and its status at an instant.

use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;

use super::{
    Authority, Position, Recorded,
    claims::{Scopes, Teams, signing_input_digest},
    event::{Elevation, First, SuspensionChanged, TokenIssued, TokenRevoked},
    origin::{Actor, Path},
    revoke::RevocationReason,
    rule::Rule,
    status::{Inactive, Status},
    text::{Audience, Description, Email, FullName, Kid, Name, Namespace, Note, Subject},
};

/// What the log says of one token. What is personal is `None` once erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its identifier.
    pub jti: Uuid,
    /// Personal: whom it speaks for.
    pub sub: Option<Subject>,
    /// Personal: its name.
    pub name: Option<Name>,
    /// Personal: what it is for.
    pub description: Option<Description>,
    /// Personal: why it was issued.
    pub reason: Option<Note>,
    /// Personal: the address of its subject.
    pub email: Option<Email>,
    /// Personal: the name of its subject.
    pub full_name: Option<FullName>,
    /// Whom it is meant for.
    pub aud: Vec<Audience>,
    /// The key that signs it.
    pub kid: Kid,
    /// Whether it claims an administrator.
    pub is_admin: bool,
    /// The teams it reaches.
    pub teams: Teams,
    /// The namespaces it reaches.
    pub namespaces: Vec<Namespace>,
    /// What narrows it.
    pub scopes: Scopes,
    /// What was elevated.
    pub elevated: Vec<Elevation>,
    /// The door it came through.
    pub path: Path,
    /// Whether it came past the API's controls.
    pub out_of_band: bool,
    /// Personal: who had it issued, for people to read.
    pub issued_by: Option<String>,
    /// The version of the policy that allowed it.
    pub policy_version: u32,
    /// Where in the log it was issued.
    pub issued: Position,
    /// `iat`.
    pub issued_at: DateTime<Utc>,
    /// `exp`: the first instant at which it is expired.
    pub expires_at: DateTime<Utc>,
    /// SHA-256 of its signing input; `None` once erased, and then no presented token can be confirmed.
    pub claims_digest: Option<[u8; 32]>,
    /// Its revocation, once there is one.
    pub revocation: Option<Revocation>,
    /// Its suspension, while there is one.
    pub suspension: Option<Suspension>,
    /// Whose place it took, and who took its own.
    pub lineage: Lineage,
}

/// A token's place among those that took each other's place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The first of its family, for a successor.
    pub family: Option<Uuid>,
    /// The token whose place it took.
    pub predecessor: Option<Uuid>,
    /// The token that took its own.
    pub successor: Option<Uuid>,
    /// How its family began, for a successor; `None` of those that were issued before it was kept.
    pub first: Option<First>,
}

impl Lineage {
    /// The same where most tokens have none: none takes no room.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// How a token was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Where in the log.
    pub position: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// From when on it holds; `None` = at once, whatever anybody's clock says.
    pub effective_from: Option<DateTime<Utc>>,
    /// Why.
    pub reason: RevocationReason,
    /// Personal: why, in a person's words.
    pub note: Option<Note>,
    /// Personal: who, for people to read.
    pub by: Option<String>,
    /// Whether a rule did it, the one at that position.
    pub by_rule: bool,
}

/// How a token was suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Where in the log: the first of several.
    pub position: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Personal: the subject of whoever suspended it, of several the one that outranks the others. A shell has none.
    pub by: Option<Subject>,
    /// Whether a full administrator or a shell did.
    pub by_full_admin: bool,
}

/// A `NumericDate` (RFC 7519 section 2) as an instant.
#[must_use]
pub fn instant(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(seconds, 0).single().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Token {
    /// The token that an issuance brings into being.
    #[must_use]
    pub fn issued(event: &TokenIssued, recorded: &Recorded) -> Self {
        let origin = &recorded.occurrence.origin;
        let claims = event.claims();
        let mut token = Self {
            jti: event.jti,
            sub: None,
            name: event.name.clone(),
            description: event.description.clone(),
            reason: event.reason.clone(),
            email: None,
            full_name: None,
            aud: event.aud.clone(),
            kid: event.kid.clone(),
            is_admin: event.is_admin,
            teams: event.teams.clone(),
            namespaces: Vec::new(),
            scopes: Scopes { permissions: event.permissions.clone(), ..Scopes::default() },
            elevated: event.elevated.clone(),
            path: origin.path,
            out_of_band: event.out_of_band,
            issued_by: origin.actor.display(),
            policy_version: event.policy_version,
            issued: recorded.position,
            issued_at: instant(event.iat),
            expires_at: instant(event.exp),
            claims_digest: event.signing_input.as_deref().map(signing_input_digest),
            revocation: None,
            suspension: None,
            lineage: Lineage {
                family: event.family,
                predecessor: event.predecessor,
                successor: None,
                first: event.first.clone(),
            },
        };
        if let Some(claims) = claims {
            token.sub = Some(claims.sub);
            token.email = Some(claims.user.email);
            token.full_name = Some(claims.user.full_name);
            token.namespaces = claims.namespaces;
            token.scopes = claims.scopes;
        }
        token
    }

    /// The token after a revocation. The first one stays: a later one can only bring the end nearer, and then takes its
    /// place. Returns the one whose place was taken.
    pub fn revoke(&mut self, event: &TokenRevoked, recorded: &Recorded) -> Option<Revocation> {
        self.lineage.successor = self.lineage.successor.or(event.successor);
        self.end(Revocation::of(event, recorded))
    }

    /// The token after a rule was added: the same for a token that it covers. What was over by then stays as it is.
    pub fn revoke_by(&mut self, rule: &Rule) -> Option<Revocation> {
        let is_over = self.revocation.as_ref().is_some_and(|revocation| revocation.holds(rule.at));
        if is_over || !rule.covers(self) { None } else { self.end(rule.revocation()) }
    }

    fn end(&mut self, revocation: Revocation) -> Option<Revocation> {
        match &self.revocation {
            Some(first) if !revocation.is_sooner_than(first) => None,
            _ => self.revocation.replace(revocation),
        }
    }

    /// The token held back, since the first of several suspensions. One by a full administrator takes the place of a
    /// narrower caller's, so that the narrower one cannot let the token go.
    pub fn suspend(&mut self, event: &SuspensionChanged, recorded: &Recorded) {
        let (position, at) = (recorded.position, recorded.occurrence.occurred_at);
        let by = match &recorded.occurrence.origin.actor {
            Actor::Token { sub: Some(sub), .. } | Actor::Person { sub: Some(sub), .. } => {
                Subject::parse(sub.clone()).ok()
            }
            Actor::Token { sub: None, .. }
            | Actor::Person { sub: None, .. }
            | Actor::Client { .. }
            | Actor::OsUser(_)
            | Actor::Anonymous => None,
        };
        let new = Suspension { position, at, by, by_full_admin: event.by_full_admin };
        match &mut self.suspension {
            Some(first) if event.by_full_admin && !first.by_full_admin => {
                (first.by, first.by_full_admin) = (new.by, new.by_full_admin);
            }
            Some(_) => {}
            none => *none = Some(new),
        }
    }

    /// The status at `now`.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> Status {
        match self.inactive(now) {
            Some(Inactive::Revoked { .. } | Inactive::RevokedByRule { .. } | Inactive::Rotated { .. }) => {
                Status::Revoked
            }
            Some(Inactive::Expired { .. }) => Status::Expired,
            Some(Inactive::Suspended { .. }) => Status::Suspended,
            None => Status::Active,
        }
    }

    /// Why it is not active at `now`: revoked before expired before suspended. `None` = it is active.
    #[must_use]
    pub fn inactive(&self, now: DateTime<Utc>) -> Option<Inactive> {
        if let Some(revocation) = self.revocation.as_ref().filter(|revocation| revocation.holds(now)) {
            return Some(self.ended_by(revocation));
        }
        if now >= self.expires_at {
            return Some(Inactive::Expired { at: self.expires_at });
        }
        let suspension = self.suspension.as_ref();
        suspension.map(|suspension| Inactive::Suspended { position: suspension.position, since: suspension.at })
    }

    fn ended_by(&self, revocation: &Revocation) -> Inactive {
        let Revocation { position, reason, by_rule, .. } = *revocation;
        if by_rule {
            return Inactive::RevokedByRule { position, reason };
        }
        match self.lineage.successor {
            Some(successor) if reason == RevocationReason::Superseded => {
                Inactive::Rotated { position, deadline: revocation.effective_from.unwrap_or(revocation.at), successor }
            }
            _ => Inactive::Revoked { position, reason },
        }
    }

    /// The family that it is of: the identifier of the first token of it.
    #[must_use]
    pub fn family(&self) -> Uuid {
        self.lineage.family.unwrap_or(self.jti)
    }

    /// How its family began, itself included, as far as the log says so.
    #[must_use]
    pub fn first(&self) -> Option<First> {
        let own = || First { path: self.path, iat: self.issued_at.timestamp(), kid: self.kid.clone() };
        self.lineage.first.clone().or_else(|| self.lineage.family.is_none().then(own))
    }

    /// Whether it is active at `now`, or may become so again: then it keeps its name and its place.
    #[must_use]
    pub fn is_kept(&self, now: DateTime<Utc>) -> bool {
        matches!(self.status(now), Status::Active | Status::Suspended)
    }

    /// Whether its place was taken, and it is over at `now`: at its deadline, or by whatever revoked it before.
    #[must_use]
    pub fn is_superseded(&self, now: DateTime<Utc>) -> bool {
        self.lineage.successor.is_some() && self.revocation.as_ref().is_some_and(|revocation| revocation.holds(now))
    }

    /// Whether a presented token's `header.payload` is the one that was issued, and active at `now`.
    #[must_use]
    pub fn confirms(&self, presented: &[u8; 32], now: DateTime<Utc>) -> bool {
        self.claims_digest.as_ref() == Some(presented) && self.status(now) == Status::Active
    }
}

impl Suspension {
    /// Whether a caller may let the token go: a full administrator, and the subject that held it back.
    #[must_use]
    pub fn may_be_ended_by(&self, authority: &Authority) -> bool {
        authority.is_full_admin() || (self.by.is_some() && self.by == authority.subject)
    }
}

impl Revocation {
    /// That of an event about one token.
    #[must_use]
    pub fn of(event: &TokenRevoked, recorded: &Recorded) -> Self {
        Self {
            position: recorded.position,
            at: recorded.occurrence.occurred_at,
            effective_from: event.effective_from,
            reason: event.reason,
            note: event.note.clone(),
            by: recorded.occurrence.origin.actor.display(),
            by_rule: false,
        }
    }

    /// Whether it holds at `now`: at once, or from its deadline on.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.effective_from.is_none_or(|deadline| now >= deadline)
    }

    fn is_sooner_than(&self, other: &Self) -> bool {
        match (self.effective_from, other.effective_from) {
            (None, Some(_)) => true,
            (Some(mine), Some(theirs)) => mine < theirs,
            (_, None) => false,
        }
    }
}
