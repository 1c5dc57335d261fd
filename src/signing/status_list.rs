//! Status List Tokens (Token Status List, section 5.1): what anybody may fetch to learn whether tokens still stand.
//!
//! They are signed with the key that signs tokens, and told from these by their `typ` and their claims.

use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Keyring, SigningError};
use crate::domain::{
    claims::Header,
    key::Algorithm,
    status_list::{BITS, PackedList, TYP},
    text::Kid,
};

/// Of nine levels the one at which twice the time begins to save a hundredth.
const LEVEL: u32 = 6;

/// The first at which the encoder looks how often each letter occurs: of base64 there is nothing else to save.
const GZIP_LEVEL: u32 = 2;

/// The claims of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusListClaims {
    /// Where it is fetched: `uri` of the tokens in it.
    pub sub: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// The first second at which nothing may be concluded from it any more.
    pub exp: i64,
    /// For how many seconds it may be kept before it is fetched anew.
    pub ttl: u32,
    /// The statuses.
    pub status_list: StatusList,
}

/// `status_list` (section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusList {
    /// Bits an entry.
    pub bits: u8,
    /// The entries, compressed (RFC 1950) and in base64url.
    pub lst: String,
}

impl StatusList {
    /// The entries, compressed: milliseconds for a million of them, so not for an async thread.
    ///
    /// # Errors
    /// None that can happen: the memory that is written to takes everything.
    pub fn of(packed: &PackedList) -> io::Result<Self> {
        Ok(Self { bits: BITS, lst: URL_SAFE_NO_PAD.encode(compressed(packed.bytes())?) })
    }
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// A list as it is sent to whoever takes gzip.
///
/// # Errors
/// None that can happen: the memory that is written to takes everything.
pub fn gzip(token: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(token)?;
    encoder.finish()
}

/// Whether this header and these claims are those of a list, which the catalog's keys sign, too. With a claim more it is
/// none of the catalog's making.
pub(super) fn is_status_list(header: Option<&Value>, claims: &Value) -> bool {
    header.is_some_and(|header| header["typ"] == TYP) && StatusListClaims::deserialize(claims).is_ok()
}

impl Keyring {
    /// Signs a list. As [`Keyring::sign`], not for an async thread with RS256.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign_status_list(
        &self,
        (kid, alg): (&Kid, Algorithm),
        claims: &StatusListClaims,
    ) -> Result<String, SigningError> {
        let header = Header { typ: TYP.to_owned(), alg, kid: kid.clone() };
        let part = |json: serde_json::Result<Vec<u8>>| json.map(|json| URL_SAFE_NO_PAD.encode(json));
        let parts = part(serde_json::to_vec(&header)).and_then(|h| Ok((h, part(serde_json::to_vec(claims))?)));
        let (header, payload) = parts.map_err(|_| SigningError::Failed { kid: kid.clone() })?;
        let mut token = format!("{header}.{payload}");
        let signature = self.signature(kid, &token)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

#[cfg(test)]
#[path = "status_list_tests.rs"]
mod tests;
