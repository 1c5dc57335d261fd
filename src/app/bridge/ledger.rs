//! What a gateway has yet to be told, and up to which place in the log it was told everything. Without I/O and without a clock.
//!
//! A revocation that holds already belongs to the page that told of it, and the place moves past that page once all of the page
//! was told. One that begins at an instant to come holds the place back for nobody: the instant up to which those were told is
//! kept beside the place.

use std::collections::{BTreeSet, HashMap, VecDeque};

use catalog_gateway::wire::{Item, Mark};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::revoked::Revoked;

type Instant = DateTime<Utc>;

/// How long a key waits for its courier. Where the key is, a gateway refuses the courier, too, and writes no row.
const KEY_WAIT: TimeDelta = TimeDelta::seconds(2);
/// The first pause after a courier was refused for a reason of its own; each further one is twice as long.
const RETRY_MIN: TimeDelta = TimeDelta::seconds(1);
/// How often that doubles: about 17 minutes.
const RETRY_DOUBLINGS_MAX: u32 = 10;

/// Up to where everything was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// All revocations up to here that did not wait for an instant.
    pub(super) mark: Mark,
    /// All those whose instant is no later than this.
    pub(super) deadlines_to: Instant,
}

/// What is owed, in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Figures {
    /// Couriers that are due.
    pub(super) couriers: usize,
    /// Keys that are due.
    pub(super) keys: usize,
    /// Revocations that begin later.
    pub(super) waiting: usize,
    /// Since when the oldest courier is due.
    pub(super) courier_since: Option<Instant>,
    /// Since when the oldest key is due.
    pub(super) key_since: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    has_keys: bool,
    owed: HashMap<Uuid, Owed>,
    /// By when they are to be carried. Those under way are not in it.
    couriers: BTreeSet<(Instant, Uuid)>,
    /// By when they are to be set.
    keys: BTreeSet<(Instant, Uuid)>,
    /// What began or begins at an instant of its own, by that.
    deadlines: BTreeSet<(Instant, Uuid)>,
    /// Pages of which something is still owed, and those behind them; the first has the number `first`.
    pages: VecDeque<Open>,
    first: u64,
    /// How much is owed of the page that is being read.
    open: usize,
    mark: Option<Mark>,
    /// Whether something was settled since that was asked last.
    has_settled: bool,
}

#[derive(Debug)]
struct Open {
    mark: Mark,
    owed: usize,
}

#[derive(Debug)]
struct Owed {
    exp: i64,
    due: Instant,
    /// The number of its page; `None` = it waits, or waited, for an instant.
    page: Option<u64>,
    courier: Option<Courier>,
    key: Option<Instant>,
}

#[derive(Debug)]
struct Courier {
    next: Instant,
    failures: u32,
    /// One that was made and did not arrive.
    made: Option<SecretString>,
}

/// A courier that is to be carried now.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) jti: Uuid,
    /// One that was made before and did not arrive.
    pub(super) made: Option<SecretString>,
}

impl Ledger {
    /// Nothing is owed yet. Keys are where there is a Redis.
    pub(super) fn new(has_keys: bool) -> Self {
        Self {
            has_keys,
            owed: HashMap::new(),
            couriers: BTreeSet::new(),
            keys: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            pages: VecDeque::new(),
            first: 0,
            open: 0,
            mark: None,
            has_settled: false,
        }
    }

    /// Everything that is in force is owed: nobody knows what was told before.
    pub(super) fn begin(&mut self, mark: Mark, in_force: &[Revoked], now: Instant) {
        *self = Self::new(self.has_keys);
        for revoked in in_force {
            self.owe(revoked, now);
        }
        self.close(mark);
    }

    /// What was owed is forgotten but for what begins after the place's instant. What came after its mark is yet to be learnt.
    pub(super) fn resume(&mut self, place: Place, in_force: &[Revoked], now: Instant) {
        *self = Self { mark: Some(place.mark), ..Self::new(self.has_keys) };
        for revoked in in_force {
            if let Some(from) = revoked.from.filter(|from| *from > place.deadlines_to) {
                self.add(revoked, from, None, now);
            }
        }
    }

    /// Takes in what a page says. It belongs to the page that is closed next.
    pub(super) fn learn(&mut self, items: &[Item], now: Instant) {
        for revoked in items.iter().filter_map(Revoked::of) {
            self.owe(&revoked, now);
        }
    }

