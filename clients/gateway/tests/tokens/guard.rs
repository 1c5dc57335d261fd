//! The layer in front of a service.

use axum::{
    Extension, Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
    routing::get,
};
use catalog_gateway::{
    RevocationSet,
    admission::Denied,
    confirm::Confirmer,
    jwt::{Verified, Verifier},
    tower::{Guard, Refusal},
    wire::Item,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::catalog::{Catalog, JTI, Key, free as claims, rules, set, set_of};

async fn sub(Extension(verified): Extension<Verified>) -> String {
    verified.claims.sub
}

/// Status, challenge and body of the answer to a request with these credentials.
async fn ask(guard: Guard, credentials: &[&str]) -> (u16, Option<String>, String) {
    let router = Router::new().route("/", get(sub)).layer(guard);
    let mut request = Request::get("/");
    for credential in credentials {
        request = request.header(header::AUTHORIZATION, *credential);
    }
    let response: Response<Body> = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let challenge = parts.headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(body, 65_536).await.unwrap();
    if parts.status != StatusCode::OK {
        assert_eq!(parts.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    (parts.status.as_u16(), challenge, String::from_utf8(body.to_vec()).unwrap())
}

const STALENESS_MAX: std::time::Duration = std::time::Duration::from_secs(5);

async fn guard(key: &Key, set: RevocationSet) -> (Catalog, Guard) {
    let catalog = Catalog::with_keys(&[key]).await;
    let guard = Guard::new(Verifier::new(catalog.client.clone(), rules()), set).named("edge \"one\"");
    (catalog, guard)
}

fn code(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_good_token_passes_with_its_claims() {
    let key = Key::new("one");
    let (_catalog, guard) = guard(&key, set(&[])).await;

    for scheme in ["Bearer", "bearer", "BEARER  "] {
        let credential = format!("{scheme} {}", key.token(&claims()));
        assert_eq!(ask(guard.clone(), &[&credential]).await, (200, None, "alice@example.com".to_owned()));
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_answered_401_and_why_is_not_said() {
    let key = Key::new("one");
    let (_catalog, guard) = guard(&key, set(&[JTI])).await;
    let (good, stranger) =
        (format!("Bearer {}", key.token(&claims())), format!("Bearer {}", Key::new("one").token(&claims())));
    let missing = Some("Bearer realm=\"edge one\"".to_owned());
    let invalid = Some("Bearer realm=\"edge one\", error=\"invalid_token\"".to_owned());

    let mut bodies = Vec::new();
    for credentials in [&[&*good][..], &[&stranger], &["Bearer "], &["Bearer x"], &[&good, &good]] {
        let (status, challenge, body) = ask(guard.clone(), credentials).await;
        assert_eq!(
            (status, &challenge, code(&body).as_str()),
            (401, &invalid, "credential_invalid"),
            "{credentials:?}"
        );
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    for credentials in [&[][..], &["Basic Og=="], &["Bearer"]] {
        let (status, challenge, body) = ask(guard.clone(), credentials).await;
        assert_eq!(
            (status, &challenge, code(&body).as_str()),
            (401, &missing, "credential_missing"),
            "{credentials:?}"
        );
    }
}

#[tokio::test]
async fn a_permission_is_asked_for_where_one_is_needed() {
    let key = Key::new("one");
    let (_catalog, guard) = guard(&key, set(&[])).await;
    let good = format!("Bearer {}", key.token(&claims()));
    let mut nothing_named = claims();
    nothing_named["scopes"]["permissions"] = json!([]);
    let nothing_named = format!("Bearer {}", key.token(&nothing_named));

    assert_eq!(ask(guard.clone().requiring("servers.use"), &[&good]).await.0, 200);
    for (permission, credential) in [("tools.write", &good), ("tools.read", &nothing_named)] {
        let (status, challenge, body) = ask(guard.clone().requiring(permission), &[credential]).await;
        let expected = format!("Bearer realm=\"edge one\", error=\"insufficient_scope\", scope=\"{permission}\"");
        assert_eq!((status, challenge, code(&body).as_str()), (403, Some(expected), "permission_missing"));
    }
}

#[tokio::test]
async fn what_nobody_can_tell_is_answered_503() {
    let key = Key::new("one");
    let good = format!("Bearer {}", key.token(&claims()));
    let (_catalog, stale) = guard(&key, RevocationSet::new(STALENESS_MAX)).await;
    let (catalog, keyless) = guard(&key, set(&[])).await;
    catalog.served().is_down = true;

    for guard in [stale, keyless] {
        let (status, challenge, body) = ask(guard, &[&good]).await;
        assert_eq!((status, challenge, code(&body).as_str()), (503, None, "unavailable"));
    }
}

#[tokio::test]
async fn where_the_catalog_confirms_only_what_it_issued_passes() {
    let key = Key::new("one");
    let (catalog, guard) = guard(&key, set(&[])).await;
    let guard = guard.confirmed_by(Confirmer::new(catalog.client.clone()));
    let token = key.token(&claims());
    let credential = format!("Bearer {token}");

    assert_eq!(ask(guard.clone(), &[&credential]).await.0, 401);
    catalog.served().active.push(token);
    assert_eq!(ask(guard.clone(), &[&credential]).await.0, 200);
    // It was told once, and that is remembered.
    catalog.served().active.clear();
    assert_eq!(ask(guard, &[&credential]).await.0, 200);
}

/// The code that a guard answers about this token.
async fn told(guard: Guard, token: &str) -> String {
    let (status, _, body) = ask(guard, &[&format!("Bearer {token}")]).await;
    if status == 200 { "passes".to_owned() } else { code(&body) }
}

#[tokio::test]
async fn what_a_guard_is_not_told_it_takes_for_unknown_and_lets_nothing_pass_that_is_bound_to_it() {
    let key = Key::new("one");
    let (_catalog, guard) = guard(&key, set(&[])).await;
    let bound_to = |member: &str, value: Value| {
        let mut claims = claims();
        claims["scopes"][member] = value;
        key.token(&claims)
    };
    let server = bound_to("server_id", json!("one"));
    let address = bound_to("ip_restrictions", json!(["10.0.0.0/8"]));
    let never = bound_to("time_restrictions", json!({"start_time": "09:00", "end_time": "09:00"}));

    assert_eq!(told(guard.clone(), &server).await, "server_mismatch");
    assert_eq!(told(guard.clone().of_server("two"), &server).await, "server_mismatch");
    assert_eq!(told(guard.clone().of_server("one"), &server).await, "passes");
    assert_eq!(told(guard.clone(), &address).await, "address_not_allowed");
    let peer = |address: &'static str| -> std::net::IpAddr { address.parse().unwrap() };
    let headers = |token: &str| {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers.insert("x-forwarded-for", "10.0.0.7".parse().unwrap());
        headers
    };
    let denied = Err(Refusal::Denied(Denied::Address));
    let behind = guard.clone().behind("192.0.2.0/24".parse().unwrap());
    for (guard, from, expected) in [
        (&guard, "10.255.0.1", Ok(())),
        (&guard, "192.0.2.1", denied),
        (&behind, "192.0.2.1", Ok(())),
        (&behind, "198.51.100.1", denied),
    ] {
        let admitted = guard.admit_from(Some(peer(from)), &headers(&address)).await.map(drop);
        assert_eq!(admitted, expected, "{from}");
    }
    assert_eq!(told(guard, &never).await, "time_not_allowed");
}

#[tokio::test]
async fn how_a_token_was_issued_only_the_catalog_can_say() {
    let key = Key::new("one");
    let (catalog, guard) = guard(&key, set(&[])).await;
    let token = key.token(&claims());
    catalog.served().active.push(token.clone());
    let confirmed = guard.clone().confirmed_by(Confirmer::new(catalog.client.clone()));

    // This catalog says that it came from a shell.
    assert_eq!(told(confirmed.clone(), &token).await, "passes");
    assert_eq!(told(confirmed.refusing_out_of_band(), &token).await, "issued_out_of_band");
    assert_eq!(told(guard.refusing_out_of_band(), &token).await, "unavailable", "nobody was asked");
}

#[tokio::test]
async fn of_what_a_key_signed_that_was_given_up_only_the_spared_passes_though_the_key_is_published_no_more() {
    const OTHER: &str = "0197f3a0-5b1c-7c3e-8d4f-0123456789ac";
    let (key, thief, next) = (Key::new("one"), Key::new("one"), Key::new("two"));
    let items = [
        Item::Spared { jti: JTI.parse().unwrap(), exp: 4_000_000_000 },
        Item::KeyCompromised { kid: "one".to_owned() },
    ];
    let catalog = Catalog::with_keys(&[&key]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());
    let before = Guard::new(verifier.clone(), set(&[]));
    let unheard = Guard::new(verifier.clone(), RevocationSet::new(STALENESS_MAX));
    let after = Guard::new(verifier, set_of(items.clone()));
    let confirmed = after.clone().confirmed_by(Confirmer::new(catalog.client.clone()));
    let mut others = claims();
    others["jti"] = OTHER.into();
    let (spared, over) = (key.token(&claims()), key.token(&others));
    assert_eq!(
        (told(before.clone(), &spared).await, told(before.clone(), &over).await),
        ("passes".into(), "passes".into())
    );

    catalog.served().keys = vec![next.jwk(), Key::new("three").jwk()];
    super::jwks::pass(5).await;
    assert_eq!(told(before.clone(), &next.token(&others)).await, "passes", "the keys are known as they are now");

    assert_eq!(told(confirmed.clone(), &spared).await, "credential_invalid", "the catalog did not issue it so");
    catalog.served().active.push(spared.clone());
    assert_eq!(told(confirmed.clone(), &spared).await, "passes");
    let mut elsewhere = claims();
    elsewhere["aud"] = json!(["other"]);
    for token in [&over, &thief.token(&claims()), &thief.token(&others), &key.token(&elsewhere)] {
        assert_eq!(told(confirmed.clone(), token).await, "credential_invalid");
    }
    assert_eq!(told(after.clone(), &over).await, "credential_invalid");
    // Whoever has the key could have written its claims.
    assert_ne!(told(after, &spared).await, "passes");
    // A set that does not know of the key believes nobody on its account.
    assert_ne!(told(before.clone(), &spared).await, "passes");
    super::jwks::pass(5).await;
    assert_eq!(told(before, &spared).await, "credential_invalid");
    // One that has not heard of it cannot tell, whether or not it has seen the key.
    let begins = Guard::new(Verifier::new(catalog.client.clone(), rules()), RevocationSet::new(STALENESS_MAX));
    let begins_confirmed = begins.clone().confirmed_by(Confirmer::new(catalog.client.clone()));
    for guard in [unheard, begins, begins_confirmed] {
        for _ in 0..2 {
            super::jwks::pass(5).await;
            assert_eq!(told(guard.clone(), &spared).await, "unavailable");
        }
    }
    // Whoever never saw the key takes the catalog's word for the whole token, and for no other text with the same claims.
    let late = Guard::new(Verifier::new(catalog.client.clone(), rules()), set_of(items));
    assert_ne!(told(late.clone(), &spared).await, "passes", "nobody is asked");
    let late = late.confirmed_by(Confirmer::new(catalog.client.clone()));
    catalog.served().active.push(key.token(&elsewhere));
    for _ in 0..2 {
        assert_eq!(told(late.clone(), &spared).await, "passes");
        for token in [&over, &thief.token(&claims()), &thief.token(&others), &key.token(&elsewhere)] {
            assert_eq!(told(late.clone(), token).await, "credential_invalid");
        }
    }
}
