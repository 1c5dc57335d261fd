//! The stream of the feed: what is told at once, to whom, and until when.

use std::time::{Duration, Instant};

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, header},
};
use catalog_gateway::wire::Page;
use futures_util::{FutureExt, StreamExt, future::join_all};
use metrics_exporter_prometheus::PrometheusBuilder;
use rustix::process::Signal;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::{
    keep_house,
    reader::{Event, Events, Known},
};
use crate::support::{
    Site, TestDatabase, World,
    process::{Client, until},
    world::plain,
};

/// More pages than a reader may be behind.
const PAGES: usize = 1_200;
/// How long the end of a server may take with nothing to wait for.
const AT_ONCE: Duration = Duration::from_secs(6);

async fn issue(client: &Client, admin: &str, sub: &str) -> Uuid {
    let issued = client.post("/tokens", admin, json!({ "sub": sub, "teams": ["ops"] })).await.json();
    issued["token"]["jti"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_is_told_the_streams_of_both_tell_and_a_heartbeat_comes_without_it() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let (here, there) = (site.serve().await, site.serve().await);
    let mut streams = [Events::open(&here.client, &admin, None).await, Events::open(&there.client, &admin, None).await];
    let mut known = [Known::default(), Known::default()];
    for (events, known) in streams.iter_mut().zip(&mut known) {
        let first = events.next().await.unwrap();
        assert_eq!(first.name, "heartbeat", "it says where the reader is");
        known.apply(&first.page());
    }

    for round in 0..10 {
        let jti = issue(&here.client, &admin, &format!("user-{round}")).await;
        here.client.delete(&format!("/tokens/{jti}"), &admin).await;
        for (events, known) in streams.iter_mut().zip(&mut known) {
            events.until(known, |known| known.is_revoked(jti)).await;
        }
    }
    // Of an issuance nobody has to hear, but that all before it is known.
    let before = known[0].mark.unwrap();
    issue(&here.client, &admin, "last@example.com").await;

    for (events, known) in streams.iter_mut().zip(&mut known) {
        events.until(known, |known| known.mark.unwrap().position > before.position).await;
    }
    assert_eq!(known[0].mark, known[1].mark);
}

/// A catalog that is followed, where a subject has very many tokens, and where it listens.
async fn crowded() -> (World, String, Client, Vec<Uuid>) {
    let world = World::new().await;
    keep_house(&world).await;
    let admin = world.admin().await;
    let issued = join_all((0..PAGES).map(|_| world.issue_dev(plain("many@example.com")))).await;
    let (url, _) = world.listen().await;
    (world, admin, Client::new(&url), issued.into_iter().map(|issued| issued.token.jti).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_in_the_middle_of_a_rule_goes_on_before_it_and_loses_nothing() {
    let (_world, admin, client, tokens) = crowded().await;
    let mut events = Events::open(&client, &admin, None).await;
    let mut known = Known::default();
    known.apply(&events.page().await);
    let rule = json!({ "where": { "sub": "many@example.com" }, "reason": "key_compromise" });
    let rule = client.post("/revocations", &admin, rule).await.json()["rule"].as_i64().unwrap();
    events.until(&mut known, |known| tokens.iter().any(|jti| known.is_revoked(*jti))).await;
    // A place is told with the last piece alone, so that the reader is still where it was.
    assert!(known.pieces > 0 && tokens.iter().any(|jti| !known.is_revoked(*jti)));
    assert!(known.mark.unwrap().position < rule);
    let mut cut = known.clone();
    events.until(&mut known, |known| known.pieces == 0).await;
    drop(events);
    let last = cut.begin_again();
    let mut again = Events::open(&client, &admin, Some(&last)).await;
    again.until(&mut cut, |cut| cut.mark == known.mark).await;

    assert!(tokens.iter().all(|jti| known.is_revoked(*jti)));
    assert_eq!(cut, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_join_the_others_yet_is_told_from_the_database_until_then() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (url, _) = world.listen().await;
    let client = Client::new(&url);
    let begin = world.get("/revocations/snapshot", &admin).await.json()["next"].as_str().unwrap().to_owned();
    // Nothing is followed here, and so nobody is told by memory.
    let mut events = Events::open(&client, &admin, Some(&begin)).await;
    let mut known = Known::default();
    let mut revoked = Vec::new();
    let mut revoke = async |events: &mut Events, known: &mut Known| {
        let jti = world.issue_dev(plain("a@example.com")).await.token.jti;
        world.delete(&format!("/tokens/{jti}"), &admin, Value::Null).await;
        events.until(known, |known| known.is_revoked(jti)).await;
        revoked.push(jti);
    };

    revoke(&mut events, &mut known).await;
    revoke(&mut events, &mut known).await;
    keep_house(&world).await;
    revoke(&mut events, &mut known).await;
    revoke(&mut events, &mut known).await;

    assert!(revoked.iter().all(|jti| known.is_revoked(*jti)));
}

/// A stream that is read when the test says so, through no socket.
pub async fn unread(world: &World, token: &str) -> BodyDataStream {
    let request = Request::get("/revocations").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request.header(header::ACCEPT, "text/event-stream").body(Body::empty()).unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().into_data_stream()
}

pub async fn next(stream: &mut BodyDataStream) -> Option<Page> {
    let bytes = stream.next().await?.unwrap();
    Some(Event::read(std::str::from_utf8(&bytes).unwrap()).page())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_too_slow_is_cut_off_and_goes_on_where_it_was() {
    let world = World::new().await;
    keep_house(&world).await;
    let admin = world.admin().await;
    let jti = world.issue_dev(plain("a@example.com")).await.token.jti;
    let (mut slow, mut good) = (unread(&world, &admin).await, unread(&world, &admin).await);
    let (mut known, mut all) = (Known::default(), Known::default());
    known.apply(&next(&mut slow).await.unwrap());
    all.apply(&next(&mut good).await.unwrap());
    // It has heard one page, and reads no more.
    let change = async |what: &str| world.post(&format!("/tokens/{jti}/{what}"), &admin, json!({})).await;
    change("suspend").await;
    known.apply(&next(&mut slow).await.unwrap());
    let last = known.begin_again();

    let mut pages = 0;
    while pages < PAGES {
        for what in ["resume", "suspend"] {
            change(what).await;
            all.apply(&next(&mut good).await.unwrap());
            pages += 1;
        }
    }

    assert!(next(&mut slow).await.is_none(), "what it missed is not kept for it");
    let (url, _) = world.listen().await;
    let mut events = Events::open(&Client::new(&url), &admin, Some(&last)).await;
    let end = world.get("/revocations/snapshot", &admin).await.json()["position"].as_i64().unwrap();
    events.until(&mut known, |known| known.mark.unwrap().position >= end).await;
    while all.mark.unwrap().position < end {
        all.apply(&next(&mut good).await.unwrap());
    }
    let now = world.catalog.ambient().clock.now();
    assert_eq!((known.status(jti, "", now), all.status(jti, "", now)), ("suspended", "suspended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_takes_what_it_is_sent_is_counted_and_one_that_goes_away_is_not() {
    let world = World::new().await;
    keep_house(&world).await;
    let admin = world.admin().await;
    let (mut stalled, mut gone) = (unread(&world, &admin).await, unread(&world, &admin).await);
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = || {
        let text = recorder.handle().render();
        let line = text.lines().find(|line| line.starts_with(r#"catalog_feed_readers_cut_off_total{why="unread"}"#));
        line.map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
    };

    // As of a connection whose peer waits for what comes next, and of one on which nothing more could be written.
    next(&mut gone).await.unwrap();
    while gone.next().now_or_never().is_some() {}
    metrics::with_local_recorder(&recorder, || drop(gone));
    assert_eq!(counted(), None);
    next(&mut stalled).await.unwrap();
    metrics::with_local_recorder(&recorder, || drop(stalled));

    assert_eq!(counted().as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_told_something_all_the_time_is_looked_at_all_the_same() {
    let world = World::new().await;
    keep_house(&world).await;
    let admin = world.admin().await;
    let asker = world.caller("gate@example.com", |command| command.is_admin = true).await;
    let credential = world.get("/whoami", &asker).await.json()["credential"]["jti"].as_str().unwrap().to_owned();
    let jti = world.issue_dev(plain("a@example.com")).await.token.jti;
    let mut events = unread(&world, &asker).await;
    next(&mut events).await.unwrap();

    assert_eq!(world.delete(&format!("/tokens/{credential}"), &admin, Value::Null).await.status, 204);

    let begun = Instant::now();
    let mut is_over = false;
    for what in ["suspend", "resume"].into_iter().cycle() {
        world.post(&format!("/tokens/{jti}/{what}"), &admin, json!({})).await;
        // Each page has something in it.
        is_over = next(&mut events).await.is_none();
        if is_over || begun.elapsed() > AT_ONCE {
            break;
        }
    }
    assert!(is_over, "it is told {:?} after its token was revoked", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_reader_would_not_be_let_in_any_more() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let checker = ["issue", "--dev", "--aud", "catalog", "--sub", "gate@example.com", "--permissions", "tokens.check"];
    let token = site.cli(&checker).good();
    let secret = site.cli(&["clients", "add", "gate", "--permissions", "tokens.check"]).good();
    let by_token = Events::open(&server.client, &token, None).await;
    let as_client = until("the client is known", async || {
        let request = server.client.another().request("GET", "/revocations").basic_auth("gate", Some(&secret));
        let response = request.header("accept", "text/event-stream").send().await.unwrap();
        (response.status() == 200).then_some(response)
    })
    .await;
    let mut others = Events::open(&server.client, &admin, None).await;

    let jti = server.client.get("/whoami", &token).await.json()["credential"]["jti"].as_str().unwrap().to_owned();
    assert_eq!(server.client.delete(&format!("/tokens/{jti}"), &admin).await.status, 204);
    site.cli(&["clients", "revoke", "gate"]).good();

    let told = by_token.rest().await;
    let said = as_client.text().await.unwrap();
    // Its own end is the last thing that it hears of, if it does.
    assert!(told.iter().all(|event| event.name != "reload"), "{told:?}");
    assert!(!said.contains("reload"));
    // Others are not concerned.
    others.page().await;
    let metrics = server.client.get("/metrics", "").await.text;
    assert!(metrics.contains(r#"catalog_feed_readers_cut_off_total{why="credential"} 2"#), "{metrics}");
    assert!(server.said().contains("a reader of the feed is cut off"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_does_not_wait_for_its_streams() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let mut server = site.serve().await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut events = Events::open(&server.client, &admin, None).await;
        events.page().await;
        streams.push(events);
    }

    let begun = Instant::now();
    server.signal(Signal::TERM);
    let code = server.ended().await;

    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(code, 0, "{}", server.said());
    assert!(!server.said().contains("are cut off"), "they were waited for: {}", server.said());
    for events in streams {
        assert!(events.rest().await.iter().all(|event| event.name != "reload"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_log_that_lost_its_end_are_told_to_begin_again() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let jti = issue(&server.client, &admin, "alice@example.com").await;
    issue(&server.client, &admin, "bob@example.com").await;
    server.client.delete(&format!("/tokens/{jti}"), &admin).await;
    let mut events = Events::open(&server.client, &admin, None).await;
    let place = events.next().await.unwrap().id.unwrap();

    // As a promotion of a standby that was behind would have it.
    database
        .tamper(
            "alter table events disable trigger all;
             delete from events where position = (select max(position) from events);
             update log_head set position = last.position, digest = last.digest
               from (select position, digest from events order by position desc limit 1) as last;",
        )
        .await;

    let told = events.rest().await;
    let (last, before) = told.split_last().unwrap();
    assert_eq!((last.name.as_str(), last.id.clone()), ("reload", None));
    assert_eq!((&last.data["code"], &last.data["status"]), (&json!("feed_reload"), &json!(409)));
    assert!(before.iter().all(|event| event.name == "heartbeat"), "{before:?}");
    // Who comes back with the place is told the same.
    let again = Events::ask(&server.client, "/revocations", &admin, Some(&place)).await;
    assert_eq!(again.status(), 409);
    assert_eq!(again.json::<Value>().await.unwrap()["code"], "feed_reload");
    let snapshot = server.client.get("/revocations/snapshot", &admin).await.json();
    let mut anew = Events::open(&server.client, &admin, snapshot["next"].as_str()).await;
    anew.page().await;
}
