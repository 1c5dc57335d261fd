//! One token's life as a story: how it came about and on what authority, what became of it, and what others tried with it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::{
    Actor, Authority, Event, Path, Position, Predicate, Recorded, Rule, Settings, State, Status, Token, TokenIssued,
    asker,
    denial::Shadow,
    event::KeyCompromised,
    provenance::{Provenance, trace},
    revoke::RevocationReason,
    status::Inactive,
    suspend::Change,
    text::{Audience, Kid, Note},
    token::instant,
};

/// A token's life up to some place of the log, told at some instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What the log says of the token.
    pub token: Token,
    /// Its status at that instant.
    pub status: Status,
    /// Why it was not active then.
    pub inactive: Option<Inactive>,
    /// What happened, in the order of the log; what time alone did stands where it did it.
    pub steps: Vec<Step>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When: the decision's clock.
    pub at: DateTime<Utc>,
    /// The event that says so; `None` for what time alone did.
    pub source: Option<Source>,
    /// What.
    pub what: What,
}

/// Where a step stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where in the log.
    pub position: Position,
    /// When the log knew it: the clock of the database.
    pub recorded_at: DateTime<Utc>,
    /// The door it came through.
    pub path: Path,
    /// Who.
    pub actor: Actor,
}

/// What can happen to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was issued.
    Issued(Box<Issuance>),
    /// Another one took its place.
    Rotated {
        /// Who.
        successor: Uuid,
        /// Until when it was to be good beside it; `None` = no longer.
        deadline: Option<DateTime<Utc>>,
    },
    /// It was revoked by its identifier.
    Revoked {
        /// Why, in one of RFC 5280's words.
        reason: RevocationReason,
        /// From when on; `None` = at once.
        effective_from: Option<DateTime<Utc>>,
        /// Why, in a person's words.
        note: Option<Note>,
    },
    /// A rule was added that covers it.
    RuleAdded {
        /// What the rule covers.
        predicate: Box<Predicate>,
        /// Why, in one of RFC 5280's words.
        reason: RevocationReason,
        /// Why, in a person's words.
        note: Option<Note>,
        /// What it did.
        reach: Reach,
    },
    /// The key that signs it was said to be in others' hands.
    KeyCompromised {
        /// The key.
        kid: Kid,
        /// The first position from which on nothing is believed that it signed.
        from: Position,
        /// The instant that was named for that.
        since: Option<DateTime<Utc>>,
        /// How it came about, in a person's words.
        note: Option<Note>,
        /// What it did.
        reach: Reach,
    },
    /// It was held back.
    Suspended {
        /// Why, in a person's words.
        note: Option<Note>,
    },
    /// It was let go again.
    Resumed {
        /// Why, in a person's words.
        note: Option<Note>,
    },
    /// Something was asked for, and refused.
    Refused {
        /// What was.
        asked: Asked,
        /// The rule that said no.
        rule: String,
        /// How often it said so since then.
        count: u32,
        /// When it did for the first of these times.
        since: DateTime<Utc>,
    },
    /// It was presented after its end, though another had taken its place.
    Reused {
        /// Who had.
        successor: Uuid,
    },
    /// A courier told a gateway of its end.
    CourierIssued {
        /// The gateways.
        aud: Vec<Audience>,
        /// When that was over.
        expires_at: DateTime<Utc>,
    },
    /// A good signature was seen over other claims under its identifier.
    ShadowSeen {
        /// The key that signed them.
        kid: Kid,
        /// What was wrong with them.
        shadow: Shadow,
    },
    /// The time for which it was good beside its successor was over.
    DeadlinePassed,
    /// Its own time was over.
    Expired,
}

impl What {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Issued(_) => "issued",
            Self::Rotated { .. } => "rotated",
            Self::Revoked { .. } => "revoked",
            Self::RuleAdded { .. } => "rule_added",
            Self::KeyCompromised { .. } => "key_compromised",
            Self::Suspended { .. } => "suspended",
            Self::Resumed { .. } => "resumed",
            Self::Refused { .. } => "refused",
            Self::Reused { .. } => "reused",
            Self::CourierIssued { .. } => "courier_issued",
            Self::ShadowSeen { .. } => "shadow_seen",
            Self::DeadlinePassed => "deadline_passed",
            Self::Expired => "expired",
        }
    }
}

/// What a rule did to a token that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It ended it.
    Ended,
    /// The token was over by then.
    WasOver,
    /// Nobody can tell: something of the rule or of the token was erased.
    Untold,
}

/// What was asked for of a token, and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Its end.
    Revocation,
    /// That it be held back.
    Suspension,
    /// That it be let go.
    Resumption,
    /// A successor.
    Rotation,
    /// A courier.
    Courier,
}

impl Asked {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Suspension => "suspension",
            Self::Resumption => "resumption",
            Self::Rotation => "rotation",
            Self::Courier => "courier",
        }
    }
}

/// How a token came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// What it was like.
    pub token: Token,
    /// Where the policy was applied that allowed it.
    pub policy_applied: Option<Position>,
    /// What the asker could do; `None` where the log does not tell.
    pub authority: Option<Authority>,
    /// Where everything that it may be used for came from.
    pub provenance: Provenance,
}

/// The fold: events go in, in the order of the log. All of them, or those alone that name the token, rules that cover it,
/// settings, and what its asker's authority is made of: the story is the same.
pub struct TokenLife {
    jti: Uuid,
    state: State,
    policy_applied: Option<Position>,
    steps: Vec<Step>,
}

impl TokenLife {
    /// The life of this token, before the first event.
    #[must_use]
    pub fn of(jti: Uuid) -> Self {
        Self { jti, state: State::new(Settings::default()), policy_applied: None, steps: Vec::new() }
    }

