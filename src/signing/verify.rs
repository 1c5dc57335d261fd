//! Strict verification: what a token has to be before the log is asked about it.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::{hmac, signature::ParsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{
    error::{KeyringError, RecordFault},
    public_key,
    remember::{PresentedToken, Remembered},
    status_list::is_status_list,
    verified::{Signed, Verified},
};
use crate::domain::{
    claims::{CLIENT_ID, Claims, Header, TOKEN_BYTES_MAX, TYP, parse_jti, signing_input_digest},
    key::{Algorithm, KeyRecord},
    text::{Issuer, Kid},
};

/// How far in the future an `iat` may lie, in seconds: two clocks are never quite the same.
pub const IAT_AHEAD_SECONDS_MAX: i64 = 5;
/// The long form of [`TYP`], RFC 9068 section 4.
const TYP_LONG: &str = "application/at+jwt";

/// The keys of the log, prepared once. Cheap to share, never changed: a new key means a new verifier.
pub struct Verifier {
    keys: HashMap<Kid, VerifyingKey>,
    remembered: Remembered,
}

/// Where the shared secrets are.
pub(super) trait SecretOfKid {
    /// The secret of this name, if it is here.
    fn secret(&self, kid: &Kid) -> Option<Arc<hmac::Key>>;
}

/// One key of the log, for its one algorithm.
pub(super) struct VerifyingKey {
    alg: Algorithm,
    material: Material,
}

enum Material {
    Public(ParsedPublicKey),
    Shared(Arc<hmac::Key>),
    NotHere,
}

/// Why a token is not accepted. For counters and audit only: outside, nobody may tell one from another, save
/// [`Invalid::SecretMissing`], which is not a no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Longer than any token of ours.
    #[error("a token of {bytes} bytes exceeds the maximum of {max}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// The longest that is looked at.
        max: usize,
    },
    /// A byte outside ASCII.
    #[error("the token is not ASCII")]
    NotAscii,
    /// Not three parts, or an empty one.
    #[error("the token has not exactly three parts")]
    Parts,
    /// It names none of our keys: somebody else's token, such as a session of a gateway that shares the secret.
    #[error("the token names no key of the log")]
    Foreign,
    /// It names a key of ours in a header that we never write.
    #[error("the header names a key of the log and is not of our making")]
    Header,
    /// The log knows the key as a shared secret, and this node was not given it. It could not tell, which is not a no
    /// (503).
    #[error("the shared secret {kid} is not on this node")]
    SecretMissing {
        /// The secret's name.
        kid: Kid,
    },
    /// `alg` is not the key's own.
    #[error("the header says {said}, but the key is for {own}")]
    Algorithm {
        /// The token's.
        said: Algorithm,
        /// The key's.
        own: Algorithm,
    },
    /// The signature is not canonical base64url.
    #[error("the signature is not canonical base64url")]
    SignatureEncoding,
    /// The signature is not the key's.
    #[error("the signature does not verify")]
    Signature,
    /// Signed by us, but not the claims that we write: missing, unknown, duplicate or of a wrong type; also a `jti`
    /// that is not a canonical lower-case UUID.
    #[error("the claims are not of our making")]
    Claims,
    /// `typ` is not that of an access token.
    #[error("typ is not at+jwt")]
    Typ,
    /// `iss` is not ours.
    #[error("iss is not this catalog's")]
    Issuer,
    /// `aud` is empty.
    #[error("aud is empty")]
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

impl Invalid {
    /// Whether it may be signed with a key of the log all the same. One whose time is over does no harm any more, and
    /// one that names no key of ours is somebody else's.
    #[must_use]
    pub fn may_be_signed(&self) -> bool {
        match self {
            Self::Header
            | Self::Algorithm { .. }
            | Self::Claims
            | Self::Typ
            | Self::Issuer
            | Self::Audience
            | Self::ClientId
            | Self::IssuedInFuture { .. } => true,
            Self::TooLong { .. }
            | Self::NotAscii
            | Self::Parts
            | Self::Foreign
            | Self::SecretMissing { .. }
            | Self::SignatureEncoding
            | Self::Signature
            | Self::Expired { .. } => false,
        }
    }
}

impl Verifier {
    pub(super) fn new(records: &[KeyRecord], secrets: &impl SecretOfKid) -> Result<Self, KeyringError> {
        let mut keys = HashMap::with_capacity(records.len());
        for record in records {
            let fault = |fault| KeyringError::Record { kid: record.kid.clone(), fault };
            let key = VerifyingKey::new(record, secrets).map_err(fault)?;
            if keys.insert(record.kid.clone(), key).is_some() {
                return Err(fault(RecordFault::Twice));
            }
        }
        Ok(Self { keys, remembered: Remembered::new() })
    }

