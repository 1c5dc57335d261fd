//! For how long what is known may be relied on.

use std::sync::atomic::{
    AtomicI64,
    Ordering::{Acquire, Release},
};

use crate::now::Now;

/// How far the difference of the two clocks may shrink before the one that people set is taken to have been set back.
const SET_BACK_MAX: i64 = 1_000_000;
/// How far the own clock may be behind the catalog's. One that is further behind would refuse every new token anyway (`iat`),
/// and would still accept tokens that are over by the catalog's clock, of which nobody tells any more.
const BEHIND_MAX: i64 = 5_000_000;
/// No clock runs slower or faster than the catalog's by more than one part in so many.
const DRIFT: i64 = 1_000;
/// How far they may have drifted apart since a snapshot: what comes ever later looks like what comes from a slower clock.
const DRIFTED_MAX: i64 = 1_000_000;
/// The difference to the catalog's clock while nothing was heard of it.
const UNKNOWN: i64 = i64::MIN;

/// What readers compare their clocks with, in microseconds. Each is written after what it vouches for, and read before it. A
/// reader that sees some of them new and others old is stricter than with either.
pub(crate) struct Freshness {
    /// The last instant, by the monotonic clock.
    monotonic_max: AtomicI64,
    /// The last instant, by the clock that people set: it goes on while a machine is suspended.
    wall_max: AtomicI64,
    /// The least difference of the two: the clock was not set back.
    difference_min: AtomicI64,
    /// The catalog's clock less the monotonic one.
    catalog: AtomicI64,
}

impl Freshness {
    /// Nothing was heard.
    pub(crate) fn stale() -> Self {
        let [monotonic_max, wall_max, catalog] = [i64::MIN, i64::MIN, UNKNOWN].map(AtomicI64::new);
        Self { monotonic_max, wall_max, difference_min: AtomicI64::new(i64::MAX), catalog }
    }

    /// Whether what is read from here on may be relied on.
    #[inline]
    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        now.monotonic <= self.monotonic_max.load(Acquire)
            && now.wall <= self.wall_max.load(Acquire)
            && now.wall.saturating_sub(now.monotonic) >= self.difference_min.load(Acquire)
    }

    /// The later of the own clock and the catalog's, as far as that is known.
    pub(crate) fn latest(&self, now: Now) -> i64 {
        now.wall.max(self.catalog.load(Acquire).saturating_add(now.monotonic))
    }

    /// From now on nothing may be relied on.
    pub(crate) fn end(&self) {
        self.monotonic_max.store(i64::MIN, Release);
    }

    pub(crate) fn publish(&self, heard: &Heard, staleness_max: i64) {
        let left = staleness_max.saturating_sub(heard.staleness);
        let difference = (heard.at.wall.saturating_sub(heard.at.monotonic)).saturating_sub(SET_BACK_MAX);
        self.catalog.store(heard.catalog, Release);
        self.difference_min.store(difference.max(heard.catalog.saturating_sub(BEHIND_MAX)), Release);
        self.wall_max.store(heard.at.wall.saturating_add(left), Release);
        self.monotonic_max.store(heard.at.monotonic.saturating_add(left), Release);
    }
}

/// When the catalog was last heard, and what that was worth. Kept by the one who writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    /// When, by the own clocks.
    at: Now,
    /// How old it was then, in microseconds.
    staleness: i64,
    /// The catalog's clock less the monotonic one, at least: from the page that was under way for the shortest time.
    catalog: i64,
    /// The most that it was since a snapshot.
    highest: i64,
}

impl Heard {
    /// A snapshot that was asked for at one instant and began to arrive at another. It was written at `time`, by a clock that
    /// need not be that of any page before it.
    pub(crate) fn snapshot(asked: Now, began: Now, time: i64, staleness: i64) -> Self {
        let catalog = time.saturating_sub(began.monotonic);
        Self { at: asked, staleness, catalog, highest: catalog }
    }

    /// A page. One that took longer than another before it is older by that much: it may have been held back.
    pub(crate) fn page(before: &Self, now: Now, time: i64, staleness: i64) -> Self {
        let said = time.saturating_sub(now.monotonic);
        let elapsed = now.monotonic.saturating_sub(before.at.monotonic).max(0);
        let drifted = before.catalog.saturating_sub(elapsed / DRIFT);
        let known = drifted.max(before.highest.saturating_sub(DRIFTED_MAX));
        let catalog = known.max(said);
        let staleness = staleness.saturating_add(catalog.saturating_sub(said));
        Self { at: now, staleness, catalog, highest: before.highest.max(catalog) }
    }

