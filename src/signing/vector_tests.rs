//! Published test vectors, taken by the code that every token is taken by: Wycheproof's, whole, for each algorithm, and
//! the examples of RFC 7515 and RFC 8037.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use wycheproof::{
    TestResult, ecdsa, eddsa, mac,
    rsa_pkcs1_verify::{self, TestFlag},
};

use super::{
    RecordFault, SharedSecret, WeakSecret,
    fixtures::base64url,
    signer::Signer,
    verify::{SecretOfKid, VerifyingKey},
    weak_fixtures::{ec_private_key, ed25519_private_key, pem},
};
use crate::domain::{
    Position,
    key::{Algorithm, KeyRecord, PublicJwk},
    text::Kid,
};

/// The one shared secret that is here, if there is one.
struct Secret(Option<Arc<hmac::Key>>);

impl SecretOfKid for Secret {
    fn secret(&self, _: &Kid) -> Option<Arc<hmac::Key>> {
        self.0.clone()
    }
}

fn kid() -> Kid {
    Kid::parse("published").expect("a kid")
}

fn public(alg: Algorithm, jwk: PublicJwk) -> Result<VerifyingKey, RecordFault> {
    key(alg, Some(jwk), None)
}

fn shared(secret: Arc<hmac::Key>) -> VerifyingKey {
    key(Algorithm::Hs256, None, Some(secret)).expect("a key")
}

fn key(alg: Algorithm, jwk: Option<PublicJwk>, secret: Option<Arc<hmac::Key>>) -> Result<VerifyingKey, RecordFault> {
    let record = KeyRecord {
        kid: kid(),
        alg,
        jwk,
        dev: false,
        added: Position(1),
        added_at: DateTime::UNIX_EPOCH,
        activated: None,
        relieved: None,
        retired: None,
        compromise: None,
    };
    VerifyingKey::new(&record, &Secret(secret))
}

fn accepts(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    key.verify(message, &base64url(signature), &kid()).is_ok()
}

/// How many vectors came to what.
type Tally = BTreeMap<&'static str, usize>;

#[track_caller]
fn put(tally: &mut Tally, vector: (usize, &str), expected: TestResult, accepted: bool) {
    let outcome = match (expected, accepted) {
        (TestResult::Valid, true) => "valid, accepted",
        (TestResult::Invalid, false) => "invalid, refused",
        (TestResult::Acceptable, false) => "acceptable, refused",
        (expected, accepted) => panic!("vector {vector:?} is {expected:?}, accepted: {accepted}"),
    };
    *tally.entry(outcome).or_default() += 1;
}

#[test]
fn es256_agrees_with_every_vector_for_p256_with_sha_256_in_the_fixed_form() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).expect("vectors");
    let mut tally = Tally::new();

    for group in &set.test_groups {
        let (x, y) = group.key.key[1..].split_at(32);
        let jwk = PublicJwk::Ec { crv: "P-256".to_owned(), x: base64url(x), y: base64url(y) };
        let key = public(Algorithm::Es256, jwk).expect("a point on the curve");
        for test in &group.tests {
            let accepted = accepts(&key, &test.msg, &test.sig);
            put(&mut tally, (test.tc_id, &test.comment), test.result, accepted);
        }
    }

    assert_eq!(tally, Tally::from([("valid, accepted", 173), ("invalid, refused", 89)]));
}

#[test]
fn eddsa_agrees_with_every_vector_for_ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors");
    let mut tally = Tally::new();

    for group in &set.test_groups {
        let jwk = PublicJwk::Okp { crv: "Ed25519".to_owned(), x: base64url(&group.key.pk) };
        let key = public(Algorithm::EdDsa, jwk).expect("a point on the curve");
        for test in &group.tests {
            let accepted = accepts(&key, &test.msg, &test.sig);
            put(&mut tally, (test.tc_id, &test.comment), test.result, accepted);
        }
    }

    assert_eq!(tally, Tally::from([("valid, accepted", 88), ("invalid, refused", 63)]));
}

/// Two rules of ours are stricter: a key has 32 bytes at least (RFC 7518 section 3.2), and a tag is whole.
#[test]
fn hs256_agrees_with_every_vector_for_whole_tags_and_long_keys_and_refuses_the_rest() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).expect("vectors");
    let (mut tally, mut stricter) = (Tally::new(), Tally::new());

    for (group, test) in set.test_groups.iter().flat_map(|group| group.tests.iter().map(move |test| (group, test))) {
        match SharedSecret::from_bytes(&test.key) {
            Ok(secret) => {
                let accepted = accepts(&shared(secret.key), &test.msg, &test.tag);
                if group.tag_size == 256 {
                    put(&mut tally, (test.tc_id, &test.comment), test.result, accepted);
                } else {
                    assert!(!accepted, "half a tag: {}", test.tc_id);
                    *stricter.entry("half a tag").or_default() += 1;
                }
            }
            Err(WeakSecret::TooShort { bytes: 16, .. }) => *stricter.entry("a short key").or_default() += 1,
            Err(weak) => panic!("vector {}: {weak}", test.tc_id),
        }
    }

    assert_eq!(tally, Tally::from([("valid, accepted", 30), ("invalid, refused", 54)]));
    assert_eq!(stricter, Tally::from([("half a tag", 84), ("a short key", 6)]));
}