    /// The page was read to its end: whoever was told all of it was told everything up to here.
    pub(super) fn close(&mut self, mark: Mark) {
        let owed = std::mem::take(&mut self.open);
        match self.pages.back_mut() {
            Some(last) if owed == 0 => last.mark = mark,
            // An empty page that nothing waits before needs no number.
            None if owed == 0 => self.mark = Some(mark),
            _ => self.pages.push_back(Open { mark, owed }),
        }
    }

    fn owe(&mut self, revoked: &Revoked, now: Instant) {
        match revoked.from.filter(|from| *from > now) {
            Some(from) => self.add(revoked, from, None, now),
            None => self.add(revoked, now, Some(self.next_page()), now),
        }
    }

    fn next_page(&self) -> u64 {
        self.first + self.pages.len() as u64
    }

    fn add(&mut self, revoked: &Revoked, due: Instant, page: Option<u64>, now: Instant) {
        let Revoked { jti, exp, .. } = *revoked;
        if exp <= now.max(due).timestamp() {
            return;
        }
        if self.owed.contains_key(&jti) {
            self.add_again(jti, due, page);
            return;
        }
        if page.is_some() {
            self.open += 1;
        } else {
            self.deadlines.insert((due, jti));
        }
        let key = self.has_keys.then_some(due + KEY_WAIT);
        self.couriers.insert((due, jti));
        self.keys.extend(key.map(|key| (key, jti)));
        let courier = Some(Courier { next: due, failures: 0, made: None });
        self.owed.insert(jti, Owed { exp, due, page, courier, key });
    }

    /// Of several revocations the soonest counts, and whoever is told of it is told of all.
    fn add_again(&mut self, jti: Uuid, due: Instant, page: Option<u64>) {
        let Some(known) = self.owed.get_mut(&jti) else { return };
        if known.page.is_some() || (page.is_none() && known.due <= due) {
            return;
        }
        let before = known.due;
        known.due = before.min(due);
        // One whose instant has not come is not under way.
        if let Some(courier) = known.courier.as_mut().filter(|_| due < before) {
            self.couriers.remove(&(courier.next, jti));
            courier.next = due;
            self.couriers.insert((due, jti));
        }
        if let Some(key) = known.key.as_mut().filter(|_| due < before) {
            self.keys.remove(&(*key, jti));
            *key = due + KEY_WAIT;
            self.keys.insert((*key, jti));
        }
        self.deadlines.remove(&(before, jti));
        known.page = page;
        match page {
            Some(_) => self.open += 1,
            None => {
                self.deadlines.insert((due, jti));
            }
        }
    }

    /// When the next courier is to be carried.
    pub(super) fn next_courier(&self) -> Option<Instant> {
        self.couriers.first().map(|(next, _)| *next)
    }

    /// A courier that is to be carried now, which is then under way. What is expired is forgotten.
    pub(super) fn errand(&mut self, now: Instant) -> Option<Errand> {
        loop {
            let (next, jti) = *self.couriers.first().filter(|(next, _)| *next <= now)?;
            self.couriers.remove(&(next, jti));
            match self.owed.get_mut(&jti) {
                Some(owed) if owed.exp > now.timestamp() => {
                    let made = owed.courier.as_mut().and_then(|courier| courier.made.take());
                    return Some(Errand { jti, made });
                }
                _ => self.settle(jti),
            }
        }
    }

    /// The gateway was told by courier, or none can be had. Since when it was due.
    pub(super) fn delivered(&mut self, jti: Uuid, now: Instant) -> Option<Instant> {
        self.hasten_key(jti, now);
        let owed = self.owed.get_mut(&jti)?;
        let due = owed.due;
        owed.courier = None;
        if owed.key.is_none() {
            self.settle(jti);
        }
        Some(due)
    }

    /// A courier did not arrive: it is carried again, at once where nobody could take it, else after a while of its own.
    pub(super) fn failed(&mut self, jti: Uuid, made: Option<SecretString>, is_its_own: bool, now: Instant) {
        let Some(owed) = self.owed.get_mut(&jti) else { return };
        let Some(courier) = &mut owed.courier else { return };
        self.couriers.remove(&(courier.next, jti));
        courier.made = made;
        courier.next = now;
        if is_its_own {
            courier.next += RETRY_MIN * (1 << courier.failures.min(RETRY_DOUBLINGS_MAX));
            courier.failures = courier.failures.saturating_add(1);
        }
        self.couriers.insert((courier.next, jti));
    }

