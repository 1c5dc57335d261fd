//! A process that stands still must not hold the others up, and goes on by itself when it is let.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;
use sqlx::{ConnectOptions, PgConnection};

use crate::support::{
    Site, TestDatabase,
    load::{ANSWERED_WITHIN, Journal, Load},
    process::{Client, until},
};

/// How often a server has to be caught with the head of the log in its hands.
const CAUGHT: usize = 3;
/// How many stops that may take.
const STOPS_MAX: usize = 200;
/// Answers of the other server that show that it goes on.
const ANSWERS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_while_it_appends_holds_nobody_up_and_recovers_by_itself() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let (stopped, other) = (site.serve().await, site.serve().await);
    let mut observer = database.superuser().connect().await.unwrap();
    let journal = Journal::new();
    let load = Load::start_patient(&stopped.client, 8, &admin, &journal);

    let mut caught = 0;
    for stop in 0.. {
        assert!(stop < STOPS_MAX, "caught it with the head only {caught} times");
        // A server that appends alone never has the head while it waits; one that met somebody has, for the next two batches.
        append_once(&other.client, &admin).await;
        journal.goes_on(stop * 7 % 13).await;
        stopped.signal(Signal::STOP);
        if holds_head(&mut observer).await {
            caught += 1;
            assert_goes_on(&other.client, &admin).await;
        }
        stopped.signal(Signal::CONT);
        if caught == CAUGHT {
            break;
        }
    }
    journal.goes_on(50).await;
    load.stop().await;

    site.cli(&["audit", "verify"]).good();
    journal.assert_logged(&other.client, &admin).await;
    journal.assert_checked(&stopped.client, &admin).await;
}

/// Whether a session that waits for its client has the head: nobody but the stopped server has one.
async fn holds_head(observer: &mut PgConnection) -> bool {
    // What was under way in Postgres comes to its end first.
    until_quiet(observer).await;
    let free = sqlx::query("select from log_head for update skip locked").fetch_optional(observer).await.unwrap();
    free.is_none()
}

async fn until_quiet(observer: &mut PgConnection) {
    until("Postgres has done what it was asked for", async || {
        let active: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
              where datname = current_database() and state = 'active' and pid <> pg_backend_pid()",
        )
        .fetch_one(&mut *observer)
        .await
        .unwrap();
        (active == 0).then_some(())
    })
    .await;
}

/// Asserts that every request is answered in time, and that once one was recorded all are.
async fn append_once(client: &Client, admin: &str) {
    let reply = client.post("/tokens", admin, json!({"sub": "other@example.com"})).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

async fn assert_goes_on(client: &Client, admin: &str) {
    let mut recorded = 0;
    let begun = Instant::now();
    while recorded < ANSWERS {
        let asked = Instant::now();
        let reply = client.post("/tokens", admin, json!({"sub": "other@example.com"})).await;
        assert!(asked.elapsed() < ANSWERED_WITHIN, "after {:?}: {reply:?}", asked.elapsed());
        match reply.status.as_u16() {
            201 => recorded += 1,
            503 if recorded == 0 => assert_eq!(reply.header("retry-after"), "1"),
            _ => panic!("{reply:?}"),
        }
        assert!(begun.elapsed() < 2 * ANSWERED_WITHIN, "held up for {:?}", begun.elapsed());
    }
}