    /// How long ago the log's end was seen, by either clock.
    pub(crate) fn staleness(&self, now: Now) -> i64 {
        let [monotonic, wall] = [(now.monotonic, self.at.monotonic), (now.wall, self.at.wall)]
            .map(|(now, then)| now.saturating_sub(then).max(0));
        monotonic.max(wall).saturating_add(self.staleness)
    }

    /// The earlier of the own clock and the catalog's.
    pub(crate) fn earliest(&self, now: Now) -> i64 {
        now.wall.min(self.catalog.saturating_add(now.monotonic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;
    /// By the clock that people set, when the monotonic one began.
    const START: i64 = 1_800_000_000 * SECOND;

    fn now(monotonic: i64) -> Now {
        Now { wall: START + monotonic, monotonic }
    }

    fn heard_at_ten_seconds() -> Freshness {
        let freshness = Freshness::stale();
        let heard = Heard::snapshot(now(10 * SECOND), now(10 * SECOND), START + 10 * SECOND, 0);
        freshness.publish(&heard, 5 * SECOND);
        freshness
    }

    #[test]
    fn what_was_heard_is_good_for_its_time_and_not_a_microsecond_longer() {
        let freshness = heard_at_ten_seconds();

        assert!(freshness.is_fresh(now(10 * SECOND)) && freshness.is_fresh(now(15 * SECOND)));
        assert!(!freshness.is_fresh(now(15 * SECOND + 1)));
        assert!(!Freshness::stale().is_fresh(now(0)));
        freshness.end();
        assert!(!freshness.is_fresh(now(10 * SECOND)));
    }

    #[test]
    fn a_clock_that_jumps_either_way_makes_it_stale() {
        let freshness = heard_at_ten_seconds();
        let at = |wall: i64, monotonic: i64| freshness.is_fresh(Now { wall: START + wall, monotonic });

        assert!(!at(11 * SECOND + HOUR, 11 * SECOND), "an hour ahead, or the machine was suspended");
        assert!(!at(11 * SECOND - HOUR, 11 * SECOND), "an hour back");
        assert!(!at(15 * SECOND + 1, 11 * SECOND), "longer ago than it may be, by one clock");
        assert!(at(11 * SECOND, 12 * SECOND) && !at(11 * SECOND - 1, 12 * SECOND), "a second back is a slow clock");
    }

    #[test]
    fn a_clock_behind_that_of_the_catalog_is_not_relied_on() {
        for (ahead, expected) in [(-HOUR, true), (5 * SECOND, true), (5 * SECOND + 1, false), (HOUR, false)] {
            let freshness = Freshness::stale();

            freshness.publish(&Heard::snapshot(now(0), now(0), START + ahead, 0), 5 * SECOND);

            assert_eq!(freshness.is_fresh(now(0)), expected, "{ahead}");
            assert_eq!(freshness.latest(now(SECOND)), START + SECOND + ahead.max(0), "{ahead}");
        }
    }

    #[test]
    fn a_page_that_was_held_back_is_as_old_as_it_is() {
        let first = Heard::snapshot(now(0), now(0), START, 0);

        let second = Heard::page(&first, now(10 * SECOND), START + 4 * SECOND, 7);

        let drifted = 10 * SECOND / DRIFT;
        assert_eq!(second.staleness(now(10 * SECOND)), 6 * SECOND + 7 - drifted);
        assert_eq!(Heard::page(&second, now(11 * SECOND), START + 11 * SECOND, 0).staleness(now(12 * SECOND)), SECOND);
        assert_eq!(Heard::snapshot(now(0), now(SECOND), START - HOUR, 3).staleness(now(2 * SECOND)), 2 * SECOND + 3);
    }

    #[test]
    fn what_comes_ever_later_is_not_taken_for_a_slower_clock_for_ever() {
        let mut heard = Heard::snapshot(now(0), now(0), START, 0);
        for second in 1..=10_000 {
            // Each a millisecond later than the one before it.
            let (at, written) = (second * SECOND, second * SECOND - second * 1_000);
            heard = Heard::page(&heard, now(at), START + written, 0);

            let age = at - written;
            assert!(heard.staleness(now(at)) >= age - SECOND, "{second}");
        }
        // A snapshot tells anew.
        assert_eq!(Heard::snapshot(now(0), now(0), START - 10 * SECOND, 0).staleness(now(0)), 0);
    }
}