/// One rule of ours is stricter: no public exponent below 65,537. What is "acceptable" leaves out a NULL of the padding,
/// which RFC 8017 section 9.2 asks for: nobody needs to verify what was signed so.
#[test]
fn rs256_agrees_with_every_vector_for_2048_3072_and_4096_bits_and_refuses_keys_of_exponent_3() {
    let (mut tally, mut stricter) = (Tally::new(), Tally::new());

    for name in [
        rsa_pkcs1_verify::TestName::Rsa2048Sha256,
        rsa_pkcs1_verify::TestName::Rsa3072Sha256,
        rsa_pkcs1_verify::TestName::Rsa4096Sha256,
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).expect("vectors").test_groups {
            let minimal = |number: &[u8]| base64url(&number[number.iter().take_while(|byte| **byte == 0).count()..]);
            let jwk = PublicJwk::Rsa { n: minimal(&group.key.n), e: minimal(&group.key.e) };
            let key = match public(Algorithm::Rs256, jwk) {
                Ok(key) => key,
                Err(RecordFault::RsaExponent) if minimal(&group.key.e) == "Aw" => {
                    *stricter.entry("exponent 3").or_default() += group.tests.len();
                    continue;
                }
                Err(fault) => panic!("a key {fault}"),
            };
            for test in &group.tests {
                let accepted = accepts(&key, &test.msg, &test.sig);
                put(&mut tally, (test.tc_id, &test.comment), test.result, accepted);
                if test.result == TestResult::Acceptable {
                    assert_eq!(test.flags, [TestFlag::MissingNull], "{}", test.tc_id);
                }
            }
        }
    }

    let expected = [("valid, accepted", 21), ("invalid, refused", 749), ("acceptable, refused", 3)];
    assert_eq!(tally, Tally::from(expected));
    assert_eq!(stricter, Tally::from([("exponent 3", 3)]));
}

/// RFC 7515 appendix A: the claims of its examples.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn bytes(base64url: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64url).expect("base64url")
}

/// Verifies an example, and that nothing else verifies in its place.
#[track_caller]
fn assert_example(key: &VerifyingKey, signing_input: &str, signature: &str) {
    let verify = |input: &str| key.verify(input.as_bytes(), signature, &kid());

    assert_eq!(verify(signing_input), Ok(()));
    assert!(verify(&signing_input[1..]).is_err());
}

#[test]
fn the_hs256_example_of_rfc_7515_appendix_a_1_is_signed_and_verified_as_printed_there() {
    let k = bytes("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    // Published: no `SharedSecret` would take the text of it.
    let secret = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &k));
    let input = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}");
    let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    assert_example(&shared(secret.clone()), &input, signature);
    assert_eq!(Signer::Hs256(secret).sign(input.as_bytes()), Ok(bytes(signature)));
}

#[test]
fn the_rs256_example_of_rfc_7515_appendix_a_2_is_verified_as_printed_there() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT\
             -SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQ\
             OS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj\
             8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGb\
                     ds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0G\
                     arZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgG\
                     Y9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let jwk = PublicJwk::Rsa { n: n.to_owned(), e: "AQAB".to_owned() };

    assert_example(&public(Algorithm::Rs256, jwk).expect("a key"), &format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"), signature);
}

#[test]
fn the_es256_example_of_rfc_7515_appendix_a_3_is_verified_and_its_key_read_as_printed_there() {
    let jwk = PublicJwk::Ec {
        crv: "P-256".to_owned(),
        x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".to_owned(),
        y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".to_owned(),
    };
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let d = bytes("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");

    let private = Signer::from_pem(&pem("EC PRIVATE KEY", &ec_private_key(&d, None))).expect("a key");

    assert_eq!(private.jwk().as_ref(), Some(&jwk));
    assert_example(&public(Algorithm::Es256, jwk).expect("a key"), &format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"), signature);
}

#[test]
fn the_eddsa_example_of_rfc_8037_appendix_a_is_signed_and_verified_as_printed_there() {
    let jwk = PublicJwk::Okp { crv: "Ed25519".to_owned(), x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned() };
    let d = bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    let private = Signer::from_pem(&pem("PRIVATE KEY", &ed25519_private_key(&d))).expect("a key");

    assert_eq!(private.jwk().as_ref(), Some(&jwk));
    assert_eq!(private.sign(input.as_bytes()), Ok(bytes(signature)));
    assert_example(&public(Algorithm::EdDsa, jwk).expect("a key"), input, signature);
}
