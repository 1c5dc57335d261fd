//! Signals between the servers of a log: whoever has appended says so, where there is somebody to hear it.

use serde_json::json;
use sqlx::{Connection, PgConnection, postgres::PgListener};

use crate::support::{
    Site, TestDatabase,
    process::{Client, until},
};

const CHANNEL: &str = "catalog_log";

async fn issue(client: &Client, admin: &str) {
    let issued = client.post("/tokens", admin, json!({ "sub": "alice@example.com" })).await;
    assert_eq!(issued.status, 201, "{issued:?}");
}

/// The next signal that is not one of the test's own.
async fn heard(listener: &mut PgListener) -> String {
    let said = listener.recv().await.unwrap();
    assert_eq!(said.channel(), CHANNEL);
    said.payload().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_alone_wakes_nobody_and_beside_another_it_says_that_it_has_appended() {
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
    sqlx::query("select pg_notify($1, 'after all of them')").bind(CHANNEL).execute(&mut other).await.unwrap();
    assert_eq!(heard(&mut listener).await, "after all of them");

    let there = site.serve().await;
    // Whether somebody listens is looked for four times a second.
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
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
    assert!(said.parse::<uuid::Uuid>().is_ok(), "{said}");
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_session_was_ended_is_counted_again_once_it_listens_again() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let server = site.serve().await;
    let mut superuser = PgConnection::connect_with(&database.superuser()).await.unwrap();
    let listening = "select pid from pg_locks where locktype = 'advisory' and mode = 'ShareLock' \
                     and database = (select oid from pg_database where datname = current_database())";
    let mut listening = async || {
        let pids: Vec<i32> = sqlx::query_scalar(listening).fetch_all(&mut superuser).await.unwrap();
        pids.first().copied()
    };

    let first = until("it listens", &mut listening).await;
    database.tamper(&format!("select pg_terminate_backend({first})")).await;
    let again = until("it listens again", async || listening().await.filter(|pid| *pid != first)).await;

    assert_ne!(first, again);
    server.stop().await;
}
