//! The negative cache of checks: identifiers of which a lookup just found that the log knows no such token.
//!
//! It cannot hide an issuance. Whoever issues a token draws its identifier then, and it says when (RFC 9562, version 7): one
//! that is [`DRAWN_WITHIN`] old and was not issued will not be, and one without a time never is. Where somebody's clock is
//! further off than that, the memory of live tokens is asked as well: it has heard of what was issued here before anybody is
//! answered, and of what was issued elsewhere once it has followed.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;
use tokio::time::Instant;
use uuid::{Uuid, Version};

use crate::domain::{Event, Recorded};

/// How many are remembered, the latest ones.
const IDS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// For how long. A row that is missing from a table may be put back by hand.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// How far the clocks of two servers may be apart, and how long an issuance may take.
const DRAWN_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// The identifiers, each with when the lookup began. They go with the memory of a log: another log knows other tokens.
#[derive(Debug)]
pub(super) struct NeverIssued(Mutex<LruCache<Uuid, Instant>>);

impl Default for NeverIssued {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(IDS_MAX)))
    }
}

impl NeverIssued {
    /// A lookup that began at an instant, by the wall clock at `now`, found no such token. Nothing is remembered of one that
    /// may be issued still.
    pub(super) fn learn(&self, jti: Uuid, begun: Instant, now: DateTime<Utc>) {
        if !may_be_issued(jti, now) {
            self.lock().put(jti, begun);
        }
    }

    /// An event of the log: what it issues is not looked for here any more, not even once it is over and nobody knows it.
    pub(super) fn hear(&mut self, recorded: &Recorded) {
        if let Event::TokenIssued(issued) = &recorded.occurrence.event {
            self.0.get_mut().unwrap_or_else(PoisonError::into_inner).pop(&issued.jti);
        }
    }

    /// Whether a lookup just found no such token.
    pub(super) fn has(&self, jti: Uuid, now: Instant) -> bool {
        self.lock().get(&jti).is_some_and(|begun| now.saturating_duration_since(*begun) < REMEMBERED_FOR)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether somebody may have drawn it who is still about to issue it.
fn may_be_issued(jti: Uuid, now: DateTime<Utc>) -> bool {
    let drawn = (jti.get_version() == Some(Version::SortRand)).then(|| jti.get_timestamp()).flatten();
    drawn.is_some_and(|drawn| {
        let (seconds, _) = drawn.to_unix();
        i64::try_from(seconds).map_or(true, |seconds| seconds >= (now - DRAWN_WITHIN).timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ambient::{Entropy, uuid_v7};

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    #[test]
    fn an_identifier_is_remembered_only_once_nobody_can_issue_it_any_more_and_then_for_five_seconds() {
        let drawn = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (jti, asked) = (uuid_v7(drawn, &Zeros), Instant::now());
        let known = NeverIssued::default();

        for seconds in [-3_600, 0, 60] {
            known.learn(jti, asked, drawn + TimeDelta::seconds(seconds));
            assert!(!known.has(jti, asked), "{seconds} s old");
        }
        known.learn(jti, asked, drawn + TimeDelta::seconds(61));

        assert!(known.has(jti, asked));
        assert!(known.has(jti, asked + REMEMBERED_FOR - Duration::from_nanos(1)));
        assert!(!known.has(jti, asked + REMEMBERED_FOR));
        assert!(!known.has(Uuid::nil(), asked));
    }

    #[test]
    fn an_identifier_that_no_server_draws_is_remembered_at_once() {
        let (known, now) = (NeverIssued::default(), Instant::now());
        for jti in [Uuid::nil(), Uuid::max(), uuid::Builder::from_random_bytes([7; 16]).into_uuid()] {
            known.learn(jti, now, DateTime::UNIX_EPOCH);
            assert!(known.has(jti, now), "{jti}");
        }
    }

    #[test]
    fn however_many_are_asked_for_the_latest_are_remembered() {
        let (known, now) = (NeverIssued::default(), Instant::now());
        for id in 0..5_000 {
            known.learn(Uuid::from_u128(id), now, DateTime::UNIX_EPOCH);
        }
        let remembered = (0..5_000).filter(|id| known.has(Uuid::from_u128(*id), now)).collect::<Vec<_>>();
        assert_eq!(remembered, (5_000 - 1_024..5_000).collect::<Vec<_>>());
    }
}