    /// The key need not wait for the courier any more.
    fn hasten_key(&mut self, jti: Uuid, now: Instant) {
        let Some(owed) = self.owed.get_mut(&jti) else { return };
        if let Some(key) = owed.key.filter(|key| *key > now) {
            owed.key = Some(now);
            self.keys.remove(&(key, jti));
            self.keys.insert((now, jti));
        }
    }

    /// When the next key is to be set.
    pub(super) fn next_key(&self) -> Option<Instant> {
        self.keys.first().map(|(next, _)| *next)
    }

    /// Keys that are to be set now, so many at most, each with its `exp`. What is expired is forgotten.
    pub(super) fn keys(&mut self, now: Instant, most: usize) -> Vec<(Uuid, i64)> {
        let due = self.keys.iter().take_while(|(next, _)| *next <= now).take(most).map(|(_, jti)| *jti);
        let mut found = Vec::new();
        for jti in due.collect::<Vec<_>>() {
            match self.owed.get(&jti) {
                Some(owed) if owed.exp > now.timestamp() => found.push((jti, owed.exp)),
                _ => self.settle(jti),
            }
        }
        found
    }

    /// The keys are set. Since when each was due.
    pub(super) fn keys_set(&mut self, jtis: impl IntoIterator<Item = Uuid>) -> Vec<Instant> {
        let mut since = Vec::new();
        for jti in jtis {
            let Some(owed) = self.owed.get_mut(&jti) else { continue };
            since.push(owed.due);
            if let Some(key) = owed.key.take() {
                self.keys.remove(&(key, jti));
            }
            if owed.courier.is_none() {
                self.settle(jti);
            }
        }
        since
    }

    /// Whether a key of this token is to be set that was not.
    pub(super) fn owes_key(&self, jti: Uuid) -> bool {
        self.owed.get(&jti).is_some_and(|owed| owed.key.is_some())
    }

    /// Forgets what is expired: nobody needs to be told of it any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        let over = self.owed.iter().filter(|(_, owed)| owed.exp <= now.timestamp()).map(|(jti, _)| *jti);
        for jti in over.collect::<Vec<_>>() {
            self.settle(jti);
        }
    }

    /// Nothing is owed of this token any more.
    fn settle(&mut self, jti: Uuid) {
        let Some(owed) = self.owed.remove(&jti) else { return };
        self.has_settled = true;
        if let Some(courier) = owed.courier {
            self.couriers.remove(&(courier.next, jti));
        }
        if let Some(key) = owed.key {
            self.keys.remove(&(key, jti));
        }
        match owed.page {
            None => {
                self.deadlines.remove(&(owed.due, jti));
            }
            Some(page) if page == self.next_page() => self.open = self.open.saturating_sub(1),
            Some(page) => self.tick_off(page),
        }
    }

    fn tick_off(&mut self, page: u64) {
        let index = page.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(page) = index.and_then(|index| self.pages.get_mut(index)) {
            page.owed = page.owed.saturating_sub(1);
        }
        while let Some(page) = self.pages.pop_front_if(|page| page.owed == 0) {
            self.mark = Some(page.mark);
            self.first += 1;
        }
    }

    /// Whether something was settled since that was asked last.
    pub(super) fn take_settled(&mut self) -> bool {
        std::mem::take(&mut self.has_settled)
    }

    /// Up to where everything was told, if that is known of any place.
    pub(super) fn place(&self, now: Instant) -> Option<Place> {
        let untold = self.deadlines.first().map(|(due, _)| *due - TimeDelta::microseconds(1));
        Some(Place { mark: self.mark?, deadlines_to: untold.map_or(now, |untold| untold.min(now)) })
    }

    pub(super) fn figures(&self, now: Instant) -> Figures {
        let mut figures = Figures::default();
        for owed in self.owed.values() {
            if owed.due > now {
                figures.waiting += 1;
                continue;
            }
            let earlier = |since: Option<Instant>| Some(since.map_or(owed.due, |since| since.min(owed.due)));
            if owed.courier.is_some() {
                figures.couriers += 1;
                figures.courier_since = earlier(figures.courier_since);
            }
            if owed.key.is_some() {
                figures.keys += 1;
                figures.key_since = earlier(figures.key_since);
            }
        }
        figures
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
