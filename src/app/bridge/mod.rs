//! A bridge: what the catalog revokes, carried to a gateway that asks nobody. It has no key and no database: it follows the feed
//! as a client, has the catalog make couriers, and takes them to the gateway.

mod carry;
mod gateway;
mod hear;
mod ledger;
pub mod metrics;
mod place;
mod redis;
mod revoked;
mod shared;

use std::{convert::Infallible, future::pending, path::Path, sync::Arc, time::Duration};

use ::redis::{Client, RedisError};
use catalog_gateway::{
    client::Catalog,
    follow::{Settings, changes::Changes},
};
use reqwest::Url;
use tokio::time::{MissedTickBehavior, interval};

pub use place::PlaceError;
pub use shared::{Side, Standing};

use self::{
    carry::Carrier,
    gateway::Gateway,
    hear::Listener,
    ledger::Figures,
    place::{PlaceFile, Writer},
    redis::Keeper,
    shared::Shared,
};
use super::Ambient;
use crate::domain::{ambient::uuid_v7, text::Audience};

/// How often a lag is told in the diagnostics.
const LAG_PERIOD: Duration = Duration::from_secs(30);

/// What a bridge is told before it begins.
pub struct Crossing<'a> {
    /// The catalog that it follows, and that makes couriers.
    pub catalog: Catalog,
    /// The gateway.
    pub gateway: &'a Url,
    /// The gateway's audience.
    pub audience: Audience,
    /// The gateway's Redis, and what the names of its keys begin with.
    pub redis: Option<(&'a str, String)>,
    /// Where it is kept up to where the gateway was told.
    pub file: Option<&'a Path>,
    /// Time and chance.
    pub ambient: Ambient,
}

/// Why a bridge cannot be.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The position file cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
    /// It is no address of a Redis. The address may have a password, and is not repeated.
    #[error("the address of the Redis is none: {0}")]
    Redis(&'static str),
}

impl BridgeError {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Place(error) => Some(error.hint()),
            Self::Redis(_) => Some("name it in CATALOG_REDIS_URL or --redis, such as redis://127.0.0.1:6379/0"),
            Self::Client(_) => None,
        }
    }
}

/// A bridge.
pub struct Bridge {
    shared: Arc<Shared>,
    has_redis: bool,
}

/// What a bridge does, to be polled for as long as it is to be done.
pub struct Work {
    listener: Listener,
    carrier: Carrier,
    keeper: Option<Keeper>,
    writer: Option<Writer>,
    shared: Arc<Shared>,
}

/// How a bridge is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeStatus {
    /// How it gets on with each side.
    pub sides: Vec<(Side, Standing)>,
    /// Up to where the gateway was told everything; `None` = not known of any position yet.
    pub position: Option<i64>,
    /// How many revocations are due that the gateway was not told.
    pub owed: usize,
    /// For how long the oldest of them is.
    pub lag: Duration,
}

impl Bridge {
    /// A bridge, and the work that makes it one. Nobody is asked anything yet.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn open(crossing: Crossing<'_>) -> Result<(Self, Work), BridgeError> {
        let Crossing { catalog, gateway, audience, redis, file, ambient } = crossing;
        let file = file.map(|path| PlaceFile::open(path, gateway.as_str())).transpose()?;
        let shared = Arc::new(Shared::new(&ambient, redis.is_some()));
        let changes = Changes::new(catalog.clone(), Settings::default());
        let keeper = redis.map(|(address, prefix)| {
            let client = Client::open(address).map_err(|error| BridgeError::Redis(fault(&error)))?;
            let name = uuid_v7(ambient.clock.now(), &*ambient.entropy);
            Ok::<_, BridgeError>(Keeper { shared: shared.clone(), changes: changes.clone(), client, prefix, name })
        });
        let keeper = keeper.transpose()?;
        let has_redis = keeper.is_some();
        let gateway = Gateway::new(gateway).map_err(BridgeError::Client)?;
        let place = file.as_ref().and_then(|(_, place)| *place);
        let work = Work {
            listener: Listener { shared: shared.clone(), changes, place },
            carrier: Carrier { shared: shared.clone(), catalog, gateway, audience: audience.as_str().to_owned() },
            keeper,
            writer: file.map(|(file, _)| Writer::new(shared.clone(), file)),
            shared: shared.clone(),
        };
        Ok((Self { shared, has_redis }, work))
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> BridgeStatus {
        let now = self.shared.now();
        let (figures, place) = {
            let ledger = self.shared.ledger();
            (ledger.figures(now), ledger.place(now))
        };
        BridgeStatus {
            sides: Side::ALL
                .into_iter()
                .filter(|side| self.has_redis || *side != Side::Redis)
                .map(|side| (side, self.shared.standing(side)))
                .collect(),
            position: place.map(|place| place.mark.position),
            owed: figures.couriers,
            lag: lag(&figures, now),
        }
    }

    /// Sets the gauges to what is so now.
    pub fn sample(&self) {
        metrics::sample(&self.shared, self.has_redis);
    }
}

impl Work {
    /// Carries until `end` comes, and notes then what was told.
    pub async fn run(self, end: impl Future<Output = ()>) {
        let Self { listener, carrier, keeper, mut writer, shared } = self;
        {
            let keys = async {
                match keeper {
                    Some(keeper) => keeper.forever().await,
                    None => pending().await,
                }
            };
            let notes = async {
                match &mut writer {
                    Some(writer) => writer.forever().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                never = Box::pin(listener.forever()) => match never {},
                never = Box::pin(carrier.forever()) => match never {},
                never = Box::pin(keys) => match never {},
                never = Box::pin(notes) => match never {},
                never = complain(&shared) => match never {},
            }
        }
        if let Some(writer) = &mut writer {
            writer.write().await;
        }
    }
}

/// Tells of a lag for as long as there is one.
async fn complain(shared: &Shared) -> Infallible {
    let mut period = interval(LAG_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        let now = shared.now();
        let figures = shared.ledger().figures(now);
        let lag = lag(&figures, now);
        if lag >= LAG_PERIOD {
            tracing::warn!(
                lag_s = lag.as_secs(),
                couriers = figures.couriers,
                keys = figures.keys,
                "the gateway lags behind"
            );
        }
    }
}

fn lag(figures: &Figures, now: chrono::DateTime<chrono::Utc>) -> Duration {
    let since = figures.courier_since.into_iter().chain(figures.key_since).min();
    since.map_or(Duration::ZERO, |since| (now - since).to_std().unwrap_or_default())
}

fn fault(error: &RedisError) -> &'static str {
    match error.kind() {
        ::redis::ErrorKind::InvalidClientConfig => {
            "write redis://, rediss:// or unix://, host and port, and perhaps /0"
        }
        _ => "it is not understood",
    }
}
