//! Time and chance, as arguments: only `main` owns a real clock and real entropy.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present instant, in whole microseconds, which is what the log can hold.
    fn now(&self) -> DateTime<Utc>;
}

/// Where unpredictable bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with bytes nobody can predict.
    fn fill(&self, buffer: &mut [u8]);
}

/// A new UUID of version 7 (RFC 9562 section 5.7): its order is a help to indexes, never a promise.
#[must_use]
pub fn uuid_v7(now: DateTime<Utc>, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0_u8; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
