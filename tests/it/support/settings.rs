//! Settings as a log would have them, for decisions without one.

use catalog::domain::{
    Position, Settings,
    key::{Algorithm, KeyRecord},
    policy::{Policy, Rules},
    text::Kid,
};
use chrono::DateTime;

/// One key, `k1`, and these rules.
pub fn settings(rules: Rules) -> Settings {
    let kid: Kid = "k1".parse().unwrap();
    let key = KeyRecord {
        kid: kid.clone(),
        alg: Algorithm::EdDsa,
        jwk: None,
        dev: false,
        added: Position(3),
        added_at: DateTime::UNIX_EPOCH,
        activated: Some(Position(4)),
        relieved: None,
        retired: None,
        compromise: None,
    };
    Settings {
        issuer: Some("https://catalog.example.com".parse().unwrap()),
        audience: Some("gateway".parse().unwrap()),
        env: None,
        policy: Some(Policy { version: 2, rules, text: None }),
        keys: vec![key],
        active: Some(kid),
        clients: Vec::new(),
        status_lists: Vec::new(),
    }
}
