//! Signatures of each algorithm, by keys that are made at run time.

use aws_lc_rs::{
    digest, hmac,
    rand::{SystemRandom, fill},
    rsa::{self, KeySize},
    signature::{
        self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog_gateway::{
    Now,
    jwt::{Invalid, KeySet, Secret, Verified, Verifier},
};
use serde_json::{Value, json};

use super::catalog::{Catalog, claims, rules};

/// The order of P-256 (FIPS 186-5), big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const KID: &str = "one";

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is signed: a header for this algorithm and key, and proper claims.
fn input(alg: &str, kid: &str) -> String {
    let header = json!({ "typ": "at+jwt", "alg": alg, "kid": kid });
    format!("{}.{}", encoded(header.to_string()), encoded(claims().to_string()))
}

fn verify(keys: &KeySet, input: &str, signature: &(impl AsRef<[u8]> + ?Sized)) -> Result<Verified, Invalid> {
    rules().verify(&format!("{input}.{}", encoded(signature)), keys, Now::read().wall())
}

fn verdict(keys: &KeySet, input: &str, signature: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), Invalid> {
    verify(keys, input, signature).map(|_| ())
}

fn set(jwk: &Value) -> KeySet {
    KeySet::of_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap()
}

/// A set of a key, one of whose members is this.
fn set_with(jwk: &Value, name: &str, value: &str) -> KeySet {
    let mut jwk = jwk.clone();
    jwk[name] = json!(value);
    set(&jwk)
}

fn p256() -> (EcdsaKeyPair, Value) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    // Uncompressed: 4, x, y.
    let point = pair.public_key().as_ref().to_vec();
    let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
    (pair, json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": KID }))
}

/// The other signature that says the same: `n - s` for `s`.
fn restated(signature: &[u8]) -> Vec<u8> {
    let order = hex::decode(P256_ORDER).unwrap();
    let (r, s) = signature.split_at(32);
    let mut other = [0; 32];
    let mut borrow = 0;
    for index in (0..32).rev() {
        let difference = i16::from(order[index]) - i16::from(s[index]) - borrow;
        borrow = i16::from(difference < 0);
        other[index] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    [r, &other].concat()
}

#[test]
fn an_es256_signature_is_that_of_its_key_and_a_token_is_the_same_however_it_is_restated() {
    let (pair, jwk) = p256();
    let (keys, input) = (set(&jwk), input("ES256", KID));
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();

    let verified = verify(&keys, &input, &signature).unwrap();
    let again = verify(&keys, &input, &restated(signature.as_ref())).unwrap();

    assert_eq!(verified.signing_input_digest, digest::digest(&digest::SHA256, input.as_bytes()).as_ref());
    assert_eq!(again, verified);
    let (other, _) = p256();
    let of_another = other.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    assert_eq!(verdict(&keys, &input, &of_another), Err(Invalid::Signature));
    assert_eq!(verdict(&keys, &input, &[0; 64]), Err(Invalid::Signature));
    assert_eq!(verdict(&keys, &input, &signature.as_ref()[..63]), Err(Invalid::Signature));
    let der = of_the_same(&pair, &ECDSA_P256_SHA256_ASN1_SIGNING).sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    assert_eq!(verdict(&keys, &input, &der), Err(Invalid::Signature), "of another form (RFC 7518 section 3.4)");
}

/// The same key, whose signatures have another form.
fn of_the_same(pair: &EcdsaKeyPair, form: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(form, pair.to_pkcs8v1().unwrap().as_ref()).unwrap()
}

#[test]
fn a_p256_key_is_a_point_of_its_curve_for_its_one_algorithm() {
    let (pair, jwk) = p256();
    let input = input("ES256", KID);
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    let y = jwk["y"].as_str().unwrap();
    let mut aside = URL_SAFE_NO_PAD.decode(y).unwrap();
    aside[31] ^= 1;

    for (name, value) in
        [("y", encoded(aside)), ("y", encoded(&y[..31])), ("crv", "P-384".to_owned()), ("alg", "RS256".to_owned())]
    {
        assert_eq!(
            verdict(&set_with(&jwk, name, &value), &input, &signature),
            Err(Invalid::UnknownKey),
            "{name} {value}"
        );
    }
    for alg in ["EdDSA", "RS256", "HS256"] {
        let other = self::input(alg, KID);
        let signature = pair.sign(&SystemRandom::new(), other.as_bytes()).unwrap();
        assert_eq!(verdict(&set(&jwk), &other, &signature), Err(Invalid::Algorithm), "{alg}");
    }
}

fn rsa(size: KeySize) -> (rsa::KeyPair, Value) {
    let pair = rsa::KeyPair::generate(size).unwrap();
    let key = pair.public_key();
    let (n, e) = (encoded(key.modulus().big_endian_without_leading_zero()), key.exponent());
    let e = encoded(e.big_endian_without_leading_zero());
    (pair, json!({ "kty": "RSA", "n": n, "e": e, "alg": "RS256", "use": "sig", "kid": KID }))
}

fn rsa_signature(pair: &rsa::KeyPair, padding: &'static dyn signature::RsaEncoding, input: &str) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    signature
}

#[test]
fn an_rs256_signature_is_that_of_its_key_with_its_one_padding() {
    let ((pair, jwk), (other, _)) = (rsa(KeySize::Rsa2048), rsa(KeySize::Rsa2048));
    let (keys, input) = (set(&jwk), input("RS256", KID));
    let good = rsa_signature(&pair, &RSA_PKCS1_SHA256, &input);

    assert_eq!(verdict(&keys, &input, &good), Ok(()));
    assert_eq!(verdict(&keys, &input, &good[1..]), Err(Invalid::Signature));
    assert_eq!(verdict(&keys, &input, &rsa_signature(&other, &RSA_PKCS1_SHA256, &input)), Err(Invalid::Signature));
    assert_eq!(verdict(&keys, &input, &rsa_signature(&pair, &RSA_PSS_SHA256, &input)), Err(Invalid::Signature));
    let of_the_text = self::input("HS256", KID);
    let n = jwk["n"].as_str().unwrap();
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, n.as_bytes()), of_the_text.as_bytes());
    assert_eq!(verdict(&keys, &of_the_text, &signature), Err(Invalid::Algorithm), "a public key is no secret");
}

#[test]
fn an_rsa_key_has_2048_to_4096_bits_and_no_small_exponent() {
    let (pair, jwk) = rsa(KeySize::Rsa2048);
    let input = input("RS256", KID);
    let signature = rsa_signature(&pair, &RSA_PKCS1_SHA256, &input);
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();

    for (name, value) in
        [("n", encoded(&n[1..])), ("n", encoded([n.as_slice(); 3].concat())), ("n", String::new()), ("e", encoded([3]))]
    {
        assert_eq!(verdict(&set_with(&jwk, name, &value), &input, &signature), Err(Invalid::UnknownKey), "{name}");
    }
    let (large, jwk) = rsa(KeySize::Rsa4096);
    assert_eq!(verdict(&set(&jwk), &input, &rsa_signature(&large, &RSA_PKCS1_SHA256, &input)), Ok(()));
}

/// A shared secret as it stands in a configuration, its key, and what it is called.
fn secret() -> (String, hmac::Key, String) {
    let mut bytes = [0; 32];
    fill(&mut bytes).unwrap();
    let text = encoded(bytes);
    let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
    let kid = encoded(&hmac::sign(&key, b"catalog kid v1").as_ref()[..16]);
    (text, key, kid)
}

#[tokio::test]
async fn an_hs256_signature_is_that_of_the_configured_secret_and_asks_nobody_for_keys() {
    let (text, key, kid) = secret();
    let secret = Secret::new(&text.into()).unwrap();
    let keys = KeySet::default().with_secret(&secret);
    let input = input("HS256", &kid);
    let signature = hmac::sign(&key, input.as_bytes());

    assert_eq!(verdict(&keys, &input, &signature), Ok(()));
    assert_eq!(verdict(&KeySet::default(), &input, &signature), Err(Invalid::UnknownSecret));
    assert_eq!(verdict(&keys, &input, &signature.as_ref()[..31]), Err(Invalid::Signature));
    let (_, another, _) = self::secret();
    assert_eq!(verdict(&keys, &input, &hmac::sign(&another, input.as_bytes())), Err(Invalid::Signature));
    let other = self::input("EdDSA", &kid);
    assert_eq!(verdict(&keys, &other, &hmac::sign(&key, other.as_bytes())), Err(Invalid::Algorithm));
    let catalog = Catalog::with_keys(&[]).await;
    catalog.served().is_down = true;
    let verifier = Verifier::with_secret(catalog.client.clone(), rules(), secret);
    let token = format!("{input}.{}", encoded(signature));
    assert_eq!(verifier.verify(&token, Now::read().wall()).await.unwrap().kid, kid);
}
