//! What another policy would have made of the past: every issuance and every refusal of one is decided again, by the function
//! that decided it, on the state as it was at its place of the log.
//!
//! Not everything that decided is in the log. So each is decided in every world that the log allows (`worlds`), and a
//! world counts in which the policy of then decides as it did. Where these worlds come to different ends under the other
//! policy, that is said, and nothing is guessed.

mod worlds;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::{
    Event, Path, Recorded, Refusal, Settings, State,
    issue::{Circumstances, issue},
    membership::Answer,
    policy::{Policy, Rules},
    rotate::rotate,
    status_list::Draw,
};
use worlds::{Case, Wish, World};

/// Tokens that have been over for so long are not looked at any more: no two clocks differ by as much.
const OVER_FOR: TimeDelta = TimeDelta::days(1);
/// So many tokens at least are known before some are forgotten.
const KNOWN_MIN: usize = 10_000;

/// What a decision came to, or comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A token was issued.
    Issued {
        /// For so many seconds.
        expires_in: i64,
    },
    /// It was refused.
    Refused {
        /// The rule that said no.
        rule: String,
    },
}

/// What a decision comes to under the other policy, and what would be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What.
    pub outcome: Outcome,
    /// What the asker would be told; `None` with a token.
    pub detail: Option<String>,
}

/// What the other policy makes of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same.
    Same,
    /// Something else.
    Changed {
        /// What it came to.
        was: Outcome,
        /// What it comes to: one of these, most often the only one.
        now: Vec<Decided>,
    },
    /// The log does not tell.
    Untold {
        /// What it came to.
        was: Outcome,
        /// Why not.
        why: Why,
        /// What it may come to, as far as that is known.
        now: Vec<Decided>,
    },
}

/// Why the log does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Whom or what it was for is erased.
    Erased,
    /// By what authority it was asked for is not recorded, or erased.
    AskerUnknown,
    /// The other policy has another table for what an identity provider says, of which only what came of it is recorded.
    GroupsNotRecorded,
    /// Whether a lifetime was asked for, or the usual one given, is not recorded.
    LifetimeNotRecorded,
    /// What the membership source said is not recorded.
    MembershipNotRecorded,
    /// Which address was asked for is not recorded of what was refused.
    AddressNotRecorded,
    /// By what the log tells, the policy of then decides otherwise than it did.
    NotReproduced,
}

impl Why {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::AskerUnknown => "asker_unknown",
            Self::GroupsNotRecorded => "groups_not_recorded",
            Self::LifetimeNotRecorded => "lifetime_not_recorded",
            Self::MembershipNotRecorded => "membership_not_recorded",
            Self::AddressNotRecorded => "address_not_recorded",
            Self::NotReproduced => "not_reproduced",
        }
    }

    /// For people.
    #[must_use]
    pub fn explained(self) -> &'static str {
        match self {
            Self::Erased => "whom or what it was for is erased",
            Self::AskerUnknown => "by what authority it was asked for is not in the log",
            Self::GroupsNotRecorded => {
                "the other policy makes something else of a person's groups, and these are not in the log"
            }
            Self::LifetimeNotRecorded => "whether a lifetime was asked for is not in the log",
            Self::MembershipNotRecorded => "what the membership source said is not in the log",
            Self::AddressNotRecorded => "which address was asked for is not in the log",
            Self::NotReproduced => "not everything that decided it is in the log",
        }
    }
}

/// The fold: events go in, in the order of the log, from its beginning.
pub struct WhatIf {
    state: State,
    rules: Rules,
    other: Option<Policy>,
    known: usize,
}

