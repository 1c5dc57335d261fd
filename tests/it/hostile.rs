//! Tokens that lie, at every place that takes a token: never taken, never a 5xx, the same bytes for all of them, and
//! evidence exactly where one of the catalog's own keys signed.

mod claims;
mod forger;
mod headers;
mod signatures;
mod stage;

use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use catalog::{
    domain::{ambient::Clock, claims::decode_part, key::Algorithm},
    http::connections::{self, Patience},
    signing::Keyring,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::support::world::plain;
use forger::base64url;
use stage::{INACTIVE, Lie, Stage, assert_refused, digest};

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_about_key_algorithm_or_signature_is_taken_anywhere_whatever_the_algorithm() {
    let stage = Stage::of_every_algorithm().await;
    assert_eq!(stage.forgers.len(), Algorithm::ALL.len());
    let payload = || stage.claims().to_string();
    let mut lies = signatures::no_tokens(&stage.forgers[0], payload);
    for forger in &stage.forgers {
        let others = stage.forgers.iter().filter(|other| other.kid != forger.kid);
        let never_issued = forger.token(&forger.header(), &payload());
        lies.push(Lie::evidence(format!("{} nothing but never issued", forger.alg), never_issued));
        lies.extend(headers::lies(forger, payload));
        lies.extend(signatures::lies(forger, others, payload));
    }

    stage.withstands(lies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_in_well_signed_claims_is_taken_anywhere() {
    let stage = Stage::new().await;

    stage.withstands(claims::lies(&stage.forgers[0], || stage.claims())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gateways_link_takes_no_lie_that_the_catalog_itself_would_not_take_for_its_own() {
    let stage = Stage::new().await;
    let payload = || stage.claims().to_string();
    let forger = &stage.forgers[0];
    let mut lies = signatures::no_tokens(forger, payload);
    lies.extend(headers::lies(forger, payload));
    lies.extend(signatures::lies(forger, std::iter::empty(), payload));
    lies.extend(claims::lies(forger, || stage.claims()));
    let jwks = stage.world.get("/.well-known/jwks.json", "").await.text;
    let keys = catalog_gateway::jwt::KeySet::of_jwks(jwks.as_bytes()).unwrap();
    let (issuer, audience) = ("https://catalog.example.com".to_owned(), "gateway".to_owned());
    let rules = catalog_gateway::jwt::Rules { issuer, audience };
    let records = stage.world.catalog.live().settings.keys.clone();
    let server = Keyring::open(&stage.world.keys()).unwrap().verifier(&records).unwrap();
    let now = stage.world.clock.now();
    // No gateway of ours has the list of time zones.
    let is_of_zones = |lie: &&Lie| lie.what().contains("timezone");

    let mut taken = Vec::new();
    for lie in lies.iter().filter(|lie| !is_of_zones(lie)) {
        let ours = server.verify(lie.token(), &rules.issuer.parse().unwrap(), now);
        let ours = ours.is_ok_and(|verified| verified.is_for(&rules.audience));
        let theirs = rules.verify(lie.token(), &keys, now).is_ok();
        assert_eq!(theirs, ours, "{}", lie.what());
        taken.extend(theirs.then(|| lie.what()));
    }

    assert!(lies.len() > 500 && taken.len() < 40, "{} lies, taken: {taken:?}", lies.len());
    assert!(rules.verify(&stage.genuine, &keys, now).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_well_signed_token_is_evidence_until_the_second_before_its_exp_and_never_good() {
    let stage = Stage::new().await;
    let now = stage.now();
    let of = |iat: &str, exp: &str| {
        let claims = stage.claims();
        let written = |(name, value): (&String, &Value)| match name.as_str() {
            "iat" => format!("\"iat\":{iat}"),
            "exp" => format!("\"exp\":{exp}"),
            name => format!("\"{name}\":{value}"),
        };
        let members: Vec<String> = claims.as_object().unwrap().iter().map(written).collect();
        stage.forgers[0].token(&stage.forgers[0].header(), &format!("{{{}}}", members.join(",")))
    };
    let at = |ahead: i64| (now + ahead).to_string();

    let mut lies = Vec::new();
    for over in [at(0), at(-1), "0".to_owned(), "-1".to_owned(), i64::MIN.to_string()] {
        lies.push(Lie::noise(format!("exp {over}"), of(&at(-60), &over)));
    }
    for (iat, exp) in [
        (at(-60), at(1)),
        (at(0), at(1)),
        (at(5), at(3_600)),
        (at(6), at(3_600)),
        (at(5), at(1)),
        (at(86_400), at(1)),
        (at(0), i64::MAX.to_string()),
        (i64::MAX.to_string(), at(1)),
        (i64::MIN.to_string(), at(1)),
        (at(0), format!("{}.0", now + 3_600)),
        (at(0), format!("{}.5", now + 3_600)),
        (at(0), "1e30".to_owned()),
        (at(0), "9223372036854775808".to_owned()),
        (at(0), format!("\"{}\"", now + 3_600)),
        ("1e30".to_owned(), at(3_600)),
        (format!("{now}.0"), at(3_600)),
    ] {
        lies.push(Lie::evidence(format!("iat {iat}, exp {exp}"), of(&iat, &exp)));
    }

    stage.withstands(lies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_is_seen_who_does_not_know_how_our_tokens_look() {
    let stage = Stage::new().await;
    let forger = &stage.forgers[0];
    let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, forger.kid);
    let of_a_library = forger.token(&header, r#"{"sub":"root","exp":4102444800}"#);
    let mut claims: Value = decode_part(stage.genuine.split('.').nth(1).unwrap()).unwrap();
    claims["role"] = json!("admin");
    let more_than_issued = forger.token(&forger.header(), &claims.to_string());

    assert_refused(&stage.as_bearer(&of_a_library).await.unwrap(), "a library's token");
    stage.until_recorded(1).await;
    assert_eq!(stage.introspected(&more_than_issued).await.text, INACTIVE);
    stage.until_recorded(2).await;

    let log = stage.world.events(&stage.admin).await;
    let [first, second] = &log[log.len() - 2..] else { panic!("two events") };
    let seen = |what: &str, token: &str| json!({"what": what, "kid": forger.kid, "claims_digest": digest(token)});
    let mut more = seen("other_claims", &more_than_issued);
    more["jti"] = claims["jti"].clone();
    assert_eq!((&first["jti"], &first["data"]), (&Value::Null, &seen("never_issued", &of_a_library)));
    assert_eq!(first["actor"], json!({"kind": "anonymous"}));
    assert_eq!((&second["jti"], &second["data"]), (&claims["jti"], &more));
    assert_eq!(second["actor"]["sub"], "root@localhost");
    assert_eq!(stage.introspected(&stage.genuine).await.json()["active"], true);
    stage.world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issued_token_is_no_evidence_under_a_clock_that_is_behind() {
    let stage = Stage::new().await;
    stage.world.clock.advance(TimeDelta::seconds(10));
    let issued = stage.world.issue_dev(plain("alice@example.com")).await;

    stage.world.clock.advance(TimeDelta::seconds(-6));
    assert_eq!(stage.introspected(issued.signed.expose()).await.text, INACTIVE);
    stage.withstands(Vec::new()).await;

    assert_eq!(stage.introspected(issued.signed.expose()).await.json()["active"], true);
}

/// A well signed token of so many bytes, with white space in its claims.
fn of_length(stage: &Stage, length: usize) -> String {
    let (forger, claims) = (&stage.forgers[0], stage.claims().to_string());
    let padded = |spaces: usize| {
        let header = forger.header() + &" ".repeat(spaces);
        let room = length - base64url(&header).len() - base64url(forger.sign(b"")).len() - 2;
        let payload = format!("{claims}{}", " ".repeat(room * 3 / 4 - claims.len()));
        Some(forger.token(&header, &payload)).filter(|token| token.len() == length)
    };
    (0..3).find_map(padded).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_looked_at_up_to_8192_bytes_and_a_form_up_to_64_kibibytes() {
    let stage = Stage::new().await;
    let lie = |length| of_length(&stage, length);
    let mut lies = vec![Lie::evidence("8191 bytes".to_owned(), lie(8_191))];
    lies.push(Lie::evidence("8192 bytes".to_owned(), lie(8_192)));
    lies.extend([8_193, 16_384, 20_000].map(|length| Lie::noise(format!("{length} bytes"), lie(length))));

    for length in [65_537, 1_000_000] {
        let long = lie(length);
        for reply in [stage.introspected(&long).await, stage.revoked(&long).await] {
            assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (413, json!("body_too_large")));
        }
        assert_refused(&stage.as_bearer(&long).await.unwrap(), "a long one");
    }
    stage.withstands(lies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_any_length_on_the_wire_is_refused_and_the_server_goes_on() {
    let stage = Stage::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving = connections::serve(listener, stage.world.router.clone(), Patience::default(), stop.clone());
    let server = tokio::spawn(serving);
    let ask = async |path: &str, token: &str| {
        let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        let mut answer = Vec::new();
        // A server that has read enough answers and closes, which may cut off what is still being written or read.
        let _ = tokio::join!(write.write_all(request.as_bytes()), read.read_to_end(&mut answer));
        String::from_utf8(answer).unwrap()
    };

    for length in [8_192, 8_193, 100_000] {
        let answer = ask("/tokens", &of_length(&stage, length)).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{length}: {answer}");
    }
    for length in [1_000_000, 8_000_000] {
        let answer = ask("/tokens", &"A".repeat(length)).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{length}: {answer}");
    }
    let answer = ask("/tokens", &stage.admin).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_is_a_credential_in_one_header_of_one_form_and_nowhere_else() {
    let stage = Stage::new().await;
    let token = &stage.admin;
    let send_form = |method: &str, path: &str, credentials: &[String], form: String| {
        let mut request = Request::builder().method(method).uri(path);
        for credential in credentials {
            request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(credential.as_bytes()).unwrap());
        }
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        stage.world.raw(request.body(Body::from(form)).unwrap())
    };
    let in_form = format!("token={}&access_token={token}", stage.genuine);
    let send = |method: &str, path: &str, credentials: &[String]| send_form(method, path, credentials, in_form.clone());
    let one = |value: String| vec![value];
    let cases = [
        ("credential_missing", vec![]),
        ("credential_missing", one(String::new())),
        ("credential_missing", one("Bearer".to_owned())),
        ("credential_missing", one(token.clone())),
        ("credential_missing", one(format!("Bearer\t{token}"))),
        ("credential_missing", one(format!("Bearer:{token}"))),
        ("credential_missing", one(format!("BearerX {token}"))),
        ("basic_not_taken", one(format!("Basic {token}"))),
        ("credential_missing", one(format!("Token {token}"))),
        ("credential_missing", one(format!("DPoP {token}"))),
        ("credential_missing", one(format!("Digest username=\"{token}\""))),
        ("credential_invalid", one("Bearer ".to_owned())),
        ("credential_invalid", one(format!("Bearer {token} {token}"))),
        ("credential_invalid", one(format!("Bearer Bearer {token}"))),
        ("credential_invalid", one(format!("Bearer {token},"))),
        ("credential_invalid", one(format!("Bearer {token}, Bearer {token}"))),
        ("credential_invalid", one(format!("Bearer \"{token}\""))),
        ("credential_invalid", one(format!("Bearer token={token}"))),
        ("credential_invalid", one(format!("Bearer {token}="))),
        ("credential_invalid", one(format!("Bearer {token}\t"))),
        ("credential_invalid", one(format!("Bearer {token}\u{a0}"))),
        ("credential_invalid", vec![format!("Bearer {token}"), format!("Bearer {token}")]),
        ("credential_invalid", vec![format!("Bearer {token}"), "Basic Og==".to_owned()]),
        ("credential_invalid", vec!["Bearer nonsense".to_owned(), format!("Bearer {token}")]),
    ];

    for (code, credentials) in cases {
        let reply = send("GET", &format!("/tokens?access_token={token}"), &credentials).await;
        assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (401, json!(code)), "{credentials:?}");
        for path in ["/introspect", "/revoke"] {
            // RFC 7009: a revocation without a credential is its own.
            if path == "/revoke" && credentials.is_empty() {
                continue;
            }
            let reply = send("POST", path, &credentials).await;
            let answer = (reply.status.as_u16(), reply.json()["error"].clone());
            assert_eq!(answer, (401, json!("invalid_client")), "{path} {credentials:?}");
        }
    }
    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER   {token}  ")] {
        let form = format!("token={}", stage.genuine);
        assert_eq!(send_form("POST", "/introspect", &one(good.clone()), form).await.json()["active"], true);
        let twice = send("POST", "/introspect", &one(good)).await;
        assert_eq!((twice.status.as_u16(), twice.json()["error"].clone()), (400, json!("invalid_request")));
    }
}
