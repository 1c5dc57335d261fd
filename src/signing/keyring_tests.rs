//! What the keyring guarantees: who gets keys in, who gets what out, and that two starts agree.

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf, sync::Barrier};

use aws_lc_rs::{
    encoding::AsDer,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use tempfile::TempDir;

use super::{
    KeyFacts, KeyFault, Keyring, KeyringError, RecordFault, SharedSecret, SignedToken, SigningError, Verifier,
    fixtures::{Bench, RSA_1024, STRONG_SECRET, claims, record, secret},
    thumbprint,
    weak_fixtures::pem,
};
use crate::domain::{
    claims::{Claims, Header, TOKEN_BYTES_MAX, TYP, signing_input},
    key::{Algorithm, KeyRecord, PublicJwk},
    text::Kid,
};

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn keyring(&self) -> Keyring {
        Keyring::open(&self.keys()).expect("a keyring")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
        path
    }

    fn add(&self, text: &str, alg: Option<Algorithm>) -> Result<KeyFacts, KeyringError> {
        let path = self.write("elsewhere.pem", text);
        let mut keyring = self.keyring();
        let kid = keyring.add_key_file(&path, None, alg)?;
        Ok(keyring.facts(&kid).expect("just added"))
    }

    fn fault(&self, text: &str) -> Option<KeyFault> {
        match self.add(text, None) {
            Err(KeyringError::Broken { fault, .. }) => Some(fault),
            _ => None,
        }
    }
}

fn ed25519() -> String {
    pem("PRIVATE KEY", Ed25519KeyPair::generate().expect("a key").to_pkcs8().expect("pkcs8").as_ref())
}

fn input(kid: &Kid, alg: Algorithm, claims: &Claims) -> String {
    let header = Header { typ: TYP.to_owned(), alg, kid: kid.clone() };
    signing_input(&header, claims).expect("json")
}

#[test]
fn keyring_and_verifier_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}

    shared::<Keyring>();
    shared::<Verifier>();
    shared::<SignedToken>();
    shared::<SharedSecret>();
}

#[test]
fn a_key_is_generated_once_and_found_again() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let home = Home::new();
        let first = home.keyring().ensure_generated(alg).expect("made");

        let mut keyring = home.keyring();
        let again = keyring.ensure_generated(alg).expect("found");

        assert_eq!(again, first);
        assert_eq!(keyring.kids().collect::<Vec<_>>(), [&first]);
        let facts = keyring.facts(&first).expect("here");
        assert_eq!((facts.alg, thumbprint(&facts.jwk.expect("a public half"))), (alg, Ok(first.clone())));
        let mode = home.keys().join(format!("{first}.pem")).metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

#[test]
fn a_generated_rsa_key_has_3072_bits() {
    let bench = Bench::get();

    let Some(PublicJwk::Rsa { n, .. }) = bench.keyring.facts(&bench.rs256).and_then(|facts| facts.jwk) else {
        panic!("an RSA key");
    };

    assert_eq!(URL_SAFE_NO_PAD.decode(n).map(|n| n.len() * 8), Ok(3_072));
}

#[test]
fn a_directory_with_two_algorithms_has_a_key_for_each() {
    let home = Home::new();
    let mut keyring = home.keyring();

    let kids = [Algorithm::Es256, Algorithm::EdDsa].map(|alg| keyring.ensure_generated(alg).expect("made"));

    assert_ne!(kids[0], kids[1]);
    assert_eq!(home.keyring().ensure_generated(Algorithm::Es256).expect("found"), kids[0]);
    assert_eq!(home.keyring().kids().count(), 2);
}

#[test]
fn first_starts_at_the_same_moment_agree_on_one_key() {
    let home = Home::new();
    let barrier = Barrier::new(4);
    let start = || {
        let mut keyring = home.keyring();
        barrier.wait();
        keyring.ensure_generated(Algorithm::EdDsa).expect("a key")
    };

    let kids: Vec<Kid> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });

    assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
    assert_eq!(home.keyring().kids().count(), 1);
}

#[test]
fn a_shared_secret_cannot_be_generated() {
    let error = Home::new().keyring().ensure_generated(Algorithm::Hs256).expect_err("a secret is needed");

    assert!(matches!(error, KeyringError::NeedsSecret { alg: Algorithm::Hs256 }) && error.hint().is_some());
}

#[test]
fn a_shared_secret_is_in_memory_only() {
    let home = Home::new();
    let mut keyring = home.keyring();

    let kid = keyring.add_secret(secret()).expect("added");

    assert_eq!(keyring.facts(&kid), Some(KeyFacts { kid, alg: Algorithm::Hs256, jwk: None }));
    assert_eq!(home.keys().read_dir().expect("list").count(), 0);
}

