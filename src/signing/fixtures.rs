//! Keys made at run time, one set for all tests, and tokens as a thief of those keys could write them.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::{encoding::AsDer, rsa::KeySize, signature::RsaKeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Invalid, Keyring, SharedSecret, Verified, Verifier};
use crate::domain::{
    Position,
    claims::Claims,
    key::{Algorithm, KeyRecord},
    text::{Issuer, Kid},
};

pub(super) const STRONG_SECRET: &str = "uW8rT1xK5vN3qJ7zB2mC9sD4fG6hL0pA";
pub(super) const ISSUER: &str = "https://tokens.example";
pub(super) const JTI: &str = "0197f3a0-5b1c-7c3e-8d4f-0123456789ab";
/// The instant of every test: `iat` of the claims, an hour before their `exp`.
pub(super) const NOW: i64 = 1_800_000_000;

/// PKCS#8, base64. Made for these tests with `openssl genrsa 1024`: too short to protect anything.
pub(super) const RSA_1024: &str = "\
    MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBANFhb3WFXxn46ChVar8qwTQ5u2ZHJgpcKHkFtdYDwS8LNjRbIiwz\
    NU9Tss/4k+Vc2kQBgbbg/gf7nhJIg5+5CZKnNr+ROykMhf4sr7ISU4RTyPopkgcTi6bQU6dzGUvgsyJxkhqi0je08sAFNxnEj1gk\
    XGBxQE7Hvjdor8gJ2nmLAgMBAAECgYBcvW+E+kIZWupZkxvo+KMC4t9iefkbdZ5nnGPiG1+h2rFzlzoXocbnEAePnmbDnNEAdjpi\
    Kl3aY1SsfHnwcSEPiurN1hVHPGMYBo1g2lnde9wdwQpVGvikwdkLoUY+/M5eE+NQtilH6XLIwOQ/4+Wgxai6UCy9mwGyrdqbxb3Q\
    gQJBAOr7AzoxadC2ES7o21clmuVN1U5/uwLFg6q2nitDqpbUfjJ8Md5tYqnkcCSBJpM049JsBCKYaatyOsefcX6PqtECQQDkHDEq\
    zzZGwzj/R/2Sn3e4jA/2RMs5m8XavcJ17I6ryOLOgbVSQez4wk63bbuGiDyyFr3NjZAq30Ad3CZsln2bAkBVcCFTRmY4GgsTaF1g\
    SW8RkwRM/4pqzpA6QR4vkvHy155vEtM7EcC/Dy1rSH5TJfb0KowyXAKH8QfIT4P/xZMRAkBVhORCAnF80g/6VQkSAUsnGwuY7m2q\
    aWYh/eZ7w3YxnRy7AxHxhtnK4T4VssQNSeJHehMqjxovmIc3KqQVLc5lAkBYdw+gQliji57VClqj4FToXAFHaKFQOmBxjp/7rwE2\
    0mv82yBoWakP7QGk3RRej9IV8eZRtmq7cJ1yWKc4+t2j";

/// A keyring with a key for each algorithm.
pub(super) struct Bench {
    pub(super) keyring: Keyring,
    pub(super) eddsa: Kid,
    pub(super) es256: Kid,
    pub(super) rs256: Kid,
    pub(super) hs256: Kid,
}

