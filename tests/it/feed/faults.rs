//! The feed while something is wrong with what it rests on.

use serde_json::json;

use super::reader::{Events, Known};
use crate::support::{
    Site, TestDatabase,
    process::{OwnPostgres, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_can_tell_the_others_the_streams_of_all_tell_it_all_the_same() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    database.tamper("revoke execute on function pg_notify(text, text) from public").await;
    let (here, there) = (site.serve().await, site.serve().await);
    let mut events = Events::open(&there.client, &admin, None).await;
    let mut known = Known::default();

    for round in 0..5 {
        let issued = here.client.post("/tokens", &admin, json!({ "sub": format!("user-{round}") })).await.json();
        let jti = issued["token"]["jti"].as_str().unwrap().parse().unwrap();
        here.client.delete(&format!("/tokens/{jti}"), &admin).await;

        events.until(&mut known, |known| known.is_revoked(jti)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_log_is_away_heartbeats_say_for_how_long_and_then_it_goes_on() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url());
    let admin = site.admin();
    let server = site.serve().await;
    let issued = server.client.post("/tokens", &admin, json!({ "sub": "alice@example.com" })).await.json();
    let jti = issued["token"]["jti"].as_str().unwrap().parse().unwrap();
    let mut events = Events::open(&server.client, &admin, None).await;
    let mut known = Known::default();
    known.apply(&events.page().await);

    postgres.crash().await;
    let mut staleness = Vec::new();
    while staleness.last().is_none_or(|last| *last < 3_000) {
        let page = events.page().await;
        known.apply(&page);
        staleness.push(page.staleness_ms);
    }
    postgres.restart();
    while events.page().await.staleness_ms >= 1_000 {}
    let mut anew = Known::default();
    let revoked = until("the token is revoked", async || {
        let revoked = server.client.delete(&format!("/tokens/{jti}"), &admin).await;
        (revoked.status == 204).then_some(())
    });
    tokio::join!(revoked, events.until(&mut anew, |known| known.is_revoked(jti)));

    assert!(staleness.iter().rev().take(3).is_sorted_by(|later, earlier| later > earlier), "{staleness:?}");
}
