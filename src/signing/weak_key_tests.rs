//! Keys that are weak, damaged or not what they say: none gets into a keyring, and none verifies anything.

use aws_lc_rs::{
    encoding::AsDer,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    KeyFault, RecordFault,
    fixtures::{Bench, base64url},
    public_key,
    signer::Signer,
    weak_fixtures::{
        EC_P256, RSA_2048_EXPONENT_3, RSA_4104, der, ec_pkcs8, ec_private_key, ed25519_private_key, pem,
        x25519_private_key,
    },
};
use crate::domain::key::{Algorithm, PublicJwk};

/// The order of P-256, big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

fn fault(label: &str, der: &[u8]) -> Option<KeyFault> {
    Signer::from_pem(&pem(label, der)).err()
}

fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

#[test]
fn an_rsa_key_has_at_most_4096_bits_and_no_small_exponent() {
    assert_eq!(fault("RSA PRIVATE KEY", &base64(RSA_4104)), Some(KeyFault::RsaTooLong));
    assert_eq!(fault("RSA PRIVATE KEY", &base64(RSA_2048_EXPONENT_3)), Some(KeyFault::RsaExponent));
}

/// The numbers of a PKCS#1 key: version, n, e, d, p, q and the rest.
fn rsa_numbers() -> Vec<Vec<u8>> {
    let pkcs8 = Bench::rsa_pkcs8();
    // PKCS#8 wraps PKCS#1 in 26 bytes for a key of this size, which begins with four of its own.
    let mut rest = &pkcs8[30..];
    let mut numbers = Vec::new();
    while let [2, length, tail @ ..] = rest {
        let (length, tail) = match (*length, tail) {
            (0x81, [length, tail @ ..]) => (usize::from(*length), tail),
            (0x82, [high, low, tail @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), tail),
            (length, tail) => (usize::from(length), tail),
        };
        numbers.push(tail[..length].to_vec());
        rest = &tail[length..];
    }
    assert_eq!((numbers.len(), rest), (9, [].as_slice()));
    numbers
}

