//! What a bridge does, counted. `docs/integrations/contextforge.md` says what each figure means.

use std::time::Duration;

use catalog_gateway::courier::Why;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::{
    ledger::Figures,
    shared::{Shared, Side, Standing},
};

const TOLD: &str = "catalog_bridge_told_total";
const DELAY: &str = "catalog_bridge_delay_seconds";
const LAG: &str = "catalog_bridge_lag_seconds";
const OWED: &str = "catalog_bridge_owed";
const WAITING: &str = "catalog_bridge_waiting";
const FAILURES: &str = "catalog_bridge_failures_total";
const WELL: &str = "catalog_bridge_well";
const KEYS_SET: &str = "catalog_bridge_redis_set_again_total";
const LISTENERS: &str = "catalog_bridge_redis_listeners";
const SUSPENDED: &str = "catalog_bridge_suspensions_total";
const COMPROMISED: &str = "catalog_bridge_keys_compromised_total";
const POSITION: &str = "catalog_bridge_position";
const HEARD: &str = "catalog_followed_position";
const STALENESS: &str = "catalog_staleness_seconds";

/// The histogram of delays and the bounds of its buckets, in seconds.
pub const BUCKETS: (&str, &[f64]) = (DELAY, &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3_600.0]);

/// How a gateway came to know of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// By courier.
    Courier,
    /// It knew already.
    Before,
    /// There is no courier of this token.
    Without(Why),
}

impl Told {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Courier => "courier",
            Self::Before => "before",
            Self::Without(Why::NotMeantFor) => "not_meant_for",
            Self::Without(Why::Erased) => "erased",
            Self::Without(Why::NothingToCarry) => "nothing_to_carry",
            Self::Without(Why::Unknown) => "out_of_reach",
        }
    }
}

/// Describes the metrics to the recorder.
pub fn describe() {
    describe_counter!(TOLD, Unit::Count, "Revocations that were dealt with, by how.");
    describe_histogram!(DELAY, Unit::Seconds, "From when a revocation was due here to when the gateway was told.");
    describe_gauge!(LAG, Unit::Seconds, "For how long the oldest revocation is due that was not told; 0 if none is.");
    describe_gauge!(OWED, Unit::Count, "Revocations that are due and were not told.");
    describe_gauge!(WAITING, Unit::Count, "Revocations that begin at an instant to come.");
    describe_counter!(FAILURES, Unit::Count, "Times that something did not do what it was asked for.");
    describe_gauge!(WELL, Unit::Count, "1 while it does what it is asked for, else 0.");
    describe_counter!(KEYS_SET, Unit::Count, "Times that all keys were set in the Redis.");
    describe_gauge!(LISTENERS, Unit::Count, "How many connections heard the last message in the Redis.");
    describe_counter!(SUSPENDED, Unit::Count, "Suspensions that the feed told of, which are not carried.");
    describe_counter!(
        COMPROMISED,
        Unit::Count,
        "Compromised keys that the feed told of, which no courier helps against."
    );
    describe_gauge!(POSITION, Unit::Count, "The position up to which the gateway was told everything.");
    describe_gauge!(HEARD, Unit::Count, "The position up to which the log is known.");
    describe_gauge!(STALENESS, Unit::Seconds, "For how long the catalog was not heard.");
    for told in ["courier", "before", "not_meant_for", "erased", "out_of_reach", "key"] {
        counter!(TOLD, "how" => told).increment(0);
    }
    for side in Side::ALL {
        counter!(FAILURES, "of" => side.as_str()).increment(0);
    }
    for counted in [KEYS_SET, SUSPENDED, COMPROMISED] {
        counter!(counted).increment(0);
    }
}

pub(super) fn told(told: Told, delay: Option<Duration>) {
    counter!(TOLD, "how" => told.as_str()).increment(1);
    if let Some(delay) = delay.filter(|_| told == Told::Courier) {
        histogram!(DELAY, "to" => "gateway").record(delay.as_secs_f64());
    }
}

pub(super) fn key_set(delay: Duration) {
    counter!(TOLD, "how" => "key").increment(1);
    histogram!(DELAY, "to" => "redis").record(delay.as_secs_f64());
}

pub(super) fn all_set() {
    counter!(KEYS_SET).increment(1);
}

pub(super) fn listeners(count: u64) {
    gauge!(LISTENERS).set(u32::try_from(count).unwrap_or(u32::MAX));
}

pub(super) fn suspended() {
    counter!(SUSPENDED).increment(1);
}

pub(super) fn key_compromised() {
    counter!(COMPROMISED).increment(1);
}

pub(super) fn position(position: i64) {
    gauge!(HEARD).set(number(position));
}

pub(super) fn failed(side: Side) {
    counter!(FAILURES, "of" => side.as_str()).increment(1);
}

/// Sets the gauges to what is so now.
pub(super) fn sample(shared: &Shared, has_redis: bool) {
    let now = shared.now();
    let (figures, place) = {
        let ledger = shared.ledger();
        (ledger.figures(now), ledger.place(now))
    };
    let Figures { couriers, keys, waiting, courier_since, key_since } = figures;
    let sides = [("gateway", couriers, courier_since), ("redis", keys, key_since)];
    for (to, owed, since) in sides.into_iter().filter(|(to, ..)| has_redis || *to == "gateway") {
        let lag = since.map_or(0.0, |since| (now - since).to_std().unwrap_or_default().as_secs_f64());
        gauge!(LAG, "to" => to).set(lag);
        gauge!(OWED, "to" => to).set(figure(owed));
    }
    gauge!(WAITING).set(figure(waiting));
    for side in Side::ALL {
        gauge!(WELL, "side" => side.as_str()).set(u8::from(shared.standing(side) == Standing::Well));
    }
    if let Some(place) = place {
        gauge!(POSITION).set(number(place.mark.position));
    }
    if let Some(silence) = shared.silence() {
        gauge!(STALENESS).set(silence.as_secs_f64());
    }
}

fn figure(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers, and 2^53 events are not reached")]
fn number(position: i64) -> f64 {
    position as f64
}
