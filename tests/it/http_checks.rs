//! Checks: only what was issued here, unchanged and still active, is good.

use catalog::domain::claims::{Claims, decode_part};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{World, world::plain};

#[tokio::test(flavor = "multi_thread")]
async fn introspection_of_an_active_token_tells_its_claims_its_path_and_its_position() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("alice@example.com")).await;

    let reply = world.introspect(issued.signed.expose(), &admin).await;

    let body = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(body["active"], true);
    assert_eq!(body["sub"], "alice@example.com");
    assert_eq!(body["jti"], json!(issued.token.jti));
    assert_eq!((&body["path"], &body["out_of_band"]), (&json!("cli-dev"), &json!(true)));
    assert_eq!(body["position"], json!(issued.token.issued));
    assert_eq!(body["scopes"]["permissions"], json!([]));
    assert!(body.get("scope").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_4_a_token_is_inactive_from_exp_on_and_not_a_microsecond_earlier() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let issued = world.issue_dev(plain("a")).await;

    world.clock.advance(TimeDelta::minutes(20) - TimeDelta::microseconds(1));
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], true);
    world.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validly_signed_token_that_was_never_issued_is_inactive() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("a")).await;
    let mut claims: Claims = decode_part(issued.signed.expose().split('.').nth(1).unwrap()).unwrap();
    assert_eq!(world.forge(&claims), issued.signed.expose(), "the forger's tool makes genuine tokens");

    claims.jti = world.catalog.new_id();
    let never_issued = world.forge(&claims);

    assert_eq!(world.introspect(&never_issued, &admin).await.text, r#"{"active":false}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_jti_under_other_claims_is_inactive() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("a")).await;
    let mut claims: Claims = decode_part(issued.signed.expose().split('.').nth(1).unwrap()).unwrap();

    claims.user.is_admin = true;
    let promoted = world.forge(&claims);

    assert_eq!(world.introspect(&promoted, &admin).await.text, r#"{"active":false}"#);
    assert_eq!(world.get("/tokens", &promoted).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_by_identifier_answers_every_state_and_an_unknown_one_too() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let status = async |jti: uuid::Uuid| {
        let reply = world.get(&format!("/revocations/{jti}"), &admin).await;
        assert_eq!(reply.status, 200);
        reply.json()["status"].as_str().unwrap().to_owned()
    };
    let revoked = world.issue_dev(plain("a")).await.token.jti;
    world.delete(&format!("/tokens/{revoked}"), &admin, Value::Null).await;
    let expired = world.issue_dev(plain("a")).await.token.jti;
    world.clock.advance(TimeDelta::minutes(20));
    let active = world.issue_dev(plain("a")).await.token.jti;

    assert_eq!(status(active).await, "active");
    assert_eq!(status(expired).await, "expired");
    assert_eq!(status(revoked).await, "revoked");
    assert_eq!(status(uuid::Uuid::from_u128(7)).await, "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_bites_at_once_on_every_process_of_the_log() {
    let world = World::new().await;
    let admin = world.admin().await;
    let elsewhere = world.another_process().await;
    let issued = world.issue_dev(plain("a")).await;
    assert_eq!(elsewhere.introspect(issued.signed.expose(), &admin).await.json()["active"], true);

    world.delete(&format!("/tokens/{}", issued.token.jti), &admin, Value::Null).await;

    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], false);
    assert_eq!(elsewhere.introspect(issued.signed.expose(), &admin).await.json()["active"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9068_section_5_a_gateways_token_manages_nothing_here() {
    let world = World::new().await;
    let mut command = plain("root@localhost");
    command.is_admin = true;
    let for_the_gateway = world.issue_dev(command).await;

    let reply = world.get("/tokens", for_the_gateway.signed.expose()).await;

    assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (401, json!("credential_invalid")));
    assert!(reply.header("www-authenticate").contains("invalid_token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7517_section_4_a_published_key_says_what_it_is_for_and_has_public_members_only() {
    let world = World::new().await;

    let reply = world.get("/.well-known/jwks.json", "").await;

    let keys = reply.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1);
    let mut members: Vec<&str> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_what_is_missing() {
    let world = World::new().await;

    assert_eq!(world.get("/healthz", "").await.status, 200);
    let ready = world.get("/readyz", "").await;
    assert_eq!((ready.status.as_u16(), ready.json()["status"].clone()), (200, json!("ready")));
    world
        .database
        .tamper("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .await;
    let outdated = world.get("/readyz", "").await;
    assert_eq!(outdated.status, 503);
    assert_eq!(
        outdated.json()["checks"],
        json!({"database": true, "schema": false, "signing_key": true, "appender": true, "live_tokens": true})
    );
    assert_eq!(outdated.header("retry-after"), "1");
}
