//! The live tokens in memory, and the task that follows the log with them.
//!
//! What this process appends comes straight from its appender; what others append is read, at the latest
//! [`POLL_PERIOD`] after it was committed. While the end of the log has not been seen for too long nothing is answered
//! from memory: the log is asked, and if it cannot be, nobody is told anything.

mod committed;
mod expand;
mod lists;
mod lookup;
mod memory;
mod never_issued;
mod news;
mod signal;
mod snapshot;
mod staleness;
mod waiting;

use std::{
    convert::Infallible,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use uuid::Uuid;

pub use lists::{ListVersion, ListedTokens};
pub use lookup::Lookup;
use memory::Memory;
pub use news::News;
use staleness::{Look, Sighting};
pub use staleness::{Stale, Staleness};

use super::{Database, StoreError, chain::Sha256Digest, kept::Kept, log};
use crate::domain::{
    Position, Predicate,
    ambient::Clock,
    causes::Causes,
    index::{LiveIndex, LiveToken},
};

/// How soon what another process has appended is known here when no signal came.
pub const POLL_PERIOD: Duration = Duration::from_millis(250);
/// The most events that are read at once.
const PAGE_MAX: u16 = 1_000;
/// How many tokens each poll looks at for those that are expired.
const SWEPT_MAX: usize = 20_000;

/// The live tokens of a process. Until they are followed nothing is known here.
#[derive(Debug)]
pub struct LiveTokens {
    memory: RwLock<Option<Memory>>,
    sighting: Sighting,
    wake: Notify,
    // That there is a rule of which is not known what it covers.
    ruled: Notify,
    moved: Notify,
    appended: Notify,
    // That there is something to tell others.
    told: Notify,
    loads: AtomicU64,
    is_followed: AtomicBool,
}

/// What the memory of a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// How many tokens.
    pub tokens: usize,
    /// As of which position.
    pub position: Position,
    /// How long ago the end of the log was last seen.
    pub staleness: Duration,
}

/// Why the log could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was read does not continue what is known up to this position.
    #[error(
        "the log is not the one that was followed up to position {0}; it was restored from a backup, or tampered with"
    )]
    AnotherLog(Position),
    /// The tables that the memory was loaded from are not there any more.
    #[error("the projections were made anew")]
    Rebuilt,
}

impl Default for LiveTokens {
    fn default() -> Self {
        Self::new(Staleness::default())
    }
}

impl LiveTokens {
    /// Live tokens that are answered from within this limit.
    #[must_use]
    pub fn new(limit: Staleness) -> Self {
        let [wake, ruled, moved, appended, told] = std::array::from_fn(|_| Notify::new());
        let (memory, sighting, loads) = (RwLock::default(), Sighting::new(limit), AtomicU64::new(0));
        Self { memory, sighting, wake, ruled, moved, appended, told, loads, is_followed: AtomicBool::new(false) }
    }

    /// What somebody makes of the tokens as they are at this end of the log, if the memory has come to just there.
    pub(super) fn at<T>(
        &self,
        end: (Uuid, Position, Sha256Digest),
        make: impl FnOnce(&LiveIndex) -> Option<T>,
    ) -> Option<T> {
        make(&self.read().as_ref().filter(|memory| memory.mark() == end)?.index)
    }

    /// A token, if the memory can tell. `None` = the log is to be asked.
    #[must_use]
    pub fn get(&self, jti: Uuid) -> Option<LiveToken> {
        if self.sighting.may_answer() { self.last_known(jti) } else { None }
    }

    /// The same, however long ago the end of the log was seen.
    #[must_use]
    pub fn last_known(&self, jti: Uuid) -> Option<LiveToken> {
        self.read().as_ref()?.index.get(jti)
    }

    /// Whether a rule of `now` would end some token that is in memory; else the log is to be asked.
    #[must_use]
    pub fn is_met_by_some(&self, predicate: &Predicate, now: DateTime<Utc>) -> bool {
        self.is_fresh() && self.read().as_ref().is_some_and(|memory| memory.index.is_met_by_some(predicate, now))
    }

