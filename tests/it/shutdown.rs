//! The end of a server: what is in flight is answered, and the last one out stops the private Postgres.

use std::{
    os::unix::process::CommandExt,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use sqlx::{ConnectOptions, Executor, PgConnection};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinHandle};

use crate::support::{
    Site, TestDatabase,
    process::{Client, OwnPostgres, Server, postmaster, until},
    world::Reply,
};

/// How long a server may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_request_in_flight_finish_and_refuses_new_ones() {
    ends_gracefully(Signal::TERM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_a_request_in_flight_finish_and_refuses_new_ones() {
    ends_gracefully(Signal::INT).await;
}

async fn ends_gracefully(signal: Signal) {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let mut server = started_as_by_a_shell(&site).await;
    let mut head = hold_head(&database).await;
    let in_flight = ask(&server.client, &admin);
    until_waiting(&database).await;

    let begun = Instant::now();
    server.signal_group(signal);
    until("new connections are refused", async || TcpStream::connect(server.client.address()).await.err()).await;
    head.execute("rollback").await.unwrap();
    let reply = in_flight.await.unwrap();
    let code = server.ended().await;

    assert_eq!((reply.status.as_u16(), code), (201, 0), "{} {}", reply.text, server.said());
    assert!(begun.elapsed() < ENDED_WITHIN);
    let position = reply.json()["position"].to_string();
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    assert_eq!(events.last().unwrap()["position"].to_string(), position);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_postgres_ends_with_its_server_on_either_signal() {
    let site = Site::embedded();

    for signal in [Signal::TERM, Signal::INT] {
        let mut server = started_as_by_a_shell(&site).await;
        assert!(postmaster(site.data()).is_some());

        let begun = Instant::now();
        server.signal_group(signal);

        assert_eq!(server.ended().await, 0, "{}", server.said());
        assert!(begun.elapsed() < ENDED_WITHIN);
        assert_eq!(postmaster(site.data()), None);
    }
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_and_a_command_share_one_directory_and_the_last_one_out_stops_its_postgres() {
    let site = Site::embedded();
    let (first, second) = tokio::join!(site.serve(), site.serve());
    let admin = site.admin();
    let issue = |client: Client| {
        let admin = admin.clone();
        async move { client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await }
    };
    assert_eq!(issue(first.client.clone()).await.status, 201);
    assert_eq!(issue(second.client.clone()).await.status, 201);

    first.stop().await;
    let after_the_first = (postmaster(site.data()).is_some(), issue(second.client.clone()).await.status.as_u16());
    site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    let after_a_command = (postmaster(site.data()).is_some(), issue(second.client.clone()).await.status.as_u16());
    second.stop().await;

    assert_eq!((after_the_first, after_a_command), ((true, 201), (true, 201)));
    assert_eq!(postmaster(site.data()), None);
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();
    assert_eq!(verified["tokens"], 1 + 4 + 1);
    assert_eq!(postmaster(site.data()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_kept_open_do_not_keep_a_server() {
    let site = Site::new().await;
    let mut server = site.serve().await;
    // One that was used, one on which nothing was ever said, and one on which half a request was.
    let silent = TcpStream::connect(server.client.address()).await.unwrap();
    let mut half = TcpStream::connect(server.client.address()).await.unwrap();
    half.write_all(b"POST /tokens HTTP/1.1\r\nhost: cat").await.unwrap();
    assert_eq!(server.client.get("/healthz", "").await.status, 200);

    let begun = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.ended().await, 0, "{}", server.said());
    assert!(begun.elapsed() < ENDED_WITHIN);
    assert!(!server.said().contains("are cut off"), "they were waited for: {}", server.said());
    drop((silent, half));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_is_gone_ends_all_the_same() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url());
    let mut server = site.serve().await;
    assert_eq!(server.client.get("/readyz", "").await.status, 200);
    postgres.crash().await;

    let begun = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.ended().await, 0, "{}", server.said());
    assert!(begun.elapsed() < ENDED_WITHIN);
}

/// In a process group of its own, to which a terminal would send its signals.
async fn started_as_by_a_shell(site: &Site) -> Server {
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.process_group(0);
    Server::start(command).await
}

/// A session that has locked the head of the log, so that every append waits.
async fn hold_head(database: &TestDatabase) -> PgConnection {
    let mut session = database.superuser().connect().await.unwrap();
    session.execute("begin").await.unwrap();
    session.execute("select from log_head for update").await.unwrap();
    session
}

fn ask(client: &Client, admin: &str) -> JoinHandle<Reply> {
    let (client, admin) = (client.clone(), admin.to_owned());
    tokio::spawn(async move { client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await })
}

async fn until_waiting(database: &TestDatabase) {
    // Not the session that holds the head: inside a transaction it would see the same activity for ever.
    let mut observer = database.superuser().connect().await.unwrap();
    until("the request waits for the head", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
        )
        .fetch_one(&mut observer)
        .await
        .unwrap();
        (waiting > 0).then_some(())
    })
    .await;
}
