//! Several revocations in one request: one transaction, a verdict on each, and one event for each that was newly revoked.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{World, world::Reply, world::plain};

const UNKNOWN: &str = "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";

async fn issued(world: &World, sub: &str) -> String {
    world.issue_dev(plain(sub)).await.token.jti.to_string()
}

fn outcomes(reply: &Reply) -> Vec<(String, String, Value)> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let results = reply.json()["results"].as_array().unwrap().clone();
    results.iter().map(|one| (text(&one["jti"]), text(&one["outcome"]), one["position"].clone())).collect()
}

async fn positions(world: &World, admin: &str, kind: &str) -> Vec<i64> {
    let events = world.events(admin).await;
    events.iter().filter(|event| event["kind"] == kind).map(|event| event["position"].as_i64().unwrap()).collect()
}

async fn status(world: &World, admin: &str, jti: &str) -> String {
    world.get(&format!("/revocations/{jti}"), admin).await.json()["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_its_verdict_in_the_order_of_the_request_and_one_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (first, second, third) = (issued(&world, "a").await, issued(&world, "b").await, issued(&world, "c").await);
    world.delete(&format!("/tokens/{third}"), &admin, Value::Null).await;
    let before = positions(&world, &admin, "token.revoked.v1").await[0];
    let ids = json!([second, UNKNOWN, third, first, second]);

    let reply = world
        .post("/revocations", &admin, json!({"ids": ids, "reason": "key_compromise", "note": "in a build log"}))
        .await;

    let (two, one) = (before + 1, before + 2);
    let told = |jti: &str, outcome: &str, position: Value| (jti.to_owned(), outcome.to_owned(), position);
    assert_eq!(
        outcomes(&reply),
        [
            told(&second, "revoked", json!(two)),
            told(UNKNOWN, "unknown", Value::Null),
            told(&third, "already_revoked", json!(before)),
            told(&first, "revoked", json!(one)),
            told(&second, "revoked", json!(two)),
        ]
    );
    assert_eq!(reply.header("catalog-position"), one.to_string());
    assert_eq!(positions(&world, &admin, "token.revoked.v1").await, [before, two, one]);
    let record = world.get(&format!("/tokens/{first}"), &admin).await.json();
    assert_eq!((&record["status"], &record["revocation"]["note"]), (&json!("revoked"), &json!("in a build log")));
    assert_eq!(record["revocation"]["reason"], "key_compromise");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_token_is_answered_like_one_that_does_not_exist_and_the_attempt_is_recorded() {
    let world = World::new().await;
    let admin = world.admin().await;
    let alice = world
        .caller("alice@example.com", |command| command.scopes.permissions = vec!["tokens.revoke".parse().unwrap()])
        .await;
    let (own, bobs) = (issued(&world, "alice@example.com").await, issued(&world, "bob@example.com").await);

    let reply = world.post("/revocations", &alice, json!({"ids": [bobs, own, UNKNOWN]})).await;

    let told: Vec<String> = outcomes(&reply).into_iter().map(|(_, outcome, _)| outcome).collect();
    assert_eq!(told, ["unknown", "revoked", "unknown"]);
    assert_eq!(
        (status(&world, &admin, &bobs).await, status(&world, &admin, &own).await),
        ("active".to_owned(), "revoked".to_owned())
    );
    world.catalog.record_denials().await.unwrap();
    world.clock.advance(chrono::TimeDelta::minutes(1));
    world.catalog.record_denials().await.unwrap();
    let refused: Vec<Value> =
        world.events(&admin).await.into_iter().filter(|event| event["kind"] == "revocation.refused.v1").collect();
    let noted: Vec<(&Value, &Value)> = refused.iter().map(|event| (&event["jti"], &event["data"]["count"])).collect();
    assert_eq!(noted, [(&json!(bobs), &json!(1)), (&json!(UNKNOWN), &json!(1))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_revoke_ends_nothing_but_its_own_credential() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut command = plain("alice@example.com");
    command.aud = vec!["catalog".parse().unwrap()];
    command.scopes.permissions = vec!["tokens.read".parse().unwrap()];
    let issued_reader = world.issue_dev(command).await;
    let (reader, own) = (issued_reader.signed.expose(), issued_reader.token.jti.to_string());
    let other = issued(&world, "alice@example.com").await;

    let refused = world.post("/revocations", reader, json!({"ids": [own, other]})).await;
    let before = (status(&world, &admin, &own).await, status(&world, &admin, &other).await);
    let alone = world.post("/revocations", reader, json!({"ids": [own]})).await;

    assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (403, json!("permission_missing")));
    assert_eq!(before, ("active".to_owned(), "active".to_owned()));
    assert_eq!(outcomes(&alone)[0].1, "revoked");
    assert_eq!(positions(&world, &admin, "revocation.refused.v1").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_the_same_key_gets_the_same_verdicts_and_another_request_none() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (first, second, third) = (issued(&world, "a").await, issued(&world, "b").await, issued(&world, "c").await);
    world.delete(&format!("/tokens/{third}"), &admin, Value::Null).await;
    let ask = async |ids: Value| {
        let request = Request::post("/revocations")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "incident-7")
            .body(Body::from(json!({ "ids": ids }).to_string()))
            .unwrap();
        world.raw(request).await
    };
    let ids = json!([third, first, second, UNKNOWN]);

    let once = ask(ids.clone()).await;
    let again = ask(ids).await;
    let other = ask(json!([first])).await;

    assert_eq!(outcomes(&once), outcomes(&again));
    assert_eq!(once.header("catalog-position"), again.header("catalog-position"));
    assert_eq!((other.status.as_u16(), other.json()["code"].clone()), (422, json!("idempotency_key_reused")));
    assert_eq!(positions(&world, &admin, "token.revoked.v1").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_is_the_most_and_none_is_too_few() {
    let world = World::new().await;
    let admin = world.admin().await;
    let known = issued(&world, "a").await;
    let ids = |count: u128| {
        let unknown = (1..count).map(|id| Uuid::from_u128(id).to_string());
        json!({ "ids": std::iter::once(known.clone()).chain(unknown).collect::<Vec<_>>() })
    };

    let too_many = world.post("/revocations", &admin, ids(1_001)).await;
    let none = world.post("/revocations", &admin, json!({"ids": []})).await;
    let before = status(&world, &admin, &known).await;
    let most = world.post("/revocations", &admin, ids(1_000)).await;

    for (reply, detail) in [(too_many, "has 1001 members, the maximum is 1000"), (none, "must not be empty")] {
        assert_eq!(reply.status, 400);
        assert_eq!(reply.json()["errors"], json!([{"detail": detail, "pointer": "#/ids"}]));
    }
    assert_eq!(before, "active");
    assert_eq!((outcomes(&most).len(), outcomes(&most)[0].1.as_str()), (1_000, "revoked"));
    world.verify().await;
}
