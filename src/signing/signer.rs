//! A private key, read and prepared once, and what can be told of it: its algorithm and its public half.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::AsDer,
    error::{KeyRejected, Unspecified},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{
    error::{KeyFault, RSA_BITS_MAX},
    passphrase::Passphrase,
    pem, public_key,
};
use crate::domain::key::{Algorithm, PublicJwk};

/// A private key. `aws-lc` overwrites its memory when it is dropped.
pub(super) enum Signer {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    /// Shared with verifiers, so that the secret is in memory once.
    Hs256(Arc<hmac::Key>),
}

impl Signer {
    /// Reads the one private key of a PEM file: PKCS#8, PKCS#1 (RSA) or SEC1 (P-256). The key says its algorithm.
    #[cfg(test)]
    pub(super) fn from_pem(text: &str) -> Result<Self, KeyFault> {
        Self::from_lockable(text, None)
    }

    /// The same, which may be locked with this passphrase.
    pub(super) fn from_lockable(text: &str, passphrase: Option<&Passphrase>) -> Result<Self, KeyFault> {
        let block = pem::the_block(text, "PRIVATE KEY")?;
        match block.label {
            "PRIVATE KEY" => Self::from_pkcs8(&whole(&block)?),
            "RSA PRIVATE KEY" => Self::from_pkcs1(&whole(&block)?),
            "EC PRIVATE KEY" => Self::from_sec1(&whole(&block)?),
            "ENCRYPTED PRIVATE KEY" => {
                Self::from_pkcs8(&passphrase.ok_or(KeyFault::Encrypted)?.unlock(&whole(&block)?)?)
            }
            "OPENSSH PRIVATE KEY" => Err(KeyFault::OpenSsh),
            _ => Err(KeyFault::Unsupported),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFault> {
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::EdDsa(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Ok(Self::Es256(key));
        }
        // The last attempt's error tells a sound key of another kind from a damaged one.
        checked_rsa(RsaKeyPair::from_pkcs8(der))
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyFault> {
        checked_rsa(RsaKeyPair::from_der(der))
    }

    fn from_sec1(der: &[u8]) -> Result<Self, KeyFault> {
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map(Self::Es256)
            .map_err(|_| KeyFault::Unsupported)
    }

    /// Makes a key pair, and its PKCS#8. RSA has 3072 bits and takes a good part of a second.
    pub(super) fn generate(alg: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), Unspecified> {
        let kept = |der: &[u8]| Zeroizing::new(der.to_vec());
        match alg {
            Algorithm::EdDsa => {
                let key = Ed25519KeyPair::generate()?;
                // Version 1, without the public half: OpenSSL before 3.2 does not read version 2.
                let der = kept(key.to_pkcs8v1()?.as_ref());
                Ok((Self::EdDsa(key), der))
            }
            Algorithm::Es256 => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let der = kept(key.to_pkcs8v1()?.as_ref());
                Ok((Self::Es256(key), der))
            }
            Algorithm::Rs256 => {
                let key = RsaKeyPair::generate(KeySize::Rsa3072)?;
                let der = kept(key.as_der()?.as_ref());
                Ok((Self::Rs256(key), der))
            }
            Algorithm::Hs256 => Err(Unspecified),
        }
    }

    pub(super) fn alg(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Hs256(_) => Algorithm::Hs256,
        }
    }

    /// The public half; `None` for a shared secret, which has none.
    pub(super) fn jwk(&self) -> Option<PublicJwk> {
        let base64url = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::EdDsa(key) => {
                Some(PublicJwk::Okp { crv: public_key::ED25519.to_owned(), x: base64url(key.public_key().as_ref()) })
            }
            Self::Es256(key) => {
                // SEC 1 section 2.3.3: one byte that says "uncompressed", then both coordinates.
                let (x, y) = key.public_key().as_ref()[1..].split_at(public_key::P256_COORDINATE_BYTES);
                Some(PublicJwk::Ec { crv: public_key::P256.to_owned(), x: base64url(x), y: base64url(y) })
            }
            Self::Rs256(key) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                Some(PublicJwk::Rsa { n: base64url(&n), e: base64url(&e) })
            }
            Self::Hs256(_) => None,
        }
    }

    /// Signs: 2 µs for HS256, 24 µs for `EdDSA`, 36 µs for ES256, 1.4 ms for RS256 (which is too long for an async
    /// thread). The signature has the fixed form of RFC 7518 section 3, never DER.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::EdDsa(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Es256(key) => Ok(key.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Hs256(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }

    /// Whether a public key file (`PUBLIC KEY`, or `RSA PUBLIC KEY` of PKCS#1) holds this key's public half.
    pub(super) fn is_half_of(&self, text: &str) -> Result<bool, KeyFault> {
        let block = pem::the_block(text, "PUBLIC KEY")?;
        let der = block.der()?;
        let ours = |spki: Result<aws_lc_rs::encoding::PublicKeyX509Der<'_>, Unspecified>| {
            spki.is_ok_and(|ours| ours.as_ref() == der.as_slice())
        };
        Ok(match (self, block.label) {
            (Self::EdDsa(key), "PUBLIC KEY") => ours(key.public_key().as_der()),
            (Self::Es256(key), "PUBLIC KEY") => ours(key.public_key().as_der()),
            (Self::Rs256(key), "PUBLIC KEY") => ours(key.public_key().as_der()),
            (Self::Rs256(key), "RSA PUBLIC KEY") => key.public_key().as_ref() == der.as_slice(),
            _ => false,
        })
    }
}

/// The one DER value of a block. `aws-lc` reads the first and passes over whatever stands behind it.
fn whole(block: &pem::Block<'_>) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let der = block.der()?;
    let bytes = match der.as_slice() {
        [_, length @ ..=0x7f, ..] => 2 + usize::from(*length),
        [_, 0x81, length, ..] => 3 + usize::from(*length),
        [_, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Err(KeyFault::Damaged),
    };
    if der.len() == bytes { Ok(der) } else { Err(KeyFault::Damaged) }
}

fn checked_rsa(key: Result<RsaKeyPair, KeyRejected>) -> Result<Signer, KeyFault> {
    let key = key.map_err(|rejected| match rejected.description_() {
        "TooSmall" => KeyFault::RsaTooShort,
        "TooLarge" => KeyFault::RsaTooLong,
        "WrongAlgorithm" => KeyFault::Unsupported,
        _ => KeyFault::Damaged,
    })?;
    if key.public_modulus_len() * 8 > RSA_BITS_MAX {
        return Err(KeyFault::RsaTooLong);
    }
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
    if public_key::is_small_exponent(&public.e) {
        return Err(KeyFault::RsaExponent);
    }
    Ok(Signer::Rs256(key))
}
