//! The public half of a key as the log records it, checked and prepared once for every later verification.

use aws_lc_rs::{
    encoding::AsDer,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519 as ED25519_ALGORITHM, ED25519_PUBLIC_KEY_LEN, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::error::{RSA_BITS_MAX, RSA_BITS_MIN, RSA_EXPONENT_MIN, RecordFault};
use crate::domain::key::{Algorithm, PublicJwk};

/// `crv` of Ed25519, RFC 8037 section 2.
pub(super) const ED25519: &str = "Ed25519";
/// `crv` of P-256, RFC 7518 section 6.2.1.1.
pub(super) const P256: &str = "P-256";
/// Bytes of a coordinate on P-256, leading zeros included (RFC 7518 section 6.2.1.2).
pub(super) const P256_COORDINATE_BYTES: usize = 32;

/// The points of small order on Ed25519 in every spelling, less the highest bit (the sign of x). Under such a key anybody
/// can sign, and `aws-lc` takes it.
pub(super) const ED25519_SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Reads a public half for exactly this algorithm.
pub(super) fn parse(alg: Algorithm, jwk: Option<&PublicJwk>) -> Result<ParsedPublicKey, RecordFault> {
    match (alg, jwk) {
        (Algorithm::EdDsa, Some(PublicJwk::Okp { crv, x })) if crv == ED25519 => ed25519(x),
        (Algorithm::Es256, Some(PublicJwk::Ec { crv, x, y })) if crv == P256 => p256(x, y),
        (Algorithm::Rs256, Some(PublicJwk::Rsa { n, e })) => rsa(n, e, &RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Hs256, Some(_)) => Err(RecordFault::SecretShown),
        (_, Some(_)) => Err(RecordFault::OtherKind),
        (_, None) => Err(RecordFault::NoPublicHalf),
    }
}

/// Reads the public half of an RSA key for PS256, which others sign with and the catalog does not.
pub(super) fn parse_pss(jwk: &PublicJwk) -> Result<ParsedPublicKey, RecordFault> {
    match jwk {
        PublicJwk::Rsa { n, e } => rsa(n, e, &RSA_PSS_2048_8192_SHA256),
        PublicJwk::Okp { .. } | PublicJwk::Ec { .. } => Err(RecordFault::OtherKind),
    }
}

/// Whether an RSA public exponent, big-endian, is below the smallest that is taken.
pub(super) fn is_small_exponent(exponent: &[u8]) -> bool {
    let value = exponent.iter().fold(0_u64, |value, byte| value.saturating_mul(256).saturating_add(u64::from(*byte)));
    value < RSA_EXPONENT_MIN
}

fn ed25519(x: &str) -> Result<ParsedPublicKey, RecordFault> {
    let point = fixed::<ED25519_PUBLIC_KEY_LEN>(x)?;
    let mut y = point;
    y[ED25519_PUBLIC_KEY_LEN - 1] &= 0x7f;
    if ED25519_SMALL_ORDER.contains(&hex::encode(y).as_str()) {
        return Err(RecordFault::Damaged);
    }
    ParsedPublicKey::new(&ED25519_ALGORITHM, point).map_err(|_| RecordFault::Damaged)
}

fn p256(x: &str, y: &str) -> Result<ParsedPublicKey, RecordFault> {
    let (x, y) = (fixed::<P256_COORDINATE_BYTES>(x)?, fixed::<P256_COORDINATE_BYTES>(y)?);
    let point = [[4].as_slice(), &x, &y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| RecordFault::Damaged)
}

fn rsa(n: &str, e: &str, scheme: &'static RsaParameters) -> Result<ParsedPublicKey, RecordFault> {
    let (n, e) = (bytes(n)?, bytes(e)?);
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(RecordFault::RsaBits { bits });
    }
    if is_small_exponent(&e) {
        return Err(RecordFault::RsaExponent);
    }
    // By way of DER, because only its parser checks the numbers; components alone are taken unseen. On the way a
    // leading zero is refused, which RFC 7518 section 2 (`Base64urlUInt`) does not allow.
    let der = RsaPublicKeyComponents { n, e }.as_der().map_err(|_| RecordFault::Damaged)?;
    ParsedPublicKey::new(scheme, der.as_ref()).map_err(|_| RecordFault::Damaged)
}

