//! What the log says of a signing key: its name, its one algorithm and its public half.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Malformed, Position, text::Kid};

/// The signature algorithms of the catalog (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519, the default: deterministic, and nobody but the catalog can sign.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS #1 v1.5, 2048 bits at least.
    #[serde(rename = "RS256")]
    Rs256,
    /// HMAC with a shared secret: whoever can check a token can also forge one.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// Every algorithm, the default first.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256];

    /// The `alg` header parameter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Algorithm {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected: "one of EdDSA, ES256, RS256 and HS256" })
    }
}

/// The public half of a key, as RFC 7517 writes it. A shared secret has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty", deny_unknown_fields)]
pub enum PublicJwk {
    /// RFC 8037 section 2: Ed25519.
    #[serde(rename = "OKP")]
    Okp {
        /// `Ed25519`.
        crv: String,
        /// The public key, base64url.
        x: String,
    },
    /// RFC 7518 section 6.2.1: P-256.
    #[serde(rename = "EC")]
    Ec {
        /// `P-256`.
        crv: String,
        /// The x coordinate, base64url.
        x: String,
        /// The y coordinate, base64url.
        y: String,
    },
    /// RFC 7518 section 6.3.1.
    #[serde(rename = "RSA")]
    Rsa {
        /// The modulus, base64url.
        n: String,
        /// The exponent, base64url.
        e: String,
    },
}

/// A key as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key's name.
    pub kid: Kid,
    /// The one algorithm it is used with.
    pub alg: Algorithm,
    /// The public half; `None` for a shared secret.
    pub jwk: Option<PublicJwk>,
    /// Whether it is for tokens from a shell alone, and never published.
    pub dev: bool,
    /// Where in the log it was added.
    pub added: Position,
    /// Where in the log it became the signing key, if it did.
    pub activated: Option<Position>,
}
