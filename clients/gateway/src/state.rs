//! What is known of one token, in one word, so that it changes at once for whoever reads it.

use chrono::{DateTime, Utc};

/// Bit 0: suspended; bit 1: spared; above them since when it is revoked. Zero is what is known of most tokens: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State(pub(crate) u64);

const SUSPENDED: u64 = 1;
const SPARED: u64 = 2;
const FLAGS: u64 = SUSPENDED | SPARED;
/// Where the time of the revocation begins. There 0 is never, 1 at once, and anything else so many microseconds past
/// 1970, plus two.
const SHIFT: u32 = 2;
const AT_ONCE: u64 = 1;
const LATEST: u64 = u64::MAX >> SHIFT;

impl State {
    /// Nothing is known against it.
    pub(crate) const CLEAR: Self = Self(0);

    /// Revoked as well. Of several revocations the soonest counts.
    pub(crate) fn revoked(self, effective_from: Option<DateTime<Utc>>) -> Self {
        let since = effective_from.map_or(AT_ONCE, |from| code(from.timestamp_micros()));
        let since = match self.0 >> SHIFT {
            0 => since,
            known => known.min(since),
        };
        Self((since << SHIFT) | (self.0 & FLAGS))
    }

    pub(crate) fn suspended(self) -> Self {
        Self(self.0 | SUSPENDED)
    }

    pub(crate) fn resumed(self) -> Self {
        Self(self.0 & !SUSPENDED)
    }

    pub(crate) fn spared(self) -> Self {
        Self(self.0 | SPARED)
    }

    /// Whether it is not to be accepted at this instant, in microseconds since 1970.
    pub(crate) fn is_revoked(self, now: i64) -> bool {
        let since = self.0 >> SHIFT;
        self.is_suspended() || (since != 0 && (since == AT_ONCE || since <= code(now)))
    }

    pub(crate) fn is_suspended(self) -> bool {
        self.0 & SUSPENDED != 0
    }

    pub(crate) fn is_spared(self) -> bool {
        self.0 & SPARED != 0
    }

    /// Whether there is a revocation, be it of the future.
    pub(crate) fn has_revocation(self) -> bool {
        self.0 >> SHIFT != 0
    }

    /// From when on the revocation holds that there is; `None` = at once.
    pub(crate) fn effective_from(self) -> Option<DateTime<Utc>> {
        let micros = (self.0 >> SHIFT).checked_sub(AT_ONCE + 1)?;
        i64::try_from(micros).ok().and_then(DateTime::from_timestamp_micros)
    }
}

/// An instant as it is written in a state.
fn code(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_add(AT_ONCE + 1).min(LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(micros)
    }

    #[test]
    fn a_revocation_holds_from_its_very_microsecond() {
        let state = State::CLEAR.revoked(at(1_000_000));

        assert!(!state.is_revoked(999_999) && state.is_revoked(1_000_000) && state.is_revoked(1_000_001));
        assert_eq!(state.effective_from(), at(1_000_000));
    }

    #[test]
    fn a_revocation_without_an_instant_holds_whatever_the_clock_says() {
        for now in [i64::MIN, -1, 0, i64::MAX] {
            assert!(State::CLEAR.revoked(None).is_revoked(now), "{now}");
            assert!(!State::CLEAR.is_revoked(now), "{now}");
        }
        assert!(State::CLEAR.revoked(at(-5)).is_revoked(0) && State::CLEAR.revoked(at(0)).is_revoked(0));
    }

    #[test]
    fn of_several_revocations_the_soonest_counts_in_either_order() {
        let (soon, late) = (at(5), at(9));

        assert_eq!(State::CLEAR.revoked(soon).revoked(late), State::CLEAR.revoked(late).revoked(soon));
        assert_eq!(State::CLEAR.revoked(late).revoked(None).effective_from(), None);
        assert_eq!(State::CLEAR.revoked(None).revoked(late).effective_from(), None);
    }

    #[test]
    fn what_is_resumed_stays_revoked() {
        let state = State::CLEAR.suspended().revoked(at(9)).spared();

        assert!(state.is_revoked(8) && !state.resumed().is_revoked(8) && state.resumed().is_revoked(9));
        assert!(state.resumed().is_spared() && state.is_suspended());
        assert_eq!(State::CLEAR.suspended().resumed(), State::CLEAR);
    }
}
