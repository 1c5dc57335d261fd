//! A repeated request gets the same answer, and the log no second event.

use axum::{body::Body, http::Request};
use catalog::{domain::Position, store::verify::verify};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{World, world::Reply};

async fn send(world: &World, method: &str, path: &str, token: &str, key: &str, body: Value) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()))
        .unwrap();
    world.raw(request).await
}

async fn issuances(world: &World, admin: &str) -> usize {
    world
        .events(admin)
        .await
        .iter()
        .filter(|event| event["path"] == "api" && event["kind"] == "token.issued.v1")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_issuance_gets_the_same_token_and_one_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = json!({"sub": "alice@example.com", "name": "ci", "scopes": {}});
    let reordered = json!({"scopes": {}, "name": "ci", "sub": "alice@example.com"});

    let first = send(&world, "POST", "/tokens", &admin, "k1", body.clone()).await;
    world.clock.advance(TimeDelta::seconds(3));
    let again = send(&world, "POST", "/tokens", &admin, "\"k1\"", reordered).await;
    let elsewhere = send(&world.another_process().await, "POST", "/tokens", &admin, "k1", body).await;

    assert_eq!((first.status.as_u16(), again.status.as_u16(), elsewhere.status.as_u16()), (201, 201, 201));
    assert_eq!(again.json(), first.json());
    assert_eq!(elsewhere.json(), first.json());
    assert_eq!(issuances(&world, &admin).await, 1);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_that_arrive_together_get_one_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let ask = || send(&world, "POST", "/tokens", &admin, "k1", json!({"sub": "a"}));

    let replies = tokio::join!(ask(), ask(), ask(), ask());

    assert_eq!(replies.0.status, 201);
    for reply in [&replies.1, &replies.2, &replies.3] {
        assert_eq!(reply.json()["access_token"], replies.0.json()["access_token"]);
    }
    assert_eq!(issuances(&world, &admin).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_another_request_is_refused_and_another_credentials_key_is_its_own() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other = world.caller("other@localhost", |command| command.is_admin = true).await;
    let first = send(&world, "POST", "/tokens", &admin, "k1", json!({"sub": "a"})).await;
    let path = format!("/tokens/{}", first.json()["token"]["jti"].as_str().unwrap());

    let another_body = send(&world, "POST", "/tokens", &admin, "k1", json!({"sub": "b"})).await;
    let another_route = send(&world, "DELETE", &path, &admin, "k1", json!({})).await;
    let another_caller = send(&world, "POST", "/tokens", &other, "k1", json!({"sub": "b"})).await;

    for refused in [another_body, another_route] {
        assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (422, json!("idempotency_key_reused")));
    }
    assert_eq!(another_caller.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_credential_was_answered_is_given_to_nobody_whatever_a_row_says_and_verification_finds_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    let low = world.caller("low@example.com", |c| c.scopes.permissions = vec!["tokens.create".parse().unwrap()]).await;
    let own = json!({"sub": "low@example.com", "scopes": {"permissions": ["tokens.create"]}});
    let first = send(&world, "POST", "/tokens", &low, "k1", own.clone()).await;
    assert_eq!(first.status, 201, "{first:?}");
    let other = send(&world, "POST", "/tokens", &admin, "k2", json!({"sub": "b", "is_admin": true})).await;
    let other = other.json()["position"].as_i64().unwrap();
    world.verify().await;

    world.database.tamper(&format!("update idempotency set position = {other} where key = 'k1'")).await;
    let repeated = send(&world, "POST", "/tokens", &low, "k1", own).await;

    assert_eq!((repeated.status.as_u16(), repeated.json()["code"].clone()), (422, json!("idempotency_key_reused")));
    assert!(!repeated.text.contains("access_token"));
    let findings = verify(world.catalog.database(), &[], &mut |_, _| ()).await.unwrap().findings;
    let found: Vec<_> = findings.iter().map(|finding| (finding.position, finding.detail.as_str())).collect();
    let what = "a row of idempotency names what another credential was answered";
    assert_eq!(found, [(Some(Position(other)), what)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_judged_by_the_authority_of_today_and_never_returns_a_dead_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let other = world.post("/tokens", &admin, json!({"sub": "b", "is_admin": true, "aud": ["catalog"]})).await.json();
    let other_token = other["access_token"].as_str().unwrap();
    let first = send(&world, "POST", "/tokens", &admin, "k1", json!({"sub": "a"})).await;
    send(&world, "POST", "/tokens", other_token, "k2", json!({"sub": "a"})).await;

    let path = format!("/tokens/{}", first.json()["token"]["jti"].as_str().unwrap());
    world.delete(&path, &admin, Value::Null).await;
    let dead = send(&world, "POST", "/tokens", &admin, "k1", json!({"sub": "a"})).await;
    world.delete(&format!("/tokens/{}", other["token"]["jti"].as_str().unwrap()), &admin, Value::Null).await;
    let revoked_caller = send(&world, "POST", "/tokens", other_token, "k2", json!({"sub": "a"})).await;

    assert_eq!((dead.status.as_u16(), dead.json()["code"].clone()), (409, json!("repeat_over")));
    assert_eq!(revoked_caller.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_remembered_for_24_hours_and_then_swept() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(7 * 86_400))).await;
    let body = json!({"sub": "a", "expires_in": 172_800});
    let first = send(&world, "POST", "/tokens", &admin, "k1", body.clone()).await.json();

    world.clock.advance(TimeDelta::hours(24) - TimeDelta::microseconds(1));
    let late = send(&world, "POST", "/tokens", &admin, "k1", body.clone()).await;
    world.clock.advance(TimeDelta::microseconds(1));
    let too_late = send(&world, "POST", "/tokens", &admin, "k1", body).await;
    let swept = world.catalog.sweep().await.unwrap();

    assert_eq!(late.json()["access_token"], first["access_token"]);
    assert_ne!(too_late.json()["access_token"], first["access_token"]);
    assert_eq!(swept, 0, "the name was taken over by the new request");
}
