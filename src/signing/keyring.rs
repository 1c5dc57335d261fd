//! The private halves on this node, each prepared once, by name.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{
    directory::{self, KeyDirectory},
    error::{KeyringError, PrivateHalf, SigningError},
    passphrase::Passphrase,
    pem,
    secret::SharedSecret,
    signed_token::SignedToken,
    signer::Signer,
    thumbprint::thumbprint,
    verify::{SecretOfKid, Verifier},
};
use crate::domain::{
    claims::{Header, TOKEN_BYTES_MAX, decode_part},
    key::{Algorithm, KeyRecord, PublicJwk},
    text::Kid,
};

/// The private keys and shared secrets that this node can sign with. What they are *for* is in the log: which one
/// signs, and which ones verify.
pub struct Keyring {
    directory: KeyDirectory,
    keys: BTreeMap<Kid, Arc<Key>>,
    faults: Vec<KeyringError>,
    passphrase: Option<Arc<Passphrase>>,
}

struct Key {
    facts: KeyFacts,
    signer: Signer,
}

/// What may be told of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its name.
    pub kid: Kid,
    /// Its one algorithm.
    pub alg: Algorithm,
    /// Its public half; `None` for a shared secret.
    pub jwk: Option<PublicJwk>,
}

impl Keyring {
    /// Takes a directory, made with mode 0700 if it is missing, and reads each `<kid>.pem` in it.
    ///
    /// # Errors
    /// [`KeyringError`] when anybody else can read the keys, or one of them is broken or misnamed.
    pub fn open(directory: &Path) -> Result<Self, KeyringError> {
        Self::open_locked(directory, None)
    }

