//! Signals between the processes of a log: whoever has appended says so, and the others look at once. None is relied on.
//! Each names its sender, who hears itself and has nothing to look for.

use std::{convert::Infallible, time::Duration};

use sqlx::postgres::PgListener;
use tokio::{sync::Notify, time::sleep};

use super::super::{Database, StoreError, postgres::bounded};

/// How long to wait before a lost connection is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes whoever waits when a process other than `own` says that it has appended.
pub(super) async fn listen(database: &Database, own: &str, wake: &Notify) -> Infallible {
    loop {
        // While there is no signal the poll does its work: nothing is said of an error here that it does not say, too.
        let _: Result<Infallible, sqlx::Error> = heard(database, own, wake).await;
        sleep(PAUSE).await;
    }
}

async fn heard(database: &Database, own: &str, wake: &Notify) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(database.signals()).await?;
    listener.listen(&channel(database)).await?;
    loop {
        if listener.recv().await?.payload() != own {
            wake.notify_one();
        }
    }
}

/// Says that the process `own` has appended, as often as one statement after the other can.
pub(super) async fn tell(database: &Database, own: &str, appended: &Notify) -> Infallible {
    loop {
        let _: Result<Infallible, StoreError> = telling(database, own, appended).await;
        sleep(PAUSE).await;
    }
}

/// On one connection, kept: the pool would ask it before and after each signal whether it still lives.
async fn telling(database: &Database, own: &str, appended: &Notify) -> Result<Infallible, StoreError> {
    let mut connection = database.signals().acquire().await?;
    let channel = channel(database);
    loop {
        appended.notified().await;
        bounded(async {
            let said = sqlx::query("select pg_notify($1, $2)").bind(&channel).bind(own);
            Ok(said.execute(&mut *connection).await.map(drop)?)
        })
        .await?;
    }
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