fn pkcs1(numbers: &[Vec<u8>]) -> Vec<u8> {
    let numbers: Vec<Vec<u8>> = numbers.iter().map(|number| der(2, &[number])).collect();
    der(0x30, &numbers.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn an_rsa_key_whose_numbers_do_not_belong_together_is_damaged() {
    let whole = rsa_numbers();
    let changed = |which: usize, to: &[u8]| {
        let mut numbers = whole.clone();
        numbers[which] = to.to_vec();
        fault("RSA PRIVATE KEY", &pkcs1(&numbers))
    };
    let flipped = |which: usize| {
        let mut number = whole[which].clone();
        let last = number.len() - 1;
        number[last - 1] ^= 2;
        changed(which, &number)
    };

    assert_eq!(fault("RSA PRIVATE KEY", &pkcs1(&whole)), None);
    for which in [1, 3, 4, 5, 6, 7, 8] {
        assert_eq!(flipped(which), Some(KeyFault::Damaged), "number {which}");
    }
    for exponent in [&[1, 0, 2][..], &[1, 0, 3], &[1], &[0], &[2], &[3]] {
        assert!(changed(2, exponent).is_some(), "exponent {exponent:?}");
    }
}

#[test]
fn a_p256_key_lies_between_zero_and_the_order() {
    let order = hex::decode(P256_ORDER).expect("hex");
    let near = |difference: i16| {
        let mut number = order.clone();
        number[31] = u8::try_from(i16::from(number[31]) + difference).expect("a byte");
        number
    };
    let one = [[0; 31].as_slice(), &[1]].concat();
    let zero = [0; 32].to_vec();

    for good in [&one, &near(-1)] {
        assert_eq!(fault("EC PRIVATE KEY", &ec_private_key(good, None)), None);
        assert_eq!(fault("PRIVATE KEY", &ec_pkcs8(good, None)), None);
    }
    for bad in [&zero, &order, &near(1), &[0xff; 32].to_vec(), &Vec::new(), &vec![1; 33]] {
        assert!(fault("EC PRIVATE KEY", &ec_private_key(bad, None)).is_some(), "{bad:x?}");
        assert!(fault("PRIVATE KEY", &ec_pkcs8(bad, None)).is_some(), "{bad:x?}");
    }
}

/// The uncompressed point of a key on P-256.
fn point(d: &[u8]) -> Vec<u8> {
    match Signer::from_pem(&pem("EC PRIVATE KEY", &ec_private_key(d, None))) {
        Ok(Signer::Es256(key)) => key.public_key().as_ref().to_vec(),
        _ => panic!("a key on P-256"),
    }
}

#[test]
fn a_private_key_that_carries_anothers_public_half_is_refused() {
    let (d, own, other) = ([7; 32], point(&[7; 32]), point(&[8; 32]));
    let mut off_the_curve = own.clone();
    off_the_curve[64] ^= 1;
    let infinity = vec![0];
    for write in [ec_pkcs8, ec_private_key] {
        let label = if write(&d, None) == ec_pkcs8(&d, None) { "PRIVATE KEY" } else { "EC PRIVATE KEY" };
        assert_eq!(fault(label, &write(&d, Some(&own))), None);
        for wrong in [&other, &off_the_curve, &infinity] {
            assert!(fault(label, &write(&d, Some(wrong))).is_some(), "{label} {wrong:x?}");
        }
    }
    let own = Ed25519KeyPair::generate().expect("a key").to_pkcs8().expect("pkcs8").as_ref().to_vec();
    let other = Ed25519KeyPair::generate().expect("a key");
    let swapped = [&own[..own.len() - 32], other.public_key().as_ref()].concat();
    assert_eq!(fault("PRIVATE KEY", &own), None);
    assert!(fault("PRIVATE KEY", &swapped).is_some());
}

#[test]
fn an_ed25519_key_has_32_bytes_and_its_own_identifier() {
    assert_eq!(fault("PRIVATE KEY", &ed25519_private_key(&[7; 32])), None);
    for wrong in [0, 31, 33, 64] {
        assert!(fault("PRIVATE KEY", &ed25519_private_key(&vec![7; wrong])).is_some(), "{wrong} bytes");
    }
    assert_eq!(fault("PRIVATE KEY", &x25519_private_key(&[7; 32])), Some(KeyFault::Unsupported));
}

#[test]
fn a_key_ends_where_its_der_ends() {
    let tail = |der: &[u8]| [der, &[0]].concat();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let rsa = Bench::rsa_pkcs8();
    let inner = der(0x30, &[&[2, 1, 0], &der(0x30, &[EC_P256]), &der(4, &[&tail(&ec_private_key(&[7; 32], None))])]);

    for (label, whole) in [
        ("PRIVATE KEY", ed25519_private_key(&[7; 32])),
        ("PRIVATE KEY", p256.to_pkcs8v1().expect("der").as_ref().to_vec()),
        ("PRIVATE KEY", rsa.clone()),
        ("EC PRIVATE KEY", ec_private_key(&[7; 32], None)),
        ("RSA PRIVATE KEY", rsa[26..].to_vec()),
    ] {
        assert_eq!(fault(label, &whole), None);
        for wrong in [&whole[..whole.len() - 1], &tail(&whole), &whole.repeat(2), &whole[..2], &whole[..1], &[]] {
            assert_eq!(fault(label, wrong), Some(KeyFault::Damaged), "{label}: {} bytes", wrong.len());
        }
    }
    assert!(fault("PRIVATE KEY", &inner).is_some());
}

#[test]
fn a_public_key_file_ends_where_its_der_ends() {
    let rsa = RsaKeyPair::from_pkcs8(&Bench::rsa_pkcs8()).expect("a key");
    let spki = rsa.public_key().as_der().expect("der").as_ref().to_vec();
    let pkcs1 = rsa.public_key().as_ref().to_vec();
    let signer = Signer::Rs256(rsa);
    for (label, whole) in [("PUBLIC KEY", spki), ("RSA PUBLIC KEY", pkcs1)] {
        assert_eq!(signer.is_half_of(&pem(label, &whole)), Ok(true));
        assert_eq!(signer.is_half_of(&pem(label, &[whole.as_slice(), &[0]].concat())), Ok(false));
    }
}

#[test]
fn a_file_with_keys_of_two_kinds_has_several() {
    let two =
        pem("PRIVATE KEY", &ed25519_private_key(&[7; 32])) + &pem("EC PRIVATE KEY", &ec_private_key(&[7; 32], None));

    assert_eq!(Signer::from_pem(&two).err(), Some(KeyFault::Several));
}

/// Whoever had such a public key recorded could sign as it: with the point of order 1 for R and with s = 0, for any
/// message of which the hash is a multiple of the key's order.
#[test]
fn a_public_point_of_small_order_is_refused_for_anybody_could_sign_under_it() {
    let forged = [[1].as_slice(), &[0; 63]].concat();
    let mut open = Vec::new();
    for y in public_key::ED25519_SMALL_ORDER {
        for sign in [0, 0x80] {
            let mut point: [u8; 32] = hex::decode(y).expect("hex").try_into().expect("32 bytes");
            point[31] |= sign;
            let unchecked = ParsedPublicKey::new(&ED25519, point);
            let takes = |message| unchecked.as_ref().is_ok_and(|key| key.verify_sig(&[message], &forged).is_ok());
            open.extend((0..=u8::MAX).any(takes).then_some((&y[..4], sign)));
            let jwk = PublicJwk::Okp { crv: "Ed25519".to_owned(), x: base64url(point) };

            let refused = public_key::parse(Algorithm::EdDsa, Some(&jwk)).err();

            assert_eq!(refused, Some(RecordFault::Damaged), "{y} {sign}");
        }
    }
    // The eight points, in the spellings that the library reads.
    assert_eq!(open.len(), 8, "{open:?}");
}

#[test]
fn a_public_point_on_p256_is_two_coordinates_below_the_prime() {
    let point = point(&[7; 32]);
    let fault = |x: &[u8], y: &[u8]| {
        let jwk = PublicJwk::Ec { crv: "P-256".to_owned(), x: base64url(x), y: base64url(y) };
        public_key::parse(Algorithm::Es256, Some(&jwk)).err()
    };
    let (x, y) = (&point[1..33], &point[33..]);

    assert_eq!(fault(x, y), None);
    for (x, y) in [
        (y, x),
        (&x[1..], y),
        (x, &y[..31]),
        (&[0; 32], &[0; 32]),
        (&[0xff; 32], y),
        (x, &[0xff; 32]),
        (&point[..33], y),
        (&[], &[]),
    ] {
        assert_eq!(fault(x, y), Some(RecordFault::Damaged), "{x:x?} {y:x?}");
    }
}
