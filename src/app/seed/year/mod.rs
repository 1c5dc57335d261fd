//! A made-up year of a catalog, event by event: what people, services and operators asked for, each decided by the commands
//! that decide anything.

mod acts;
mod calendar;
mod people;
mod turns;

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{LogPlan, SeedError, chance::Chance, population::Population};
use crate::{
    domain::{
        Act, Command, Event, Occurrence, Origin, Position, Recorded, Refusal, Settings, State, Status,
        ambient::uuid_v7, command::Decision, configure::Configure, denial::Denial, event::KeyAdded, text::Kid,
    },
    store::{AppendError, bulk::Batch},
};
use calendar::Calendar;
pub(super) use people::Cast;
pub(super) use turns::KEYS;
use turns::Turn;

/// How many events are written at once.
const BATCH_MAX: usize = 4_000;
/// Tokens that have been over for so long are forgotten, once so many are known.
const OVER_FOR: TimeDelta = TimeDelta::days(1);
const KNOWN_MIN: usize = 20_000;
/// How many tokens of late are remembered to have something done to.
const LATE_MAX: usize = 512;
/// How often something else is tried where nothing comes of it.
const TRIES_MAX: usize = 64;

/// The year as it goes on.
pub(super) struct Year {
    plan: LogPlan,
    calendar: Calendar,
    chance: Chance,
    population: Population,
    cast: Cast,
    keys: Vec<KeyAdded>,
    configure: Option<Configure>,
    turns: VecDeque<(u64, Turn)>,
    state: State,
    known_max: usize,
    position: Position,
    recorded_at: DateTime<Utc>,
    commands: u64,
    /// Tokens that may still be used, in no order.
    ids: Vec<Uuid>,
    rotated: VecDeque<Uuid>,
    revoked: VecDeque<Uuid>,
    held: VecDeque<Uuid>,
    /// Where the log was of late.
    marks: VecDeque<(DateTime<Utc>, Position)>,
    batch: Batch,
}

impl Year {
    /// The year of a new catalog, which signs with these keys one after the other.
    pub(super) fn new(plan: LogPlan, configure: Configure, keys: Vec<KeyAdded>, cast: Cast) -> Self {
        let calendar = Calendar::until(plan.until);
        Self {
            chance: Chance::of(plan.seed),
            population: Population::of(plan.events),
            cast,
            keys,
            configure: Some(configure),
            turns: turns::of_the_year(),
            state: State::new(Settings::default()),
            known_max: KNOWN_MIN,
            position: Position(0),
            recorded_at: calendar.begin(),
            commands: 0,
            ids: Vec::new(),
            rotated: VecDeque::new(),
            revoked: VecDeque::new(),
            held: VecDeque::new(),
            marks: VecDeque::new(),
            batch: empty(Settings::default()),
            calendar,
            plan,
        }
    }

