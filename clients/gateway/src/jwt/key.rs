//! Keys, each for its one algorithm.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, ED25519_PUBLIC_KEY_LEN, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The bits that an RSA modulus may have.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// The smallest public exponent, NIST SP 800-89 section 5.3.3.
const RSA_EXPONENT_MIN: u64 = 65_537;
/// RFC 7518 section 3.2: as long as the hash output, at least.
const SECRET_BYTES_MIN: usize = 32;
/// What the name of a shared secret is the HMAC of.
const KID_LABEL: &[u8] = b"catalog kid v1";
/// How many bytes of that HMAC name the secret.
const KID_BYTES: usize = 16;

/// The points of small order on Ed25519 in every spelling, less the highest bit. Under such a key anybody can sign.
const ED25519_SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// The signature algorithms of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS #1 v1.5.
    #[serde(rename = "RS256")]
    Rs256,
    /// HMAC with a shared secret.
    #[serde(rename = "HS256")]
    Hs256,
}

/// A key for its one algorithm.
pub(super) struct Key {
    pub(super) alg: Algorithm,
    material: Material,
}

enum Material {
    Public(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

/// A key of a JWK Set. Members that say nothing here are not looked at (RFC 7517 section 4).
#[derive(Deserialize)]
pub(super) struct Jwk {
    pub(super) kid: String,
    alg: Option<Algorithm>,
    #[serde(rename = "use")]
    public_key_use: Option<String>,
    #[serde(flatten)]
    public: Public,
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Public {
    #[serde(rename = "OKP")]
    Okp { crv: String, x: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}

/// The shared secret of HS256, by configuration: it is in no JWK Set. Whoever has it can forge tokens.
#[derive(Clone)]
pub struct Secret {
    pub(super) kid: String,
    key: hmac::Key,
}

/// A shared secret that is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared secret has {bytes} bytes, the minimum is {SECRET_BYTES_MIN}")]
pub struct WeakSecret {
    /// How many bytes it has.
    pub bytes: usize,
}

impl Secret {
    /// Takes a secret as it stands in the catalog's configuration: its UTF-8 bytes are the key.
    ///
    /// # Errors
    /// [`WeakSecret`] for fewer than 32 bytes.
    pub fn new(secret: &SecretString) -> Result<Self, WeakSecret> {
        let bytes = secret.expose_secret().as_bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(WeakSecret { bytes: bytes.len() });
        }
        Ok(Self::prepared(bytes))
    }
}

impl Secret {
    /// The secret of one environment, as `ContextForge` derives it under `DERIVE_KEY_PER_ENVIRONMENT`: the lower-case hex of
    /// HMAC-SHA256(secret, `mcpgw-env:` + environment).
    #[must_use]
    pub fn derive_for_environment(&self, environment: &str) -> Self {
        let tag = hmac::sign(&self.key, format!("mcpgw-env:{environment}").as_bytes());
        Self::prepared(hex::encode(tag).as_bytes())
    }

    fn prepared(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let kid = URL_SAFE_NO_PAD.encode(&hmac::sign(&key, KID_LABEL).as_ref()[..KID_BYTES]);
        Self { kid, key }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl From<&Secret> for Key {
    fn from(secret: &Secret) -> Self {
        Self { alg: Algorithm::Hs256, material: Material::Shared(Box::new(secret.key.clone())) }
    }
}

impl Key {
    /// `None` for a key that is for no algorithm of the catalog, or is not sound.
    pub(super) fn of_jwk(jwk: &Jwk) -> Option<Self> {
        let (own, public) = match &jwk.public {
            Public::Okp { crv, x } if crv == "Ed25519" => (Algorithm::EdDsa, ed25519(x)?),
            Public::Ec { crv, x, y } if crv == "P-256" => (Algorithm::Es256, p256(x, y)?),
            Public::Rsa { n, e } => (Algorithm::Rs256, rsa(n, e)?),
            Public::Okp { .. } | Public::Ec { .. } => return None,
        };
        let is_for_signatures = jwk.public_key_use.as_deref().is_none_or(|used| used == "sig");
        let is_for_this = jwk.alg.is_none_or(|alg| alg == own);
        (is_for_signatures && is_for_this).then_some(Self { alg: own, material: Material::Public(public) })
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
            Material::Shared(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn ed25519(x: &str) -> Option<ParsedPublicKey> {
    let point = fixed::<ED25519_PUBLIC_KEY_LEN>(x)?;
    let mut y = point;
    y[ED25519_PUBLIC_KEY_LEN - 1] &= 0x7f;
    if ED25519_SMALL_ORDER.contains(&hex::encode(y).as_str()) {
        return None;
    }
    ParsedPublicKey::new(&ED25519, point).ok()
}

fn p256(x: &str, y: &str) -> Option<ParsedPublicKey> {
    let point = [[4].as_slice(), &fixed::<32>(x)?, &fixed::<32>(y)?].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()
}

fn rsa(n: &str, e: &str) -> Option<ParsedPublicKey> {
    let (n, e) = (bytes(n)?, bytes(e)?);
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let exponent = e.iter().fold(0_u64, |value, byte| value.saturating_mul(256).saturating_add(u64::from(*byte)));
    if !RSA_BITS.contains(&bits) || exponent < RSA_EXPONENT_MIN {
        return None;
    }
    // By way of DER, because only its parser checks the numbers.
    let der = RsaPublicKeyComponents { n, e }.as_der().ok()?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref()).ok()
}

fn fixed<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    bytes(text)?.try_into().ok()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