impl Bench {
    pub(super) fn get() -> &'static Self {
        static BENCH: OnceLock<Bench> = OnceLock::new();
        BENCH.get_or_init(Self::new)
    }

    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let mut keyring = Keyring::open(&home.path().join("keys")).expect("a keyring");
        let [eddsa, es256, rs256] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
            .map(|alg| keyring.ensure_generated(alg).expect("a key"));
        let hs256 = keyring.add_secret(secret()).expect("a secret");
        Self { keyring, eddsa, es256, rs256, hs256 }
    }

    /// One RSA key of 2048 bits, PKCS#8.
    pub(super) fn rsa_pkcs8() -> Vec<u8> {
        static KEY: OnceLock<Vec<u8>> = OnceLock::new();
        let make = || RsaKeyPair::generate(KeySize::Rsa2048).expect("a key").as_der().expect("der").as_ref().to_vec();
        KEY.get_or_init(make).clone()
    }

    /// The keys as the log has them: `EdDSA`, ES256, RS256, HS256.
    pub(super) fn records(&self) -> Vec<KeyRecord> {
        [&self.eddsa, &self.es256, &self.rs256, &self.hs256].map(|kid| record(&self.keyring, kid)).to_vec()
    }

    pub(super) fn verifier(&self) -> Verifier {
        self.keyring.verifier(&self.records()).expect("a verifier")
    }

    /// `header.payload` of this text, signed with this key whatever it says.
    pub(super) fn forge(&self, kid: &Kid, header: &str, payload: &str) -> String {
        self.seal(kid, &format!("{}.{}", base64url(header), base64url(payload)))
    }

    /// Signs parts that are encoded already.
    pub(super) fn seal(&self, kid: &Kid, signing_input: &str) -> String {
        format!("{signing_input}.{}", base64url(self.keyring.sign_anything(kid, signing_input)))
    }

    /// A token with these claims and a proper header, signed with the `EdDSA` key.
    pub(super) fn token(&self, payload: &str) -> String {
        self.forge(&self.eddsa, &header("EdDSA", &self.eddsa), payload)
    }
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn secret() -> SharedSecret {
    SharedSecret::new(&SecretString::from(STRONG_SECRET)).expect("strong")
}

pub(super) fn record(keyring: &Keyring, kid: &Kid) -> KeyRecord {
    let facts = keyring.facts(kid).expect("a key of the keyring");
    KeyRecord {
        kid: facts.kid,
        alg: facts.alg,
        jwk: facts.jwk,
        dev: false,
        added: Position(1),
        added_at: DateTime::UNIX_EPOCH,
        activated: None,
        relieved: None,
        retired: None,
        compromise: None,
    }
}

pub(super) fn issuer() -> Issuer {
    Issuer::parse(ISSUER).expect("an issuer")
}

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("an instant")
}

pub(super) fn header(alg: &str, kid: &Kid) -> String {
    format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#)
}

/// Claims with every member that there is.
pub(super) fn payload() -> Value {
    json!({
        "iss": ISSUER, "aud": ["gateway", "other"], "sub": "alice@example.com", "client_id": "catalog", "jti": JTI,
        "iat": NOW, "exp": NOW + 3_600, "scope": "tools.read", "token_use": "api", "env": "production",
        "user": {"email": "alice@example.com", "full_name": "Alice", "is_admin": false, "auth_provider": "api_token"},
        "teams": ["red"], "namespaces": ["blue"],
        "scopes": {
            "server_id": "one", "permissions": ["tools.read"], "ip_restrictions": ["10.0.0.0/8"],
            "time_restrictions": {
                "business_hours_only": true, "weekdays_only": true, "start_time": "09:00", "end_time": "17:00",
                "timezone": "Europe/Zurich", "days": ["Monday"]
            },
            "usage_limits": {"requests_per_hour": 10, "requests_per_day": 100}
        },
        "status": {"status_list": {"idx": 7, "uri": "https://tokens.example/status-lists/1"}}
    })
}

pub(super) fn claims() -> Claims {
    serde_json::from_value(payload()).expect("claims")
}

/// What is said of a token.
pub(super) fn verify(token: &str) -> Result<Verified, Invalid> {
    Bench::get().verifier().verify(token, &issuer(), at(NOW)).map(Arc::unwrap_or_clone)
}

/// What is said of these claims, properly signed.
pub(super) fn verdict(payload: &str) -> Result<(), Invalid> {
    verify(&Bench::get().token(payload)).map(|_| ())
}