    /// The same, with the passphrase that its files may be locked with. With one, files that are made here are locked.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open_locked(directory: &Path, passphrase: Option<Arc<Passphrase>>) -> Result<Self, KeyringError> {
        let keyring = Self::open_usable(directory, passphrase)?;
        match keyring.faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(Self { faults: Vec::new(), ..keyring }),
        }
    }

    /// The same, but that a file which cannot be used is left out, and told in [`Self::faults`].
    ///
    /// # Errors
    /// [`KeyringError`] when anybody else can read the keys.
    pub fn open_usable(directory: &Path, passphrase: Option<Arc<Passphrase>>) -> Result<Self, KeyringError> {
        let directory = KeyDirectory::open(directory)?;
        let mut keyring = Self { directory, keys: BTreeMap::new(), faults: Vec::new(), passphrase };
        keyring.read_usable()?;
        match keyring.faults.iter().position(KeyringError::is_exposure) {
            Some(index) => Err(keyring.faults.swap_remove(index)),
            None => Ok(keyring),
        }
    }

    /// The same keys, and those whose files have come to the directory since.
    ///
    /// # Errors
    /// [`KeyringError`] when the directory cannot be read.
    pub fn looked_again(&self) -> Result<Self, KeyringError> {
        let (directory, keys, passphrase) = (self.directory.clone(), self.keys.clone(), self.passphrase.clone());
        let mut keyring = Self { directory, keys, faults: Vec::new(), passphrase };
        keyring.read_usable()?;
        Ok(keyring)
    }

    /// Why files of the directory cannot be used, in the order of their names.
    #[must_use]
    pub fn faults(&self) -> &[KeyringError] {
        &self.faults
    }

    /// Takes a shared secret for HS256, which is never written to disk.
    ///
    /// # Errors
    /// None that can happen: see [`KeyringError::Name`].
    pub fn add_secret(&mut self, secret: SharedSecret) -> Result<Kid, KeyringError> {
        let facts = KeyFacts { kid: secret.kid()?, alg: Algorithm::Hs256, jwk: None };
        Ok(self.insert(Key { facts, signer: Signer::Hs256(secret.key) }))
    }

    /// Takes a private key from a file elsewhere: PEM of PKCS#8, PKCS#1 (RSA) or SEC1 (P-256). The key says its
    /// algorithm; the public half and the algorithm, where they are given, have to fit.
    ///
    /// # Errors
    /// [`KeyringError`] when the file is broken or open to others, or does not fit.
    pub fn add_key_file(
        &mut self,
        private: &Path,
        public: Option<&Path>,
        alg: Option<Algorithm>,
    ) -> Result<Kid, KeyringError> {
        let signer = self.read_signer(private, &directory::read_private(private)?)?;
        match alg {
            Some(asked) if asked != signer.alg() => {
                Err(KeyringError::AlgorithmMismatch { path: private.to_owned(), asked, found: signer.alg() })
            }
            _ => Ok(()),
        }?;
        public.map_or(Ok(()), |public| check_public(&signer, private, public))?;
        Ok(self.insert(Key::new(signer)?))
    }

    /// The directory's key of this algorithm, made if there is none yet. Two processes that start at once get the same
    /// one. It waits for files, and for RS256 (3072 bits) up to seconds: not for an async thread.
    ///
    /// # Errors
    /// [`KeyringError`]; always for HS256, whose secret has to be the gateway's.
    pub fn ensure_generated(&mut self, alg: Algorithm) -> Result<Kid, KeyringError> {
        if alg == Algorithm::Hs256 {
            return Err(KeyringError::NeedsSecret { alg });
        }
        let _lock = self.directory.lock()?;
        let here = self.read_directory()?;
        match here.into_iter().find(|kid| self.keys.get(kid).is_some_and(|key| key.facts.alg == alg)) {
            Some(kid) => Ok(kid),
            None => self.generate(alg),
        }
    }

    /// A new key of this algorithm beside those that are here. As [`Self::ensure_generated`], not for an async thread.
    ///
    /// # Errors
    /// [`KeyringError`]; always for HS256, whose secret has to be the gateway's.
    pub fn add_generated(&mut self, alg: Algorithm) -> Result<Kid, KeyringError> {
        if alg == Algorithm::Hs256 {
            return Err(KeyringError::NeedsSecret { alg });
        }
        let _lock = self.directory.lock()?;
        self.generate(alg)
    }

    /// What may be told of a key; `None` when its private half is not on this node.
    #[must_use]
    pub fn facts(&self, kid: &Kid) -> Option<KeyFacts> {
        self.keys.get(kid).map(|key| key.facts.clone())
    }

    /// What this node has of a key's private half.
    #[must_use]
    pub fn private_half(&self, kid: &Kid) -> PrivateHalf<'_> {
        if self.keys.contains_key(kid) {
            return PrivateHalf::Here;
        }
        self.faults.iter().find(|fault| fault.keeps_out(kid)).map_or(PrivateHalf::Missing, PrivateHalf::Unusable)
    }

    /// Why there is no such key here: its file cannot be used, or there is none in the directory.
    #[must_use]
    pub fn why_not(self, kid: &Kid, directory: &Path) -> KeyringError {
        let fault = self.faults.into_iter().find(|fault| fault.keeps_out(kid));
        fault.unwrap_or_else(|| KeyringError::NoSuchKey { kid: kid.clone(), directory: directory.to_owned() })
    }

    /// The names of the keys, in lexicographic order.
    pub fn kids(&self) -> impl Iterator<Item = &Kid> {
        self.keys.keys()
    }

    /// Signs a `header.payload`, whose header has to name this key and its algorithm. Microseconds, but 1.4 ms with
    /// RS256: there call it through `spawn_blocking`.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign(&self, kid: &Kid, signing_input: &str) -> Result<SignedToken, SigningError> {
        assemble(signing_input, &self.signature(kid, signing_input)?)
    }

    /// The signature over a `header.payload`.
    pub(super) fn signature(&self, kid: &Kid, signing_input: &str) -> Result<Vec<u8>, SigningError> {
        let key = self.keys.get(kid).ok_or_else(|| SigningError::UnknownKey { kid: kid.clone() })?;
        if !key.is_named_by(signing_input) {
            return Err(SigningError::OtherHeader { kid: kid.clone() });
        }
        key.signer.sign(signing_input.as_bytes()).map_err(|_| SigningError::Failed { kid: kid.clone() })
    }

    /// A verifier for the keys of the log: key pairs by their recorded public halves, shared secrets by this keyring.
    ///
    /// # Errors
    /// [`KeyringError::Record`] when a record cannot verify anything. A shared secret that is not here is no error: its
    /// tokens get [`Invalid::SecretMissing`](super::Invalid::SecretMissing).
    pub fn verifier(&self, keys: &[KeyRecord]) -> Result<Verifier, KeyringError> {
        Verifier::new(keys, self)
    }

    /// Signs whatever it is given, as a thief of the key could.
    #[cfg(test)]
    pub(super) fn sign_anything(&self, kid: &Kid, message: &str) -> Vec<u8> {
        self.keys[kid].signer.sign(message.as_bytes()).expect("a signature")
    }

    /// Reads the files that are not named after a key which is here already.
    fn read_usable(&mut self) -> Result<(), KeyringError> {
        let is_new = |path: &std::path::PathBuf| {
            let named = |stem| self.keys.keys().any(|kid| stem == std::ffi::OsStr::new(kid.as_str()));
            !path.file_stem().is_some_and(named)
        };
        let files: Vec<_> = self.directory.key_files()?.into_iter().filter(is_new).collect();
        for file in files {
            if let Err(fault) = self.read_file(&file) {
                self.faults.push(fault);
            }
        }
        Ok(())
    }

    fn read_directory(&mut self) -> Result<Vec<Kid>, KeyringError> {
        self.directory.key_files()?.iter().map(|path| self.read_file(path)).collect()
    }

    fn read_file(&mut self, path: &Path) -> Result<Kid, KeyringError> {
        let key = Key::new(self.read_signer(path, &directory::read_own(path)?)?)?;
        if path.file_stem().is_none_or(|stem| stem != key.facts.kid.as_str()) {
            return Err(KeyringError::Misnamed { path: path.to_owned(), kid: key.facts.kid });
        }
        Ok(self.insert(key))
    }

    fn generate(&mut self, alg: Algorithm) -> Result<Kid, KeyringError> {
        let failed = |_| KeyringError::Generation { alg };
        let (signer, pkcs8) = Signer::generate(alg).map_err(failed)?;
        let key = Key::new(signer)?;
        let pem = match &self.passphrase {
            Some(passphrase) => pem::locked_key(passphrase.lock(&pkcs8).map_err(failed)?.as_bytes()),
            None => pem::private_key(&pkcs8),
        };
        self.directory.store(&key.facts.kid, &pem)?;
        Ok(self.insert(key))
    }

    fn read_signer(&self, path: &Path, text: &str) -> Result<Signer, KeyringError> {
        Signer::from_lockable(text, self.passphrase.as_deref())
            .map_err(|fault| KeyringError::Broken { path: path.to_owned(), fault })
    }

    fn insert(&mut self, key: Key) -> Kid {
        let kid = key.facts.kid.clone();
        self.keys.insert(kid.clone(), Arc::new(key));
        kid
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("directory", &self.directory)
            .field("kids", &self.keys.keys())
            .finish_non_exhaustive()
    }
}

