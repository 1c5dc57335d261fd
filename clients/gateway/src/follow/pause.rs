//! How long to wait before asking again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The longest that whoever is asked can have one wait.
const ASKED_MAX: Duration = Duration::from_secs(10);

/// Waits that double, up to a longest, each by chance half of that to all of it: many who lost the catalog at once do not come
/// back at once.
#[derive(Debug, Clone)]
pub struct Pauses {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Pauses {
    /// The first one, and the longest, before chance cuts them short.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, failures: 0 }
    }

    /// The next one, no shorter than was asked for, if that is no more than 10 s.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.min.saturating_mul(1 << self.failures.min(20)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        jittered(pause).max(asked.unwrap_or_default().min(ASKED_MAX))
    }

    /// What was asked for has come, and fits.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Half of it to all of it.
pub(super) fn jittered(pause: Duration) -> Duration {
    // Seeded by the system for each value that is made.
    let chance = RandomState::new().hash_one(0_u8) >> 44;
    pause / 2 + pause.mul_f64(f64::from(u32::try_from(chance).unwrap_or(0)) / f64::from(1_u32 << 20)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_never_all_alike() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut pauses = Pauses::new(min, max);

        for expected in [100, 200, 400, 800, 1_600, 2_000, 2_000].map(Duration::from_millis) {
            let pause = pauses.next(None);
            assert!((expected / 2..=expected).contains(&pause), "{pause:?} of {expected:?}");
        }
        assert_eq!(pauses.next(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(pauses.next(Some(Duration::from_hours(1))), ASKED_MAX);
        pauses.reset();
        assert!(pauses.next(None) <= min);
        let many: std::collections::HashSet<Duration> = (0..20).map(|_| jittered(max)).collect();
        assert!(many.len() > 10, "{many:?}");
    }
}
