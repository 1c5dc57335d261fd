//! What is carried: every revocation, by whatever it came to be, and nothing that is not one.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Scene, figure, figure_becomes, place};
use crate::support::process::until;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_before_and_after_its_start_is_carried_and_nothing_else() {
    let scene = Scene::set().await;
    let (before, active) = (scene.revoked("alice@example.com").await, scene.issue("bob@example.com").await);

    let bridge = scene.bridge().await;
    scene.ends(&before).await;
    let after = scene.revoked("carol@example.com").await;
    scene.ends(&after).await;

    let record = scene.server.client.get(&format!("/tokens/{after}"), &scene.admin).await.json();
    let call = scene.gateway.calls_of(&after).remove(0);
    assert_eq!((&call.claims["sub"], &call.claims["teams"]), (&json!("carol@example.com"), &json!([])));
    assert_eq!((&call.claims["aud"], &call.claims["user"]["is_admin"]), (&json!(["mcpgateway-api"]), &json!(false)));
    let exp = DateTime::from_timestamp(call.claims["exp"].as_i64().unwrap(), 0).unwrap();
    assert_eq!(record["expires_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), exp);
    assert_eq!(scene.couriers().await, [json!(before), json!(after)]);
    scene.is_kept().await;
    figure_becomes(&bridge, "catalog_bridge_told_total{how=\"courier\"}", 2.0).await;
    assert!(scene.gateway.calls_of(&active).is_empty() && scene.gateway.calls().len() == 2);
    let said = bridge.stop().await;
    assert!(said.contains(&after) && !said.contains(&scene.secret) && !said.contains("eyJ"), "{said}");
    let place = place(&scene.file());
    assert_eq!(place["gateway"], format!("{}/", scene.gateway.url()));
    assert!(place["log_id"].is_string() && place["digest"].is_string() && place["deadlines_to"].is_string(), "{place}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_ends_all_that_it_covers_and_a_rotation_the_old_token_at_its_deadline() {
    let scene = Scene::set().await;
    let mut covered = Vec::new();
    for _ in 0..40 {
        covered.push(scene.issue("bob@example.com").await);
    }
    let (spared, old) = (scene.issue("alice@example.com").await, scene.issue("carol@example.com").await);
    let bridge = scene.bridge().await;

    let rotated = scene.post(&format!("/tokens/{old}/rotate"), json!({ "overlap": "4s" })).await;
    scene.post("/revocations", json!({ "where": { "sub": "bob@example.com" } })).await;
    for jti in &covered {
        scene.ends(jti).await;
    }
    figure_becomes(&bridge, "catalog_bridge_owed{to=\"gateway\"}", 0.0).await;
    scene.ends(&old).await;

    let new = rotated["token"]["jti"].as_str().unwrap();
    let events = scene.server.client.get(&format!("/tokens/{old}/events"), &scene.admin).await.json();
    let events = events["events"].as_array().unwrap();
    let revocation = events.iter().find(|event| event["kind"] == "token.revoked.v1").unwrap();
    let deadline: DateTime<Utc> = revocation["data"]["effective_from"].as_str().unwrap().parse().unwrap();
    let call = scene.gateway.calls_of(&old).remove(0);
    assert!(call.at >= deadline, "{} is before {deadline}", call.at);
    assert!(scene.gateway.calls_of(&spared).is_empty() && scene.gateway.calls_of(new).is_empty());
    assert_eq!(scene.gateway.calls().len(), covered.len() + 1, "each once");
    figure_becomes(&bridge, "catalog_bridge_waiting", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_comes_while_no_bridge_is_there_is_carried_by_the_next_one() {
    let scene = Scene::set().await;
    let old = scene.issue("carol@example.com").await;
    let bridge = scene.bridge().await;
    scene.post(&format!("/tokens/{old}/rotate"), json!({ "overlap": "10s" })).await;
    figure_becomes(&bridge, "catalog_bridge_waiting", 1.0).await;
    scene.is_kept().await;
    bridge.kill().await;
    assert!(scene.gateway.calls().is_empty(), "its time had not come, and the place is past its rotation");
    until("its deadline has passed", async || {
        let token = scene.server.client.get(&format!("/tokens/{old}"), &scene.admin).await.json();
        (token["status"] == "revoked").then_some(())
    })
    .await;

    let _bridge = scene.bridge().await;

    scene.ends(&old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_is_not_carried_and_a_revocation_of_what_is_suspended_is() {
    let scene = Scene::set().await;
    let (resumed, revoked) = (scene.issue("alice@example.com").await, scene.issue("bob@example.com").await);
    let bridge = scene.bridge().await;

    for jti in [&resumed, &revoked] {
        scene.post(&format!("/tokens/{jti}/suspend"), json!({})).await;
    }
    figure_becomes(&bridge, "catalog_bridge_suspensions_total", 2.0).await;
    scene.post(&format!("/tokens/{resumed}/resume"), json!({})).await;
    scene.revoke(&revoked).await;
    scene.ends(&revoked).await;
    scene.is_kept().await;

    assert!(scene.gateway.calls_of(&resumed).is_empty());
    assert_eq!(scene.couriers().await, [json!(revoked)]);
    assert_eq!(figure(&bridge, "catalog_bridge_owed{to=\"gateway\"}").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_would_refuse_anyway_is_dealt_with_and_holds_up_nobody() {
    let scene = Scene::set().await;
    let elsewhere = scene.post("/tokens", json!({ "sub": "alice@example.com", "aud": ["another"] })).await;
    let elsewhere = elsewhere["token"]["jti"].as_str().unwrap().to_owned();
    let bridge = scene.bridge().await;
    scene.revoke(&elsewhere).await;
    let other = scene.revoked("bob@example.com").await;

    scene.ends(&other).await;
    figure_becomes(&bridge, "catalog_bridge_told_total{how=\"not_meant_for\"}", 1.0).await;
    scene.is_kept().await;

    assert!(scene.gateway.calls_of(&elsewhere).is_empty());
}
