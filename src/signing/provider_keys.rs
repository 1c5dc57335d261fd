//! The keys of an identity provider: a JWK Set of somebody else's making, of which only what is sound is kept.

use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;
use serde_json::{Map, Value};

use super::{error::RecordFault, public_key, strict_json};
use crate::domain::{
    key::{Algorithm, PublicJwk},
    text::harmless,
};

/// Members that only a private or a shared key has (RFC 7518 section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// The most characters of a key's name that are shown.
const SHOWN_MAX: usize = 64;

/// What a provider may sign with (RFC 7518 section 3.1, RFC 8037 section 3.1): never a shared secret, never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProviderAlgorithm {
    EdDsa,
    Es256,
    Rs256,
    Ps256,
}

impl ProviderAlgorithm {
    const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Ps256];

    fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// The algorithm of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }

    fn parse(self, jwk: &PublicJwk) -> Result<ParsedPublicKey, RecordFault> {
        match self {
            Self::EdDsa => public_key::parse(Algorithm::EdDsa, Some(jwk)),
            Self::Es256 => public_key::parse(Algorithm::Es256, Some(jwk)),
            Self::Rs256 => public_key::parse(Algorithm::Rs256, Some(jwk)),
            Self::Ps256 => public_key::parse_pss(jwk),
        }
    }
}

/// The sound keys of a provider.
pub struct ProviderKeys {
    keys: Vec<ProviderKey>,
    ignored: Vec<IgnoredKey>,
}

/// One key for one algorithm.
struct ProviderKey {
    kid: String,
    alg: ProviderAlgorithm,
    material: ParsedPublicKey,
}

/// A key that nothing is verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredKey {
    /// Its name, cut to a harmless line.
    pub kid: String,
    /// What is the matter with it.
    pub why: String,
}

/// Why a whole set is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksFault {
    /// It is no JWK Set, or has a member twice.
    #[error("the answer is not a JWK Set")]
    Form,
    /// It has no key at all, which nobody means who signs tokens.
    #[error("the JWK Set is empty")]
    Empty,
    /// It shows private keys, which are everybody's now.
    #[error("the JWK Set has the private member '{0}': its keys are out")]
    PrivateMember(&'static str),
}

impl JwksFault {
    /// Whether the provider's keys from before are not to be believed any more, either.
    #[must_use]
    pub fn gives_keys_away(self) -> bool {
        matches!(self, Self::PrivateMember(_))
    }
}

impl ProviderKeys {
    /// Reads a JWK Set (RFC 7517 section 5). Keys that are for something else are left out; so are weak and broken ones,
    /// and those are told.
    ///
    /// # Errors
    /// [`JwksFault`].
    pub fn read(json: &[u8]) -> Result<Self, JwksFault> {
        let set = strict_json::read_object(json).ok_or(JwksFault::Form)?;
        let Some(Value::Array(members)) = set.get("keys") else { return Err(JwksFault::Form) };
        if members.is_empty() {
            return Err(JwksFault::Empty);
        }
        let mut keys = Self { keys: Vec::new(), ignored: Vec::new() };
        for member in members {
            let Value::Object(jwk) = member else { return Err(JwksFault::Form) };
            if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| jwk.contains_key(*member)) {
                return Err(JwksFault::PrivateMember(member));
            }
            if is_for_signatures(jwk) {
                keys.add(jwk);
            }
        }
        Ok(keys)
    }

    /// Whether there is a key of that name.
    #[must_use]
    pub fn know(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid == kid)
    }

    /// The keys that were left out though they are meant for signatures.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredKey] {
        &self.ignored
    }

    /// Whether a key of that name has signed this, with this algorithm and no other.
    pub(super) fn have_signed(&self, kid: &str, alg: ProviderAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let mut named = self.keys.iter().filter(|key| key.kid == kid && key.alg == alg);
        named.any(|key| key.material.verify_sig(message, signature).is_ok())
    }

    fn add(&mut self, jwk: &Map<String, Value>) {
        let kid = text(jwk, "kid").unwrap_or_default();
        let read = if kid.is_empty() { Err("it has no kid".to_owned()) } else { of_jwk(jwk) };
        match read {
            Ok(read) => {
                let named = |(alg, material)| ProviderKey { kid: kid.to_owned(), alg, material };
                self.keys.extend(read.into_iter().map(named));
            }
            Err(why) => self.ignored.push(IgnoredKey { kid: harmless(kid, SHOWN_MAX), why }),
        }
    }
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<&str> = self.keys.iter().map(|key| key.kid.as_str()).collect();
        f.debug_struct("ProviderKeys").field("kids", &kids).finish_non_exhaustive()
    }
}

/// RFC 7517 sections 4.2 and 4.3: absent says nothing, anything else has to be about signatures.
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let is_used = jwk.get("use").is_none_or(|used| used == "sig");
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    is_used && jwk.get("key_ops").is_none_or(verifies)
}

/// The key for each algorithm that it may be used with: the one that it names, or else those of its kind.
fn of_jwk(jwk: &Map<String, Value>) -> Result<Vec<(ProviderAlgorithm, ParsedPublicKey)>, String> {
    let public = public(jwk).ok_or("it is none of Ed25519, P-256 and RSA")?;
    let of_kind: &[ProviderAlgorithm] = match &public {
        PublicJwk::Okp { .. } => &[ProviderAlgorithm::EdDsa],
        PublicJwk::Ec { .. } => &[ProviderAlgorithm::Es256],
        PublicJwk::Rsa { .. } => &[ProviderAlgorithm::Rs256, ProviderAlgorithm::Ps256],
    };
    let named = match jwk.get("alg") {
        None => None,
        Some(alg) => Some(alg.as_str().and_then(ProviderAlgorithm::named).ok_or("its alg is not taken")?),
    };
    let algs = of_kind.iter().copied().filter(|alg| named.is_none_or(|named| named == *alg));
    let keys: Vec<_> = algs
        .map(|alg| alg.parse(&public).map(|key| (alg, key)))
        .collect::<Result<_, _>>()
        .map_err(|fault: RecordFault| format!("it {fault}"))?;
    if keys.is_empty() { Err("its alg is not for its kind".to_owned()) } else { Ok(keys) }
}

fn public(jwk: &Map<String, Value>) -> Option<PublicJwk> {
    let member = |name| text(jwk, name).map(str::to_owned);
    match text(jwk, "kty")? {
        "OKP" => Some(PublicJwk::Okp { crv: member("crv")?, x: member("x")? }),
        "EC" => Some(PublicJwk::Ec { crv: member("crv")?, x: member("x")?, y: member("y")? }),
        "RSA" => Some(PublicJwk::Rsa { n: member("n")?, e: member("e")? }),
        _ => None,
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member)?.as_str()
}
