//! The database's clock, as far as it can be told without asking.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// For how long what the database's clock said tells what it says: two clocks drift apart by less than a hundredth of a second
/// in it.
const CLOCK_HEARD_FOR: Duration = Duration::from_mins(1);

/// What the database's clock said, or the end of the log where that is later, and when it was asked.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Clock {
    pub(in super::super) said: DateTime<Utc>,
    pub(in super::super) heard: Instant,
}

impl Clock {
    /// What it says now, unless that is too long ago to tell.
    pub(super) fn now(&self) -> Option<DateTime<Utc>> {
        self.shows(Instant::now())
    }

    fn shows(&self, now: Instant) -> Option<DateTime<Utc>> {
        let elapsed = now.saturating_duration_since(self.heard);
        let since = i64::try_from(elapsed.as_micros()).ok().filter(|_| elapsed < CLOCK_HEARD_FOR)?;
        Some(self.said + TimeDelta::microseconds(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_said_tells_its_time_for_a_minute() {
        let (said, heard) = (DateTime::UNIX_EPOCH, Instant::now());
        let clock = Clock { said, heard };
        let after = |micros| clock.shows(heard + Duration::from_micros(micros));
        assert_eq!(after(0), Some(said));
        assert_eq!(after(59_999_999), Some(said + TimeDelta::microseconds(59_999_999)));
        assert_eq!(after(60_000_000), None);
    }
}
