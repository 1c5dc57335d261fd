//! What is known of the revocations of a catalog, for many readers and one writer.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    error::ApplyError,
    freshness::Freshness,
    keys::{Key, Keys},
    loader::Loader,
    now::{Now, micros},
    reader::Reader,
    state::State,
    table::Table,
    wire::{Item, Mark, Page},
    writer::{Readers, Writer},
};

/// What a feed says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was not revoked and is not suspended, as of at most the longest staleness ago. That says nothing of whether it was
    /// ever issued, for whom it is, or whether it is expired.
    NotRevoked,
    /// It is revoked or suspended, or a compromised key signed it.
    Revoked,
    /// Nobody can tell: the catalog was not heard for too long, or not yet which tokens of a compromised key are spared. That is
    /// no reason to let it pass.
    Stale,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applied {
    /// A snapshot: what was known before is forgotten.
    Replaced,
    /// What it says is known now.
    Followed,
    /// It was known already, and proves nothing of the present.
    Ignored,
}

/// What is known, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far the log is known; `None` before the first snapshot.
    pub mark: Option<Mark>,
    /// How long ago the log's end was seen; `None` when it never was.
    pub staleness: Option<Duration>,
    /// Whether tokens can be told to be good.
    pub is_fresh: bool,
    /// Whether only a snapshot helps.
    pub needs_snapshot: bool,
    /// Of how many tokens something is known.
    pub tokens: usize,
    /// How many keys are compromised.
    pub keys: usize,
    /// The bytes that the tokens take up.
    pub bytes: usize,
}

/// The revocations of one catalog. Cheap to clone: all clones know the same.
///
/// ```
/// use std::time::Duration;
/// use catalog_gateway::{Now, RevocationSet, Verdict, wire::Page};
/// use uuid::Uuid;
///
/// let revoked = Uuid::from_u128(1);
/// let snapshot: Page = serde_json::from_str(&format!(r#"{{
///     "log_id": "{log}", "position": 41, "digest": "{digest}", "after": null, "time": "2026-11-29T12:00:00Z", "staleness_ms": 0,
///     "items": [{{"kind": "revoked", "jti": "{revoked}", "exp": 1900000000}}]
/// }}"#, log = Uuid::from_u128(7), digest = "ab".repeat(32)))?;
/// let set = RevocationSet::new(Duration::from_secs(5));
/// // A gateway says `Now::read()`.
/// let now = Now::new("2026-11-29T12:00:00Z".parse()?, Duration::from_secs(60));
///
/// assert_eq!(set.check(revoked, "key", now), Verdict::Stale);
/// set.apply(&snapshot, now)?;
/// assert_eq!(set.check(revoked, "key", now), Verdict::Revoked);
/// assert_eq!(set.check(Uuid::from_u128(2), "key", now), Verdict::NotRevoked);
///
/// let later = Now::new("2026-11-29T12:00:06Z".parse()?, Duration::from_secs(66));
/// assert_eq!(set.check(revoked, "key", later), Verdict::Revoked);
/// assert_eq!(set.check(Uuid::from_u128(2), "key", later), Verdict::Stale);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RevocationSet(Arc<Shared>);

struct Shared {
    known: ArcSwap<Known>,
    freshness: Freshness,
    staleness_max: i64,
    writer: Mutex<Writer>,
    snapshots: AtomicU64,
    resumed: AtomicU64,
    /// The position then, written before it.
    resumed_at: AtomicI64,
}

/// What readers read.
pub(crate) struct Known {
    pub(crate) table: Arc<Table>,
    /// The compromised keys. A table that is written anew because it is full has those of the one before it; those of another
    /// snapshot are others.
    pub(crate) keys: Arc<Keys>,
}

/// What is asked of a set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    jti: Uuid,
    kid: &'a str,
    now: Now,
    /// Whether what is read from here on may be relied on.
    is_fresh: bool,
}

impl Asked<'_> {
    /// What is said where nothing is known against the token.
    #[inline]
    fn otherwise(self) -> Verdict {
        if self.is_fresh { Verdict::NotRevoked } else { Verdict::Stale }
    }
}

impl Known {
    pub(crate) fn nothing() -> Self {
        Self { table: Arc::new(Table::with_room_for(0)), keys: Arc::default() }
    }
}

impl RevocationSet {
    /// A set that knows nothing yet, and so can tell nothing. A token is told to be good for so long after the log's end was
    /// seen last.
    #[must_use]
    pub fn new(max_staleness: Duration) -> Self {
        Self(Arc::new(Shared {
            known: ArcSwap::from_pointee(Known::nothing()),
            freshness: Freshness::stale(),
            staleness_max: micros(max_staleness),
            writer: Mutex::default(),
            snapshots: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            resumed_at: AtomicI64::new(0),
        }))
    }

