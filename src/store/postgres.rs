//! Connections: which schema they look at, as which role they act, and how long they may keep others waiting.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use tokio::time::timeout;

use super::StoreError;
use crate::domain::Malformed;

/// How long a read may take before its asker is told that the database could not say.
pub const READ_TIMEOUT: Duration = Duration::from_secs(4);
/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an append waits for the head of the log.
pub const LOCK_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long a stopped or cut-off appender may hold the head: less than the others wait.
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Begins a transaction that sees one snapshot of everything. The lock comes before the snapshot: whoever waited for the end
/// of a rebuilding would else look at its tables as of before it, when their last rows were not written.
pub(super) const SNAPSHOT: &str =
    "begin isolation level repeatable read read only; lock table log_head in access share mode";

/// Of a transaction that reads every live token: pages that hold none are passed over by the index on `exp`, what is found is
/// joined as a whole, and how much that is depends on the time that is asked for.
pub(super) const READS_LIVE: &str = "set local enable_seqscan to on; \
                                    set local enable_bitmapscan to on; \
                                    set local enable_hashjoin to on; \
                                    set local plan_cache_mode to force_custom_plan";

const READERS_MAX: u32 = 14;
const SIGNALLERS: u32 = 2;
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// The name of a schema, which is also the name of a catalog: a plain lower-case identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema(String);

impl Schema {
    /// The longest name, so that its writer role's name still fits in an identifier of Postgres.
    pub const LENGTH_MAX: usize = 50;

    /// The name as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The role that everything but migrations acts as.
    #[must_use]
    pub fn writer(&self) -> String {
        format!("{}_writer", self.0)
    }
}

impl std::str::FromStr for Schema {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        let reserved = text.starts_with("pg_") || text == "information_schema";
        if begins && !reserved && text.len() <= Self::LENGTH_MAX && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed::NotA {
            value: text.to_owned(),
            expected: "a schema name: a lower-case letter, then at most 49 lower-case letters, digits and underscores",
        })
    }
}

/// The connections of a pool, at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// What they are for.
    pub pool: &'static str,
    /// That somebody uses.
    pub in_use: u32,
    /// That wait to be used.
    pub idle: u32,
    /// How many there may be.
    pub max: u32,
}

/// One catalog in one database: how to reach it, the pool that reads go through, and that of the signals.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
    schema: Schema,
    reads: PgPool,
    signals: PgPool,
}

impl Database {
    /// Names a catalog. Nothing is connected yet.
    #[must_use]
    pub fn new(options: PgConnectOptions, schema: Schema) -> Self {
        let options = options.application_name("catalog").disable_statement_logging();
        let reads = pool(READERS_MAX, session_sql(&schema)).connect_lazy_with(options.clone());
        let signals = pool(SIGNALLERS, signal_session_sql(&schema)).connect_lazy_with(options.clone());
        Self { options, schema, reads, signals }
    }

    /// Another catalog in the same database.
    pub(super) fn beside(&self, schema: Schema) -> Self {
        Self::new(self.options.clone(), schema)
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The pool that reads go through, as the writer role.
    #[must_use]
    pub fn reads(&self) -> &PgPool {
        &self.reads
    }

    /// The pool of the two connections by which processes tell each other that they have appended.
    pub(super) fn signals(&self) -> &PgPool {
        &self.signals
    }

    /// The connections that reads go through, now.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let idle = count(self.reads.num_idle());
        Connections { pool: "reads", in_use: self.reads.size().saturating_sub(idle), idle, max: READERS_MAX }
    }

    /// A connection of its own as the writer role.
    ///
    /// # Errors
    /// [`sqlx::Error`].
    pub async fn connect_as_writer(&self) -> Result<PgConnection, sqlx::Error> {
        let connecting = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            connection.execute(sqlx::raw_sql(AssertSqlSafe(keyed_session_sql(&self.schema)))).await?;
            Ok(connection)
        };
        timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// A connection of its own as whoever the address says: the owner, where roles are kept apart.
    ///
    /// # Errors
    /// [`sqlx::Error`].
    pub async fn connect_as_owner(&self) -> Result<PgConnection, sqlx::Error> {
        let connecting = PgConnection::connect_with(&self.options);
        timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Whether nothing is read any more.
    pub(super) fn is_closed(&self) -> bool {
        self.reads.is_closed()
    }

    /// Closes the pools. Nothing is read by a kept session any more, either.
    pub async fn close(&self) {
        self.reads.close().await;
        self.signals.close().await;
    }
}

/// A number of connections.
pub(super) fn count(connections: usize) -> u32 {
    u32::try_from(connections).unwrap_or(u32::MAX)
}

fn pool(connections_max: u32, setup: String) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move { connection.execute(sqlx::raw_sql(AssertSqlSafe(setup))).await.map(drop) })
        })
        // sqlx pings a connection whose query was given up, without a limit: on a dead line that would keep its place.
        .after_release(|connection, _| {
            Box::pin(async move { Ok(matches!(timeout(RELEASE_TIMEOUT, connection.ping()).await, Ok(Ok(())))) })
        })
}

/// Bounds a read: past the limit the answer is that the database could not say.
///
/// # Errors
/// [`StoreError::TimedOut`], or the read's own error.
pub async fn bounded<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(READ_TIMEOUT, read).await.unwrap_or(Err(StoreError::TimedOut(READ_TIMEOUT)))
}

/// The privilege that `set role` needs, as SQL. Up to 15 membership is enough; from 16 on a role that was created here
/// belongs to its creator without it.
pub(super) const MAY_SET_ROLE: &str =
    "case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end";

/// What every session is told first. A name of the schema is safe to write here: [`Schema`] takes plain ones only.
///
/// A statement timeout could cut a commit in half, so there is none; `synchronous_commit` may be stronger than `on`
/// where the administrator wants it, never weaker. Every statement looks rows up by a key, or walks an index in its order
/// and stops early: what the planner has for queries that read much (whole tables, bitmaps, hashes, remembered inner rows,
/// parallel workers, compiled expressions) can only mislead it where it has no statistics yet, or costs more to set up
/// than the whole read. A new catalog's statements are planned while its tables are empty, and a plan that reads all of
/// an empty table would be kept while it grows.
fn session_sql(schema: &Schema) -> String {
    let (name, writer) = (schema.as_str(), schema.writer());
    let may_set = MAY_SET_ROLE;
    let (lock, idle) = (LOCK_TIMEOUT.as_millis(), IDLE_IN_TRANSACTION_TIMEOUT.as_millis());
    format!(
        "set search_path to \"{name}\";
         set statement_timeout to 0;
         set lock_timeout to {lock};
         set idle_in_transaction_session_timeout to {idle};
         set tcp_user_timeout to {lock};
         set default_transaction_isolation to 'read committed';
         set enable_seqscan to off;
         set enable_bitmapscan to off;
         set enable_hashjoin to off;
         set enable_mergejoin to off;
         set enable_memoize to off;
         set max_parallel_workers_per_gather to 0;
         set jit to off;
         select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off';
         select set_config('role', rolname, false) from pg_roles
          where rolname = '{writer}'
            and pg_has_role(session_user, oid, {may_set});"
    )
}

/// The same for a session that only tells others of what is in the log already: it need not wait for the disk.
fn signal_session_sql(schema: &Schema) -> String {
    format!("{}\n         set synchronous_commit to off;", session_sql(schema))
}

/// The same for a session whose every statement looks rows up by a key, or reads on from a position: there is one good plan
/// for all values.
fn keyed_session_sql(schema: &Schema) -> String {
    format!("{}\n         set plan_cache_mode to force_generic_plan;", session_sql(schema))
}
