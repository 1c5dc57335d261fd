//! A list as it is fetched: in the one form there is, for as long as it says, by anybody.

use std::io::Read;

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use chrono::TimeDelta;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::verifier::ACCEPT;
use crate::support::World;

/// A world with a list, and where that is fetched.
async fn world() -> (World, String) {
    let world = World::new().await;
    world.begin_list().await;
    let path = format!("/status-lists/{}", world.list_begun().await.unwrap());
    (world, path)
}

/// What is answered to a request with these headers, in bytes.
async fn ask(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn claims(token: &str) -> Value {
    catalog::domain::claims::decode_part(token.split('.').nth(1).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_signed_list_for_any_page_and_says_for_how_long_to_go_by_it() {
    let (world, path) = world().await;

    let reply = world.get(&path, "").await;

    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, ACCEPT));
    assert_eq!(reply.header("cache-control"), "public, max-age=60");
    assert_eq!((reply.header("access-control-allow-origin"), reply.header("vary")), ("*", "accept, accept-encoding"));
    let said = claims(&reply.text);
    let now = catalog::domain::ambient::Clock::now(&*world.clock).timestamp();
    assert_eq!(said["sub"], format!("https://catalog.example.com{path}"));
    assert_eq!([&said["iat"], &said["exp"], &said["ttl"]], [&json!(now), &json!(now + 120), &json!(60)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_compressed_for_whoever_takes_that_and_not_sent_twice() {
    let (world, path) = world().await;

    let (status, headers, packed) = ask(&world, "GET", &path, &[("accept-encoding", "br, gzip")]).await;
    let (_, plain_headers, plain) = ask(&world, "GET", &path, &[("accept-encoding", "gzip;q=0, identity")]).await;
    let (head, head_headers, nothing) = ask(&world, "HEAD", &path, &[]).await;

    assert_eq!((status, header(&headers, "content-encoding")), (200, "gzip"));
    assert_eq!(header(&plain_headers, "content-encoding"), "");
    let mut unpacked = Vec::new();
    GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain && packed.len() < plain.len());
    assert_eq!((head, nothing.len(), header(&head_headers, "etag")), (200, 0, header(&plain_headers, "etag")));
    let (tag, plain_tag) = (header(&headers, "etag"), header(&plain_headers, "etag"));
    assert_ne!(tag, plain_tag);
    for (encoding, tag) in [("gzip", tag), ("identity", plain_tag)] {
        let again = ask(&world, "GET", &path, &[("accept-encoding", encoding), ("if-none-match", tag)]).await;
        assert_eq!((again.0, again.2.len(), header(&again.1, "etag")), (304, 0, tag));
        assert_eq!(header(&again.1, "cache-control"), "public, max-age=60");
    }
    let other = ask(&world, "GET", &path, &[("accept-encoding", "gzip"), ("if-none-match", plain_tag)]).await;
    assert_eq!(other.0, 200, "the tag is of the bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_signed_anew_at_half_of_its_time_and_made_anew_when_it_changes() {
    let (world, path) = world().await;
    let fetch = async || {
        world.publish().await;
        let reply = world.get(&path, "").await;
        (claims(&reply.text), reply.header("cache-control").to_owned(), reply.header("etag").to_owned())
    };
    let (first, _, tag) = fetch().await;

    world.clock.advance(TimeDelta::seconds(29));
    let (same, max_age, same_tag) = fetch().await;
    assert_eq!((&same, max_age.as_str(), &same_tag), (&first, "public, max-age=31", &tag));
    world.clock.advance(TimeDelta::seconds(1));
    let (anew, max_age, _) = fetch().await;
    assert_eq!(anew["iat"].as_i64().unwrap(), first["iat"].as_i64().unwrap() + 30);
    assert_eq!((&anew["status_list"], max_age.as_str()), (&first["status_list"], "public, max-age=60"));
    // Nothing that a list says changes by an issuance.
    let token = world.issue_dev(crate::support::world::plain("a")).await;
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(fetch().await.0, anew);
    let admin = world.admin().await;
    world.delete(&format!("/tokens/{}", token.token.jti), &admin, Value::Null).await;
    let (revoked, ..) = fetch().await;
    assert_ne!(revoked["status_list"], anew["status_list"]);
    assert_eq!(revoked["iat"].as_i64().unwrap(), anew["iat"].as_i64().unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_another_form_another_time_or_another_list_is_told_so_on_any_page() {
    let (world, path) = world().await;
    let unknown = "/status-lists/01990000-0000-4000-8000-000000000000";
    let cwt = [("accept", "application/statuslist+cwt")];

    for (path, headers, status, code) in [
        (path.clone(), &cwt[..], 406, "not_acceptable"),
        (format!("{path}?time=1686925000"), &[][..], 501, "history_not_kept"),
        (format!("{path}?time=now"), &[][..], 400, "malformed"),
        (format!("{path}?time=1&time=2"), &[][..], 400, "malformed"),
        (unknown.to_owned(), &[][..], 404, "route_unknown"),
        (path.to_uppercase().replace("/STATUS-LISTS", "/status-lists"), &[][..], 400, "malformed"),
    ] {
        let (answered, told, body) = ask(&world, "GET", &path, headers).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{path}");
        assert_eq!(header(&told, "access-control-allow-origin"), "*", "{path}");
        assert_eq!(header(&told, "cache-control"), "no-store", "{path}");
    }
    for accept in [ACCEPT, "*/*", "application/*;q=0.1"] {
        assert_eq!(ask(&world, "GET", &path, &[("accept", accept)]).await.0, 200, "{accept}");
    }
    assert_eq!(ask(&world, "GET", &format!("{path}?cache=1"), &[]).await.0, 200);
    // Whoever asks needs no credential, and a bad one does not matter.
    assert_eq!(ask(&world, "GET", &path, &[("authorization", "Bearer nonsense")]).await.0, 200);
    assert_eq!(ask(&world, "POST", &path, &[]).await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presents_a_list_as_a_token_is_not_taken_for_a_thief_of_the_key() {
    let (world, path) = world().await;
    let admin = world.admin().await;
    let list = world.get(&path, "").await.text;
    let before = world.events(&admin).await.len();

    assert_eq!(world.introspect(&list, &admin).await.text, r#"{"active":false}"#);
    assert_eq!(world.get("/tokens", &list).await.status, 401);

    // Had there been a record, it would come before this one.
    let mut forged: Value = claims(&admin);
    forged["jti"] = json!(world.catalog.new_id());
    let forged = world.forge(&serde_json::from_value(forged).unwrap());
    world.introspect(&forged, &admin).await;
    crate::support::process::until("the forged token is recorded", async || {
        let events = world.events(&admin).await;
        (events.len() > before).then(|| assert_eq!(events[before]["data"]["what"], "never_issued"))
    })
    .await;
    assert_eq!(world.events(&admin).await.len(), before + 1);
}