    /// Checks a token, in this order: length and ASCII, three parts, header, `kid`, the key's one algorithm, signature,
    /// claims, `typ`, `iss`, `aud`, `client_id`, `exp` (expired at `exp`, without leeway), `iat`. Up to 70 µs; 2 µs for the
    /// very text that was found good before, of which only the times can have changed.
    ///
    /// Not checked here, and left to callers: that `aud` holds the audience they need ([`Verified::is_for`]), and what
    /// the log says. An ES256 signature can be restated by anybody who has it (`s` and `n - s` both verify), so tokens
    /// are compared by [`Verified::signing_input_digest`], never by their text.
    ///
    /// # Errors
    /// [`Invalid`], the first cause found.
    pub fn verify<'a>(
        &self,
        token: impl Into<PresentedToken<'a>>,
        issuer: &Issuer,
        now: DateTime<Utc>,
    ) -> Result<Arc<Verified>, Invalid> {
        let mut token = token.into();
        let known = self.remembered.get(&mut token).filter(|known| known.claims.iss == *issuer);
        if let Some(known) = known {
            check_times(&known.claims, now)?;
            return Ok(known);
        }
        let verified = Arc::new(self.verify_anew(&Parts::of(token.text())?, issuer, now)?);
        self.remembered.put(&token, &verified);
        Ok(verified)
    }

    fn verify_anew(&self, parts: &Parts<'_>, issuer: &Issuer, now: DateTime<Utc>) -> Result<Verified, Invalid> {
        let (header, key) = self.header(parts.header)?;
        key.check(header.alg)?;
        key.verify(parts.signing_input.as_bytes(), parts.signature, &header.kid)?;
        let claims = decode::<Claims>(parts.payload).ok_or(Invalid::Claims)?;
        check_claims(&header, &claims, issuer)?;
        check_times(&claims, now)?;
        Ok(Verified::new(claims, header.kid, signing_input_digest(parts.signing_input)))
    }

    /// Whether something that is not accepted bears the signature of a key of the log all the same. Nobody but the catalog
    /// should be able to sign, and the catalog writes nothing that it does not accept, but for status lists, which anybody
    /// may have. The key's own algorithm decides, whatever the header says. Up to 70 µs.
    #[must_use]
    pub fn signed(&self, token: &str) -> Option<Signed> {
        let parts = Parts::of(token).ok()?;
        let (kid, key) = self.named_in(parts.header)?;
        key.verify(parts.signing_input.as_bytes(), parts.signature, kid).ok()?;
        let claims = read(parts.payload);
        if claims.as_ref().is_some_and(|claims| is_status_list(read(parts.header).as_ref(), claims)) {
            return None;
        }
        let jti = claims.as_ref().and_then(|claims| parse_jti(claims.get("jti")?.as_str()?));
        Some(Signed { jti, kid: kid.clone(), signing_input_digest: signing_input_digest(parts.signing_input) })
    }

    fn header(&self, part: &str) -> Result<(Header, &VerifyingKey), Invalid> {
        let Some(header) = decode::<Header>(part) else {
            return Err(self.named_in(part).map_or(Invalid::Foreign, |_| Invalid::Header));
        };
        let key = self.keys.get(&header.kid).ok_or(Invalid::Foreign)?;
        Ok((header, key))
    }

    /// The key of ours that a header names, be it of our making or not.
    fn named_in(&self, part: &str) -> Option<(&Kid, &VerifyingKey)> {
        let header = read(part)?;
        let kid = header.get("kid")?.as_str()?;
        self.keys.iter().find(|(ours, _)| ours.as_str() == kid)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("kids", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl VerifyingKey {
    pub(super) fn new(record: &KeyRecord, secrets: &impl SecretOfKid) -> Result<Self, RecordFault> {
        let material = match (record.alg, &record.jwk) {
            (Algorithm::Hs256, None) => secrets.secret(&record.kid).map_or(Material::NotHere, Material::Shared),
            (alg, jwk) => Material::Public(public_key::parse(alg, jwk.as_ref())?),
        };
        Ok(Self { alg: record.alg, material })
    }

    fn check(&self, said: Algorithm) -> Result<(), Invalid> {
        if said != self.alg {
            return Err(Invalid::Algorithm { said, own: self.alg });
        }
        Ok(())
    }

    pub(super) fn verify(&self, message: &[u8], signature: &str, kid: &Kid) -> Result<(), Invalid> {
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Invalid::SignatureEncoding)?;
        match &self.material {
            Material::Public(key) => key.verify_sig(message, &signature),
            Material::Shared(key) => hmac::verify(key, message, &signature),
            Material::NotHere => return Err(Invalid::SecretMissing { kid: kid.clone() }),
        }
        .map_err(|_| Invalid::Signature)
    }
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
            return Err(Invalid::TooLong { bytes: token.len(), max: TOKEN_BYTES_MAX });
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

/// Reads a part: canonical base64url of JSON that says exactly what its type says, no more and no other way.
///
/// `deny_unknown_fields` refuses unknown and duplicate members. It still takes an array for a struct, `{"api":null}`
/// for `"api"` and `null` for an absent member, so what was read is written again and has to say the same. The order of
/// members and white space are free: a later version may write them in another order, and its tokens and ours stay good
/// for both.
fn decode<T: DeserializeOwned + Serialize>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    let value: T = serde_json::from_slice(&json).ok()?;
    let same = serde_json::to_vec(&value).ok()? == json
        || serde_json::to_value(&value).ok()? == serde_json::from_slice::<Value>(&json).ok()?;
    same.then_some(value)
}

/// A part that need not be of our making.
fn read(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn check_claims(header: &Header, claims: &Claims, issuer: &Issuer) -> Result<(), Invalid> {
    if !is_typ(&header.typ) {
        return Err(Invalid::Typ);
    }
    if claims.iss != *issuer {
        return Err(Invalid::Issuer);
    }
    if claims.aud.is_empty() {
        return Err(Invalid::Audience);
    }
    if claims.client_id != CLIENT_ID {
        return Err(Invalid::ClientId);
    }
    Ok(())
}

/// Whether `typ` is that of an access token, RFC 9068 section 4.
pub(super) fn is_typ(said: &str) -> bool {
    [TYP, TYP_LONG].iter().any(|typ| typ.eq_ignore_ascii_case(said))
}

fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), Invalid> {
    let now = now.timestamp();
    if now >= claims.exp {
        return Err(Invalid::Expired { jti: claims.jti, exp: claims.exp });
    }
    if claims.iat > now.saturating_add(IAT_AHEAD_SECONDS_MAX) {
        return Err(Invalid::IssuedInFuture { iat: claims.iat });
    }
    Ok(())
}