#[test]
fn a_key_file_is_named_after_its_key_and_whole() {
    let home = Home::new();
    home.keyring();
    let misnamed = home.write("keys/mine.pem", &ed25519());
    let error = Keyring::open(&home.keys()).expect_err("misnamed");
    assert!(matches!(&error, KeyringError::Misnamed { path, .. } if *path == misnamed), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains(".pem")));

    home.write("keys/mine.pem", "not a key");
    let error = Keyring::open(&home.keys()).expect_err("broken");

    assert!(error.to_string().contains("mine.pem"), "{error}");
    assert!(matches!(error, KeyringError::Broken { fault: KeyFault::NoKey, .. }), "{error}");
}

#[test]
fn other_files_of_the_directory_are_left_alone() {
    let home = Home::new();
    home.keyring();
    home.write("keys/README", "not a key");
    home.write("keys/.unfinished", "not a key");

    assert_eq!(home.keyring().kids().count(), 0);
}

#[test]
fn keys_from_elsewhere_come_in_the_formats_of_openssl() {
    let home = Home::new();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let rsa = Bench::rsa_pkcs8();
    let alg = |text: &str| home.add(text, None).map(|facts| facts.alg).ok();

    assert_eq!(alg(&ed25519()), Some(Algorithm::EdDsa));
    assert_eq!(alg(&pem("PRIVATE KEY", p256.to_pkcs8v1().expect("der").as_ref())), Some(Algorithm::Es256));
    let sec1 = pem("EC PRIVATE KEY", p256.private_key().as_der().expect("der").as_ref());
    assert_eq!(alg(&sec1), Some(Algorithm::Es256));
    let parameters = pem("EC PARAMETERS", &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    assert_eq!(alg(&(parameters + &sec1)), Some(Algorithm::Es256));
    assert_eq!(alg(&pem("PRIVATE KEY", &rsa)), Some(Algorithm::Rs256));
    // PKCS#8 wraps PKCS#1 in 26 bytes for a key of this size.
    assert_eq!(alg(&pem("RSA PRIVATE KEY", &rsa[26..])), Some(Algorithm::Rs256));
}

#[test]
fn keys_that_are_weak_locked_or_of_another_kind_are_refused() {
    let home = Home::new();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
    let p384_sec1 = pem("EC PRIVATE KEY", p384.private_key().as_der().expect("der").as_ref());

    assert_eq!(
        home.fault(&pem("PRIVATE KEY", &STANDARD.decode(RSA_1024).expect("base64"))),
        Some(KeyFault::RsaTooShort)
    );
    assert_eq!(home.fault(&pem("PRIVATE KEY", p384.to_pkcs8v1().expect("der").as_ref())), Some(KeyFault::Unsupported));
    assert_eq!(home.fault(&p384_sec1), Some(KeyFault::Unsupported));
    assert_eq!(home.fault(&pem("ENCRYPTED PRIVATE KEY", b"x")), Some(KeyFault::Encrypted));
    assert_eq!(home.fault(&pem("OPENSSH PRIVATE KEY", b"x")), Some(KeyFault::OpenSsh));
    assert_eq!(home.fault(&pem("DSA PRIVATE KEY", b"x")), Some(KeyFault::Unsupported));
    assert_eq!(home.fault(&pem("PRIVATE KEY", b"x")), Some(KeyFault::Damaged));
    assert_eq!(home.fault(&pem("RSA PRIVATE KEY", b"x")), Some(KeyFault::Damaged));
    assert_eq!(home.fault(&(ed25519() + &ed25519())), Some(KeyFault::Several));
}

#[test]
fn an_announced_algorithm_has_to_be_the_keys_own() {
    let home = Home::new();

    let error = home.add(&ed25519(), Some(Algorithm::Rs256)).expect_err("another algorithm");

    assert!(home.add(&ed25519(), Some(Algorithm::EdDsa)).is_ok());
    assert!(matches!(error, KeyringError::AlgorithmMismatch { asked: Algorithm::Rs256, found: Algorithm::EdDsa, .. }));
}

#[test]
fn a_public_key_file_has_to_be_the_other_half() {
    let home = Home::new();
    let rsa_pkcs8 = Bench::rsa_pkcs8();
    let rsa = RsaKeyPair::from_pkcs8(&rsa_pkcs8).expect("a key");
    let other = Ed25519KeyPair::generate().expect("a key");
    let private = home.write("private.pem", &pem("PRIVATE KEY", &rsa_pkcs8));
    let add = |text: &str| {
        let public = home.write("public.pem", text);
        home.keyring().add_key_file(&private, Some(&public), None)
    };
    let spki = |der: &[u8]| pem("PUBLIC KEY", der);

    assert!(add(&spki(rsa.public_key().as_der().expect("der").as_ref())).is_ok());
    assert!(add(&pem("RSA PUBLIC KEY", rsa.public_key().as_ref())).is_ok());
    assert!(matches!(
        add(&spki(other.public_key().as_der().expect("der").as_ref())),
        Err(KeyringError::PublicMismatch { .. })
    ));
    assert!(matches!(add(&ed25519()), Err(KeyringError::Broken { fault: KeyFault::NoKey, .. })));
}

#[test]
fn a_key_signs_only_what_names_it() {
    let bench = Bench::get();
    let claims = claims();
    let right = input(&bench.eddsa, Algorithm::EdDsa, &claims);
    let refused = Err(SigningError::OtherHeader { kid: bench.eddsa.clone() });
    let sign = |input: &str| bench.keyring.sign(&bench.eddsa, input).map(|_| ());

    assert_eq!(sign(&right), Ok(()));
    assert_eq!(sign(&input(&bench.es256, Algorithm::EdDsa, &claims)), refused);
    assert_eq!(sign(&input(&bench.eddsa, Algorithm::Hs256, &claims)), refused);
    assert_eq!(sign("anything"), refused);
    let elsewhere = Kid::parse("elsewhere").expect("a kid");
    let error = bench.keyring.sign(&elsewhere, &right).expect_err("not here");
    assert_eq!(error, SigningError::UnknownKey { kid: elsewhere });
}

#[test]
fn no_token_is_made_that_no_verifier_would_look_at() {
    let bench = Bench::get();
    let head = input(&bench.eddsa, Algorithm::EdDsa, &claims());
    let room = TOKEN_BYTES_MAX - head.len() - 1 - 86;

    let longest = bench.keyring.sign(&bench.eddsa, &format!("{head}{}", "A".repeat(room))).expect("signed");
    let error = bench.keyring.sign(&bench.eddsa, &format!("{head}{}", "A".repeat(room + 1))).expect_err("too long");

    assert_eq!(longest.expose().len(), TOKEN_BYTES_MAX);
    assert_eq!(error, SigningError::TooLong { bytes: TOKEN_BYTES_MAX + 1, max: TOKEN_BYTES_MAX });
}

#[test]
fn signing_again_gives_the_same_token_except_with_es256() {
    let bench = Bench::get();
    for record in bench.records() {
        let input = input(&record.kid, record.alg, &claims());
        let sign = || bench.keyring.sign(&record.kid, &input).expect("signed");

        assert_eq!(sign().expose() == sign().expose(), record.alg != Algorithm::Es256, "{}", record.alg);
    }
}

#[test]
fn nothing_that_is_printed_shows_a_key() {
    let home = Home::new();
    let text = ed25519();
    let body = text.lines().nth(1).expect("base64");
    let damaged = format!("-----BEGIN PRIVATE KEY-----\n{}!\n-----END PRIVATE KEY-----\n", &body[..body.len() - 4]);
    let mut keyring = home.keyring();
    keyring.add_secret(secret()).expect("added");
    keyring.add_key_file(&home.write("whole.pem", &text), None, None).expect("added");
    let records: Vec<_> = keyring.kids().map(|kid| record(&keyring, kid)).collect();

    let error = home.add(&damaged, None).expect_err("damaged");
    let verifier = keyring.verifier(&records).expect("a verifier");
    let shown = format!("{error} {error:?} {keyring:?} {keyring:#?} {verifier:?}");

    assert!(!shown.contains(&body[..12]) && !shown.contains(STRONG_SECRET), "{shown}");
}

#[test]
fn a_record_that_cannot_verify_anything_is_an_error_and_a_missing_secret_is_not() {
    let bench = Bench::get();
    let record = |kid: &Kid| record(&bench.keyring, kid);
    let fault = |records: &[KeyRecord]| match bench.keyring.verifier(records) {
        Err(KeyringError::Record { fault, .. }) => Some(fault),
        _ => None,
    };
    let swapped = KeyRecord { alg: Algorithm::Es256, ..record(&bench.eddsa) };
    let bare = KeyRecord { jwk: None, ..record(&bench.eddsa) };

    assert_eq!(fault(&bench.records()), None);
    assert_eq!(fault(&[swapped]), Some(RecordFault::OtherKind));
    assert_eq!(fault(&[bare]), Some(RecordFault::NoPublicHalf));
    assert_eq!(fault(&[record(&bench.eddsa), record(&bench.eddsa)]), Some(RecordFault::Twice));
    assert!(Home::new().keyring().verifier(&bench.records()).is_ok());
}
