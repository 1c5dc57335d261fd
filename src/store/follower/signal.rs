//! Signals between the processes of a log: whoever has appended says so, and the others look at once. None is relied on.
//! Each names its sender, who hears itself and has nothing to look for. Where nobody else listens nothing is said: a signal
//! is a transaction by itself, and wakes whoever sent it.

use std::{convert::Infallible, time::Duration};

use sqlx::{PgConnection, postgres::PgListener};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    super::{Database, StoreError, chain, postgres::bounded},
    POLL_PERIOD,
};

/// How long to wait before a lost connection is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes whoever waits when a process other than `own` says that it has appended.
pub(super) async fn listen(database: &Database, own: Uuid, wake: &Notify) -> Infallible {
    loop {
        // While there is no signal the poll does its work: nothing is said of an error here that it does not say, too.
        let _: Result<(), sqlx::Error> = heard(database, own, wake).await;
        sleep(PAUSE).await;
    }
}

/// Returns when the connection is lost, and with it the lock by which the others know that somebody listens.
async fn heard(database: &Database, own: Uuid, wake: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(database.signals()).await?;
    listener.eager_reconnect(false);
    listener.listen(&channel(database)).await?;
    let lock = sqlx::query("select pg_advisory_lock_shared($1, $2)").bind(log_number(database)).bind(number(own));
    lock.execute(&mut listener).await?;
    let own = own.to_string();
    while let Some(said) = listener.try_recv().await? {
        if said.payload() != own {
            wake.notify_one();
        }
    }
    Ok(())
}

/// Says that the process `own` has appended, as often as one statement after the other can.
pub(super) async fn tell(database: &Database, own: Uuid, appended: &Notify) -> Infallible {
    loop {
        let _: Result<Infallible, StoreError> = telling(database, own, appended).await;
        sleep(PAUSE).await;
    }
}

/// On one connection, kept: the pool would ask it before and after each signal whether it still lives. Who has begun to
/// listen since somebody last looked hears of it by its poll, which is as long.
async fn telling(database: &Database, own: Uuid, appended: &Notify) -> Result<Infallible, StoreError> {
    let mut connection = database.signals().acquire().await?;
    let (channel, sender) = (channel(database), own.to_string());
    let mut looked: Option<(Instant, bool)> = None;
    loop {
        appended.notified().await;
        bounded(async {
            let known = looked.filter(|(at, _)| at.elapsed() < POLL_PERIOD);
            let is_heard = match known {
                Some((_, is_heard)) => is_heard,
                None => others_listen(&mut connection, database, own).await?,
            };
            looked = known.or_else(|| Some((Instant::now(), is_heard)));
            if is_heard {
                let said = sqlx::query("select pg_notify($1, $2)").bind(&channel).bind(&sender);
                said.execute(&mut *connection).await?;
            }
            Ok(())
        })
        .await?;
    }
}

/// Whether a process other than `own` listens: each holds a lock of its own for as long as it does.
async fn others_listen(connection: &mut PgConnection, database: &Database, own: Uuid) -> Result<bool, sqlx::Error> {
    let others = "select exists (
                      select
                        from pg_locks
                       where locktype = 'advisory'
                         and database = (select oid from pg_database where datname = current_database())
                         and classid::bigint = $1
                         and objid::bigint <> $2
                  )";
    sqlx::query_scalar(others)
        .bind(unsigned(log_number(database)))
        .bind(unsigned(number(own)))
        .fetch_one(connection)
        .await
}

/// Says once that somebody has appended who ends now, and so has nobody to say it for.
pub(super) async fn tell_once(database: &Database) -> Result<(), StoreError> {
    bounded(async {
        // The pool has a connection, which the process had its settings by.
        let said = sqlx::query("select pg_notify($1, '')").bind(channel(database));
        Ok(said.execute(database.reads()).await.map(drop)?)
    })
    .await
}

fn channel(database: &Database) -> String {
    format!("{}_log", database.schema().as_str())
}

/// What stands for the log among the locks of its database.
fn log_number(database: &Database) -> i32 {
    let [first, second, third, fourth, ..] = chain::digest(channel(database).as_bytes());
    i32::from_be_bytes([first, second, third, fourth])
}

/// What stands for a process there: of its identifier the part that is chance.
fn number(own: Uuid) -> i32 {
    let [.., first, second, third, fourth] = own.into_bytes();
    i32::from_be_bytes([first, second, third, fourth])
}

/// As the table of locks shows it.
fn unsigned(number: i32) -> i64 {
    number.cast_unsigned().into()
}
