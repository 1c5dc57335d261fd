//! What time it is, by both clocks that a check needs.

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, Utc};

/// An instant by two clocks: one that people set, and one that nobody can set. Neither suffices. A deadline is an instant of
/// the first; how long ago something was is for the second to say, and that one stands still while a machine is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Microseconds since 1970.
    pub(crate) wall: i64,
    /// Microseconds since some instant of this process.
    pub(crate) monotonic: i64,
}

impl Now {
    /// `monotonic` is the time since any one instant, the same for all that is told to one set.
    #[must_use]
    pub fn new(wall: DateTime<Utc>, monotonic: Duration) -> Self {
        Self { wall: wall.timestamp_micros(), monotonic: micros(monotonic) }
    }

    /// Reads the clocks of this machine, which takes about 50 ns: once a request is enough.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where this crate looks at a clock")]
    pub fn read() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        let monotonic = START.get_or_init(Instant::now).elapsed();
        // A clock that stands before 1970 is wrong by so much that everything is stale by it.
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { wall: micros(wall), monotonic: micros(monotonic) }
    }

    /// By the clock that people set.
    #[must_use]
    pub fn wall(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.wall).unwrap_or_default()
    }
}

/// A duration as microseconds; 292,000 years for any that is longer.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_go_on() {
        let before = Now::read();
        let after = Now::read();

        assert!(after.monotonic >= before.monotonic);
        assert!(after.wall() > DateTime::UNIX_EPOCH + chrono::TimeDelta::days(365 * 50));
    }
}
