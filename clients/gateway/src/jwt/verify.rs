//! What a token has to be before anybody is asked about it.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{
    claims::{CLIENT_ID, Claims, Header},
    key::Algorithm,
    set::KeySet,
};

/// The longest token, in ASCII bytes, that is looked at.
const TOKEN_BYTES_MAX: usize = 8_192;
/// How far in the future an `iat` may lie, in seconds: two clocks are never quite the same.
const IAT_AHEAD_SECONDS_MAX: i64 = 5;
/// `typ` of an access token, RFC 9068 section 4.
const TYPS: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// What a token has to say to be good here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `iss`: the catalog's issuer.
    pub issuer: String,
    /// What `aud` has to name: the gateway's own audience.
    pub audience: String,
}

/// A token that one of the keys signed, that is sound, meant for here and not expired. It may be revoked, and it may never
/// have been issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// The key that signed it.
    pub kid: String,
    /// SHA-256 of `header.payload`. Tokens are compared by this, never by their text: some signatures can be restated.
    pub signing_input_digest: [u8; 32],
}

/// Why a token is not accepted. Outside, nobody may tell one from another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Longer than any token of the catalog.
    #[error("a token of {bytes} bytes exceeds the maximum of {TOKEN_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A byte outside ASCII.
    #[error("the token is not ASCII")]
    NotAscii,
    /// Not three parts, or an empty one.
    #[error("the token has not exactly three parts")]
    Parts,
    /// The header is not of the catalog's making.
    #[error("the header is not of the catalog's making")]
    Header,
    /// It names a key that is not known.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// It names a key for HS256 that is not known: a shared secret, which no catalog publishes.
    #[error("the token names a shared secret that is not known")]
    UnknownSecret,
    /// `alg` is not the key's own.
    #[error("the header names another algorithm than the key's")]
    Algorithm,
    /// The signature is not canonical base64url.
    #[error("the signature is not canonical base64url")]
    SignatureEncoding,
    /// The signature is not the key's.
    #[error("the signature does not verify")]
    Signature,
    /// Not the claims that the catalog writes: missing, unknown, duplicate or of a wrong type.
    #[error("the claims are not of the catalog's making")]
    Claims,
    /// `typ` is not that of an access token.
    #[error("typ is not at+jwt")]
    Typ,
    /// `iss` is another.
    #[error("iss is not the catalog's")]
    Issuer {
        /// What it says.
        named: String,
    },
    /// `aud` does not name this gateway.
    #[error("aud is another")]
    Audience,
    /// `client_id` is not `catalog`.
    #[error("client_id is not catalog")]
    ClientId,
    /// It was good until `exp`.
    #[error("token {jti} expired at {exp}")]
    Expired {
        /// The token.
        jti: Uuid,
        /// The first second at which it was no longer accepted.
        exp: i64,
    },
    /// `iat` lies further in the future than clocks differ.
    #[error("iat {iat} is in the future")]
    IssuedInFuture {
        /// What it says.
        iat: i64,
    },
}

impl Rules {
    /// Checks a token, in this order: length and ASCII, three parts, header, `kid`, the key's one algorithm, signature, claims,
    /// `typ`, `iss`, `client_id`, `exp` (expired at `exp`, without leeway), `iat`, `aud`. Up to 70 µs.
    ///
    /// # Errors
    /// [`Invalid`], the first cause found.
    pub fn verify(&self, token: &str, keys: &KeySet, now: DateTime<Utc>) -> Result<Verified, Invalid> {
        let verified = self.verify_for_any(token, keys, now)?;
        verified.check_audience(&self.audience)?;
        Ok(verified)
    }

