//! What the one writer of a process, and its lookups, count and measure. docs/operations.md says what each figure means.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::{AppendError, Appended};
use crate::domain::{Path, Refusal};

const BATCH: &str = "catalog_append_batch_commands";
const COMMIT: &str = "catalog_append_commit_duration_seconds";
const LOOKUP: &str = "catalog_check_batch_tokens";
const OUTCOMES: &str = "catalog_append_outcomes_total";
const REFUSALS: &str = "catalog_refusals_total";

/// The upper bounds of each histogram.
pub const BUCKETS: [(&str, &[f64]); 3] = [
    (BATCH, &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0]),
    (LOOKUP, &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]),
    (COMMIT, &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
];

/// What became of a command, as far as the log is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Recorded,
    Unchanged,
    Repeated,
    Refused,
    QueueFull,
    Unavailable,
    Rejected,
    Unknown,
    Expired,
}

impl Outcome {
    const ALL: [Self; 9] = [
        Self::Recorded,
        Self::Unchanged,
        Self::Repeated,
        Self::Refused,
        Self::QueueFull,
        Self::Unavailable,
        Self::Rejected,
        Self::Unknown,
        Self::Expired,
    ];

    pub(super) fn of(answer: &Result<Appended, AppendError>) -> Self {
        match answer {
            Ok(appended) if appended.is_repeat => Self::Repeated,
            Ok(appended) if appended.events.is_empty() => Self::Unchanged,
            Ok(_) => Self::Recorded,
            Err(AppendError::Refused(_)) => Self::Refused,
            Err(AppendError::QueueFull) => Self::QueueFull,
            Err(AppendError::Unavailable(_) | AppendError::Ended) => Self::Unavailable,
            Err(AppendError::Rejected(_)) => Self::Rejected,
            Err(AppendError::OutcomeUnknown) => Self::Unknown,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Unchanged => "unchanged",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
            Self::QueueFull => "queue_full",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
        }
    }
}

/// Describes the metrics to the recorder, and begins each series whose labels are known at nought.
pub fn describe() {
    describe_histogram!(BATCH, Unit::Count, "Commands in one transaction of the appender.");
    describe_histogram!(COMMIT, Unit::Seconds, "From sending a COMMIT to its answer.");
    describe_histogram!(LOOKUP, Unit::Count, "Tokens that one statement reads for checks.");
    describe_counter!(OUTCOMES, Unit::Count, "Commands by what became of them.");
    describe_counter!(REFUSALS, Unit::Count, "Commands and requests that the domain refused, by its rule.");
    for outcome in Outcome::ALL {
        ended(outcome, 0);
    }
}

/// A transaction is begun for so many commands.
pub(super) fn batch(commands: usize) {
    histogram!(BATCH).record(figure(commands));
}

/// One statement is to read so many tokens for checks.
pub(super) fn lookup(tokens: usize) {
    histogram!(LOOKUP).record(figure(tokens));
}

/// A COMMIT was answered, or given up, after so long.
pub(super) fn commit(elapsed: Duration) {
    histogram!(COMMIT).record(elapsed);
}

/// So many commands came to this end.
pub(super) fn ended(outcome: Outcome, commands: u64) {
    counter!(OUTCOMES, "outcome" => outcome.as_str()).increment(commands);
}

/// The domain said no to somebody at this door.
pub fn refused(refusal: &Refusal, path: Path) {
    counter!(REFUSALS, "rule" => refusal.code(), "path" => path.as_str()).increment(1);
}

fn figure(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
