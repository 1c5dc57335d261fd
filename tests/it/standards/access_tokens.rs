//! RFC 9068, and what RFC 8725 asks of whoever makes and takes several kinds of tokens.

use catalog::{
    app::SigningKey,
    domain::{
        claims::{Teams, decode_part},
        key::Algorithm,
        text::Permission,
    },
};
use serde_json::{Value, json};

use super::form;
use crate::support::{
    World,
    provider::Provider,
    world::{Reply, plain},
};

fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| decode_part::<Value>(part).unwrap_or_default());
    (parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9068_section_2_1_every_token_is_typed_and_signed_and_rs256_is_among_the_algorithms() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let world = World::signing_with(SigningKey::FromLog(alg)).await;
        let admin = world.admin().await;

        let by_api = world.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
        let by_shell = world.issue_dev(plain("alice@example.com")).await;
        let key = world.get("/.well-known/jwks.json", "").await.json()["keys"][0].clone();

        for token in [by_api["access_token"].as_str().unwrap(), by_shell.signed.expose()] {
            let (header, _) = parts(token);
            assert_eq!(header, json!({"typ": "at+jwt", "alg": alg.as_str(), "kid": key["kid"]}), "{alg}");
            assert_eq!(world.introspect(token, &admin).await.json()["active"], true, "{alg}");
        }
        assert_eq!(key["alg"], alg.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9068_section_2_2_a_token_says_all_that_one_has_to_say() {
    let world = World::new().await;
    let admin = world.admin().await;
    let wish = json!({"sub": "alice@example.com", "scopes": {"permissions": ["tools.read", "servers.use"]}});

    let with_scope = world.post("/tokens", &admin, wish).await.json();
    let without = world.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();

    for (answer, scope) in [(with_scope, json!("tools.read servers.use")), (without, Value::Null)] {
        let (_, claims) = parts(answer["access_token"].as_str().unwrap());
        assert_eq!(claims["iss"], "https://catalog.example.com");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_600);
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("alice@example.com"), &json!("catalog")));
        assert_eq!(claims["jti"], answer["token"]["jti"]);
        // Section 2.2.3: as they were asked for, and none where none were.
        assert_eq!(claims.get("scope").cloned().unwrap_or_default(), scope);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9068_section_3_a_request_without_a_resource_gets_the_default_audience() {
    let world = World::new().await;
    let admin = world.admin().await;

    let default = world.post("/tokens", &admin, json!({"sub": "a"})).await.json();
    let chosen = world.post("/tokens", &admin, json!({"sub": "a", "aud": ["mcp", "b"]})).await.json();
    let empty = world.post("/tokens", &admin, json!({"sub": "a", "aud": []})).await.json();

    for (answer, aud) in [(default, json!(["gateway"])), (chosen, json!(["mcp", "b"])), (empty, json!(["gateway"]))] {
        assert_eq!(parts(answer["access_token"].as_str().unwrap()).1["aud"], aud);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9068_section_3_what_is_ambiguous_to_grant_is_not_granted() {
    let world = World::new().await;
    let permissions = ["tokens.create", "tools.read"].map(|text| Permission::parse(text).unwrap());
    let caller = world
        .caller("alice@example.com", |command| {
            command.scopes.permissions = permissions.to_vec();
            command.teams = Some(Teams::These(vec!["red".parse().unwrap(), "blue".parse().unwrap()]));
        })
        .await;
    let admin = world.admin().await;
    let before = world.events(&admin).await.len();

    for (wish, code) in [
        (json!({"sub": "alice@example.com", "scopes": {"permissions": ["tools.read"]}}), "teams_required"),
        (json!({"sub": "alice@example.com", "teams": ["red"]}), "permissions_required"),
    ] {
        let refused = world.post("/tokens", &caller, wish).await;
        assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (403, json!(code)));
    }

    let after = world.events(&admin).await;
    let kinds: Vec<&Value> = after[before..].iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["issuance.refused.v1", "issuance.refused.v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9068_section_4_a_token_that_is_not_taken_is_answered_with_401_and_invalid_token() {
    let world = World::new().await;
    let own = world.caller("alice@example.com", |_| ()).await;
    let for_the_gateway = world.issue_dev(plain("alice@example.com")).await.signed.expose().to_owned();
    let unsigned = format!("{}.", own.rsplit_once('.').unwrap().0);
    let of_another = World::issuing_as("https://other.example.com").await.admin().await;
    let late = world.caller("alice@example.com", |command| command.ttl_seconds = Some(1)).await;
    world.clock.advance(chrono::TimeDelta::seconds(1));

    for (what, token) in [
        ("nonsense", "nonsense"),
        ("another audience", &for_the_gateway),
        ("no signature", &unsigned),
        ("another issuer", &of_another),
        ("expired", &late),
    ] {
        let reply = world.get("/whoami", token).await;

        let challenge = reply.header("www-authenticate");
        assert_eq!(reply.status, 401, "{what}");
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""),
            "{what}: {challenge}"
        );
    }
    assert_eq!(world.get("/whoami", &own).await.status, 200);
}

/// RFC 9068 section 5 says the same of audiences: what one kind of token is good for, no other is.
#[tokio::test(flavor = "multi_thread")]
async fn rfc_8725_section_3_12_no_kind_of_token_is_taken_for_another() {
    let world = World::new().await;
    let provider = Provider::new().await;
    provider.trusted_by(&world).await;
    let admin = world.admin().await;
    let claims = provider.claims(chrono::DateTime::timestamp(&catalog::domain::ambient::Clock::now(&*world.clock)));
    let of_a_person = provider.token(&claims);
    let id_token = provider.sign(&json!({"typ": "JWT", "alg": "EdDSA", "kid": "k1"}), &claims);
    let mut disguised = claims.clone();
    disguised["iss"] = json!("https://catalog.example.com");
    let disguised = provider.token(&disguised);
    let for_the_gateway = world.issue_dev(plain("alice@example.com")).await.signed.expose().to_owned();
    let whoami = async |token: &str| world.get("/whoami", token).await.status.as_u16();
    let is_inactive = |reply: &Reply| reply.text == r#"{"active":false}"#;

    assert_eq!((whoami(&admin).await, whoami(&of_a_person).await), (200, 200));
    for (what, token) in
        [("a gateway's", &for_the_gateway), ("an ID token", &id_token), ("a disguised one", &disguised)]
    {
        assert_eq!(whoami(token).await, 401, "{what}");
    }
    // What the catalog did not issue, it knows nothing of, and ends nothing.
    for token in [&of_a_person, &id_token, &disguised] {
        assert!(is_inactive(&world.introspect(token, &admin).await));
        assert_eq!(form(&world, "/revoke", "", &format!("token={token}")).await.status, 200);
    }
    assert_eq!(whoami(&of_a_person).await, 200);
    assert_eq!(world.introspect(&for_the_gateway, &admin).await.json()["active"], true);
}
