//! People: whom a trusted identity provider vouches for asks with its access token, and is bound, recorded and known.

mod faults;
mod membership;

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    Site, World,
    provider::{Provider, apply},
    world::{Reply, shell},
};
use catalog::{
    app::policy_file,
    domain::{Path, ambient::Clock, configure::ApplyPolicy},
};

/// A catalog that trusts a provider.
pub async fn office() -> (World, Provider) {
    let (world, provider) = (World::new().await, Provider::new().await);
    provider.trusted_by(&world).await;
    (world, provider)
}

fn now(world: &World) -> i64 {
    world.clock.now().timestamp()
}

/// An access token that says this of Alice besides, or otherwise.
pub fn token_with(world: &World, provider: &Provider, members: &Value) -> String {
    let mut claims = provider.claims(now(world));
    for (member, value) in members.as_object().unwrap() {
        claims[member] = value.clone();
    }
    provider.token(&claims)
}

pub fn alice(world: &World, provider: &Provider) -> String {
    token_with(world, provider, &json!({}))
}

async fn of_kind(world: &World, kind: &str) -> Vec<Value> {
    let admin = world.admin().await;
    world.events(&admin).await.into_iter().filter(|event| event["kind"] == kind).collect()
}

fn code(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

async fn named(world: &World, token: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post("/tokens")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    world.raw(request.body(Body::from(body.to_string())).unwrap()).await
}

fn wish() -> Value {
    json!({"sub": "alice@example.com", "teams": ["red"], "scopes": {"permissions": ["tools.read"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_issues_with_its_access_token_and_the_log_says_who_it_was() {
    let (world, provider) = office().await;
    let alice = alice(&world, &provider);

    let issued = world.post("/tokens", &alice, wish()).await;

    assert_eq!(issued.status, 201, "{issued:?}");
    assert_eq!(issued.json()["token"]["teams"], json!(["red"]));
    let event = of_kind(&world, "token.issued.v1").await[0].clone();
    let actor = json!({"kind": "person", "issuer": provider.issuer, "sub": "alice@example.com"});
    assert_eq!((&event["actor"], &event["path"]), (&actor, &json!("api")));
    assert!(!world.events(&world.admin().await).await.iter().any(|event| event.to_string().contains(&alice)));
    let admin = world.admin().await;
    assert_eq!(world.introspect(issued.json()["access_token"].as_str().unwrap(), &admin).await.json()["active"], true);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_shows_what_the_policy_makes_of_a_persons_groups_and_roles() {
    let (world, provider) = office().await;
    let whoami = async |members: Value| world.get("/whoami", &token_with(&world, &provider, &members)).await.json();
    let everybody = json!(["tokens.create", "tokens.read", "tools.*"]);

    let alice = whoami(json!({})).await;
    let stranger = whoami(json!({"email": "bob@example.com", "groups": ["marketing"]})).await;
    let revoker = whoami(json!({"email": "carol@example.com", "groups": ["site/ops"], "roles": ["revoker"]})).await;
    let root = whoami(json!({"email": "root@example.com", "roles": ["root"]})).await;

    assert_eq!((&alice["credential"], &alice["issuer"]), (&Value::Null, &json!(provider.issuer)));
    assert_eq!(
        (&alice["sub"], &alice["teams"], &alice["is_admin"]),
        (&json!("alice@example.com"), &json!(["red"]), &json!(false))
    );
    assert_eq!((&stranger["teams"], &stranger["permissions"]), (&json!([]), &everybody), "groups that map to nothing");
    assert_eq!(revoker["teams"], json!(["blue"]));
    assert_eq!(revoker["permissions"], json!(["tokens.create", "tokens.read", "tokens.revoke", "tools.*"]));
    assert_eq!((&root["is_admin"], &root["teams"], &root["permissions"]), (&json!(true), &Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_grants_no_more_than_it_has_and_is_bound_by_the_policy_not_by_the_end_of_its_access_token() {
    let (world, provider) = office().await;
    let alice = alice(&world, &provider);
    let ask = async |member: &str, value: Value| {
        let mut wish = wish();
        wish[member] = value;
        code(&world.post("/tokens", &alice, wish).await)
    };
    let refused = |code: &str| (403, code.to_owned());

    assert_eq!(ask("sub", json!("bob@example.com")).await, refused("subject_not_yours"));
    assert_eq!(ask("is_admin", json!(true)).await, refused("admin_not_yours"));
    assert_eq!(ask("teams", json!(["blue"])).await, refused("teams_not_yours"));
    assert_eq!(ask("scopes", json!({"permissions": ["servers.use"]})).await, refused("permissions_not_yours"));
    assert_eq!(ask("scopes", json!({})).await, refused("permissions_required"));
    assert_eq!(ask("aud", json!(["billing"])).await, refused("audiences_not_yours"));
    assert_eq!(ask("namespaces", json!(["dev"])).await, refused("namespaces_not_yours"));
    assert_eq!(ask("expires_in", json!(30 * 86_400 + 1)).await, refused("ttl_too_long"));
    // Its access token has five minutes left.
    assert_eq!(ask("expires_in", json!(30 * 86_400)).await.0, 201);
    assert_eq!(ask("aud", json!(["catalog"])).await.0, 201);
    assert_eq!(
        code(&world.delete("/tokens/01990000-0000-7000-8000-000000000000", &alice, Value::Null).await).1,
        "permission_missing"
    );
    assert!(!of_kind(&world, "issuance.refused.v1").await.is_empty(), "a person's refusals are kept like anybody's");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_belong_to_the_person_at_its_provider_whatever_token_it_presents() {
    let (world, provider) = office().await;
    let first = named(&world, &alice(&world, &provider), "build-7", &wish()).await;
    world.clock.advance(TimeDelta::seconds(60));

    let later = named(&world, &alice(&world, &provider), "build-7", &wish()).await;
    let bob = token_with(&world, &provider, &json!({"email": "bob@example.com"}));
    let bobs = named(
        &world,
        &bob,
        "build-7",
        &json!({"sub": "bob@example.com", "teams": [], "scopes": {"permissions": ["tools.read"]}}),
    )
    .await;

    assert_eq!((first.status.as_u16(), later.status.as_u16(), bobs.status.as_u16()), (201, 201, 201));
    assert_eq!(first.json()["access_token"], later.json()["access_token"]);
    assert_ne!(first.json()["token"]["jti"], bobs.json()["token"]["jti"]);
    let other =
        named(&world, &alice(&world, &provider), "build-7", &json!({"sub": "alice@example.com", "teams": []})).await;
    assert_eq!(code(&other), (422, "idempotency_key_reused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_person_that_is_not_let_in_is_recorded_once_a_minute_and_never_with_its_token() {
    let (world, provider) = office().await;
    let claims = provider.claims(now(&world));
    let id_token = provider.sign(&json!({"typ": "JWT", "alg": "EdDSA", "kid": "k1"}), &claims);
    let with = |members: Value| token_with(&world, &provider, &members);
    let refused = [
        ("not_an_access_token", "it is an ID token, or another", id_token),
        ("client_id_missing", "it has no client_id, which RFC 9068", with(json!({"client_id": null}))),
        ("jti_missing", "it has no jti, which RFC 9068", with(json!({"jti": null}))),
        ("other_audience", "it is not meant for this catalog", with(json!({"aud": "cli"}))),
        ("email_unverified", "its address is not verified", with(json!({"email_verified": false}))),
        ("email_unusable", "it has no usable address", with(json!({"email": null}))),
        ("other_domain", "its provider does not speak for", with(json!({"email": "alice@example.net"}))),
    ];

    for (_, why, token) in &refused {
        for _ in 0..3 {
            let reply = world.post("/tokens", token, wish()).await;
            assert_eq!(code(&reply), (401, "credential_invalid".to_owned()));
            assert!(reply.header("www-authenticate").contains("invalid_token"));
            let told = format!("the presented token of {} is not taken: {why}", provider.issuer);
            assert!(reply.json()["detail"].as_str().unwrap().starts_with(&told), "{reply:?}");
        }
    }
    world.clock.advance(TimeDelta::minutes(1));
    world.catalog.record_denials().await.unwrap();

    let events = of_kind(&world, "login.refused.v1").await;
    let mut told: Vec<(&str, u64)> = events
        .iter()
        .map(|event| (event["data"]["rule"].as_str().unwrap(), event["data"]["count"].as_u64().unwrap()))
        .collect();
    told.sort_unstable();
    let mut expected: Vec<(&str, u64)> = refused.iter().flat_map(|(rule, ..)| [(*rule, 1), (*rule, 2)]).collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert!(
        events
            .iter()
            .all(|event| event["actor"] == json!({"kind": "person", "issuer": provider.issuer, "sub": "248289761001"}))
    );
    let log = Value::from(world.events(&world.admin().await).await).to_string();
    assert!(refused.iter().all(|(.., token)| !log.contains(token.rsplit('.').next().unwrap())));
    assert!(of_kind(&world, "person.seen.v1").await.is_empty(), "nobody was let in");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_leaves_out_is_for_its_policy_to_allow() {
    let (world, provider) = office().await;
    let azp = token_with(&world, &provider, &json!({"client_id": null, "azp": "cli"}));
    assert_eq!(world.get("/whoami", &azp).await.status, 401);

    let audience = "audience = ";
    let lenient = provider.policy().replace(audience, &format!("optional_claims = [\"client_id\"]\n{audience}"));
    apply(&world, &lenient).await;

    assert_eq!(world.get("/whoami", &azp).await.status, 200);
    let neither = token_with(&world, &provider, &json!({"client_id": null, "jti": null}));
    assert_eq!(world.get("/whoami", &neither).await.status, 401);
    let policy = &of_kind(&world, "policy.applied.v1").await[2]["data"]["trusted_issuers"][0];
    assert_eq!(policy["optional_claims"], json!(["client_id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_could_have_written_is_refused_and_fills_no_log() {
    let (world, provider) = office().await;
    let (other, claims) = (Provider::new().await, provider.claims(now(&world)));
    let header = |alg: &str| json!({"typ": "at+jwt", "alg": alg, "kid": "k1"});
    let mut critical = header("EdDSA");
    critical["crit"] = json!(["b64"]);
    let mut twice = provider.token(&claims);
    twice.push('A');
    let forged = [
        other.token(&claims),
        provider.sign(&header("none"), &claims),
        provider.sign(&header("HS256"), &claims),
        provider.sign(&critical, &claims),
        token_with(&world, &provider, &json!({"iss": other.issuer})),
        token_with(&world, &provider, &json!({"iss": format!("{}/", provider.issuer)})),
        twice,
    ];
    let out_of_time = [
        token_with(&world, &provider, &json!({"exp": now(&world)})),
        token_with(&world, &provider, &json!({"nbf": now(&world) + 60})),
    ];
    let nobodys = world.get("/whoami", "nobody's").await.json();

    for token in &forged {
        let reply = world.get("/whoami", token).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (401, nobodys.clone()), "no word of who is trusted: {token}");
    }
    for (token, why) in out_of_time.iter().zip(["it is expired", "its time has not come"]) {
        let reply = world.get("/whoami", token).await;
        assert_eq!(code(&reply), (401, "credential_invalid".to_owned()));
        let told = format!("the presented token of {} is not taken: {why}", provider.issuer);
        assert_eq!(reply.json()["detail"], json!(told), "whoever has it can read that in it");
    }

    assert!(of_kind(&world, "login.refused.v1").await.is_empty());
    assert_eq!(other.asked(), 0, "whoever is not trusted is not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diagnostics_and_the_shell_say_whose_token_is_not_taken_and_why() {
    let (site, provider) = (Site::new().await, Provider::new().await);
    site.admin();
    let policy = site.data().join("policy.toml");
    std::fs::write(&policy, provider.policy()).unwrap();
    site.cli(&["policy", "apply", policy.to_str().unwrap()]).good();
    let server = site.serve().await;
    let mut claims = provider.claims(0);
    let id_token = provider.sign(&json!({"typ": "JWT", "alg": "EdDSA", "kid": "k1"}), &claims);
    let forged = provider.sign(&json!({"typ": "at+jwt", "alg": "none", "kid": "k1"}), &claims);
    claims["iss"] = json!(format!("{}/\u{1b}[2J", provider.issuer));
    let foreign = provider.token(&claims);

    for token in [&id_token, &forged, &foreign] {
        assert_eq!(server.client.get("/whoami", token).await.status, 401);
    }
    let mut fresh = provider.claims(chrono::Utc::now().timestamp());
    let fresh_id_token = provider.sign(&json!({"typ": "JWT", "alg": "EdDSA", "kid": "k1"}), &fresh);
    fresh["aud"] = json!("somebody else");
    let for_another = provider.token(&fresh);
    let at_the_shell =
        |token: &str| site.with("CATALOG_URL", &server.client.url).with("CATALOG_TOKEN", token).cli(&["whoami"]).bad(2);
    let shown = at_the_shell(&fresh_id_token);
    assert!(
        shown.contains(&format!("error: the presented token of {} is not taken: it is an ID token", provider.issuer))
    );
    assert!(shown.contains("hint: the token in CATALOG_TOKEN is an ID token, or another"), "{shown}");
    assert!(shown.contains("present the access token of the same login"), "{shown}");
    let shown = at_the_shell(&for_another);
    assert!(shown.contains("is not taken: it is not meant for this catalog"), "{shown}");
    assert!(shown.contains(&format!("hint: the token in CATALOG_TOKEN is an access token of {}", provider.issuer)));

    let said = server.stop().await;
    for part in [
        format!("a provider's token is not taken issuer={} why=it is an ID token", provider.issuer),
        format!("a provider's token is not taken issuer={} why=its algorithm is not taken", provider.issuer),
        format!("a token of an issuer that is not trusted is not taken issuer=\"{}/\u{fffd}[2J\"", provider.issuer),
    ] {
        assert!(said.contains(&part), "{part} is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_trusted_any_more_vouches_for_nobody() {
    let (world, provider) = office().await;
    let alice = alice(&world, &provider);
    let there = world.another_process().await;
    assert_eq!(world.post("/tokens", &alice, wish()).await.status, 201);
    assert_eq!(there.post("/tokens", &alice, wish()).await.status, 201);

    apply(&world, "").await;

    assert_eq!(world.post("/tokens", &alice, wish()).await.status, 401);
    // The other process has not heard of it, and what it decides is decided by the log.
    assert_eq!(there.post("/tokens", &alice, wish()).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_no_identity_provider_of_its_own() {
    let world = World::new().await;
    let provider = Provider::new().await;
    let own = format!("issuer = \"{}\"", provider.issuer);
    for spelling in ["https://catalog.example.com", "https://catalog.example.com/", "https://Catalog.Example.com:443"] {
        let text = provider.policy().replace(&own, &format!("issuer = \"{spelling}\""));
        let command = ApplyPolicy { rules: policy_file::parse(&text).unwrap(), text };

        let refused = world.catalog.apply_policy(command, shell(Path::CliAdmin)).await.unwrap_err().to_string();

        let expected = format!("trusted_issuer.issuer '{spelling}' is this catalog's own");
        assert!(refused.contains(&expected), "{refused}");
    }
    assert_eq!(of_kind(&world, "policy.applied.v1").await.len(), 1, "the one that it began with");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_uses_the_other_routes_as_far_as_its_permissions_go() {
    let (world, provider) = office().await;
    let alice = alice(&world, &provider);
    let jti = world.post("/tokens", &alice, wish()).await.json()["token"]["jti"].as_str().unwrap().to_owned();
    let revoker = token_with(&world, &provider, &json!({"roles": ["revoker"]}));

    assert_eq!(world.get("/tokens", &alice).await.json()["tokens"].as_array().unwrap().len(), 1);
    assert_eq!(world.get(&format!("/tokens/{jti}"), &alice).await.status, 200);
    assert_eq!(code(&world.get("/audit/events", &alice).await), (403, "permission_missing".to_owned()));
    assert_eq!(world.introspect("x", &alice).await.status, 401);
    assert_eq!(world.delete(&format!("/tokens/{jti}"), &revoker, Value::Null).await.status, 204);
    let ends = of_kind(&world, "token.revoked.v1").await;
    assert_eq!(ends[0]["actor"]["kind"], "person");
    world.verify().await;
}