    /// What is known of a token that this key signed. It takes no lock and waits for nobody.
    #[must_use]
    #[inline]
    pub fn check(&self, jti: Uuid, kid: &str, now: Now) -> Verdict {
        let asked = self.asked(jti, kid, now);
        self.judge(&self.0.known.load(), asked)
    }

    /// Whether this key was given up: of what it signed only what was spared is good.
    #[cfg(feature = "judge")]
    pub(crate) fn is_given_up(&self, kid: &str) -> bool {
        self.0.known.load().keys.find(kid).is_some()
    }

    /// A reader of its own for a thread that checks all the time.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self)
    }

    pub(crate) fn known(&self) -> &ArcSwap<Known> {
        &self.0.known
    }

    /// For how long comes first, then what: what is read later is at least as new.
    #[inline]
    pub(crate) fn asked<'a>(&self, jti: Uuid, kid: &'a str, now: Now) -> Asked<'a> {
        Asked { jti, kid, now, is_fresh: self.0.freshness.is_fresh(now) }
    }

    #[inline]
    pub(crate) fn judge(&self, known: &Known, asked: Asked<'_>) -> Verdict {
        self.weigh(known, known.table.get(asked.jti), asked)
    }

    /// The keys come after the token. One may be let go because its key was given up just before, and whoever has seen the
    /// former sees the latter; and a key that is not given up now was not when the token was looked at.
    #[inline]
    pub(crate) fn weigh(&self, known: &Known, state: State, asked: Asked<'_>) -> Verdict {
        if self.is_revoked(state, asked.now) {
            return Verdict::Revoked;
        }
        match known.keys.find(asked.kid) {
            Some(key) if !state.is_spared() => self.weigh_against(key, asked),
            _ => asked.otherwise(),
        }
    }

    /// A token is looked at again whose key is given up. That it is spared was known before the key was, or before it was known
    /// that no others are, so whoever has seen that sees it; if not in the table that was looked at, then in the one that has
    /// taken its place.
    #[cold]
    fn weigh_against(&self, key: &Key, asked: Asked<'_>) -> Verdict {
        let is_whole = key.is_whole();
        let state = self.0.known.load().table.get(asked.jti);
        if self.is_revoked(state, asked.now) {
            Verdict::Revoked
        } else if state.is_spared() {
            asked.otherwise()
        } else if is_whole {
            Verdict::Revoked
        } else {
            Verdict::Stale
        }
    }

    #[inline]
    fn is_revoked(&self, state: State, now: Now) -> bool {
        state != State::CLEAR && state.is_revoked(self.0.freshness.latest(now))
    }

    /// The later of the own clock and the catalog's, as far as that is known: by which `exp` is to be judged, so that a clock
    /// that was set back makes no expired token good.
    #[must_use]
    pub fn latest(&self, now: Now) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.freshness.latest(now)).unwrap_or_else(|| now.wall())
    }

    /// Learns what a page says that came just now. It may take a while when there is much that is known: not for an async
    /// thread.
    ///
    /// # Errors
    /// [`ApplyError`] for a page that does not go on where the set is.
    pub fn apply(&self, page: &Page, now: Now) -> Result<Applied, ApplyError> {
        self.apply_answer(page, now, now)
    }

    /// The same of a page that was asked for at some instant. What is heard first, after a [restart](Self::restore), is as old as the
    /// question: nothing says how long the answer was under way.
    ///
    /// # Errors
    /// [`ApplyError`] for a page that does not go on where the set is.
    pub fn apply_answer(&self, page: &Page, asked: Now, now: Now) -> Result<Applied, ApplyError> {
        if page.after.is_none() {
            let mut loader = Loader::new(asked);
            page.items.iter().for_each(|item| loader.push(item));
            return self.replace(loader, page, now);
        }
        let shared = &*self.0;
        shared.writer().follow(page, (asked, now), shared)
    }

    /// Learns a snapshot piece by piece, of which the last is `head`, the page without its items, that began to arrive at some
    /// instant. Until then nothing changes.
    ///
    /// # Errors
    /// [`ApplyError`] for a snapshot that contradicts itself, or is older than what is known.
    pub fn replace(&self, loader: Loader, head: &Page, began: Now) -> Result<Applied, ApplyError> {
        let shared = &*self.0;
        // Before it is shown: whoever sees the new log must not go by what was learnt of the old one.
        shared.snapshots.fetch_add(1, Ordering::Release);
        shared.writer().replace(loader, head, began, shared)
    }

    /// The catalog was reached anew, and goes on from what is known. What it said besides of a later place may have been of a
    /// log that is no more: it may have been restored meanwhile.
    pub fn resume(&self) {
        let shared = &*self.0;
        let position = shared.writer().mark().map_or(0, |mark| mark.position);
        shared.resumed_at.store(position, Ordering::Release);
        shared.resumed.fetch_add(1, Ordering::Release);
    }

    /// By what it can be told whether what the catalog said besides is of the log that is followed.
    #[cfg(feature = "judge")]
    pub(crate) fn standing(&self) -> Standing {
        let snapshots = self.0.snapshots.load(Ordering::Acquire);
        let resumed = self.0.resumed.load(Ordering::Acquire);
        Standing { snapshots, resumed, resumed_at: self.0.resumed_at.load(Ordering::Acquire) }
    }

    /// Learns what was known before a restart, where nothing is known yet. It vouches for nothing: what it does not know as
    /// revoked stays stale until a page has come.
    ///
    /// # Errors
    /// [`ApplyError`] for a snapshot that contradicts itself, or is older than what is known.
    pub fn restore(&self, loader: Loader, head: &Page) -> Result<Applied, ApplyError> {
        let shared = &*self.0;
        shared.writer().restore(loader, head, shared)
    }

    /// From now on only a snapshot helps: the catalog says that its log is not the one that is known. What is known as revoked
    /// stays so until then.
    pub fn distrust(&self) {
        let shared = &*self.0;
        shared.writer().go_astray(shared);
    }

    /// What is known, and since when.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let is_fresh = self.0.freshness.is_fresh(now);
        let writer = self.0.writer();
        let known = self.0.known.load();
        let staleness = writer.staleness(now).map(|micros| Duration::from_micros(micros.try_into().unwrap_or(0)));
        Status {
            mark: writer.mark(),
            staleness,
            is_fresh,
            needs_snapshot: writer.needs_snapshot(),
            tokens: writer.tokens(),
            keys: known.keys.iter().count(),
            bytes: known.table.bytes(),
        }
    }

    /// How far the log is known, and items that say what is known at least up to there, as a snapshot would. `None` before the
    /// first snapshot, and when only a snapshot helps.
    pub fn with_items<T>(&self, read: impl FnOnce(Mark, &mut dyn Iterator<Item = Item>) -> T) -> Option<T> {
        // What changes while the items are read comes after the mark, and will come again after it: a key with what is spared of it.
        let (mark, known, keys) = {
            let writer = self.0.writer();
            let mark = writer.mark().filter(|_| !writer.needs_snapshot())?;
            let known = self.0.known.load_full();
            let keys = whole_keys(&known);
            (mark, known, keys)
        };
        Some(read(mark, &mut keys.into_iter().chain(tokens(&known))))
    }
}

