//! Signals between the servers of a log: whoever has appended says so, where there is somebody to hear it.

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgListener};
use tokio::{sync::oneshot, time::timeout};
use uuid::Uuid;

use crate::support::{
    Site, TestDatabase,
    process::{Client, until},
};

const CHANNEL: &str = "catalog_log";
/// The sessions that listen, and by which number of the log they say so.
const LISTENING: &str = "select pid, classid::bigint as classid from pg_locks where locktype = 'advisory' and mode = 'ShareLock' \
                         and database = (select oid from pg_database where datname = current_database())";

async fn issue(client: &Client, admin: &str) {
    let issued = client.post("/tokens", admin, json!({ "sub": "alice@example.com" })).await;
    assert_eq!(issued.status, 201, "{issued:?}");
}

/// The session of whoever listens.
async fn listening(connection: &mut PgConnection) -> Option<i32> {
    let sessions = sqlx::query_as::<_, (i32, i64)>(LISTENING).fetch_all(connection).await.unwrap();
    sessions.first().map(|(pid, _)| *pid)
}

/// The next signal.
async fn heard(listener: &mut PgListener) -> String {
    let said = timeout(Duration::from_secs(20), listener.recv()).await.unwrap().unwrap();
    assert_eq!(said.channel(), CHANNEL);
    said.payload().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_alone_wakes_nobody_and_where_another_listens_it_says_that_it_has_appended() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let mut listener = PgListener::connect_with(&database.open().reads().clone()).await.unwrap();
    let here = site.serve().await;
    listener.listen(CHANNEL).await.unwrap();

    for _ in 0..20 {
        issue(&here.client, &admin).await;
    }
    let mut other = PgConnection::connect_with(&database.owner()).await.unwrap();
    until("it listens", async || listening(&mut other).await).await;
    sqlx::query("select pg_notify($1, 'after all of them')").bind(CHANNEL).execute(&mut other).await.unwrap();
    assert_eq!(heard(&mut listener).await, "after all of them");

    // Somebody else listens: whether anybody does is looked for four times a second.
    let lock = format!("select pg_advisory_lock_shared(classid::bit(32)::int, 1) from ({LISTENING}) as listening");
    sqlx::query(AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
    let (stop, mut stopped) = oneshot::channel();
    let issuing = async {
        while stopped.try_recv().is_err() {
            issue(&here.client, &admin).await;
        }
    };
    let hearing = async {
        let said = heard(&mut listener).await;
        stop.send(()).unwrap();
        said
    };
    let ((), said) = tokio::join!(issuing, hearing);
    assert!(said.parse::<Uuid>().is_ok(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_session_was_ended_is_counted_again_once_it_listens_again() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let server = site.serve().await;
    let mut superuser = PgConnection::connect_with(&database.superuser()).await.unwrap();

    let first = until("it listens", async || listening(&mut superuser).await).await;
    database.tamper(&format!("select pg_terminate_backend({first})")).await;
    let again = until("it listens again", async || listening(&mut superuser).await.filter(|pid| *pid != first)).await;

    assert_ne!(first, again);
    server.stop().await;
}
