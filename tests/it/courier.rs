//! Couriers: a token's end, carried to gateways that hear of it from nobody but its bearer.

use axum::{body::Body, http::Request};
use catalog::domain::{
    Claims, IssueToken, RevokeToken,
    authority::Authority,
    claims::{decode_part, signing_input_digest},
    revoke::RevocationReason,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clients::{Secret, add},
    support::{
        World,
        world::{Reply, plain, shell},
    },
};

async fn bridge(world: &World) -> Secret {
    Secret::of("bridge", &add(world, "bridge", &["tokens.courier"], Some("*")).await)
}

async fn ask(world: &World, authorization: &str, jti: Uuid, body: Value) -> Reply {
    let request = Request::post(format!("/tokens/{jti}/courier"))
        .header("authorization", authorization)
        .header("content-type", "application/json");
    world.raw(request.body(Body::from(body.to_string())).unwrap()).await
}

/// A token for two audiences that an administrator's claims, teams and permissions make as wide as any.
fn wide() -> IssueToken {
    let mut command = plain("alice@example.com");
    command.aud = ["gateway", "mcpgateway-api"].map(|aud| aud.parse().unwrap()).into();
    command.is_admin = true;
    command.scopes.permissions = vec!["tools.read".parse().unwrap()];
    command
}

async fn revoked(world: &World, command: IssueToken) -> catalog::app::IssuedToken {
    let issued = world.issue_dev(command).await;
    revoke(world, issued.token.jti).await;
    issued
}

async fn revoke(world: &World, jti: Uuid) {
    let command = RevokeToken { jti, reason: RevocationReason::Unspecified, note: None };
    let by = catalog::app::Requester::new(Authority::of_shell(), shell(catalog::domain::Path::CliAdmin));
    world.catalog.revoke(command, by).await.unwrap();
}

fn claims(token: &str) -> Claims {
    decode_part(token.split('.').nth(1).unwrap()).unwrap()
}

