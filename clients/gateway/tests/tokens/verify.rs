//! Strict verification.

use catalog_gateway::{
    Now,
    jwt::{Invalid, KeySet, Rules, Secret},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::catalog::{JTI, Key, claims, rules};

struct Stage {
    key: Key,
    keys: KeySet,
    now: DateTime<Utc>,
}

impl Stage {
    fn new() -> Self {
        let key = Key::new("one");
        let keys = KeySet::of_jwks(json!({ "keys": [key.jwk()] }).to_string().as_bytes()).unwrap();
        Self { key, keys, now: Now::read().wall() }
    }

    fn verdict(&self, token: &str) -> Result<(), Invalid> {
        rules().verify(token, &self.keys, self.now).map(|_| ())
    }

    fn of(&self, change: impl FnOnce(&mut Value)) -> Result<(), Invalid> {
        let mut claims = claims();
        change(&mut claims);
        self.verdict(&self.key.token(&claims))
    }
}

#[test]
fn a_good_token_says_what_was_signed() {
    let stage = Stage::new();
    let claims = claims();

    let verified = rules().verify(&stage.key.token(&claims), &stage.keys, stage.now).unwrap();

    assert_eq!(serde_json::to_value(&verified.claims).unwrap(), claims);
    assert_eq!((verified.kid.as_str(), verified.claims.jti.to_string().as_str()), ("one", JTI));
    assert!(verified.claims.permits("tools.read") && verified.claims.permits("servers.use"));
    assert!(!verified.claims.permits("tools.write") && !verified.claims.permits("servers"));
}

#[test]
fn a_token_is_three_parts_of_ascii_of_8192_bytes_at_most() {
    let stage = Stage::new();
    let token = stage.key.token(&claims());

    for lie in ["", ".", "..", "a.b", &format!("{token}."), &format!(".{token}"), &format!("{token}.a")] {
        assert_eq!(stage.verdict(lie), Err(Invalid::Parts), "{lie}");
    }
    assert_eq!(stage.verdict(&format!("{token}é")), Err(Invalid::NotAscii));
    assert_eq!(stage.verdict(&"A".repeat(8_192)), Err(Invalid::Parts));
    assert_eq!(stage.verdict(&"A".repeat(8_193)), Err(Invalid::TooLong { bytes: 8_193 }));
}

#[test]
fn a_header_names_a_known_key_and_its_algorithm_and_nothing_else() {
    let stage = Stage::new();
    let with = |name: &str, value: Value| {
        let mut header = stage.key.header();
        header[name] = value;
        stage.verdict(&stage.key.sign(&header.to_string(), &claims().to_string()))
    };

    assert_eq!(with("typ", json!("application/AT+JWT")), Ok(()));
    assert_eq!(with("typ", json!("JWT")), Err(Invalid::Typ));
    assert_eq!(with("kid", json!("two")), Err(Invalid::UnknownKey));
    for alg in ["ES256", "RS256", "HS256"] {
        assert_eq!(with("alg", json!(alg)), Err(Invalid::Algorithm), "{alg}");
    }
    for (name, value) in
        [("alg", json!("none")), ("jku", json!("https://evil.example")), ("crit", json!([])), ("kid", json!(1))]
    {
        assert_eq!(with(name, value), Err(Invalid::Header), "{name}");
    }
    let twice = stage.key.header().to_string().replacen('{', "{\"kid\":\"one\",", 1);
    assert_eq!(stage.verdict(&stage.key.sign(&twice, &claims().to_string())), Err(Invalid::Header));
    let list = stage.verdict(&stage.key.sign(r#"["at+jwt","EdDSA","one"]"#, &claims().to_string()));
    assert_eq!(list, Err(Invalid::Header));
}

#[test]
fn a_signature_is_that_of_the_key_in_its_one_spelling() {
    let stage = Stage::new();
    let token = stage.key.token(&claims());
    let (input, signature) = token.rsplit_once('.').unwrap();

    assert_eq!(stage.verdict(&Key::new("one").token(&claims())), Err(Invalid::Signature));
    assert_eq!(stage.verdict(&format!("{input}.{signature}=")), Err(Invalid::SignatureEncoding));
    assert_eq!(stage.verdict(&format!("{input}.AAAA")), Err(Invalid::Signature));
}

#[test]
fn claims_are_those_that_the_catalog_writes() {
    let stage = Stage::new();

    for name in claims().as_object().unwrap().keys().filter(|name| !["scope", "env"].contains(&name.as_str())) {
        let missing = stage.of(|claims| _ = claims.as_object_mut().unwrap().remove(name));
        assert_eq!(missing, Err(Invalid::Claims), "no {name}");
    }
    assert_eq!(stage.of(|claims| claims["teams"] = Value::Null), Ok(()));
    for (pointer, value) in [
        ("/nbf", json!(0)),
        ("/sub", json!("")),
        ("/sub", json!("a\u{202e}b")),
        ("/jti", json!(JTI.to_uppercase())),
        ("/aud", json!("gateway")),
        ("/exp", json!(4_000_000_000.5)),
        ("/token_use", json!({"api": null})),
        ("/env", Value::Null),
        ("/user/is_admin", json!("false")),
        ("/user/more", json!(1)),
        ("/scopes/permissions", json!(["Tools"])),
        ("/scopes/ip_restrictions", json!(["10.0.0.1/8"])),
        ("/scopes/time_restrictions", json!({"start_time": "09:00"})),
        ("/scopes/usage_limits", json!({"requests_per_day": 0})),
    ] {
        let (object, name) = pointer.rsplit_once('/').unwrap();
        let verdict = stage.of(|claims| claims.pointer_mut(object).unwrap()[name] = value.clone());
        assert_eq!(verdict, Err(Invalid::Claims), "{pointer} {value}");
    }
    let twice = claims().to_string().replacen('{', "{\"sub\":\"mallory\",", 1);
    assert_eq!(stage.verdict(&stage.key.sign(&stage.key.header().to_string(), &twice)), Err(Invalid::Claims));
    assert_eq!(
        stage.of(|claims| claims["iss"] = json!("https://evil.example")),
        Err(Invalid::Issuer { named: "https://evil.example".to_owned() })
    );
    assert_eq!(stage.of(|claims| claims["aud"] = json!(["other"])), Err(Invalid::Audience));
    assert_eq!(stage.of(|claims| claims["aud"] = json!([])), Err(Invalid::Audience));
    assert_eq!(stage.of(|claims| claims["client_id"] = json!("shop")), Err(Invalid::ClientId));
}

#[test]
fn a_token_is_good_up_to_the_second_before_exp_and_from_five_seconds_before_iat() {
    let stage = Stage::new();
    let now = stage.now.timestamp();
    let times = |iat: i64, exp: i64| stage.of(|claims| (claims["iat"], claims["exp"]) = (json!(iat), json!(exp)));

    assert_eq!(times(now, now + 1), Ok(()));
    assert!(matches!(times(now - 9, now), Err(Invalid::Expired { exp, .. }) if exp == now));
    assert_eq!(times(now + 5, now + 9), Ok(()));
    assert_eq!(times(now + 6, now + 9), Err(Invalid::IssuedInFuture { iat: now + 6 }));
}

#[test]
fn a_shared_secret_is_long_and_shows_itself_nowhere() {
    let short = Secret::new(&"x".repeat(31).into());
    let long = Secret::new(&"kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8".into()).unwrap();

    assert_eq!(short.unwrap_err().bytes, 31);
    // As the catalog calls it.
    assert!(format!("{long:?}").contains("0fhayYsP7m5OjRPil2Nz9Q") && !format!("{long:?}").contains("kR7v"));
}

#[test]
fn a_jwk_set_gives_sound_keys_for_signatures_and_no_others() {
    let key = Key::new("one");
    let verdict = |jwk: Value| {
        let keys = KeySet::of_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        let Rules { .. } = rules();
        rules().verify(&key.token(&claims()), &keys, Now::read().wall()).map(|_| ())
    };
    let with = |name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        verdict(jwk)
    };

    assert_eq!(with("more", json!(1)), Ok(()));
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("ES256")),
        ("alg", json!("none")),
        ("crv", json!("X25519")),
        ("kty", json!("oct")),
        ("x", json!("AAAA")),
        ("x", json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        assert_eq!(with(name, value.clone()), Err(Invalid::UnknownKey), "{name} {value}");
    }
    let twice = json!({ "keys": [key.jwk(), key.jwk()] }).to_string();
    assert!(KeySet::of_jwks(twice.as_bytes()).is_err() && KeySet::of_jwks(b"{}").is_err());
}
