//! Carries couriers: has one made of each token that is due, and takes it to the gateway, several at once, and one by one while
//! something is in the way.

use std::{convert::Infallible, sync::Arc, time::Duration};

use catalog_gateway::{
    client::{AskError, Catalog},
    courier::{NoCourier, Why},
    follow::Pauses,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use secrecy::SecretString;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{
    gateway::{Ended, Gateway, Objection},
    ledger::Errand,
    metrics::{self, Told},
    shared::{Shared, Side},
};
use crate::domain::causes::Causes;

/// How many are on their way at once.
const AT_ONCE: usize = 8;
/// How long the catalog may take to make one.
const COURIER_TIME_MAX: Duration = Duration::from_secs(5);
/// Pauses while nobody can be told.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How often the gateway is looked at when there is nothing to tell it.
const LOOK_PERIOD: Duration = Duration::from_secs(15);
/// How often is looked for what is expired while nothing can be carried.
const SWEEP_PERIOD: Duration = Duration::from_secs(30);

pub(super) struct Carrier {
    pub(super) shared: Arc<Shared>,
    pub(super) catalog: Catalog,
    pub(super) gateway: Gateway,
    /// The gateway's audience.
    pub(super) audience: String,
}

/// Why a courier did not arrive, and the courier, if there is one to carry again.
struct Failure {
    why: Failed,
    made: Option<SecretString>,
}

enum Failed {
    NoCourier(NoCourier),
    Gateway(Objection),
}

/// When something may be carried, and when something is looked at.
struct Times {
    pauses: Pauses,
    open_from: Instant,
    look_at: Instant,
    sweep_at: Instant,
}

impl Carrier {
    pub(super) async fn forever(self) -> Infallible {
        let now = Instant::now();
        let pauses = Pauses::new(PAUSE_MIN, PAUSE_MAX);
        let mut times = Times { pauses, open_from: now, look_at: now, sweep_at: now + SWEEP_PERIOD };
        let mut under_way = FuturesUnordered::new();
        loop {
            let now = Instant::now();
            if now >= times.sweep_at {
                self.shared.ledger().sweep(self.shared.now());
                self.shared.told.notify_one();
                times.sweep_at = now + SWEEP_PERIOD;
            }
            if now >= times.look_at && now >= times.open_from && under_way.is_empty() {
                self.look(&mut times).await;
                continue;
            }
            while now >= times.open_from && under_way.len() < self.at_once() {
                let errand = self.shared.ledger().errand(self.shared.now());
                let Some(errand) = errand else { break };
                under_way.push(self.carry(errand));
            }
            let wake_at = self.wake_at(&times, under_way.is_empty());
            tokio::select! {
                // None of them is there when none is under way.
                Some((jti, outcome)) = under_way.next() => self.conclude(jti, outcome, &mut times),
                () = self.shared.couriers.notified() => {}
                () = sleep_until(wake_at) => {}
            }
        }
    }

    /// While something is in the way one is enough to see whether it still is.
    fn at_once(&self) -> usize {
        let is_in_the_way = [Side::Gateway, Side::Couriers].into_iter().any(|side| self.shared.is_in_trouble(side));
        if is_in_the_way { 1 } else { AT_ONCE }
    }

    fn wake_at(&self, times: &Times, is_idle: bool) -> Instant {
        let now = Instant::now();
        let wait =
            self.shared.ledger().next_courier().map(|next| (next - self.shared.now()).to_std().unwrap_or_default());
        let due = wait.and_then(|wait| now.checked_add(wait)).map(|due| due.max(times.open_from));
        // With all hands full it is their return that is waited for.
        let due = due.filter(|due| *due > now || is_idle);
        [due, is_idle.then_some(times.look_at.max(times.open_from))]
            .into_iter()
            .flatten()
            .fold(times.sweep_at, Instant::min)
    }

    /// Looks whether the gateway is there.
    async fn look(&self, times: &mut Times) {
        times.look_at = Instant::now() + LOOK_PERIOD;
        match self.gateway.look().await {
            // What it thinks of couriers only a courier shows.
            Ok(()) if self.shared.ledger().next_courier().is_some_and(|next| next <= self.shared.now()) => {}
            Ok(()) => {
                self.shared.well(Side::Gateway);
                times.pauses.reset();
            }
            Err(objection) => self.pause(Side::Gateway, &objection.to_string(), None, times),
        }
    }

    async fn carry(&self, Errand { jti, made }: Errand) -> (Uuid, Result<Ended, Failure>) {
        let courier = match made {
            Some(courier) => courier,
            None => match self.catalog.courier(jti, &self.audience, COURIER_TIME_MAX).await {
                Ok(courier) => {
                    self.shared.well(Side::Couriers);
                    courier
                }
                Err(error) => return (jti, Err(Failure { why: Failed::NoCourier(error), made: None })),
            },
        };
        let outcome = self.gateway.end(jti, &courier).await.map_err(|objection| {
            let made = objection.leaves_courier().then_some(courier);
            Failure { why: Failed::Gateway(objection), made }
        });
        (jti, outcome)
    }

    fn conclude(&self, jti: Uuid, outcome: Result<Ended, Failure>, times: &mut Times) {
        match outcome {
            Ok(ended) => {
                times.pauses.reset();
                times.look_at = Instant::now() + LOOK_PERIOD;
                self.shared.well(Side::Gateway);
                self.delivered(jti, if ended == Ended::Now { Told::Courier } else { Told::Before });
            }
            Err(Failure { why: Failed::NoCourier(error), .. }) => self.without_courier(jti, &error, times),
            Err(Failure { why: Failed::Gateway(objection), made }) => {
                let is_of_one = objection.is_of_one();
                self.shared.ledger().failed(jti, made, is_of_one, self.shared.now());
                if is_of_one {
                    metrics::failed(Side::Gateway);
                    tracing::warn!(%jti, "{objection}");
                    return;
                }
                let asked = match &objection {
                    Objection::Busy { retry_after, .. } => *retry_after,
                    _ => None,
                };
                self.pause(Side::Gateway, &objection.to_string(), asked, times);
            }
        }
    }

    fn without_courier(&self, jti: Uuid, error: &NoCourier, times: &mut Times) {
        match error {
            // By the catalog's clock its instant has not come, or it is over.
            NoCourier::Refused(Why::NothingToCarry) => {
                self.shared.ledger().failed(jti, None, true, self.shared.now());
                tracing::debug!(%jti, "{error}; it is asked again");
            }
            NoCourier::Refused(Why::NotMeantFor) => {
                self.delivered(jti, Told::Without(Why::NotMeantFor));
            }
            NoCourier::Refused(why) => {
                tracing::warn!(%jti, "{error}: the gateway cannot be told by courier");
                self.delivered(jti, Told::Without(*why));
            }
            NoCourier::Ask(ask) => {
                self.shared.ledger().failed(jti, None, false, self.shared.now());
                let (why, asked) = match ask {
                    AskError::Refused(status) => (
                        format!(
                            "the catalog makes no couriers for this credential ({status}): it needs tokens.courier"
                        ),
                        None,
                    ),
                    AskError::Unavailable { retry_after, .. } => (Causes(ask).to_string(), *retry_after),
                    _ => (Causes(ask).to_string(), None),
                };
                self.pause(Side::Couriers, &why, asked, times);
            }
        }
    }

    fn delivered(&self, jti: Uuid, told: Told) {
        let now = self.shared.now();
        let due = self.shared.ledger().delivered(jti, now);
        self.shared.keys.notify_one();
        self.shared.told.notify_one();
        let delay = due.map(|due| (now - due).to_std().unwrap_or_default());
        metrics::told(told, delay);
        let delay_ms = delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        tracing::info!(%jti, how = told.as_str(), delay_ms, "the gateway was told");
    }

    fn pause(&self, side: Side, why: &str, asked: Option<Duration>, times: &mut Times) {
        self.shared.trouble(side, why);
        times.open_from = Instant::now() + times.pauses.next(asked);
    }
}