async fn kinds(world: &World, jti: Uuid, admin: &str) -> Vec<Value> {
    let reply = world.get(&format!("/tokens/{jti}/events"), admin).await;
    let events = reply.json()["events"].as_array().unwrap().clone();
    events.into_iter().map(|event| event["kind"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_has_the_identifier_the_subject_and_the_end_of_its_token_and_reaches_what_is_public() {
    let world = World::new().await;
    let (bridge, admin) = (bridge(&world).await, world.admin().await);
    let issued = revoked(&world, wide()).await;
    world.clock.advance(TimeDelta::seconds(5));

    let reply = ask(&world, &bridge.header(), issued.token.jti, json!({ "aud": "mcpgateway-api" })).await;

    assert_eq!(reply.status, 201, "{reply:?}");
    let body = reply.json();
    let (token, courier) = (claims(issued.signed.expose()), claims(body["access_token"].as_str().unwrap()));
    assert_eq!((courier.jti, &courier.sub, courier.exp), (token.jti, &token.sub, token.exp));
    assert_eq!((&courier.iss, courier.iat), (&token.iss, token.iat + 5));
    assert_eq!(courier.user.email, token.user.email);
    assert_eq!(serde_json::to_value(&courier.aud).unwrap(), json!(["mcpgateway-api"]));
    let json = serde_json::to_value(&courier).unwrap();
    assert_eq!((&json["teams"], &json["user"]["is_admin"], &json["scope"]), (&json!([]), &json!(false), &Value::Null));
    assert_eq!((&json["scopes"]["permissions"], &json["namespaces"]), (&json!([]), &json!([])));
    assert_eq!(body["expires_in"], json!(token.exp - courier.iat));
    assert_eq!(reply.header("catalog-position"), body["position"].to_string());
    let expected = json!(["token.issued.v1", "token.revoked.v1", "courier.issued.v1"]);
    assert_eq!(json!(kinds(&world, token.jti, &admin).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_comes_first_and_says_by_whom_and_what_was_signed() {
    let world = World::new().await;
    let (bridge, admin) = (bridge(&world).await, world.admin().await);
    let issued = revoked(&world, wide()).await;

    let body = ask(&world, &bridge.header(), issued.token.jti, json!({})).await.json();

    let events = world.events(&admin).await;
    let event = events.iter().find(|event| event["position"] == body["position"]).unwrap();
    let text = body["access_token"].as_str().unwrap();
    let (input, _) = text.rsplit_once('.').unwrap();
    assert_eq!((&event["kind"], &event["jti"]), (&json!("courier.issued.v1"), &json!(issued.token.jti)));
    assert_eq!(event["actor"], json!({ "kind": "client", "name": "bridge" }));
    assert_eq!(event["data"]["claims_digest"], hex::encode(signing_input_digest(input)));
    assert_eq!(event["data"]["claims"], serde_json::to_value(claims(text)).unwrap());
    assert_eq!(event["data"]["aud"], json!(["gateway", "mcpgateway-api"]), "none was asked for, so all of the token's");
    assert!(!event.to_string().contains(input), "the signed bytes are not shown");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_is_no_credential_here_and_no_sign_of_a_stolen_key() {
    let world = World::new().await;
    let elsewhere = world.another_process().await;
    let (bridge, admin) = (bridge(&world).await, world.admin().await);
    let mut command = wide();
    command.aud = vec!["catalog".parse().unwrap()];
    command.scopes.permissions = Vec::new();
    let issued = revoked(&world, command).await;
    let jti = issued.token.jti;
    let reply = ask(&world, &bridge.header(), jti, json!({})).await;
    let courier = reply.json()["access_token"].as_str().unwrap().to_owned();
    // What is made of the same key and was never issued so is still evidence.
    let mut other = claims(&courier);
    other.user.is_admin = true;
    let forged = world.forge(&other);

    for there in [&world, &elsewhere] {
        assert_eq!(there.introspect(&courier, &admin).await.text, r#"{"active":false}"#);
        assert_eq!(there.get("/tokens", &courier).await.status, 401);
        assert_eq!(there.get("/whoami", &courier).await.status, 401);
    }
    world.introspect(&forged, &admin).await;

    let shadows = crate::support::process::until("the forged one is recorded", async || {
        let seen: Vec<Value> = world.events(&admin).await;
        let seen: Vec<Value> = seen.into_iter().filter(|event| event["kind"] == "shadow_token.seen.v1").collect();
        (!seen.is_empty()).then_some(seen)
    })
    .await;
    let digest = hex::encode(signing_input_digest(forged.rsplit_once('.').unwrap().0));
    assert_eq!(shadows.iter().map(|event| &event["data"]["claims_digest"]).collect::<Vec<_>>(), [&json!(digest)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_that_is_revoked_and_not_expired_has_couriers() {
    let world = World::new().await;
    let bridge = bridge(&world).await;
    let active = world.issue_dev(plain("alice@example.com")).await.token;
    let left = active.expires_at - active.issued_at;
    let over = revoked(&world, plain("alice@example.com")).await.token;
    let code = async |jti: Uuid, body: Value| {
        let reply = ask(&world, &bridge.header(), jti, body).await;
        (reply.status.as_u16(), reply.json()["code"].as_str().unwrap_or("").to_owned())
    };

    assert_eq!(code(active.jti, json!({})).await, (409, "nothing_to_carry".to_owned()));
    assert_eq!(code(over.jti, json!({ "aud": "elsewhere" })).await, (409, "not_meant_for".to_owned()));
    assert_eq!(code(Uuid::from_u128(7), json!({})).await, (404, "token_unknown".to_owned()));
    assert_eq!(code(over.jti, json!({ "audience": "x" })).await, (400, "malformed".to_owned()));
    world.clock.advance(left - TimeDelta::seconds(1));
    assert_eq!(code(over.jti, json!({})).await.0, 201, "in its last second");
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(code(over.jti, json!({})).await, (409, "nothing_to_carry".to_owned()), "at its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_has_couriers_from_the_instant_of_its_end() {
    let world = World::new().await;
    let (bridge, admin) = (bridge(&world).await, world.admin().await);
    let old = world.issue_dev(plain("alice@example.com")).await.token.jti;
    assert_eq!(world.post(&format!("/tokens/{old}/rotate"), &admin, json!({ "overlap": "60s" })).await.status, 201);

    world.clock.advance(TimeDelta::seconds(59));
    let before = ask(&world, &bridge.header(), old, json!({})).await;
    world.clock.advance(TimeDelta::seconds(1));
    let after = ask(&world, &bridge.header(), old, json!({})).await;

    assert_eq!((before.status.as_u16(), after.status.as_u16()), (409, 201));
}

#[tokio::test(flavor = "multi_thread")]
async fn couriers_are_for_clients_and_administrators_that_reach_the_token() {
    let world = World::new().await;
    let of_red = |command: &mut IssueToken| {
        command.is_admin = true;
        command.teams = Some(catalog::domain::claims::Teams::These(vec!["red".parse().unwrap()]));
    };
    let jti = revoked(&world, wide()).await.token.jti;
    let checker = Secret::of("edge", &add(&world, "edge", &["tokens.check"], None).await);
    let of_a_team = Secret::of("red", &add(&world, "red", &["tokens.courier"], Some("red")).await);
    let named = |command: &mut IssueToken| command.scopes.permissions = vec!["tokens.courier".parse().unwrap()];
    let plain_caller = format!("Bearer {}", world.caller("carol@example.com", named).await);
    let team_admin = format!("Bearer {}", world.caller("dave@example.com", of_red).await);
    let admin = format!("Bearer {}", world.admin().await);

    for (who, authorization, status) in [
        ("a client that may not", checker.header(), 403),
        ("a client of another team", of_a_team.header(), 404),
        ("whoever is no administrator, whatever the token names", plain_caller, 403),
        ("an administrator of another team", team_admin, 404),
        ("an administrator", admin, 201),
    ] {
        assert_eq!(ask(&world, &authorization, jti, json!({})).await.status.as_u16(), status, "{who}");
    }

    let events = world.events(&world.admin().await).await;
    let refused = events.iter().filter(|event| event["kind"] == "courier.refused.v1");
    let refused: Vec<_> = refused.map(|event| (&event["data"]["rule"], &event["jti"])).collect();
    let (unknown, missing) = (json!("token_unknown"), json!("permission_missing"));
    let jti = json!(jti);
    assert_eq!(refused, [(&unknown, &jti), (&missing, &jti), (&unknown, &jti)]);
}
