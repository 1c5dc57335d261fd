//! A token's life as it is shown.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    InactiveView, instant,
    provenance::{AuthorityView, ProvenanceView},
};
use crate::domain::{
    Path, Position, Predicate, Status,
    audit::token_life::{Issuance, Life, Reach, Step, What},
    claims::{CanonicalUuid, Teams},
    event::Elevation,
    origin::Actor,
    revoke::RevocationReason,
    text::{Audience, Kid, Name, Note, Permission, Subject},
};

/// A token's life.
#[derive(Debug, Serialize)]
pub struct LifeView<'a> {
    /// The token.
    jti: Uuid,
    /// Its status now.
    status: Status,
    /// Why it is not active now; `null` when it is.
    inactive_because: Option<InactiveView>,
    /// What happened.
    life: Vec<StepView<'a>>,
}

impl<'a> From<&'a Life> for LifeView<'a> {
    fn from(life: &'a Life) -> Self {
        Self {
            jti: life.token.jti,
            status: life.status,
            inactive_because: life.inactive.map(InactiveView::from),
            life: life.steps.iter().map(|step| StepView::new(step, true)).collect(),
        }
    }
}

/// Something that happened in a token's life.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeStep)]
pub struct StepView<'a> {
    /// When: the decision's clock.
    #[schema(format = DateTime)]
    at: String,
    /// The event that says so; `null` for what time alone did.
    #[schema(required)]
    position: Option<Position>,
    /// When the log knew it, by the database's clock.
    #[schema(required, format = DateTime)]
    recorded_at: Option<String>,
    /// The door it came through.
    #[schema(required)]
    path: Option<Path>,
    /// Who caused it.
    #[schema(required)]
    actor: Option<&'a Actor>,
    /// What happened.
    what: FactView<'a>,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeFact)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FactView<'a> {
    /// It was issued.
    Issued {
        /// How.
        issuance: Box<IssuanceView<'a>>,
    },
    /// Another one took its place.
    Rotated {
        /// Who.
        #[schema(value_type = CanonicalUuid)]
        successor: Uuid,
        /// Until when it was to be good beside it; `null` = no longer.
        #[schema(required, format = DateTime)]
        deadline: Option<String>,
    },
    /// It was revoked by its identifier.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// From when on; `null` = at once.
        #[schema(required, format = DateTime)]
        effective_from: Option<String>,
        /// Why, in a person's words.
        #[schema(required)]
        note: Option<&'a Note>,
    },
    /// A rule was added that covers it.
    RuleAdded {
        /// What the rule covers.
        #[serde(rename = "where")]
        predicate: &'a Predicate,
        /// Why.
        reason: RevocationReason,
        /// Why, in a person's words.
        #[schema(required)]
        note: Option<&'a Note>,
        /// What it did to the token.
        reach: ReachView,
    },
    /// The key that signs it was said to be in others' hands.
    KeyCompromised {
        /// The key.
        kid: &'a Kid,
        /// The first position from which on nothing is believed that it signed.
        from: Position,
        /// The instant that was named for that.
        #[schema(required, format = DateTime)]
        since: Option<String>,
        /// How it came about, in a person's words.
        #[schema(required)]
        note: Option<&'a Note>,
        /// What it did to the token.
        reach: ReachView,
    },
    /// It was held back.
    Suspended {
        /// Why, in a person's words.
        #[schema(required)]
        note: Option<&'a Note>,
    },
    /// It was let go again.
    Resumed {
        /// Why, in a person's words.
        #[schema(required)]
        note: Option<&'a Note>,
    },
    /// Something was asked for, and refused.
    Refused {
        /// What was: `revocation`, `suspension`, `resumption`, `rotation` or `courier`.
        asked: &'static str,
        /// The rule that said no.
        rule: &'a str,
        /// How often it said so since then.
        count: u32,
        /// When it did for the first of these times.
        #[schema(format = DateTime)]
        since: String,
    },
    /// It was presented after its end, though another had taken its place.
    Reused {
        /// Who had.
        #[schema(value_type = CanonicalUuid)]
        successor: Uuid,
    },
    /// A courier told a gateway of its end.
    CourierIssued {
        /// The gateways.
        aud: &'a [Audience],
        /// When that was over.
        #[schema(format = DateTime)]
        expires_at: String,
    },
    /// A good signature was seen over other claims under its identifier.
    ShadowSeen {
        /// The key that signed them.
        kid: &'a Kid,
        /// What was wrong with them.
        shadow: &'static str,
    },
    /// The time for which it was good beside its successor was over.
    DeadlinePassed {},
    /// Its own time was over.
    Expired {},
}

