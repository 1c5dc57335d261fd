//! Private key files that a passphrase locks: PKCS#8 `EncryptedPrivateKeyInfo` (RFC 5958 section 3) by PBES2 (RFC 8018
//! section 6.2).

use std::{fmt, path::Path};

use aws_lc_rs::{error::Unspecified, rand};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument,
    pkcs5::{EncryptionScheme, pbes2::Parameters},
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    directory,
    error::{KeyFault, KeyringError},
};

/// The rounds of PBKDF2-HMAC-SHA256 in the files that are written here: what OWASP asks for, a good part of a second.
const ROUNDS: u32 = 600_000;

/// What locks and unlocks private key files.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes a passphrase as it was typed; `None` when there is nothing in it.
    #[must_use]
    pub fn new(text: SecretString) -> Option<Self> {
        (!text.expose_secret().is_empty()).then_some(Self(text))
    }

    /// Reads one from the first line of a file that nobody else can read.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyringError> {
        let text = directory::read_private(path)?;
        let line = text.lines().next().unwrap_or_default();
        Self::new(SecretString::from(line)).ok_or_else(|| KeyringError::NoPassphrase { path: path.to_owned() })
    }

    /// The PKCS#8 inside.
    pub(super) fn unlock(&self, der: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let locked = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| KeyFault::LockUnknown)?;
        if matches!(locked.encryption_algorithm, EncryptionScheme::Pbes1(_)) {
            return Err(KeyFault::LockUnknown);
        }
        let unlocked = locked.decrypt(self.0.expose_secret()).map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }) => {
                KeyFault::LockUnknown
            }
            _ => KeyFault::OtherPassphrase,
        })?;
        Ok(unlocked.to_bytes())
    }

    /// A PKCS#8 key, locked: PBKDF2-HMAC-SHA256 and AES-256-CBC, which every OpenSSL reads.
    pub(super) fn lock(&self, pkcs8: &[u8]) -> Result<SecretDocument, Unspecified> {
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        rand::fill(&mut salt)?;
        rand::fill(&mut iv)?;
        let how = Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv).map_err(|_| Unspecified)?;
        let key = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| Unspecified)?;
        key.encrypt_with_params(how, self.0.expose_secret()).map_err(|_| Unspecified)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}
