//! For how long the end of the log was not seen, and what that means for whoever asks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// By how much a clock may be behind that was read at the system's last tick. There are a hundred a second or more, unless a
/// virtual processor is not let run when one is due.
const LAG: Duration = Duration::from_millis(100);

/// For how long checks are answered from what is known after the end of the log was last seen, and what is done then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness {
    /// For how long.
    pub max: Duration,
    /// What is done then.
    pub then: Stale,
}

/// What is done when what is known is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stale {
    /// The log is asked, and if it cannot be, nobody is told anything.
    #[default]
    Deny,
    /// Checks go on from what is known.
    Allow,
}

impl Staleness {
    /// As long as nobody says otherwise.
    pub const MAX_DEFAULT: Duration = Duration::from_secs(5);
}

impl Default for Staleness {
    fn default() -> Self {
        Self { max: Self::MAX_DEFAULT, then: Stale::default() }
    }
}

/// When the end of the log was seen, and whether something may have been appended since that nobody was told of.
#[derive(Debug)]
pub(super) struct Sighting {
    limit: Staleness,
    doubts: AtomicU64,
    dispelled: AtomicU64,
    // When the end of the log was last seen, and 1 more; 0 = never.
    seen: AtomicU64,
    // When that was by the other clock, in milliseconds since 1970.
    seen_by_wall: AtomicU64,
}

/// An instant by both clocks, in milliseconds: the one that nobody sets stands still while a machine is suspended, and the
/// other may be set. Each check asks twice, so what is read is what both showed at the system's last tick, for a tenth of
/// what it takes to ask the processor.
#[derive(Debug, Clone, Copy)]
struct Moment {
    monotonic: u64,
    // Since 1970.
    wall: u64,
}

impl Moment {
    fn now() -> Self {
        Self { monotonic: shown_by(ClockId::MonotonicCoarse), wall: shown_by(ClockId::RealtimeCoarse) }
    }
}

#[expect(clippy::disallowed_methods, reason = "it says how old something is, and decides nothing that is recorded")]
fn shown_by(clock: ClockId) -> u64 {
    Duration::try_from(clock_gettime(clock)).map_or(0, milliseconds)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}

/// When somebody began to look at the log.
pub(super) struct Look {
    begun: Moment,
    doubts: u64,
}

impl Sighting {
    pub(super) fn new(limit: Staleness) -> Self {
        let [doubts, dispelled, seen, seen_by_wall] = [const { AtomicU64::new(0) }; 4];
        Self { limit, doubts, dispelled, seen, seen_by_wall }
    }

    pub(super) fn limit(&self) -> Staleness {
        self.limit
    }

    /// How long ago the end of the log was last seen; `None` = it never was.
    pub(super) fn staleness(&self) -> Option<Duration> {
        self.staleness_at(Moment::now())
    }

    /// Whether it was seen of late, and nothing was in doubt since.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh_at(Moment::now())
    }

    /// Whether what is known is too old, and answered from all the same.
    pub(super) fn is_stale_and_allowed(&self) -> bool {
        // Each check asks, and only where it may be so are clocks read for it.
        self.limit.then == Stale::Allow && self.is_stale_and_allowed_at(Moment::now())
    }

    /// Whether what is known is answered from.
    pub(super) fn may_answer(&self) -> bool {
        self.may_answer_at(Moment::now())
    }

    fn staleness_at(&self, now: Moment) -> Option<Duration> {
        let seen = self.seen.load(Ordering::Acquire).checked_sub(1)?;
        let elapsed = now.monotonic.saturating_sub(seen);
        let by_wall = now.wall.saturating_sub(self.seen_by_wall.load(Ordering::Acquire));
        Some(Duration::from_millis(elapsed.max(by_wall)))
    }

    fn is_fresh_at(&self, now: Moment) -> bool {
        !self.is_in_doubt() && self.staleness_at(now).is_some_and(|staleness| staleness + LAG <= self.limit.max)
    }

    fn is_stale_and_allowed_at(&self, now: Moment) -> bool {
        self.limit.then == Stale::Allow
            && self.staleness_at(now).is_some_and(|staleness| staleness + LAG > self.limit.max)
    }

    fn may_answer_at(&self, now: Moment) -> bool {
        self.is_fresh_at(now) || self.is_stale_and_allowed_at(now)
    }

    fn is_in_doubt(&self) -> bool {
        self.doubts.load(Ordering::Acquire) != self.dispelled.load(Ordering::Acquire)
    }

    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn look(&self) -> Look {
        Look { begun: Moment::now(), doubts: self.doubts.load(Ordering::Acquire) }
    }

    /// The end of the log was seen by whoever began to look then. What came into doubt since is so still.
    pub(super) fn see(&self, look: &Look) {
        if self.doubts.load(Ordering::Acquire) == look.doubts {
            // Not the latest of it: a clock that was set back would leave nothing to be compared with.
            self.seen_by_wall.store(look.begun.wall, Ordering::Release);
            self.seen.fetch_max(look.begun.monotonic + 1, Ordering::AcqRel);
            self.dispelled.store(look.doubts, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(5);

    fn later(moment: Moment, by: Duration) -> Moment {
        Moment { monotonic: moment.monotonic + milliseconds(by), wall: moment.wall + milliseconds(by) }
    }

    fn sighting(then: Stale) -> Sighting {
        Sighting::new(Staleness { max: MAX, then })
    }

    #[test]
    fn what_is_known_is_answered_from_until_it_is_too_old_or_where_that_is_allowed() {
        for (then, is_allowed) in [(Stale::Deny, false), (Stale::Allow, true)] {
            let sighting = sighting(then);
            assert!(!sighting.may_answer(), "nothing was ever seen");

            let look = sighting.look();
            sighting.see(&look);
            let last = later(look.begun, MAX.saturating_sub(LAG));
            let past = later(last, Duration::from_millis(1));

            assert!(sighting.is_fresh_at(last) && sighting.may_answer_at(last));
            assert!(!sighting.is_stale_and_allowed_at(last) && !sighting.is_fresh_at(past));
            assert_eq!(
                (sighting.may_answer_at(past), sighting.is_stale_and_allowed_at(past)),
                (is_allowed, is_allowed)
            );
        }
    }

    #[test]
    fn a_machine_that_was_suspended_knows_nothing_by_its_memory_and_one_whose_clock_was_set_back_all() {
        let sighting = sighting(Stale::Deny);
        let look = sighting.look();
        sighting.see(&look);
        let (second, hour) = (1_000, 3_600_000);

        let woken = Moment { monotonic: look.begun.monotonic + second, wall: look.begun.wall + hour };
        assert!(!sighting.may_answer_at(woken));
        assert_eq!(sighting.staleness_at(woken), Some(Duration::from_hours(1)));

        let set_back = Moment { monotonic: look.begun.monotonic + second, wall: look.begun.wall - hour };
        assert!(sighting.may_answer_at(set_back));

        // Once it has looked again, both clocks count from there.
        sighting.see(&Look { begun: set_back, doubts: look.doubts });
        let woken = Moment { monotonic: set_back.monotonic + second, wall: set_back.wall + hour };
        assert!(!sighting.may_answer_at(woken));
    }

    #[test]
    fn a_doubt_is_dispelled_by_a_look_that_began_after_it_alone() {
        for then in [Stale::Deny, Stale::Allow] {
            let sighting = sighting(then);
            sighting.see(&sighting.look());
            let before = sighting.look();

            sighting.doubt();
            sighting.see(&before);
            assert!(!sighting.may_answer());

            sighting.see(&sighting.look());
            assert!(sighting.is_fresh());
        }
    }
}