impl WhatIf {
    /// What these rules would have made of a log.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { state: State::new(Settings::default()), rules, other: None, known: KNOWN_MIN }
    }

    /// Goes on to the next event, and tells what becomes of the decision that it records, if it records one about an
    /// issuance.
    pub fn judge(&mut self, recorded: &Recorded) -> Option<Verdict> {
        let case = Case::of(recorded);
        let verdict = case.map(|case| self.verdict(&case, recorded));
        self.pass(recorded);
        verdict
    }

    /// Goes on to the next event.
    pub fn pass(&mut self, recorded: &Recorded) {
        self.state.apply(recorded);
        if matches!(recorded.occurrence.event, Event::PolicyApplied(_)) {
            self.other = self.state.settings.policy.as_ref().map(|then| beside(then, &self.rules));
        }
        if self.state.known() > self.known {
            self.state.forget(recorded.recorded_at.min(recorded.occurrence.occurred_at) - OVER_FOR);
            self.known = KNOWN_MIN.max(2 * self.state.known());
        }
    }

    fn verdict(&mut self, case: &Case, recorded: &Recorded) -> Verdict {
        let untold = |why| Verdict::Untold { was: case.was.clone(), why, now: Vec::new() };
        let (Some(then), Some(other)) = (&self.state.settings.policy, self.other.take()) else {
            return untold(Why::NotReproduced);
        };
        match worlds::of(case, &self.state, recorded, (&then.rules, &other.rules)) {
            Ok(worlds) => self.compare(case, worlds, recorded, other),
            Err(why) => {
                self.other = Some(other);
                untold(why)
            }
        }
    }

    /// Holds against each other what both policies make of the worlds that the log allows.
    fn compare(&mut self, case: &Case, mut worlds: Vec<World>, recorded: &Recorded, other: Policy) -> Verdict {
        let (was, place) = (case.was.clone(), Place::of(case, recorded));
        worlds.retain(|world| place.decide(&self.state, &world.wish, world, world.then.as_ref()).outcome == was);
        let then = self.state.settings.policy.replace(other);
        let decided: Vec<(Option<u32>, Decided)> = worlds
            .iter()
            .map(|world| (world.wish.ttl(), place.decide(&self.state, &world.wish, world, world.other.as_ref())))
            .collect();
        self.other = std::mem::replace(&mut self.state.settings.policy, then);
        let mut now: Vec<Decided> = Vec::new();
        for (_, one) in &decided {
            if now.iter().all(|seen| seen.outcome != one.outcome) {
                now.push(one.clone());
            }
        }
        let same = now.iter().filter(|one| one.outcome == was).count();
        match (now.len(), same) {
            (0, _) => Verdict::Untold { was, why: Why::NotReproduced, now },
            (1, 1) => Verdict::Same,
            (_, 0) => Verdict::Changed { was, now },
            _ => Verdict::Untold { why: reason(&decided, &was), was, now },
        }
    }
}

/// What makes the difference: the lifetime, unless the ends differ with the same one.
fn reason(decided: &[(Option<u32>, Decided)], was: &Outcome) -> Why {
    let is_split = |ttl: &Option<u32>| {
        let mut same = decided.iter().filter(|(asked, _)| asked == ttl).map(|(_, one)| one.outcome == *was);
        same.next().is_some_and(|first| same.any(|other| other != first))
    };
    let by_membership = decided.iter().any(|(ttl, _)| is_split(ttl));
    if by_membership { Why::MembershipNotRecorded } else { Why::LifetimeNotRecorded }
}

/// The other rules where these were in force. Which key signs, and where statuses stand, is no matter of who may have what:
/// that stays as it was.
fn beside(then: &Policy, rules: &Rules) -> Policy {
    let mut rules = rules.clone();
    rules.shell.kid.clone_from(&then.rules.shell.kid);
    rules.status_lists.clone_from(&then.rules.status_lists);
    Policy { version: then.version, rules, text: None }
}

/// What of an event's place decides besides the world.
struct Place {
    path: Path,
    jti: Uuid,
    draw: Draw,
    now: DateTime<Utc>,
}

impl Place {
    fn of(case: &Case, recorded: &Recorded) -> Self {
        let mut draw = Draw::default();
        if let Some(entry) = case.entry {
            (draw.list, draw.indexes) = (entry.list, [entry.idx; _]);
        }
        let (path, now) = (recorded.occurrence.origin.path, recorded.occurrence.occurred_at);
        Self { path, jti: case.jti, draw, now }
    }

    fn decide(&self, state: &State, wish: &Wish, world: &World, membership: Option<&Answer>) -> Decided {
        let Self { path, jti, draw, now } = *self;
        let Some(signer) = state.settings.signer(path) else { return refused(&Refusal::NotConfigured) };
        let circumstances = Circumstances { path, jti, signer, membership, draw, now };
        let issued = match wish {
            Wish::Issue(command) => {
                issue(state, command, &world.authority, circumstances).map(|issuance| issuance.issued)
            }
            Wish::Rotate(command) => rotate(state, command, &world.authority, circumstances).and_then(|events| {
                let mut issued = events.into_iter().filter_map(|event| match event {
                    Event::TokenIssued(issued) => Some(*issued),
                    _ => None,
                });
                issued.next().ok_or(Refusal::TokenUnknown { jti })
            }),
        };
        match issued {
            Ok(issued) => Decided { outcome: Outcome::Issued { expires_in: issued.exp - issued.iat }, detail: None },
            Err(refusal) => refused(&refusal),
        }
    }
}

fn refused(refusal: &Refusal) -> Decided {
    let outcome = Outcome::Refused { rule: refusal.code().to_owned() };
    Decided { outcome, detail: Some(refusal.to_string()) }
}