/// What a rule did to a token that it covers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = LifeReach)]
#[serde(rename_all = "snake_case")]
enum ReachView {
    /// It ended it.
    Ended,
    /// The token was over by then.
    WasOver,
    /// Nobody can tell any more: something of one of them was erased.
    Untold,
}

/// How a token came about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeIssuance)]
struct IssuanceView<'a> {
    /// Whom it speaks for; `null` once erased.
    #[schema(required)]
    sub: Option<&'a Subject>,
    /// Its name.
    #[schema(required)]
    name: Option<&'a Name>,
    /// Why it was issued.
    #[schema(required)]
    reason: Option<&'a Note>,
    /// The first instant at which it is expired.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whom it is meant for.
    aud: &'a [Audience],
    /// The key that signs it.
    kid: &'a Kid,
    /// Whether it came past the API's controls.
    out_of_band: bool,
    /// Whether it claims an administrator.
    is_admin: bool,
    /// What was elevated.
    elevated: &'a [Elevation],
    /// The teams it reaches.
    teams: &'a Teams,
    /// What it may be used for.
    permissions: &'a [Permission],
    /// The token whose place it takes.
    #[schema(required, value_type = Option<CanonicalUuid>)]
    predecessor: Option<Uuid>,
    /// The version of the policy that allowed it.
    policy_version: u32,
    /// Where in the log that policy was applied.
    #[schema(required)]
    policy_applied: Option<Position>,
    /// On what authority; for whoever may read the log, and where it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    authority: Option<AuthorityView<'a>>,
    /// Where each permission and each team came from; for whoever may read the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    provenance: Option<ProvenanceView<'a>>,
}

impl<'a> StepView<'a> {
    /// A step; with `authority` an issuance says on whose, too.
    #[must_use]
    pub fn new(step: &'a Step, authority: bool) -> Self {
        let source = step.source.as_ref();
        Self {
            at: instant(step.at),
            position: source.map(|source| source.position),
            recorded_at: source.map(|source| instant(source.recorded_at)),
            path: source.map(|source| source.path),
            actor: source.map(|source| &source.actor),
            what: fact(&step.what, authority),
        }
    }
}

fn fact(what: &What, authority: bool) -> FactView<'_> {
    match what {
        What::Issued(issuance) => FactView::Issued { issuance: Box::new(IssuanceView::new(issuance, authority)) },
        What::Rotated { successor, deadline } => {
            FactView::Rotated { successor: *successor, deadline: deadline.map(instant) }
        }
        What::Revoked { reason, effective_from, note } => {
            FactView::Revoked { reason: *reason, effective_from: effective_from.map(instant), note: note.as_ref() }
        }
        What::RuleAdded { predicate, reason, note, reach } => {
            FactView::RuleAdded { predicate, reason: *reason, note: note.as_ref(), reach: (*reach).into() }
        }
        What::KeyCompromised { kid, from, since, note, reach } => FactView::KeyCompromised {
            kid,
            from: *from,
            since: since.map(instant),
            note: note.as_ref(),
            reach: (*reach).into(),
        },
        What::Suspended { note } => FactView::Suspended { note: note.as_ref() },
        What::Resumed { note } => FactView::Resumed { note: note.as_ref() },
        What::Refused { asked, rule, count, since } => {
            FactView::Refused { asked: asked.as_str(), rule, count: *count, since: instant(*since) }
        }
        What::Reused { successor } => FactView::Reused { successor: *successor },
        What::CourierIssued { aud, expires_at } => FactView::CourierIssued { aud, expires_at: instant(*expires_at) },
        What::ShadowSeen { kid, shadow } => FactView::ShadowSeen { kid, shadow: shadow.as_str() },
        What::DeadlinePassed => FactView::DeadlinePassed {},
        What::Expired => FactView::Expired {},
    }
}

impl From<Reach> for ReachView {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Ended => Self::Ended,
            Reach::WasOver => Self::WasOver,
            Reach::Untold => Self::Untold,
        }
    }
}

impl<'a> IssuanceView<'a> {
    fn new(issuance: &'a Issuance, authority: bool) -> Self {
        let token = &issuance.token;
        Self {
            sub: token.sub.as_ref(),
            name: token.name.as_ref(),
            reason: token.reason.as_ref(),
            expires_at: instant(token.expires_at),
            aud: &token.aud,
            kid: &token.kid,
            out_of_band: token.out_of_band,
            is_admin: token.is_admin,
            elevated: &token.elevated,
            teams: &token.teams,
            permissions: &token.scopes.permissions,
            predecessor: token.lineage.predecessor,
            policy_version: token.policy_version,
            policy_applied: issuance.policy_applied,
            authority: issuance.authority.as_ref().filter(|_| authority).map(AuthorityView::from),
            provenance: authority.then(|| (&issuance.provenance).into()),
        }
    }
}
