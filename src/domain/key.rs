//! What the log says of a signing key: its name, its one algorithm and its public half.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Malformed, Position, Recorded, event::KeyAdded, text::Kid};

/// For how long whoever has read the JWK Set may go on without reading it again, in seconds: `max-age` of
/// `GET /.well-known/jwks.json`. A key is published for so long before it signs.
pub const JWKS_MAX_AGE_SECONDS: u32 = 300;
/// How much longer, in seconds: a server may publish a key this much after it was recorded.
const PUBLISHED_LATE_SECONDS_MAX: u32 = 5;

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
    /// When that was decided.
    pub added_at: DateTime<Utc>,
    /// Where in the log it last became the signing key, if it did.
    pub activated: Option<Position>,
    /// Where in the log it last ceased to sign, at whichever door.
    pub relieved: Option<Position>,
    /// Where in the log it was retired.
    pub retired: Option<Position>,
    /// Since when others may have it, if they may.
    pub compromise: Option<Compromise>,
}

/// What the log says of a key that others may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compromise {
    /// Where it says so first.
    pub position: Position,
    /// From where on no token that it signed is believed: by several events, the earliest.
    pub from: Position,
}

/// Why a key signs no more, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// It was retired: every token that it signed was over by then.
    Retired,
    /// Others may have it.
    Compromised,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retired => "retired",
            Self::Compromised => "compromised",
        })
    }
}

impl KeyRecord {
    /// The key that an event makes known.
    #[must_use]
    pub fn added(event: &KeyAdded, recorded: &Recorded) -> Self {
        Self {
            kid: event.kid.clone(),
            alg: event.alg,
            jwk: event.jwk.clone(),
            dev: event.dev,
            added: recorded.position,
            added_at: recorded.occurrence.occurred_at,
            activated: None,
            relieved: None,
            retired: None,
            compromise: None,
        }
    }

    /// Why it signs no more, if that is so.
    #[must_use]
    pub fn over(&self) -> Option<Over> {
        let compromised = self.compromise.map(|_| Over::Compromised);
        compromised.or(self.retired.map(|_| Over::Retired))
    }

    /// Whether `GET /.well-known/jwks.json` has it, if it has a public half.
    #[must_use]
    pub fn is_published(&self) -> bool {
        !self.dev && self.over().is_none()
    }

    /// How many seconds are left at `now` until everybody has it who reads the JWK Set as often as they are told to;
    /// `None` when there are none. Nobody reads a shared secret there.
    #[must_use]
    pub fn spreads_for(&self, now: DateTime<Utc>) -> Option<i64> {
        let spread = self.added_at + TimeDelta::seconds((JWKS_MAX_AGE_SECONDS + PUBLISHED_LATE_SECONDS_MAX).into());
        let left = (spread - now + TimeDelta::milliseconds(999)).num_seconds();
        (self.jwk.is_some() && left > 0).then_some(left)
    }
}
