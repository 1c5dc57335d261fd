//! The writer of a process without the process around it, and somebody else's session that gets in its way.

use std::{sync::Arc, time::Duration};

use catalog::{
    domain::{Act, Authority, Command, Path, Position, Refusal, RevokeToken, revoke::RevocationReason},
    store::{AppendError, Appended, Appender, log},
};
use futures_util::FutureExt;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    World,
    world::{plain, shell},
};

/// After this long a test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The writer of one process, without the process around it.
pub fn appender(world: &World) -> Arc<Appender> {
    let (appender, _task) =
        Appender::start(world.database.open(), world.catalog.ambient().entropy.clone(), Arc::default());
    Arc::new(appender)
}

pub fn command(world: &World, act: Act) -> Command {
    let now = world.catalog.ambient().clock.now();
    Command { act, authority: Authority::of_shell(), origin: shell(Path::CliDev), now, idempotency: None }
}

pub fn issuance(world: &World, jti: Uuid) -> Command {
    let signer = world.catalog.live().settings.active.clone().unwrap();
    let (command_asked, draw) = (Box::new(plain("alice@example.com")), Box::default());
    command(world, Act::Issue { command: command_asked, jti, signer, membership: None, draw })
}

pub fn revocation(world: &World, jti: Uuid) -> Command {
    command(world, Act::Revoke(RevokeToken { jti, reason: RevocationReason::Unspecified, note: None }))
}

pub fn unknown() -> Uuid {
    Uuid::from_u128(404)
}

pub type Outcome = Result<Appended, AppendError>;

/// Queues a command, and returns once it is queued.
pub async fn queued(appender: &Arc<Appender>, command: Command) -> JoinHandle<Outcome> {
    let appender = appender.clone();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let outcome = tokio::spawn(async move {
        let mut append = Box::pin(appender.append(command));
        let first = append.as_mut().now_or_never();
        begun.send(()).unwrap();
        match first {
            Some(outcome) => outcome,
            None => append.await,
        }
    });
    has_begun.await.unwrap();
    outcome
}

/// Somebody else's session that holds the head of the log.
pub struct Holder(PgConnection);

impl Holder {
    pub async fn new(world: &World) -> Self {
        let mut connection = world.database.superuser().connect().await.unwrap();
        connection.execute("begin").await.unwrap();
        connection.execute("select position from log_head for update").await.unwrap();
        Self(connection)
    }

    /// The sessions that wait for a lock now.
    pub async fn waiters(&mut self) -> Vec<i32> {
        // Within a transaction the view is a snapshot, unless it is told to look again.
        self.0.execute("select pg_stat_clear_snapshot()").await.unwrap();
        sqlx::query_scalar(
            "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_all(&mut self.0)
        .await
        .unwrap()
    }

    /// The session that waits for a lock, once there is one.
    pub async fn waiter(&mut self) -> i32 {
        let found = async {
            loop {
                if let Some(waiter) = self.waiters().await.pop() {
                    return waiter;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("nobody waits for the head of the log"))
    }

    /// Returns once nobody waits any more.
    pub async fn alone(&mut self) {
        let gone = async {
            while !self.waiters().await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("somebody waits for ever"));
    }

    /// Ends another session, and returns once it is gone.
    pub async fn end(&mut self, pid: i32) {
        let sql = format!("select pg_terminate_backend({pid}, 5000)");
        self.0.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    pub async fn let_go(mut self) {
        self.0.execute("rollback").await.unwrap();
        self.0.close().await.unwrap();
    }
}

/// Has the commands recorded as one batch: they are queued while the writer waits for the head with another.
pub async fn as_one_batch(world: &World, commands: Vec<Command>) -> Vec<Outcome> {
    let appender = appender(world);
    let mut holder = Holder::new(world).await;
    let first = queued(&appender, revocation(world, unknown())).await;
    holder.waiter().await;
    let mut outcomes = Vec::new();
    for command in commands {
        outcomes.push(queued(&appender, command).await);
    }
    holder.let_go().await;
    assert!(matches!(first.await.unwrap(), Err(AppendError::Refused(Refusal::TokenUnknown { .. }))));
    let mut answers = Vec::new();
    for outcome in outcomes {
        answers.push(outcome.await.unwrap());
    }
    answers
}

/// The end of the log.
pub async fn head(world: &World) -> Position {
    log::head(world.catalog.database().reads()).await.unwrap().position
}