    /// For how long the memory is answered from, and what is done then.
    #[must_use]
    pub fn limit(&self) -> Staleness {
        self.sighting.limit()
    }

    /// Whether it is too old, and answers all the same.
    #[must_use]
    pub fn is_stale_and_allowed(&self) -> bool {
        self.sighting.is_stale_and_allowed()
    }

    /// How long ago the end of the log was last seen; `None` = it never was.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        self.sighting.staleness()
    }

    /// What the memory has; `None` until it is first loaded.
    #[must_use]
    pub fn followed(&self) -> Option<Followed> {
        let staleness = self.staleness()?;
        let memory = self.read();
        let index = &memory.as_ref()?.index;
        Some(Followed { tokens: index.len(), position: index.position(), staleness })
    }

    /// Whether it is followed, and the end of the log was never seen, or not of late. While it is only in doubt the log
    /// answers for it.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let is_seen = || self.staleness().is_some_and(|staleness| staleness <= self.limit().max);
        self.is_followed.load(Ordering::Relaxed) && !is_seen()
    }

    /// Whether the end of the log was seen of late.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.sighting.is_fresh()
    }

    fn is_behind(&self, position: Position) -> bool {
        self.sighting.may_answer() && self.read().as_ref().is_some_and(|memory| memory.index.position() < position)
    }

    /// The end of the log was seen by whoever began to look then.
    fn see(&self, look: &Look) {
        let _guard = self.write();
        self.sighting.see(look);
    }

    /// Wakes those who carry on what was taken in.
    fn tell(&self, memory: &Memory) {
        if memory.index.has_changes() {
            self.told.notify_one();
        }
        if memory.index.rule_to_expand().is_some() {
            self.ruled.notify_one();
        }
    }

    /// What is known is of another log.
    fn forget(&self) {
        *self.write() = None;
        self.told.notify_one();
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Memory>> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Memory>> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the memory to the end of the log, once.
///
/// # Errors
/// [`FollowError`].
pub async fn catch_up(database: &Database, live: &LiveTokens, clock: &Arc<dyn Clock>) -> Result<(), FollowError> {
    advance(database, &mut Kept::new(database), live, clock.now()).await?;
    // Nobody is told yet, or asks.
    Ok(expand::rules(database, live, clock.now(), Duration::ZERO).await?)
}

/// Follows the log for as long as it is polled, and tells others of what is appended here, as the process `own`.
pub async fn follow(database: &Database, live: &LiveTokens, clock: &Arc<dyn Clock>, own: Uuid) -> Infallible {
    live.is_followed.store(true, Ordering::Relaxed);
    let (never, ..) = tokio::join!(
        keep_following(database, live, clock),
        expand::keep_expanding(database, live, clock),
        signal::listen(database, own, &live.wake),
        signal::tell(database, own, &live.appended)
    );
    never
}

/// Tells others of what was appended here and was not told yet: whoever appends and ends does not follow.
///
/// # Errors
/// [`StoreError`]: the others look by themselves, a little later.
pub async fn tell_the_rest(database: &Database, live: &LiveTokens) -> Result<(), StoreError> {
    match live.appended.notified().now_or_never() {
        Some(()) => signal::tell_once(database).await,
        None => Ok(()),
    }
}

async fn keep_following(database: &Database, live: &LiveTokens, clock: &Arc<dyn Clock>) -> Infallible {
    let (mut is_told, mut is_stale, mut swept) = (false, false, Instant::now());
    let mut connection = Kept::new(database);
    loop {
        match advance(database, &mut connection, live, clock.now()).await {
            Ok(()) => is_told = false,
            // What is known is of another log: it is let go at once, and the whole read anew.
            Err(error @ FollowError::AnotherLog(_)) => {
                tracing::error!(error = %Causes(&error), "the live tokens are loaded anew");
                live.forget();
                continue;
            }
            // What was in them may be why they were.
            Err(error @ FollowError::Rebuilt) => {
                tracing::info!(reason = %error, "the live tokens are loaded anew");
                live.forget();
                continue;
            }
            // Once is enough: while the database is away every request says so.
            Err(_) if is_told => {}
            Err(FollowError::Store(error)) => {
                tracing::warn!(error = %Causes(&error), "the log cannot be followed");
                is_told = true;
            }
        }
        is_stale = tell_stale(live, is_stale);
        // However often somebody appends: it is looked for as often as without signals.
        if swept.elapsed() >= POLL_PERIOD {
            swept = Instant::now();
            if let Some(memory) = live.write().as_mut() {
                memory.index.forget_expired(clock.now(), SWEPT_MAX);
            }
        }
        // Without a signal it is time all the same.
        let _ = timeout(POLL_PERIOD, live.wake.notified()).await;
    }
}

/// Says once that checks go on from what is too old, and once that it is not any more.
fn tell_stale(live: &LiveTokens, was_stale: bool) -> bool {
    let is_stale = live.is_stale_and_allowed();
    if is_stale && !was_stale {
        let max_staleness_s = live.limit().max.as_secs();
        tracing::error!(max_staleness_s, "checks are answered from memory that is too old, as stale = allow says");
    } else if was_stale && !is_stale {
        tracing::info!("checks are answered from memory that is up to date again");
    }
    is_stale
}

/// Brings the memory to the end of the log.
async fn advance(
    database: &Database,
    connection: &mut Kept,
    live: &LiveTokens,
    now: DateTime<Utc>,
) -> Result<(), FollowError> {
    if live.read().is_none() {
        let look = live.sighting.look();
        let load = live.loads.fetch_add(1, Ordering::Relaxed);
        let memory = snapshot::load(database, now, load).await?;
        tracing::info!(tokens = memory.index.len(), position = memory.index.position().0, "live tokens are in memory");
        *live.write() = Some(memory);
        live.see(&look);
        live.told.notify_one();
        live.ruled.notify_one();
    }
    while step(connection, live).await? {}
    Ok(())
}

/// Takes in the next events; whether there may be more.
async fn step(connection: &mut Kept, live: &LiveTokens) -> Result<bool, FollowError> {
    // First what is known: what this process appends meanwhile only makes the log longer than that.
    let known = live.read().as_ref().map(|memory| (memory.mark(), memory.tables));
    let Some(((log_id, position, digest), tables)) = known else { return Ok(false) };
    let look = live.sighting.look();
    // The event that is known comes along, and shows that it is still the same.
    let read = connection.read(async move |connection| log::ahead(connection, position, PAGE_MAX).await);
    let (head, tables_now, rows) = read.await?;
    if head.log_id != log_id || head.position < position || (head.position == position && head.digest != digest) {
        return Err(FollowError::AnotherLog(position));
    }
    if tables_now != tables {
        return Err(FollowError::Rebuilt);
    }
    if head.position == position {
        live.see(&look);
        return Ok(false);
    }
    let events = match rows.split_first() {
        Some((known, events)) if known.position == position.0 && known.digest == digest => events,
        _ if position == Position(0) => &rows[..],
        _ => return Err(FollowError::AnotherLog(position)),
    };
    let last = events.last().ok_or(FollowError::AnotherLog(position))?;
    let events = events.iter().map(log::EventRow::decode).collect::<Result<Vec<_>, _>>()?;
    if let Some(memory) = live.write().as_mut() {
        // An event is missing between.
        if !memory.take(events.iter(), last.digest()?) {
            return Err(FollowError::AnotherLog(position));
        }
        live.tell(memory);
    }
    let is_end = last.position == head.position.0;
    if is_end {
        live.see(&look);
    }
    live.moved.notify_waiters();
    Ok(!is_end)
}
