//! Locked key files: those of OpenSSL come in, ours go out to it, and no error tells what it was tried with.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use secrecy::SecretString;
use tempfile::TempDir;

use super::{KeyFault, Keyring, KeyringError, Passphrase};
use crate::domain::{key::Algorithm, text::Kid};

const WORDS: &str = "correct horse battery staple";

fn passphrase(text: &str) -> Option<Arc<Passphrase>> {
    Passphrase::new(SecretString::from(text)).map(Arc::new)
}

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn keyring(&self, words: &str) -> Keyring {
        Keyring::open_locked(&self.keys(), passphrase(words)).expect("a keyring")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs `openssl`; whether it could do it.
fn openssl(arguments: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    command.args(arguments).env("WORDS", WORDS).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_here() -> bool {
    openssl(&["version"])
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A key of OpenSSL's, locked in its way.
fn made_elsewhere(home: &Home, how: &[&str]) -> PathBuf {
    let (plain, locked) = (home.file("plain.pem"), home.file("locked.pem"));
    assert!(openssl(&["genpkey", "-algorithm", "ED25519", "-out", text(&plain)]));
    let arguments = ["pkcs8", "-topk8", "-in", text(&plain), "-out", text(&locked), "-passout", "env:WORDS"];
    assert!(openssl(&[&arguments, how].concat()), "{how:?}");
    std::fs::set_permissions(&locked, Permissions::from_mode(0o600)).expect("chmod");
    locked
}

fn fault(outcome: Result<Kid, KeyringError>) -> Option<KeyFault> {
    match outcome.err()? {
        KeyringError::Broken { fault, .. } => Some(fault),
        _ => None,
    }
}

#[test]
fn what_openssl_locks_by_pbes2_is_unlocked_by_its_passphrase_alone() {
    if !is_here() {
        return;
    }
    for how in [
        &["-v2", "aes-256-cbc"][..],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "aes-256-cbc", "-iter", "100000"],
        &["-scrypt"],
    ] {
        let home = Home::new();
        let file = made_elsewhere(&home, how);
        let plain = home.keyring("").add_key_file(&home.file("plain.pem"), None, None);
        let with = |words: &str| home.keyring(words).add_key_file(&file, None, None);

        std::fs::set_permissions(home.file("plain.pem"), Permissions::from_mode(0o600)).expect("chmod");
        let plain = plain.or_else(|_| home.keyring("").add_key_file(&home.file("plain.pem"), None, None));

        assert_eq!(with(WORDS).expect("unlocked"), plain.expect("the key itself"), "{how:?}");
        assert_eq!(fault(with("wrong")), Some(KeyFault::OtherPassphrase), "{how:?}");
        assert_eq!(fault(with("")), Some(KeyFault::Encrypted), "{how:?}");
    }
}

#[test]
fn locks_that_are_broken_or_old_are_not_opened() {
    if !is_here() {
        return;
    }
    for how in [&["-v1", "PBE-SHA1-3DES"][..], &["-v2", "des3"]] {
        let home = Home::new();
        let file = made_elsewhere(&home, how);

        assert_eq!(fault(home.keyring(WORDS).add_key_file(&file, None, None)), Some(KeyFault::LockUnknown), "{how:?}");
    }
}

#[test]
fn a_key_that_is_made_under_a_passphrase_is_locked_and_found_again_by_it() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let home = Home::new();
        let kid = home.keyring(WORDS).add_generated(alg).expect("made");
        let file = home.keys().join(format!("{kid}.pem"));
        let written = std::fs::read_to_string(&file).expect("a file");

        let again = home.keyring(WORDS);

        assert_eq!(again.kids().collect::<Vec<_>>(), [&kid]);
        assert!(written.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{written}");
        assert_eq!(fault(Keyring::open(&home.keys()).map(|_| kid.clone())), Some(KeyFault::Encrypted));
        if is_here() {
            let public = home.file("public.pem");
            let arguments = ["pkey", "-in", text(&file), "-passin", "env:WORDS", "-pubout", "-out", text(&public)];
            assert!(openssl(&arguments), "OpenSSL reads it, too");
            let both = home.keyring(WORDS).add_key_file(&file, Some(&public), None);
            assert_eq!(both.expect("two halves"), kid);
        }
    }
}

#[test]
fn a_passphrase_is_in_the_first_line_of_a_file_of_its_own() {
    let home = Home::new();
    let file = home.file("passphrase");
    let read = |written: &str, mode: u32| {
        std::fs::write(&file, written).expect("written");
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("chmod");
        Passphrase::from_file(&file)
    };
    let kid = home.keyring(WORDS).add_generated(Algorithm::EdDsa).expect("made");

    for written in [WORDS.to_owned(), format!("{WORDS}\n"), format!("{WORDS}\r\nmore\n")] {
        let read = read(&written, 0o600).expect("a passphrase");
        let keyring = Keyring::open_locked(&home.keys(), Some(Arc::new(read))).expect("unlocked");
        assert_eq!(keyring.kids().collect::<Vec<_>>(), [&kid]);
    }
    assert!(matches!(read("\n", 0o600), Err(KeyringError::NoPassphrase { .. })));
    assert!(matches!(read(WORDS, 0o644), Err(KeyringError::Exposed { .. })));
}

#[test]
fn no_error_shows_what_it_was_tried_with() {
    let home = Home::new();
    let kid = home.keyring(WORDS).add_generated(Algorithm::EdDsa).expect("made");
    let file = home.keys().join(format!("{kid}.pem"));

    let keyring = Keyring::open_usable(&home.keys(), passphrase("swordfish")).expect("opened");

    let shown = format!("{:?} {keyring:?} {:?}", keyring.faults(), passphrase("swordfish"));
    let told = keyring.faults()[0].to_string();
    assert!(!shown.contains("swordfish") && !told.contains("swordfish"), "{shown} {told}");
    assert_eq!(
        told,
        format!(
            "key file '{}' is locked with another passphrase than the one that was given, or is damaged",
            file.display()
        )
    );
    assert!(keyring.faults()[0].hint().is_some());
}