    /// The next events; `None` when the year is over.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, SeedError> {
        while self.left() > 0 && self.batch.events.len() < BATCH_MAX {
            let now = self.now();
            if let Some(configure) = self.configure.take() {
                let origin = self.of_the_program()?;
                self.carry_out(Act::Configure(Box::new(configure)), origin, now)?;
                continue;
            }
            let is_due = |(permille, _): &&(u64, Turn)| self.done() * 1_000 >= permille * self.plan.events;
            if let Some((_, turn)) = self.turns.front().filter(is_due).cloned() {
                self.turns.pop_front();
                if turn.is_a_rule() && !self.batch.events.is_empty() {
                    self.turns.push_front((0, turn));
                    break;
                }
                self.take(&turn, now)?;
                if turn.is_a_rule() {
                    break;
                }
                continue;
            }
            self.step(now)?;
        }
        if self.batch.events.is_empty() {
            return Ok(None);
        }
        let next = empty(self.state.settings.clone());
        Ok(Some(std::mem::replace(&mut self.batch, next)))
    }

    /// How many events there are.
    pub(super) fn done(&self) -> u64 {
        self.position.0.unsigned_abs()
    }

    fn left(&self) -> u64 {
        self.plan.events.saturating_sub(self.done())
    }

    /// When the next event is decided.
    fn now(&self) -> DateTime<Utc> {
        self.calendar.instant(self.done(), self.plan.events).max(self.recorded_at)
    }

    /// Something happens. What comes to nothing is left, and something else is tried.
    fn step(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let before = self.position;
        for _ in 0..TRIES_MAX {
            self.happen(now)?;
            if self.position > before {
                return Ok(());
            }
        }
        Err(SeedError::Stuck { position: before })
    }

    /// Decides a command and records what comes of it, a denial too. Tells whether it was carried out.
    fn carry_out(&mut self, act: Act, origin: Origin, now: DateTime<Utc>) -> Result<bool, SeedError> {
        let authority = self.authority(&origin);
        let command = Command { act, authority, origin, now, idempotency: None };
        match command.decide(&self.state) {
            Ok(Decision::Events(events)) => {
                for event in events {
                    self.record(event, command.origin.clone(), now);
                }
                Ok(true)
            }
            Err(refusal) if refusal.is_denial() => {
                if let Some(denial) = denial(&command.act, &refusal, now) {
                    let denial = self.counted(denial, now);
                    self.record(denial.event(), command.origin, now);
                }
                Ok(false)
            }
            // A conflict is no event: somebody asks for something else then.
            Ok(Decision::Repeat(_))
            | Err(
                Refusal::NameInUse { .. }
                | Refusal::WrongStatus { .. }
                | Refusal::AlreadyRotated { .. }
                | Refusal::OverlapTooLong { .. }
                | Refusal::NothingToCarry { .. }
                | Refusal::CredentialInactive,
            ) => Ok(false),
            Err(refusal) => Err(AppendError::Refused(refusal).into()),
        }
    }

    /// Now and then somebody tries the same again and again.
    fn counted(&self, denial: Denial, now: DateTime<Utc>) -> Denial {
        if self.chance.once_in(6) {
            let times = u32::try_from(2 + self.chance.below(40)).unwrap_or(2);
            denial.repeated(times, now - TimeDelta::seconds(50))
        } else {
            denial
        }
    }

    fn record(&mut self, event: Event, origin: Origin, now: DateTime<Utc>) {
        if self.left() == 0 {
            return;
        }
        let delay = i64::try_from(self.chance.below(4_000)).unwrap_or(0);
        self.position = self.position.next();
        self.recorded_at = self.recorded_at.max(now + TimeDelta::microseconds(delay));
        let occurrence = Occurrence { event, occurred_at: now, origin };
        let recorded = Recorded { position: self.position, recorded_at: self.recorded_at, occurrence };
        self.note(&recorded.occurrence.event);
        if let Some(token) = recorded.occurrence.event.jti().and_then(|jti| self.state.token(jti))
            && self.batch.state.token(token.jti).is_none()
        {
            self.batch.state.insert(token.clone());
        }
        self.state.apply(&recorded);
        self.batch.state.apply(&recorded);
        self.batch.events.push(recorded);
        if self.state.known() > self.known_max {
            self.state.forget(now - OVER_FOR);
            self.known_max = KNOWN_MIN.max(2 * self.state.known());
        }
        if self.done().is_multiple_of((self.plan.events / 1_000).max(1)) {
            push(&mut self.marks, (self.recorded_at, self.position));
        }
    }

    /// Remembers which tokens something may be done to later.
    fn note(&mut self, event: &Event) {
        match event {
            Event::TokenIssued(issued) => self.ids.push(issued.jti),
            Event::TokenRevoked(revoked) if revoked.successor.is_some() => push(&mut self.rotated, revoked.jti),
            Event::TokenRevoked(revoked) => push(&mut self.revoked, revoked.jti),
            Event::TokenSuspended(changed) => push(&mut self.held, changed.jti),
            _ => {}
        }
    }

    /// A token that is active, any of them.
    fn any(&mut self, now: DateTime<Utc>) -> Option<Uuid> {
        while !self.ids.is_empty() {
            let index = usize::try_from(self.chance.below(self.ids.len() as u64)).unwrap_or(0);
            let jti = self.ids[index];
            match self.state.token(jti).map(|token| token.status(now)) {
                Some(Status::Active) if !self.cast.is_of_caller(jti) => return Some(jti),
                Some(Status::Active) => return None,
                Some(Status::Suspended) if self.ids.len() > 1 => return None,
                _ => _ = self.ids.swap_remove(index),
            }
        }
        None
    }

    /// The key that signs.
    fn signer(&self) -> Result<Kid, SeedError> {
        self.state.settings.active.clone().ok_or_else(|| AppendError::Refused(Refusal::NotConfigured).into())
    }

    fn new_jti(&self, now: DateTime<Utc>) -> Uuid {
        uuid_v7(now, &self.chance)
    }
}

fn empty(settings: Settings) -> Batch {
    Batch { events: Vec::with_capacity(BATCH_MAX), state: State::new(settings) }
}

fn push<T>(late: &mut VecDeque<T>, one: T) {
    late.push_back(one);
    if late.len() > LATE_MAX {
        late.pop_front();
    }
}

fn denial(act: &Act, refusal: &Refusal, now: DateTime<Utc>) -> Option<Denial> {
    Some(match act {
        Act::Issue { command, .. } => Denial::of_issuance(command, refusal, now),
        Act::Rotate { command, .. } => Denial::of_rotation(command, refusal, now),
        Act::Revoke(command) => Denial::of_revocation(command, refusal, now),
        Act::ChangeSuspension(command) => Denial::of_suspension(command, refusal, now),
        Act::IssueCourier { command, .. } => Denial::of_courier(command, refusal, now),
        Act::RevokeByRule { command, .. } => Denial::of_rule(command, refusal, now),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
