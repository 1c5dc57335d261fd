//! What counts as the use of a rotated token that is over, and what does not.

use axum::{body::Body, http::Request};
use catalog::domain::policy::{Reuse, Rules};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    authority::apply,
    support::{World, process::until, world::Reply},
};

struct Rotated {
    jti: String,
    text: String,
    successor: String,
}

/// A token and its successor. Both are good for five minutes.
async fn rotated(world: &World, admin: &str) -> Rotated {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let issued = world.post("/tokens", admin, json!({"sub": "alice@example.com", "expires_in": 3_600})).await.json();
    let jti = text(&issued["token"]["jti"]);
    let successor = world.post(&format!("/tokens/{jti}/rotate"), admin, json!({"overlap": "5m"})).await.json();
    Rotated { jti, text: text(&issued["access_token"]), successor: text(&successor["access_token"]) }
}

/// A world in which a reuse ends the family.
async fn strict() -> (World, String) {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    apply(&world, Rules { reuse: Reuse::RevokeFamily, ..Rules::initial() }, String::new()).await;
    (world, admin)
}

/// The tokens whose reuse is recorded, once there are so many. The record does not hold up the answer.
async fn reused(world: &World, admin: &str, count: usize) -> Vec<Value> {
    until("a reuse is recorded", async || {
        let events = world.events(admin).await;
        let seen = events.into_iter().filter(|event| event["kind"] == "rotated_token.reused.v1");
        let seen: Vec<Value> = seen.map(|event| event["jti"].clone()).collect();
        (seen.len() >= count).then_some(seen)
    })
    .await
}

async fn tidy_up(world: &World, text: &str, credential: Option<&str>) -> Reply {
    let mut request = Request::post("/revoke").header("content-type", "application/x-www-form-urlencoded");
    if let Some(credential) = credential {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    world.raw(request.body(Body::from(format!("token={text}"))).unwrap()).await
}

async fn is_active(world: &World, admin: &str, text: &str) -> bool {
    world.introspect(text, admin).await.json()["active"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_that_is_handed_in_to_be_revoked_is_not_taken_for_used() {
    let (world, admin) = strict().await;
    let (tidied, used) = (rotated(&world, &admin).await, rotated(&world, &admin).await);
    world.clock.advance(TimeDelta::minutes(5));

    for credential in [None, Some(&*admin)] {
        assert_eq!(tidy_up(&world, &tidied.text, credential).await.status, 200);
    }
    // Another one, so that a record of the first would have come before it.
    world.introspect(&used.text, &admin).await;

    assert_eq!(reused(&world, &admin, 1).await, [json!(used.jti)]);
    assert!(is_active(&world, &admin, &tidied.successor).await);
    assert!(!is_active(&world, &admin, &used.successor).await);
    // Who uses it afterwards is seen all the same.
    world.introspect(&tidied.text, &admin).await;
    assert_eq!(reused(&world, &admin, 2).await[1], json!(tidied.jti));
    assert!(!is_active(&world, &admin, &tidied.successor).await);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_an_identifier_is_no_evidence_that_anybody_has_the_token() {
    let (world, admin) = strict().await;
    let (asked, used) = (rotated(&world, &admin).await, rotated(&world, &admin).await);
    world.clock.advance(TimeDelta::minutes(5));

    let one = world.get(&format!("/revocations/{}", asked.jti), &admin).await.json();
    let many = world.post("/revocations/check", &admin, json!({"jtis": [asked.jti]})).await.json();
    world.introspect(&used.text, &admin).await;

    assert_eq!((&one["status"], &many["results"][0]["status"]), (&json!("revoked"), &json!("revoked")));
    assert_eq!(reused(&world, &admin, 1).await, [json!(used.jti)]);
    assert!(is_active(&world, &admin, &asked.successor).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_is_evidence_whatever_ended_it_and_not_before_it_is_over() {
    let (world, admin) = strict().await;
    let by_name = rotated(&world, &admin).await;
    world.introspect(&by_name.text, &admin).await;
    let reason = json!({"reason": "key_compromise"});
    assert_eq!(world.delete(&format!("/tokens/{}", by_name.jti), &admin, reason).await.status, 204);
    let why = world.get(&format!("/tokens/{}", by_name.jti), &admin).await.json()["inactive_because"].clone();
    let plain = world.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
    let text = plain["access_token"].as_str().unwrap();
    world.delete(&format!("/tokens/{}", plain["token"]["jti"].as_str().unwrap()), &admin, json!({})).await;

    // That has no successor, and is no evidence of anything.
    world.introspect(text, &admin).await;
    world.introspect(&by_name.text, &admin).await;

    assert_eq!((&why["kind"], &why["reason"]), (&json!("revoked"), &json!("key_compromise")));
    assert_eq!(reused(&world, &admin, 1).await, [json!(by_name.jti)]);
    assert!(!is_active(&world, &admin, &by_name.successor).await);

    let by_rule = rotated(&world, &admin).await;
    let rule = json!({"where": {"sub": "alice@example.com"}});
    assert_eq!(world.post("/revocations", &admin, rule).await.status, 200);
    world.introspect(&by_rule.text, &admin).await;
    assert_eq!(reused(&world, &admin, 2).await[1], json!(by_rule.jti));
    world.verify().await;
}
