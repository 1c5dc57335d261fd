//! Everybody at once: servers, commands and clients that hang up. The log stays dense, and a reader misses nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{Site, load::Journal, process::Client};

/// 64 writers: so many clients of each of two servers, and the rest commands.
const CLIENTS: usize = 28;
const COMMANDS: usize = 8;
const REQUESTS: usize = 12;
const RUNS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_that_hang_up_at_random_leave_a_dense_log_of_which_a_tailing_reader_missed_nothing() {
    let site = Site::new().await;
    let admin = site.admin();
    let (one, two, third) = tokio::join!(site.serve(), site.serve(), site.serve());
    let journal = Journal::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(tail(third.client.another(), admin.clone(), is_over.clone()));

    let mut writers = JoinSet::new();
    for number in 0..2 * CLIENTS {
        let server = if number.is_multiple_of(2) { &one } else { &two };
        writers.spawn(write(server.client.another(), admin.clone(), journal.clone(), number));
    }
    for _ in 0..COMMANDS {
        writers.spawn(issue_dev(site.clone(), journal.clone()));
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    // What was hung up on runs to its end before a server ends.
    one.stop().await;
    two.stop().await;
    let last = third.client.get("/audit/events?limit=1", &admin).await.json()["head"]["position"].as_i64().unwrap();
    is_over.store(true, Ordering::Release);
    let seen = reader.await.unwrap();

    assert_eq!(seen, (1..=last).collect::<Vec<_>>(), "what the reader saw, in the order in which it saw it");
    assert!(journal.issued() >= COMMANDS * RUNS + CLIENTS * REQUESTS / 2, "{} were answered", journal.issued());
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();
    assert_eq!((&verified["holds"], &verified["events"]), (&json!(true), &json!(last)));
    journal.assert_logged(&third.client, &admin).await;
    journal.assert_checked(&third.client, &admin).await;
}

/// Issues by the API; every third request is hung up on after a while that differs each time.
async fn write(client: Client, admin: String, journal: Arc<Journal>, number: usize) {
    for request in 0..REQUESTS {
        let asking = client.post("/tokens", &admin, json!({"sub": "load@example.com"}));
        let seed = u64::try_from(number * REQUESTS + request).unwrap();
        let patience = Duration::from_micros(seed * 7_919 % 60_000);
        if request % 3 != 2 {
            let reply = asking.await;
            assert_eq!(reply.status, 201, "{}", reply.text);
            journal.note_issued(&reply.json());
        } else if let Ok(reply) = tokio::time::timeout(patience, asking).await {
            assert_eq!(reply.status, 201, "{}", reply.text);
            journal.note_issued(&reply.json());
        }
    }
}

/// Issues from a shell.
async fn issue_dev(site: Site, journal: Arc<Journal>) {
    let run = move || {
        for _ in 0..RUNS {
            let answer = site.cli(&["issue", "--dev", "--sub", "load@example.com", "--format", "json"]).json();
            journal.note_issued(&answer);
        }
    };
    spawn_blocking(run).await.unwrap();
}

/// Reads on from the last position, again and again, until the writers are done and nothing is left.
async fn tail(client: Client, admin: String, is_over: Arc<AtomicBool>) -> Vec<i64> {
    let mut seen: Vec<i64> = Vec::new();
    loop {
        let was_over = is_over.load(Ordering::Acquire);
        let after = seen.last().copied().unwrap_or_default();
        let page: Value = client.get(&format!("/audit/events?after={after}"), &admin).await.json();
        let events = page["events"].as_array().unwrap();
        seen.extend(events.iter().map(|event| event["position"].as_i64().unwrap()));
        if was_over && events.is_empty() {
            return seen;
        }
    }
}
