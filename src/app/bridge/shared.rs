//! What the tasks of a bridge share: what is owed, how each side is, and what time it is at the catalog.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::Notify, time::Instant};

use super::{ledger::Ledger, metrics};
use crate::{app::Ambient, domain::ambient::Clock};

/// After how long without a word from the catalog a bridge is not ready.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// With whom a bridge has to get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The catalog's feed.
    Feed,
    /// The catalog, that makes couriers.
    Couriers,
    /// The gateway.
    Gateway,
    /// The gateway's Redis.
    Redis,
    /// The position file.
    Place,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Feed, Self::Couriers, Self::Gateway, Self::Redis, Self::Place];

    /// Its name in metrics and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Couriers => "couriers",
            Self::Gateway => "gateway",
            Self::Redis => "redis",
            Self::Place => "position_file",
        }
    }
}

/// How it is with one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was heard of it yet.
    Unknown,
    /// It does what it is asked for.
    Well,
    /// It does not, and why.
    Trouble(String),
}

pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    sides: Mutex<Sides>,
    /// Rung when couriers may have come to be owed.
    pub(super) couriers: Notify,
    /// Rung when keys may have come to be owed.
    pub(super) keys: Notify,
    /// Rung when something was told.
    pub(super) told: Notify,
    /// How far the catalog's clock is ahead of this machine's, in microseconds.
    ahead: AtomicI64,
    clock: Arc<dyn Clock>,
}

struct Sides {
    standings: [Standing; Side::ALL.len()],
    heard: Option<Instant>,
    /// Whether everything that the log had at some instant was read.
    is_caught_up: bool,
}

impl Shared {
    pub(super) fn new(ambient: &Ambient, has_keys: bool) -> Self {
        let standings = Side::ALL.map(|side| match side {
            Side::Feed | Side::Gateway => Standing::Unknown,
            Side::Redis if has_keys => Standing::Unknown,
            // Whether couriers can be had is seen when one is needed: to ask for one is an event.
            Side::Redis | Side::Couriers | Side::Place => Standing::Well,
        });
        Self {
            ledger: Mutex::new(Ledger::new(has_keys)),
            sides: Mutex::new(Sides { standings, heard: None, is_caught_up: false }),
            couriers: Notify::new(),
            keys: Notify::new(),
            told: Notify::new(),
            ahead: AtomicI64::new(0),
            clock: ambient.clock.clone(),
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sides(&self) -> MutexGuard<'_, Sides> {
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is at the catalog, as far as it has said so: by that tokens begin and end to be revoked.
    pub(super) fn now(&self) -> DateTime<Utc> {
        let now = self.clock.now();
        now.checked_add_signed(TimeDelta::microseconds(self.ahead.load(Relaxed))).unwrap_or(now)
    }

    /// The catalog was heard, and says what time it is there.
    pub(super) fn heard(&self, time: DateTime<Utc>) {
        let ahead = (time - self.clock.now()).num_microseconds().unwrap_or(0);
        self.ahead.store(ahead, Relaxed);
        self.sides().heard = Some(Instant::now());
        self.well(Side::Feed);
    }

    /// Everything that the log had was read.
    pub(super) fn caught_up(&self) {
        if !std::mem::replace(&mut self.sides().is_caught_up, true) {
            self.keys.notify_one();
        }
    }

    pub(super) fn is_caught_up(&self) -> bool {
        self.sides().is_caught_up
    }

    /// A side does what it is asked for.
    pub(super) fn well(&self, side: Side) {
        let before = self.set(side, Standing::Well);
        if matches!(before, Standing::Trouble(_)) {
            tracing::info!(side = side.as_str(), "it is well again");
        }
    }

    /// A side does not. What is the same as before is told once.
    pub(super) fn trouble(&self, side: Side, why: &str) {
        metrics::failed(side);
        let trouble = Standing::Trouble(why.to_owned());
        if self.set(side, trouble.clone()) != trouble {
            tracing::warn!(side = side.as_str(), "{why}");
        }
    }

    pub(super) fn is_in_trouble(&self, side: Side) -> bool {
        matches!(self.standing(side), Standing::Trouble(_))
    }

    fn set(&self, side: Side, standing: Standing) -> Standing {
        std::mem::replace(&mut self.sides().standings[side as usize], standing)
    }

    /// How it is with a side.
    pub(super) fn standing(&self, side: Side) -> Standing {
        let sides = self.sides();
        let standing = sides.standings[side as usize].clone();
        match (side, sides.heard) {
            (Side::Feed, Some(heard)) if standing == Standing::Well && heard.elapsed() > SILENCE_MAX => {
                Standing::Trouble(format!("the catalog was not heard for {} s", heard.elapsed().as_secs()))
            }
            _ => standing,
        }
    }

    /// For how long the catalog was not heard.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.sides().heard.map(|heard| heard.elapsed())
    }
}