impl SecretOfKid for Keyring {
    fn secret(&self, kid: &Kid) -> Option<Arc<hmac::Key>> {
        match &self.keys.get(kid)?.signer {
            Signer::Hs256(key) => Some(Arc::clone(key)),
            Signer::EdDsa(_) | Signer::Es256(_) | Signer::Rs256(_) => None,
        }
    }
}

impl Key {
    /// A key pair, named after its public half.
    fn new(signer: Signer) -> Result<Self, KeyringError> {
        let alg = signer.alg();
        let jwk = signer.jwk().ok_or(KeyringError::NeedsSecret { alg })?;
        Ok(Self { facts: KeyFacts { kid: thumbprint(&jwk)?, alg, jwk: Some(jwk) }, signer })
    }

    fn is_named_by(&self, signing_input: &str) -> bool {
        let header = signing_input.split_once('.').and_then(|(header, _)| decode_part::<Header>(header));
        header.is_some_and(|header| header.kid == self.facts.kid && header.alg == self.facts.alg)
    }
}

fn check_public(signer: &Signer, private: &Path, public: &Path) -> Result<(), KeyringError> {
    match signer.is_half_of(&directory::read_public(public)?) {
        Ok(true) => Ok(()),
        Ok(false) => Err(KeyringError::PublicMismatch { public: public.to_owned(), private: private.to_owned() }),
        Err(fault) => Err(KeyringError::Broken { path: public.to_owned(), fault }),
    }
}

fn assemble(signing_input: &str, signature: &[u8]) -> Result<SignedToken, SigningError> {
    let bytes = signing_input.len() + 1 + (signature.len() * 4).div_ceil(3);
    if bytes > TOKEN_BYTES_MAX {
        return Err(SigningError::TooLong { bytes, max: TOKEN_BYTES_MAX });
    }
    // Room for everything at once: a string that grows leaves a copy behind that nobody overwrites.
    let mut token = Zeroizing::new(String::with_capacity(bytes));
    token.push_str(signing_input);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(SignedToken::new(token))
}