    /// Goes on to the next event.
    pub fn apply(&mut self, recorded: &Recorded) {
        let what = self.what(recorded);
        self.state.apply(recorded);
        if matches!(recorded.occurrence.event, Event::PolicyApplied(_)) {
            self.policy_applied = Some(recorded.position);
        }
        if let Some(what) = what {
            self.steps.push(Step { at: recorded.occurrence.occurred_at, source: Some(source(recorded)), what });
        }
    }

    /// What an event says of the token, by the state before it.
    fn what(&self, recorded: &Recorded) -> Option<What> {
        let event = &recorded.occurrence.event;
        match event {
            Event::TokensRevokedByRule(added) => {
                let reach = self.reach(&Rule::added(added, recorded))?;
                let (predicate, note) = (Box::new(added.predicate.clone()), added.note.clone());
                Some(What::RuleAdded { predicate, reason: added.reason, note, reach })
            }
            Event::KeyCompromised(compromised) => {
                let reach = self.reach(&Rule::of_compromise(compromised, recorded))?;
                let KeyCompromised { kid, from, since, note } = compromised.clone();
                Some(What::KeyCompromised { kid, from, since, note, reach })
            }
            Event::TokenIssued(issued) if issued.jti == self.jti => Some(self.issuance(issued, recorded)),
            event if event.jti() == Some(self.jti) => of_itself(event),
            _ => None,
        }
    }

    /// What a rule does to the token; `None` where it does not cover it.
    fn reach(&self, rule: &Rule) -> Option<Reach> {
        let token = self.state.token(self.jti)?;
        if rule.covers(token) {
            let mut after = token.clone();
            after.revoke_by(rule);
            let was_over = rule.at >= token.expires_at || after.revocation == token.revocation;
            return Some(if was_over { Reach::WasOver } else { Reach::Ended });
        }
        rule.may_have_covered(token).then_some(Reach::Untold)
    }

    fn issuance(&self, issued: &TokenIssued, recorded: &Recorded) -> What {
        let origin = &recorded.occurrence.origin;
        let authority = asker::authority(&self.state, origin);
        let policy = self.state.settings.policy.as_ref();
        let provenance = trace(issued, origin.path, authority.as_ref(), policy);
        let token = Token::issued(issued, recorded);
        What::Issued(Box::new(Issuance { token, policy_applied: self.policy_applied, authority, provenance }))
    }

    /// The story as it is told at `now`; `None` when there was no such token.
    #[must_use]
    pub fn finish(mut self, now: DateTime<Utc>) -> Option<Life> {
        let token = self.state.token(self.jti)?.clone();
        let ended = token.revocation.as_ref().map(|revocation| revocation.effective_from.unwrap_or(revocation.at));
        let deadline = token.revocation.as_ref().and_then(|revocation| revocation.effective_from);
        if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
            self.pass(deadline, What::DeadlinePassed);
        }
        if token.expires_at <= now && ended.is_none_or(|ended| ended >= token.expires_at) {
            self.pass(token.expires_at, What::Expired);
        }
        let (status, inactive) = (token.status(now), token.inactive(now));
        Some(Life { token, status, inactive, steps: self.steps })
    }

    /// Adds what time alone did, behind all that was decided before.
    fn pass(&mut self, at: DateTime<Utc>, what: What) {
        let before = self.steps.iter().rposition(|step| step.at < at).map_or(0, |last| last + 1);
        self.steps.insert(before, Step { at, source: None, what });
    }
}

fn source(recorded: &Recorded) -> Source {
    let origin = &recorded.occurrence.origin;
    let (position, recorded_at) = (recorded.position, recorded.recorded_at);
    Source { position, recorded_at, path: origin.path, actor: origin.actor.clone() }
}

/// What an event says of the token that it names.
fn of_itself(event: &Event) -> Option<What> {
    let refused = |asked: Asked, rule: &str, count: u32, since: DateTime<Utc>| {
        Some(What::Refused { asked, rule: rule.to_owned(), count, since })
    };
    match event {
        Event::TokenRevoked(revoked) => Some(match revoked.successor {
            Some(successor) => What::Rotated { successor, deadline: revoked.effective_from },
            None => What::Revoked {
                reason: revoked.reason,
                effective_from: revoked.effective_from,
                note: revoked.note.clone(),
            },
        }),
        Event::TokenSuspended(changed) => Some(What::Suspended { note: changed.note.clone() }),
        Event::TokenResumed(changed) => Some(What::Resumed { note: changed.note.clone() }),
        Event::RevocationRefused(no) => refused(Asked::Revocation, &no.rule, no.count, no.since),
        Event::SuspensionRefused(no) => {
            let asked = match no.change {
                Change::Suspend => Asked::Suspension,
                Change::Resume => Asked::Resumption,
            };
            refused(asked, &no.rule, no.count, no.since)
        }
        Event::RotationRefused(no) => refused(Asked::Rotation, &no.rule, no.count, no.since),
        Event::CourierRefused(no) => refused(Asked::Courier, &no.rule, no.count, no.since),
        Event::CourierIssued(issued) => {
            Some(What::CourierIssued { aud: issued.aud.clone(), expires_at: instant(issued.exp) })
        }
        Event::RotatedTokenReused(seen) => Some(What::Reused { successor: seen.successor }),
        Event::ShadowTokenSeen(seen) => Some(What::ShadowSeen { kid: seen.kid.clone(), shadow: seen.what }),
        Event::TokenIssued(_)
        | Event::TokensRevokedByRule(_)
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
        | Event::IssuanceRefused(_)
        | Event::RevocationByRuleRefused(_)
        | Event::LoginRefused(_)
        | Event::AuditRead(_)
        | Event::PersonSeen(_) => None,
    }
}