    /// The same, whomever the token is meant for.
    ///
    /// # Errors
    /// [`Invalid`], the first cause found.
    pub fn verify_for_any(&self, token: &str, keys: &KeySet, now: DateTime<Utc>) -> Result<Verified, Invalid> {
        let parts = Parts::of(token)?;
        let header: Header = decode(parts.header).ok_or(Invalid::Header)?;
        let key = keys.get(&header.kid).ok_or(match header.alg {
            Algorithm::Hs256 => Invalid::UnknownSecret,
            _ => Invalid::UnknownKey,
        })?;
        if header.alg != key.alg {
            return Err(Invalid::Algorithm);
        }
        let signature = URL_SAFE_NO_PAD.decode(parts.signature).map_err(|_| Invalid::SignatureEncoding)?;
        if !key.verifies(parts.signing_input.as_bytes(), &signature) {
            return Err(Invalid::Signature);
        }
        self.said(&parts, header, now)
    }

    /// What a token says that names a key which nobody has here: held against all of [`Self::verify_for_any`] but the signature. By
    /// itself it says nothing of who signed it. A shared secret is for nobody else to check.
    #[cfg(feature = "judge")]
    pub(super) fn read_unsigned(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, Invalid> {
        let parts = Parts::of(token)?;
        let header: Header = decode(parts.header).ok_or(Invalid::Header)?;
        if header.alg == Algorithm::Hs256 {
            return Err(Invalid::UnknownSecret);
        }
        self.said(&parts, header, now)
    }

    fn said(&self, parts: &Parts<'_>, header: Header, now: DateTime<Utc>) -> Result<Verified, Invalid> {
        let claims = decode::<Claims>(parts.payload).filter(Claims::is_well_written).ok_or(Invalid::Claims)?;
        self.check(&header, &claims)?;
        let verified =
            Verified { claims, kid: header.kid, signing_input_digest: sha256(parts.signing_input.as_bytes()) };
        verified.check_times(now)?;
        Ok(verified)
    }

    fn check(&self, header: &Header, claims: &Claims) -> Result<(), Invalid> {
        if !TYPS.iter().any(|typ| typ.eq_ignore_ascii_case(&header.typ)) {
            return Err(Invalid::Typ);
        }
        if claims.iss != self.issuer {
            return Err(Invalid::Issuer { named: claims.iss.clone() });
        }
        if claims.client_id != CLIENT_ID {
            return Err(Invalid::ClientId);
        }
        Ok(())
    }
}

/// The key and the identifier that a token names, whoever signed it.
#[cfg(feature = "judge")]
pub(crate) fn names(token: &str) -> Option<(String, Uuid)> {
    let parts = Parts::of(token).ok()?;
    let (header, claims) = (decode::<Header>(parts.header)?, decode::<Claims>(parts.payload)?);
    Some((header.kid, claims.jti))
}

struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signing_input: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Invalid> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Invalid::TooLong { bytes: token.len() });
        }
        if !token.is_ascii() {
            return Err(Invalid::NotAscii);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Invalid::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Invalid::Parts)?;
        if payload.contains('.') || [header, payload, signature].contains(&"") {
            return Err(Invalid::Parts);
        }
        Ok(Self { header, payload, signature, signing_input })
    }
}

/// Reads a part: canonical base64url of JSON that says exactly what its type says, no more and no other way. What was read is
/// written again and has to say the same, for a struct can be read from an array, too, and an absent member from `null`.
fn decode<T: DeserializeOwned + Serialize>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    let value: T = serde_json::from_slice(&json).ok()?;
    let same = serde_json::to_vec(&value).ok()? == json
        || serde_json::to_value(&value).ok()? == serde_json::from_slice::<Value>(&json).ok()?;
    same.then_some(value)
}

impl Verified {
    /// Whether its time has come and is not over.
    pub(super) fn check_times(&self, now: DateTime<Utc>) -> Result<(), Invalid> {
        let (claims, now) = (&self.claims, now.timestamp());
        if now >= claims.exp {
            return Err(Invalid::Expired { jti: claims.jti, exp: claims.exp });
        }
        if claims.iat > now.saturating_add(IAT_AHEAD_SECONDS_MAX) {
            return Err(Invalid::IssuedInFuture { iat: claims.iat });
        }
        Ok(())
    }

    /// Whether it is meant for this audience.
    pub(super) fn check_audience(&self, audience: &str) -> Result<(), Invalid> {
        if self.claims.aud.iter().any(|named| named == audience) { Ok(()) } else { Err(Invalid::Audience) }
    }
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}
