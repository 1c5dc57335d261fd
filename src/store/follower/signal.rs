//! Signals between the processes of a log: whoever has appended says so, and the others look at once. None is relied on.

use std::{convert::Infallible, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::Notify, time::sleep};

use super::super::{Database, StoreError, postgres::bounded};

/// How long to wait before a lost connection is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes whoever waits when another process says that it has appended.
pub(super) async fn listen(database: &Database, wake: &Notify) -> Infallible {
    loop {
        // While there is no signal the poll does its work: nothing is said of an error here that it does not say, too.
        let _: Result<Infallible, sqlx::Error> = heard(database, wake).await;
        sleep(PAUSE).await;
    }
}

async fn heard(database: &Database, wake: &Notify) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(database.signals()).await?;
    listener.listen(&channel(database)).await?;
    loop {
        listener.recv().await?;
        wake.notify_one();
    }
}

/// Says that this process has appended, as often as one statement after the other can.
pub(super) async fn tell(database: &Database, appended: &Notify) -> Infallible {
    let channel = channel(database);
    loop {
        appended.notified().await;
        if said(database.signals(), &channel).await.is_err() {
            sleep(PAUSE).await;
        }
    }
}

async fn said(pool: &PgPool, channel: &str) -> Result<(), StoreError> {
    bounded(async {
        sqlx::query("select pg_notify($1, '')").bind(channel).execute(pool).await?;
        Ok(())
    })
    .await
}

fn channel(database: &Database) -> String {
    format!("{}_log", database.schema().as_str())
}
