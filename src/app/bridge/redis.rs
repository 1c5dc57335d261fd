//! The Redis of a gateway: a key for each revoked token, which its workers look for before anything else, and a message that has
//! them drop what they remember.
//!
//! What is in a Redis can be lost: it is flushed, starts again without a file or with an old one, or a replica takes its place
//! that had not heard everything. So a mark of this process is written after all else, with a number that counts. Where it is
//! not what it should be, all keys are set again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use catalog_gateway::{
    follow::{Pauses, changes::Changes},
    wire::Item,
};
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, aio::MultiplexedConnection};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::{
    metrics,
    revoked::Revoked,
    shared::{Shared, Side},
};

/// The channel on which workers hear what to forget. Its name has no prefix that could be set.
const CHANNEL: &str = "mcpgw:auth:invalidate";
/// How long the way to it may take to open, and an answer to come.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// How many keys are set at once.
const AT_ONCE: usize = 1_000;
/// How soon a loss is noticed.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// For how long a key outlives its token: the gateway's clock may be behind.
const MARGIN_S: i64 = 60;
/// For how long the mark of a process that has ended stays.
const MARK_TTL_S: i64 = 3_600;
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) changes: Changes,
    pub(super) client: Client,
    /// What the names of the gateway's keys begin with.
    pub(super) prefix: String,
    /// Names the mark of this process.
    pub(super) name: Uuid,
}

/// Why keys could not be set.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the Redis cannot be used: {}", .0.category())]
    Redis(#[from] RedisError),
    #[error("the catalog does not say which keys are to be in the Redis")]
    Snapshot,
}

impl Keeper {
    pub(super) async fn forever(self) -> Infallible {
        let mut pauses = Pauses::new(PAUSE_MIN, PAUSE_MAX);
        // What the mark is to be; none while it is not known that all keys are there.
        let mut count = None;
        loop {
            let Err(trouble) = self.session(&mut count, &mut pauses).await;
            self.shared.trouble(Side::Redis, &trouble.to_string());
            sleep(pauses.next(None)).await;
        }
    }

    async fn session(&self, count: &mut Option<u64>, pauses: &mut Pauses) -> Result<Infallible, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIME_MAX))
            .set_response_timeout(Some(ANSWER_TIME_MAX));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut look_at = Instant::now();
        loop {
            if Instant::now() >= look_at {
                self.look(&mut connection, count).await?;
                if count.is_none() && self.shared.is_caught_up() {
                    *count = self.set_all(&mut connection).await?;
                }
                look_at = Instant::now() + LOOK_PERIOD;
                pauses.reset();
            }
            while self.set_owed(&mut connection, count).await? {}
            self.shared.well(Side::Redis);
            tokio::select! {
                () = self.shared.keys.notified() => {}
                () = sleep_until(self.wake_at(look_at)) => {}
            }
        }
    }

    fn wake_at(&self, look_at: Instant) -> Instant {
        let wait = self.shared.ledger().next_key().map(|next| (next - self.shared.now()).to_std().unwrap_or_default());
        wait.and_then(|wait| Instant::now().checked_add(wait)).map_or(look_at, |due| due.min(look_at))
    }

    /// Looks whether what was written before is all there.
    async fn look(&self, connection: &mut MultiplexedConnection, count: &mut Option<u64>) -> Result<(), Trouble> {
        let mut look = redis::pipe();
        look.cmd("GET").arg(self.mark()).cmd("EXPIRE").arg(self.mark()).arg(MARK_TTL_S).ignore();
        let (found,): (Option<u64>,) = look.query_async(connection).await?;
        if count.is_some() && found != *count {
            tracing::warn!("the Redis has lost keys: they are set again");
            *count = None;
        }
        Ok(())
    }

    /// Sets the keys that are owed now, and tells whether there may be more.
    async fn set_owed(&self, connection: &mut MultiplexedConnection, count: &mut Option<u64>) -> Result<bool, Trouble> {
        let now = self.shared.now();
        let owed = self.shared.ledger().keys(now, AT_ONCE);
        if owed.is_empty() {
            return Ok(false);
        }
        // Where everything is to be set again the mark must not say that it was.
        let (mut change, after) = (self.change(), count.map(|before| before + 1));
        for (jti, exp) in &owed {
            self.set(&mut change, *jti, *exp, now.timestamp());
            change.cmd("PUBLISH").arg(CHANNEL).arg(format!("revoke:{jti}"));
        }
        let (found, heard) = self.apply(connection, change, after).await?;
        *count = after.filter(|_| found == *count);
        metrics::listeners(heard.unwrap_or_default());
        let since = self.shared.ledger().keys_set(owed.iter().map(|(jti, _)| *jti));
        let now = self.shared.now();
        for due in since {
            metrics::key_set((now - due).to_std().unwrap_or_default());
        }
        self.shared.told.notify_one();
        Ok(owed.len() == AT_ONCE)
    }

    /// Sets the keys of all revoked tokens but of those that are owed anyway, which wait for their couriers. What the mark says
    /// then, unless something was lost meanwhile.
    async fn set_all(&self, connection: &mut MultiplexedConnection) -> Result<Option<u64>, Trouble> {
        let push = |all: &mut Vec<Revoked>, item: &Item| all.extend(Revoked::of(item));
        let (all, _) = self.changes.snapshot(Vec::new(), push).await.map_err(|_| Trouble::Snapshot)?;
        self.apply(connection, self.change(), Some(0)).await?;
        let (now, mut set) = (self.shared.now(), 0);
        for some in all.chunks(AT_ONCE) {
            let mut change = self.change();
            {
                let ledger = self.shared.ledger();
                for one in some.iter().filter(|one| one.is_in_force(now) && !ledger.owes_key(one.jti)) {
                    self.set(&mut change, one.jti, one.exp, now.timestamp());
                    set += 1;
                }
            }
            if self.apply(connection, change, Some(0)).await?.0 != Some(0) {
                return Ok(None);
            }
        }
        if self.apply(connection, self.change(), Some(1)).await?.0 != Some(0) {
            return Ok(None);
        }
        metrics::all_set();
        tracing::info!(keys = set, "the keys of all revoked tokens are in the Redis");
        Ok(Some(1))
    }

    /// A change that is made in one step, and first of all reads the mark.
    fn change(&self) -> Pipeline {
        let mut change = redis::pipe();
        change.atomic().cmd("GET").arg(self.mark());
        change
    }

    /// Makes a change, sets the mark if it is to be another one, and tells what the mark was, and what the last answer is.
    async fn apply(
        &self,
        connection: &mut MultiplexedConnection,
        mut change: Pipeline,
        after: Option<u64>,
    ) -> Result<(Option<u64>, Option<u64>), Trouble> {
        if let Some(after) = after {
            change.cmd("SETEX").arg(self.mark()).arg(MARK_TTL_S).arg(after).ignore();
        }
        let answers: Vec<Option<u64>> = change.query_async(connection).await?;
        let (mark, others) = answers.split_first().unwrap_or((&None, &[]));
        Ok((*mark, others.last().copied().flatten()))
    }

    fn set(&self, change: &mut Pipeline, jti: Uuid, exp: i64, now: i64) {
        let ttl = exp.saturating_sub(now).saturating_add(MARGIN_S).max(1);
        change.cmd("SETEX").arg(format!("{}auth:revoke:{jti}", self.prefix)).arg(ttl).arg(1).ignore();
    }

    fn mark(&self) -> String {
        format!("catalog:bridge:{}", self.name)
    }
}
