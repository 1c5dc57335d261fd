//! What cannot be told is not told: without the key, without the log, before anything is known.

use catalog::domain::{Path, key::Algorithm, key_life::ActivateKey};
use serde_json::json;

use super::{URL, reference};
use crate::support::{
    Site, World,
    process::{Client, OwnPostgres, until},
    world::{plain, shell},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lacks_the_signing_key_says_so_and_publishes_again_once_it_has_it() {
    let world = World::new().await;
    world.begin_list().await;
    let path = format!("/status-lists/{}", world.list_begun().await.unwrap());
    let kid = world.add_key(Algorithm::EdDsa, false).await;
    let (file, away) = (world.keys().join(format!("{kid}.pem")), world.keys().join("away"));
    let other = world.another_process().await;
    world.catalog.activate_key(ActivateKey { kid: kid.clone(), early: true }, shell(Path::CliAdmin)).await.unwrap();
    std::fs::rename(&file, &away).unwrap();
    let elsewhere = world.another_process().await;

    elsewhere.publish().await;
    let without = elsewhere.get(&path, "").await;
    assert_eq!((without.status.as_u16(), &without.json()["code"]), (503, &json!("key_not_here")));
    assert_eq!(without.header("retry-after"), "1");
    std::fs::rename(&away, &file).unwrap();
    elsewhere.catalog.look_for_keys().unwrap();
    elsewhere.publish().await;
    let with = elsewhere.get(&path, "").await;
    assert_eq!(with.status, 200);
    let header: serde_json::Value = catalog::domain::claims::decode_part(with.text.split('.').next().unwrap()).unwrap();
    assert_eq!(header, json!({ "typ": "statuslist+jwt", "alg": "EdDSA", "kid": kid }));
    // Whoever knew both keys signs with the new one as soon as it has heard of it.
    other.publish().await;
    assert_eq!(other.get(&path, "").await.text, with.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_anything_is_known_and_past_its_exp_a_list_is_not_handed_out() {
    let world = World::new().await;
    world.begin_list().await;
    let path = format!("/status-lists/{}", world.list_begun().await.unwrap());
    let code = async |world: &World| {
        let reply = world.get(&path, "").await;
        (reply.status.as_u16(), if reply.status == 200 { json!(null) } else { reply.json()["code"].clone() })
    };
    let anew = world.another_process().await;

    assert_eq!(code(&anew).await, (503, json!("unavailable")));
    anew.publish().await;
    assert_eq!(code(&anew).await, (200, json!(null)));
    world.clock.advance(chrono::TimeDelta::seconds(119));
    assert_eq!(code(&anew).await, (200, json!(null)));
    world.clock.advance(chrono::TimeDelta::seconds(1));
    assert_eq!(code(&anew).await, (503, json!("unavailable")));
    anew.publish().await;
    assert_eq!(code(&anew).await, (200, json!(null)));
}

/// What the list of a token says of it, as a server hands it out now: the last two bits of its byte.
async fn said(client: &Client, path: &str, idx: u32) -> Result<u8, u16> {
    let reply = client.get(path, "").await;
    if reply.status != 200 {
        return Err(reply.status.as_u16());
    }
    let claims: serde_json::Value =
        catalog::domain::claims::decode_part(reply.text.split('.').nth(1).unwrap()).unwrap();
    super::verifier::read(&claims, claims["sub"].as_str().unwrap(), claims["iat"].as_i64().unwrap(), idx.into())
        .map_err(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_publish_what_any_of_them_did_and_nothing_while_they_do_not_hear_from_the_log() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url())
        .with("CATALOG_ISSUER", "https://catalog.example.com")
        .with("CATALOG_MAX_STALENESS", "1s");
    let admin = site.admin();
    let policy = site.data().join("policy.toml");
    std::fs::write(&policy, format!("[status-lists]\nurl = \"{URL}\"\n")).unwrap();
    site.cli(&["policy", "apply", policy.to_str().unwrap()]).good();
    let (server, other) = (site.serve().await, site.serve().await);
    let issued = server.client.post("/tokens", &admin, json!({ "sub": "a" })).await.json();
    let introspected = server.client.introspect(issued["access_token"].as_str().unwrap(), &admin).await.json();
    let status = &introspected["status"]["status_list"];
    let idx = u32::try_from(status["idx"].as_u64().unwrap()).unwrap();
    let path = status["uri"].as_str().unwrap().strip_prefix("https://catalog.example.com").unwrap().to_owned();
    let says = async |expected: Result<u8, u16>| {
        for client in [&server.client, &other.client] {
            until(&format!("both say {expected:?}"), async || {
                (said(client, &path, idx).await == expected).then_some(())
            })
            .await;
        }
    };

    says(Ok(0)).await;
    let jti = issued["token"]["jti"].as_str().unwrap();
    other.client.post(&format!("/tokens/{jti}/suspend"), &admin, json!({})).await;
    says(Ok(2)).await;
    server.client.delete(&format!("/tokens/{jti}"), &admin).await;
    says(Ok(1)).await;
    postgres.crash().await;
    says(Err(503)).await;
    postgres.restart();
    says(Ok(1)).await;
    let metrics = server.client.get("/metrics", "").await.text;
    assert!(metrics.lines().any(|line| line == "catalog_status_lists 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_secret_signs_a_list_for_those_who_have_it() {
    let secret = secrecy_of("uW8rT1xK5vN3qJ7zB2mC9sD4fG6hL0pA");
    let world = World::signing_with(catalog::app::SigningKey::Secret(secret)).await;
    world.begin_list().await;
    let token = world.issue_dev(plain("a")).await;
    let uri = reference(&token).unwrap().uri;

    let list = super::verifier::fetch(&world, &uri).await.text;

    let key = jsonwebtoken::DecodingKey::from_secret(b"uW8rT1xK5vN3qJ7zB2mC9sD4fG6hL0pA");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<serde_json::Value>(&list, &key, &validation).unwrap().claims;
    assert_eq!(claims["sub"], uri);
}

fn secrecy_of(text: &str) -> catalog::signing::SharedSecret {
    catalog::signing::SharedSecret::new(&text.into()).unwrap()
}
