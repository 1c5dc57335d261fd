//! Keys as they are listed.

use serde::Serialize;

use crate::{
    domain::{
        Position, Settings,
        key::{Algorithm, KeyRecord, Over, PublicJwk},
        text::Kid,
    },
    signing::PrivateHalf,
};

/// A key as it is listed.
#[derive(Debug, Serialize)]
pub struct KeyView<'a> {
    kid: &'a Kid,
    alg: Algorithm,
    state: &'static str,
    active: bool,
    private_half: bool,
    private_half_state: &'static str,
    private_half_fault: Option<String>,
    added_position: Position,
    activated_position: Option<Position>,
    retired_position: Option<Position>,
    compromised_position: Option<Position>,
    compromised_from: Option<Position>,
    jwk: Option<&'a PublicJwk>,
}

impl<'a> KeyView<'a> {
    /// A key of the log, of which this is here.
    #[must_use]
    pub fn new(settings: &Settings, key: &'a KeyRecord, half: PrivateHalf<'_>) -> Self {
        Self {
            kid: &key.kid,
            alg: key.alg,
            state: key_state(settings, key),
            active: settings.active.as_ref() == Some(&key.kid),
            private_half: matches!(half, PrivateHalf::Here),
            private_half_state: half.as_str(),
            private_half_fault: half.fault(),
            added_position: key.added,
            activated_position: key.activated,
            retired_position: key.retired,
            compromised_position: key.compromise.map(|compromise| compromise.position),
            compromised_from: key.compromise.map(|compromise| compromise.from),
            jwk: key.jwk.as_ref(),
        }
    }
}

/// What a key is now, in a word or two.
#[must_use]
pub fn key_state(settings: &Settings, key: &KeyRecord) -> &'static str {
    match key.over() {
        Some(Over::Retired) => "retired",
        Some(Over::Compromised) => "compromised",
        None if settings.active.as_ref() == Some(&key.kid) => "signs",
        None if settings.signer_of_shell() == Some(&key.kid) => "signs for shells",
        None if key.relieved.is_some() => "verifies",
        None => "waits",
    }
}