fn fixed<const BYTES: usize>(text: &str) -> Result<[u8; BYTES], RecordFault> {
    bytes(text)?.try_into().map_err(|_| RecordFault::Damaged)
}

fn bytes(text: &str) -> Result<Vec<u8>, RecordFault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| RecordFault::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(alg: Algorithm, json: &str) -> Option<RecordFault> {
        parse(alg, Some(&serde_json::from_str(json).expect("a key"))).err()
    }

    fn rsa_fault(n: &[u8], e: &[u8]) -> Option<RecordFault> {
        let base64url = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        parse(Algorithm::Rs256, Some(&PublicJwk::Rsa { n: base64url(n), e: base64url(e) })).err()
    }

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn a_key_is_for_its_one_algorithm() {
        assert_eq!(fault(Algorithm::EdDsa, ED), None);
        assert_eq!(fault(Algorithm::Es256, ED), Some(RecordFault::OtherKind));
        assert_eq!(fault(Algorithm::Rs256, ED), Some(RecordFault::OtherKind));
        assert_eq!(fault(Algorithm::Hs256, ED), Some(RecordFault::SecretShown));
        assert_eq!(fault(Algorithm::EdDsa, &ED.replace("Ed25519", "X25519")), Some(RecordFault::OtherKind));
        let p384 = r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#;
        assert_eq!(fault(Algorithm::Es256, p384), Some(RecordFault::OtherKind));
        assert_eq!(parse(Algorithm::EdDsa, None).err(), Some(RecordFault::NoPublicHalf));
    }

    #[test]
    fn members_are_canonical_and_of_the_right_length() {
        for (from, to) in [("URo\"", "URp\""), ("URo\"", "URo=\""), ("URo\"", "U\""), ("11q", "1 q"), ("11q", "1+q")] {
            assert_eq!(fault(Algorithm::EdDsa, &ED.replace(from, to)), Some(RecordFault::Damaged), "{from} {to}");
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let one = URL_SAFE_NO_PAD.encode([1; 32]);

        let jwk = PublicJwk::Ec { crv: P256.to_owned(), x: one.clone(), y: one };

        assert_eq!(parse(Algorithm::Es256, Some(&jwk)).err(), Some(RecordFault::Damaged));
    }

    #[test]
    fn rfc_7518_section_3_3_rsa_has_an_odd_modulus_of_2048_to_4096_bits_and_a_large_odd_exponent() {
        let modulus = |bytes| [0xff].repeat(bytes);

        assert_eq!(rsa_fault(&modulus(256), &[1, 0, 1]), None);
        assert_eq!(rsa_fault(&modulus(512), &[1, 0, 1]), None);
        assert_eq!(rsa_fault(&modulus(128), &[1, 0, 1]), Some(RecordFault::RsaBits { bits: 1_024 }));
        assert_eq!(
            rsa_fault(&[&[0x7f], modulus(255).as_slice()].concat(), &[1, 0, 1]),
            Some(RecordFault::RsaBits { bits: 2_047 })
        );
        assert_eq!(
            rsa_fault(&[&[1], modulus(512).as_slice()].concat(), &[1, 0, 1]),
            Some(RecordFault::RsaBits { bits: 4_097 })
        );
        assert_eq!(rsa_fault(&modulus(256), &[3]), Some(RecordFault::RsaExponent));
        assert_eq!(rsa_fault(&modulus(256), &[0xff, 0xff]), Some(RecordFault::RsaExponent));
        assert_eq!(rsa_fault(&modulus(256), &[1, 0, 2]), Some(RecordFault::Damaged));
        assert_eq!(rsa_fault(&[&[0], modulus(256).as_slice()].concat(), &[1, 0, 1]), Some(RecordFault::Damaged));
        assert_eq!(rsa_fault(&modulus(256), &[0, 1, 0, 1]), Some(RecordFault::Damaged));
        assert_eq!(rsa_fault(&modulus(256), &[]), Some(RecordFault::RsaExponent));
        assert_eq!(rsa_fault(&[modulus(255).as_slice(), &[0xfe]].concat(), &[1, 0, 1]), Some(RecordFault::Damaged));
        assert_eq!(rsa_fault(&[], &[1, 0, 1]), Some(RecordFault::RsaBits { bits: 0 }));
    }
}
