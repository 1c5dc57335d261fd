//! What people and programs are shown, the same at every door: a token's record, an issuance, an event.

mod cloud_event;
mod courier;
pub mod csv;
mod event;
mod keys;
mod life;
mod ocsf;
mod preview;
mod provenance;
mod what_if;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use cloud_event::CloudEvent;
pub use courier::{CourierView, courier};
pub use event::EventView;
pub use keys::{KeyView, key_state};
pub use life::{LifeView, StepView};
pub use ocsf::OcsfEvent;
pub use preview::RulePreview;
pub use what_if::VerdictView;

use super::{IssuedToken, past::Past};
use crate::domain::{
    Path, Position, Status, Token,
    claims::{CanonicalUuid, Scopes, Teams},
    event::Elevation,
    revoke::RevocationReason,
    status::Inactive,
    text::{Audience, Description, Email, FullName, Kid, Name, Namespace, Note, Subject},
};

/// An instant as it is shown: RFC 3339, UTC, whole microseconds only where there are any.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A token's record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView<'a> {
    /// Which past it is of, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<PastView>,
    /// Its identifier.
    #[schema(value_type = CanonicalUuid)]
    jti: Uuid,
    /// Whom it speaks for; `null` once erased, like everything that is personal.
    #[schema(required)]
    sub: Option<&'a Subject>,
    /// Its name.
    #[schema(required)]
    name: Option<&'a Name>,
    /// What it is for.
    #[schema(required)]
    description: Option<&'a Description>,
    /// Its state now.
    status: Status,
    /// Why it is not active now; `null` when it is.
    #[schema(required)]
    inactive_because: Option<InactiveView>,
    /// The door it came through.
    path: Path,
    /// Whether it came past the API's controls.
    out_of_band: bool,
    /// What makes it more than its bearer's own public-only token.
    elevated: &'a [Elevation],
    /// When it was issued.
    #[schema(format = DateTime)]
    issued_at: String,
    /// The first instant at which it is expired.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Who had it issued, for people to read.
    #[schema(required)]
    issued_by: Option<&'a str>,
    /// Why it was issued.
    #[schema(required)]
    reason: Option<&'a Note>,
    /// Whom it is meant for.
    aud: &'a [Audience],
    /// The key that signs it.
    kid: &'a Kid,
    /// Whether it claims an administrator.
    is_admin: bool,
    /// The address of its subject.
    #[schema(required)]
    email: Option<&'a Email>,
    /// The name of its subject.
    #[schema(required)]
    full_name: Option<&'a FullName>,
    /// The teams it reaches.
    teams: &'a Teams,
    /// The namespaces it reaches.
    namespaces: &'a [Namespace],
    /// What narrows it.
    scopes: &'a Scopes,
    /// The version of the policy that allowed it.
    policy_version: u32,
    /// Where in the log it was issued.
    position: Position,
    /// Its revocation, once there is one.
    #[schema(required)]
    revocation: Option<RevocationView<'a>>,
    /// Whose place it took, and who took its own, once there is either.
    #[schema(required)]
    lineage: Option<LineageView>,
}

/// Why a token is not active.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inactive)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum InactiveView {
    /// It was revoked by name.
    Revoked {
        /// Where in the log.
        position: Position,
        /// Why.
        reason: RevocationReason,
    },
    /// A rule covers it.
    RevokedByRule {
        /// The rule, by its place in the log.
        position: Position,
        /// Why.
        reason: RevocationReason,
    },
    /// Another token took its place, and its deadline has passed.
    Rotated {
        /// Where in the log it was rotated.
        position: Position,
        /// The first instant at which it was inactive.
        #[schema(format = DateTime)]
        deadline: String,
        /// The token that took its place.
        #[schema(value_type = CanonicalUuid)]
        successor: Uuid,
    },
    /// Its time is over.
    Expired {
        /// The first instant at which it was.
        #[schema(format = DateTime)]
        at: String,
    },
    /// It is held back until it is resumed.
    Suspended {
        /// Where in the log.
        position: Position,
        /// Since when.
        #[schema(format = DateTime)]
        since: String,
    },
}

impl From<Inactive> for InactiveView {
    fn from(inactive: Inactive) -> Self {
        match inactive {
            Inactive::Revoked { position, reason } => Self::Revoked { position, reason },
            Inactive::RevokedByRule { position, reason } => Self::RevokedByRule { position, reason },
            Inactive::Rotated { position, deadline, successor } => {
                Self::Rotated { position, deadline: instant(deadline), successor }
            }
            Inactive::Expired { at } => Self::Expired { at: instant(at) },
            Inactive::Suspended { position, since } => Self::Suspended { position, since: instant(since) },
        }
    }
}