/// By what it can be told whether what a catalog said besides its feed is of the log that is followed.
#[cfg(feature = "jwt")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Standing {
    /// How many snapshots have taken the place of what was known before. Another one may be of another log.
    pub(crate) snapshots: u64,
    /// How often the catalog was reached anew, and went on from what was known.
    pub(crate) resumed: u64,
    /// Up to which position that was, the last time.
    pub(crate) resumed_at: i64,
}

impl Readers for Shared {
    fn show(&self, known: Known) {
        self.known.store(Arc::new(known));
    }

    fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    fn staleness_max(&self) -> i64 {
        self.staleness_max
    }
}

impl Shared {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The compromised keys, but not those that came in part.
fn whole_keys(known: &Known) -> Vec<Item> {
    let whole = known.keys.iter().filter(|key| key.is_whole());
    whole.map(|key| Item::KeyCompromised { kid: key.kid().to_owned() }).collect()
}

fn tokens(known: &Known) -> impl Iterator<Item = Item> {
    known.table.entries().flat_map(|entry| {
        let (jti, exp) = (entry.jti, entry.exp);
        let effective_from = entry.state.effective_from();
        let revoked = entry.state.has_revocation().then_some(Item::Revoked { jti, exp, effective_from });
        let suspended = entry.state.is_suspended().then_some(Item::Suspended { jti, exp });
        let spared = entry.state.is_spared().then_some(Item::Spared { jti, exp });
        [revoked, suspended, spared].into_iter().flatten()
    })
}

impl fmt::Debug for RevocationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationSet").field("mark", &self.0.writer().mark()).finish_non_exhaustive()
    }
}
