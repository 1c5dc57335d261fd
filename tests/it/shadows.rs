//! A good signature over what was never issued is evidence: recorded once, with who asked.

use catalog::domain::Claims;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{World, process::until, world::plain};

/// What was issued to somebody, with another identifier.
async fn never_issued(world: &World) -> Claims {
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let mut claims: Claims =
        catalog::domain::claims::decode_part(issued.signed.expose().split('.').nth(1).unwrap()).unwrap();
    claims.jti = world.catalog.new_id();
    claims
}

/// The record does not hold up the answer, so it may come a little later.
async fn shadows(world: &World, admin: &str, count: usize) -> Vec<Value> {
    until("shadow tokens are recorded", async || {
        let log = world.events(admin).await;
        let seen: Vec<Value> = log.into_iter().filter(|event| event["kind"] == "shadow_token.seen.v1").collect();
        (seen.len() >= count).then_some(seen)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_never_issued_is_recorded_once_with_its_key_its_claims_and_who_asked() {
    let world = World::new().await;
    let (elsewhere, admin) = (world.another_process().await, world.admin().await);
    let claims = never_issued(&world).await;
    let forged = world.forge(&claims);

    for asked in [&world, &world, &elsewhere] {
        assert_eq!(asked.introspect(&forged, &admin).await.text, r#"{"active":false}"#);
        shadows(&world, &admin, 1).await;
    }
    // Another one, so that a second record of the first would have come before it.
    let second = world.forge(&never_issued(&world).await);
    elsewhere.introspect(&second, &admin).await;
    let seen = shadows(&world, &admin, 2).await;

    assert_eq!(seen.len(), 2);
    let (event, data) = (&seen[0], &seen[0]["data"]);
    assert_eq!(event["jti"], json!(claims.jti));
    assert_eq!((&event["actor"]["kind"], &event["actor"]["sub"]), (&json!("token"), &json!("root@localhost")));
    assert_eq!(data["what"], "never_issued");
    assert_eq!(data["kid"], json!(world.catalog.live().settings.active));
    let digest = catalog::domain::claims::signing_input_digest(forged.rsplit_once('.').unwrap().0);
    assert_eq!(data["claims_digest"], hex::encode(digest));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forger_who_uses_the_token_is_recorded_as_nobody_in_particular() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut claims = never_issued(&world).await;
    claims.user.is_admin = true;
    claims.aud = vec!["catalog".parse().unwrap()];

    let reply = world.get("/tokens", &world.forge(&claims)).await;

    assert_eq!(reply.status, 401);
    let seen = shadows(&world, &admin, 1).await;
    assert_eq!((&seen[0]["actor"], &seen[0]["path"]), (&json!({"kind": "anonymous"}), &json!("api")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issued_token_under_other_claims_is_recorded_and_the_genuine_one_stays_good() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let mut claims: Claims =
        catalog::domain::claims::decode_part(issued.signed.expose().split('.').nth(1).unwrap()).unwrap();
    claims.user.is_admin = true;

    world.introspect(&world.forge(&claims), &admin).await;

    let seen = shadows(&world, &admin, 1).await;
    assert_eq!((&seen[0]["jti"], &seen[0]["data"]["what"]), (&json!(issued.token.jti), &json!("other_claims")));
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], true);
    let history = world.get(&format!("/tokens/{}/events", issued.token.jti), &admin).await.json();
    assert_eq!(history["events"].as_array().unwrap().len(), 2, "it is part of that token's history");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_forgeries_and_strangers_tokens_are_no_evidence() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let forged = world.forge(&never_issued(&world).await);
    let (signed, signature) = forged.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let altered = format!("{signed}.{first}{}", &signature[1..]);
    let before = world.events(&admin).await.len();

    assert_eq!(world.introspect(&altered, &admin).await.text, r#"{"active":false}"#);
    world.clock.advance(TimeDelta::minutes(20));
    assert_eq!(world.introspect(&forged, &admin).await.text, r#"{"active":false}"#);
    // Something that is recorded comes after whatever the checks would have had recorded.
    world.post("/tokens", &admin, json!({"sub": "a"})).await;

    assert_eq!(world.events(&admin).await.len(), before + 1);
}