/// A token's place among those that took each other's place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lineage)]
struct LineageView {
    /// The first token of its family.
    #[schema(value_type = CanonicalUuid)]
    family: Uuid,
    /// The token whose place it took; `null` for the first.
    #[schema(required, value_type = Option<CanonicalUuid>)]
    predecessor: Option<Uuid>,
    /// The token that took its place; `null` for the last.
    #[schema(required, value_type = Option<CanonicalUuid>)]
    successor: Option<Uuid>,
}

impl LineageView {
    fn of(token: &Token) -> Option<Self> {
        let (predecessor, successor) = (token.lineage.predecessor, token.lineage.successor);
        predecessor.or(successor).map(|_| Self { family: token.family(), predecessor, successor })
    }
}

/// A token's revocation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Revocation)]
struct RevocationView<'a> {
    /// Where in the log.
    position: Position,
    /// When it was decided.
    #[schema(format = DateTime)]
    revoked_at: String,
    /// From when on it holds; `null` = at once.
    #[schema(required, format = DateTime)]
    effective_from: Option<String>,
    /// Why.
    reason: RevocationReason,
    /// Why, in a person's words.
    #[schema(required)]
    note: Option<&'a Note>,
    /// Who, for people to read.
    #[schema(required)]
    revoked_by: Option<&'a str>,
    /// Whether a rule did it, the one at that position.
    by_rule: bool,
}

/// A past state of the log.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PastState)]
pub struct PastView {
    /// The last event that it includes; 0 before the first.
    #[schema(value_type = Position)]
    position: Position,
    /// The instant that states are judged at.
    #[schema(format = DateTime)]
    judged_at: String,
}

impl From<Past> for PastView {
    fn from(past: Past) -> Self {
        Self { position: past.position, judged_at: instant(past.at) }
    }
}

impl<'a> TokenView<'a> {
    /// The same, and which past it is of.
    #[must_use]
    pub fn as_of(self, past: Past) -> Self {
        Self { as_of: Some(past.into()), ..self }
    }

    /// The record as of `now`.
    #[must_use]
    pub fn new(token: &'a Token, now: DateTime<Utc>) -> Self {
        Self {
            as_of: None,
            jti: token.jti,
            sub: token.sub.as_ref(),
            name: token.name.as_ref(),
            description: token.description.as_ref(),
            status: token.status(now),
            inactive_because: token.inactive(now).map(InactiveView::from),
            path: token.path,
            out_of_band: token.out_of_band,
            elevated: &token.elevated,
            issued_at: instant(token.issued_at),
            expires_at: instant(token.expires_at),
            issued_by: token.issued_by.as_deref(),
            reason: token.reason.as_ref(),
            aud: &token.aud,
            kid: &token.kid,
            is_admin: token.is_admin,
            email: token.email.as_ref(),
            full_name: token.full_name.as_ref(),
            teams: &token.teams,
            namespaces: &token.namespaces,
            scopes: &token.scopes,
            policy_version: token.policy_version,
            position: token.issued,
            revocation: token.revocation.as_ref().map(|revocation| RevocationView {
                position: revocation.position,
                revoked_at: instant(revocation.at),
                effective_from: revocation.effective_from.map(instant),
                reason: revocation.reason,
                note: revocation.note.as_ref(),
                revoked_by: revocation.by.as_deref(),
                by_rule: revocation.by_rule,
            }),
            lineage: LineageView::of(token),
        }
    }
}

/// A token that was just issued.
#[derive(Serialize, ToSchema)]
#[schema(as = Issued)]
pub struct IssuedView<'a> {
    /// What the log says of it.
    token: TokenView<'a>,
    /// The token itself. It is shown now and never again.
    #[schema(examples("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.…"))]
    access_token: &'a str,
    /// How it is presented.
    token_type: TokenType,
    /// Its lifetime in seconds.
    #[schema(minimum = 1, examples(3600))]
    expires_in: i64,
    /// Where in the log it was issued.
    position: Position,
}

/// `token_type`, RFC 6750.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub enum TokenType {
    /// In `Authorization`.
    Bearer,
}

/// The answer to an issuance: the one place where its text is written out.
#[must_use]
pub fn issued(issued: &IssuedToken, now: DateTime<Utc>) -> IssuedView<'_> {
    let token = &issued.token;
    IssuedView {
        token: TokenView::new(token, now),
        access_token: issued.signed.expose(),
        token_type: TokenType::Bearer,
        expires_in: (token.expires_at - token.issued_at).num_seconds(),
        position: token.issued,
    }
}
