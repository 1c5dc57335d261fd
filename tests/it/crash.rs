//! Processes that end where they stand, under load: what was acknowledged is there, and the next start needs nothing.

use std::{fs, path::Path, sync::Arc, time::Instant};

use serde_json::json;

use crate::support::{
    Site,
    load::{ANSWERED_WITHIN, Journal, Load},
    process::{Client, OwnPostgres, Server, crash_postgres, postmaster, until, until_true},
};

const CLIENTS: usize = 12;
/// After how many answers a process is killed, round by round: early, and in full swing.
const ROUNDS: [usize; 4] = [1, 60, 137, 211];

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_it_acknowledged_and_its_next_start_needs_nothing() {
    let site = Site::new().await;
    let admin = site.admin();
    let journal = Journal::new();

    for answers in ROUNDS {
        let server = site.serve().await;
        let load = Load::start(&server.client, CLIENTS, &admin, &journal);
        journal.goes_on(answers).await;
        server.kill().await;
        load.broken_off().await;
    }

    let server = site.serve().await;
    assert_all_there(&site, &server.client, &admin, &journal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_postgres_of_a_killed_server_is_adopted_by_the_next_one() {
    let site = Site::embedded();
    let admin = site.admin();
    let journal = Journal::new();

    let server = site.serve().await;
    let orphan = postmaster(site.data());
    let load = Load::start(&server.client, CLIENTS, &admin, &journal);
    journal.goes_on(100).await;
    server.kill().await;
    load.broken_off().await;
    let server = site.serve().await;

    assert!(orphan.is_some());
    assert_eq!(postmaster(site.data()), orphan, "the one that was left behind is used again");
    assert_all_there(&site, &server.client, &admin, &journal).await;
    server.stop().await;
    assert_eq!(postmaster(site.data()), None, "the last one out stops it, whoever started it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_postgres_that_dies_is_brought_back_and_the_server_goes_on() {
    let site = Site::embedded();
    let admin = site.admin();
    let journal = Journal::new();
    // Both would bring it back.
    let (server, beside) = tokio::join!(site.serve(), site.serve());
    let load = Load::start(&server.client, CLIENTS, &admin, &journal);

    for answers in [1, 100] {
        journal.goes_on(answers).await;
        let before = journal.unavailable();
        crash_postgres(site.data()).await;
        until_true("clients are told so", || journal.unavailable() > before).await;
        until_true("Postgres is back", || postmaster(site.data()).is_some()).await;
    }
    journal.goes_on(100).await;
    load.stop().await;

    assert_all_there(&site, &beside.client, &admin, &journal).await;
    let said = server.stop().await + &beside.stop().await;
    assert_eq!(said.matches("had ended and was started again").count(), 2, "{said}");
    assert_eq!(postmaster(site.data()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_brings_back_a_private_postgres_that_died_without_a_server() {
    let site = Site::embedded();
    let server = site.serve().await;
    let admin = site.admin();
    let journal = Journal::new();
    let load = Load::start(&server.client, CLIENTS, &admin, &journal);
    journal.goes_on(50).await;
    server.kill().await;
    load.broken_off().await;
    crash_postgres(site.data()).await;

    site.cli(&["audit", "verify"]).good();

    assert_eq!(postmaster(site.data()), None, "and it is stopped again");
    let server = site.serve().await;
    assert_all_there(&site, &server.client, &admin, &journal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_at_any_step_needs_nothing_but_another_start() {
    let site = Site::embedded();

    for step in [Step::BeingMade, Step::Made, Step::Running, Step::KeyMade] {
        let mut server = Server::spawn(site.command(&["serve", "--listen", "127.0.0.1:0"]));
        until_true("the first start comes so far", || {
            server.assert_alive();
            step.is_reached(site.data())
        })
        .await;
        server.kill().await;
    }

    site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();
    assert_eq!((&verified["holds"], &verified["events"]), (&json!(true), &json!(5)));
    assert_eq!(site.cli(&["keys", "list"]).good().lines().count(), 1, "one key was made, and it signs");
    assert_eq!(postmaster(site.data()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_gone_every_answer_is_503_in_time_and_afterwards_the_server_goes_on() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url());
    let admin = site.admin();
    let server = site.serve().await;
    let journal = Journal::new();
    let load = Load::start(&server.client, CLIENTS, &admin, &journal);

    for answers in [1, 100] {
        journal.goes_on(answers).await;
        postgres.crash().await;
        assert_unavailable(&server, &admin).await;
        postgres.restart();
    }
    journal.goes_on(100).await;
    load.stop().await;

    assert_eq!(server.client.get("/readyz", "").await.status, 200);
    assert_all_there(&site, &server.client, &admin, &journal).await;
}

/// How far a first start has come.
#[derive(Clone, Copy)]
enum Step {
    BeingMade,
    Made,
    Running,
    KeyMade,
}

impl Step {
    fn is_reached(self, data: &Path) -> bool {
        match self {
            Self::BeingMade => has_entry(data, "pg.new-"),
            Self::Made => data.join("pg").exists(),
            Self::Running => postmaster(data).is_some(),
            Self::KeyMade => has_entry(&data.join("keys"), ""),
        }
    }
}

fn has_entry(directory: &Path, prefix: &str) -> bool {
    let mut entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}

/// Asks every route that needs the log, while there is none.
async fn assert_unavailable(server: &Server, admin: &str) {
    let jti = "01990000-0000-7000-8000-000000000000";
    let (shown, history, revocation) =
        (format!("/tokens/{jti}"), format!("/tokens/{jti}/events"), format!("/revocations/{jti}"));
    let routes = [
        ("POST", "/tokens", json!({"sub": "alice@example.com"})),
        ("GET", "/tokens", json!(null)),
        ("GET", &*shown, json!(null)),
        ("GET", &*history, json!(null)),
        ("DELETE", &*shown, json!(null)),
        ("GET", &*revocation, json!(null)),
        ("GET", "/audit/events", json!(null)),
        ("GET", "/readyz", json!(null)),
    ];
    for (method, path, body) in routes {
        let begun = Instant::now();
        let reply = server.client.send(method, path, admin, &body).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "1"), "{method} {path}: {reply:?}");
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{method} {path}");
    }
    // For a few seconds the memory is fresh enough to tell; afterwards nobody can.
    let checked = server.client.introspect(admin, admin).await;
    assert!(checked.status == 503 || checked.json()["active"] == true, "could not tell is not no: {checked:?}");
    assert_eq!(server.client.get("/healthz", "").await.status, 200);
    assert_eq!(server.client.get("/.well-known/jwks.json", "").await.status, 200);
}

/// Asserts that the log is whole, holds all that was acknowledged, and that tokens are what the log says.
async fn assert_all_there(site: &Site, client: &Client, admin: &str, journal: &Arc<Journal>) {
    assert!(journal.issued() > 10 && journal.revoked() > 3, "there was no load");
    site.cli(&["audit", "verify"]).good();
    journal.assert_logged(client, admin).await;
    journal.assert_checked(client, admin).await;
    let reply = until("a new token is issued", async || {
        let reply = client.post("/tokens", admin, json!({"sub": "afterwards@example.com"})).await;
        (reply.status == 201).then_some(reply)
    })
    .await;
    assert!(client.is_active(reply.json()["access_token"].as_str().unwrap(), admin).await);
}
