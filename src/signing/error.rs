//! What can be wrong with keys: closed enums that say what is the matter and what to do. None of them carries key
//! material.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::domain::{Malformed, causes::Causes, key::Algorithm, text::Kid};

/// The permission bits that the key directory may have.
pub(super) const DIRECTORY_MODE_MAX: u32 = 0o700;
/// The fewest bits of an RSA modulus, RFC 7518 section 3.3.
pub(super) const RSA_BITS_MIN: usize = 2_048;
/// The most: the domain leaves room for a signature of this length when it bounds a token.
pub(super) const RSA_BITS_MAX: usize = 4_096;
/// The smallest public exponent, NIST SP 800-89 section 5.3.3: smaller ones forgive careless verifiers less.
pub(super) const RSA_EXPONENT_MIN: u64 = 65_537;

/// Why the keyring could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The system refused.
    #[error("cannot {doing} '{}'", .path.display())]
    Io {
        /// What was tried, in the infinitive.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that is no directory stands where the keys should be.
    #[error("'{}' is not a directory", .path.display())]
    NotADirectory {
        /// What stands there.
        path: PathBuf,
    },
    /// A directory stands where a key file should be.
    #[error("'{}' is a directory, and no key file", .path.display())]
    IsADirectory {
        /// What stands there.
        path: PathBuf,
    },
    /// Others can read or change private keys.
    #[error("'{}' is open to others (mode {mode:04o}, at most {mode_max:04o} is taken)", .path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The most permission bits that are taken.
        mode_max: u32,
    },
    /// Another user owns the keys, and could change them or lock us out.
    #[error("'{}' belongs to user {owner}, but this process runs as user {user}", .path.display())]
    NotOurs {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// Our number.
        user: u32,
    },
    /// A key file that cannot be used.
    #[error("key file '{}' {fault}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// A file of the key directory that is not named after its key.
    #[error("key file '{}' holds the key {kid}, which its name does not say", .path.display())]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The key inside.
        kid: Kid,
    },
    /// A file that was to hold a passphrase.
    #[error("there is no passphrase in the first line of '{}'", .path.display())]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// No file of the key directory holds such a key.
    #[error("there is no key {kid} in '{}'", .directory.display())]
    NoSuchKey {
        /// The key.
        kid: Kid,
        /// The key directory.
        directory: PathBuf,
    },
    /// A key of another kind than was announced.
    #[error("key file '{}' holds a key for {found}, but {asked} was asked for", .path.display())]
    AlgorithmMismatch {
        /// The file.
        path: PathBuf,
        /// What was announced.
        asked: Algorithm,
        /// What the key is for.
        found: Algorithm,
    },
    /// A public key file that belongs to another private key.
    #[error("public key file '{}' is not the public half of '{}'", .public.display(), .private.display())]
    PublicMismatch {
        /// The public key file.
        public: PathBuf,
        /// The private key file.
        private: PathBuf,
    },
    /// A shared secret cannot be generated: the gateway has to know it.
    #[error("a key for {alg} cannot be generated: it is a secret that is shared with the gateway")]
    NeedsSecret {
        /// The algorithm that was asked for.
        alg: Algorithm,
    },
    /// The cryptographic library failed to make a key.
    #[error("the cryptographic library could not make a key for {alg}")]
    Generation {
        /// The algorithm that was asked for.
        alg: Algorithm,
    },
    /// A key in the log that cannot verify anything.
    #[error("key {kid} of the log {fault}")]
    Record {
        /// The key.
        kid: Kid,
        /// What is wrong with its record.
        fault: RecordFault,
    },
    /// The name of a key broke the rules of names. It cannot happen, and is passed on rather than hidden.
    #[error("the name of a key {0}")]
    Name(#[from] Malformed),
}

impl KeyringError {
    /// Whether others may know the key, or change it.
    #[must_use]
    pub fn is_exposure(&self) -> bool {
        matches!(self, Self::Exposed { .. } | Self::NotOurs { .. })
    }

    /// Whether it is why this key cannot be used: the file that is named after it, or that holds it, is not as it should be.
    pub(super) fn keeps_out(&self, kid: &Kid) -> bool {
        let is_named = |path: &Path| path.file_stem().is_some_and(|stem| stem == kid.as_str());
        match self {
            Self::Misnamed { path, kid: held } => held == kid || is_named(path),
            Self::Io { path, .. }
            | Self::IsADirectory { path }
            | Self::Exposed { path, .. }
            | Self::NotOurs { path, .. }
            | Self::Broken { path, .. } => is_named(path),
            _ => false,
        }
    }

    /// Whether the right passphrase would mend it.
    fn is_lock(&self) -> bool {
        matches!(self, Self::Broken { fault: KeyFault::Encrypted | KeyFault::OtherPassphrase, .. })
    }

    /// What is the matter, and what a person can do about it, in a line.
    #[must_use]
    pub fn told(&self) -> String {
        let hint = self.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}{hint}", Causes(self))
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run as the owner of the keys, or name a directory of your own".to_owned())
            }
            Self::Exposed { path, mode_max: DIRECTORY_MODE_MAX, .. } => Some(format!(
                "name a directory for the keys alone; if this is it, run `chmod 700 '{}'`",
                path.display()
            )),
            Self::Exposed { path, .. } => {
                let path = path.display();
                Some(format!("run `chmod 600 '{path}'`, and replace the key if others may have seen it"))
            }
            Self::NotOurs { owner, .. } => {
                Some(format!("run as that user (`sudo -u '#{owner}'`), or name a directory of your own"))
            }
            Self::IsADirectory { .. } => Some("name a file, or take it out of the keys directory".to_owned()),
            Self::Broken { fault, .. } => fault.hint().map(str::to_owned),
            Self::Misnamed { kid, .. } => Some(format!("rename it to {kid}.pem, or name it as a key file of its own")),
            Self::NoSuchKey { kid, .. } => Some(format!("bring it there as {kid}.pem, or name it with --file")),
            Self::AlgorithmMismatch { found, .. } => Some(format!("ask for {found}, or name another key")),
            Self::PublicMismatch { .. } => {
                Some("leave the public key out: it is computed from the private one".to_owned())
            }
            Self::NeedsSecret { .. } => Some("give the gateway's secret, or choose EdDSA, ES256 or RS256".to_owned()),
            Self::Io { .. }
            | Self::NotADirectory { .. }
            | Self::NoPassphrase { .. }
            | Self::Generation { .. }
            | Self::Record { .. }
            | Self::Name(_) => None,
        }
    }
}

/// What a process has of a key's private half.
#[derive(Debug, Clone, Copy)]
pub enum PrivateHalf<'a> {
    /// It can sign with it.
    Here,
    /// There is a file, and this is wrong with it.
    Unusable(&'a KeyringError),
    /// Nothing.
    Missing,
}

impl PrivateHalf<'_> {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Unusable(fault) if fault.is_lock() => "locked",
            Self::Unusable(_) => "unusable",
            Self::Missing => "missing",
        }
    }

    /// Why the file that there is cannot be used, in a line.
    #[must_use]
    pub fn fault(self) -> Option<String> {
        match self {
            Self::Unusable(fault) => Some(fault.told()),
            Self::Here | Self::Missing => None,
        }
    }
}

/// What is wrong with a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No block of the kind that was looked for.
    #[error("holds no PEM block with such a key")]
    NoKey,
    /// More than one.
    #[error("holds more than one key")]
    Several,
    /// Locked, and no passphrase was given.
    #[error("is locked with a passphrase, and none was given")]
    Encrypted,
    /// Locked with a passphrase that is not the one that was given.
    #[error("is locked with another passphrase than the one that was given, or is damaged")]
    OtherPassphrase,
    /// Locked in a way that is not supported.
    #[error("is locked in another way than PKCS#8 with PBES2, AES and scrypt or PBKDF2-HMAC-SHA2")]
    LockUnknown,
    /// OpenSSH's own format.
    #[error("is in OpenSSH's format")]
    OpenSsh,
    /// It does not parse.
    #[error("is damaged, or its key is of an unknown kind")]
    Damaged,
    /// A sound key that the catalog does not sign with.
    #[error("holds a key that is none of Ed25519, P-256 and RSA")]
    Unsupported,
    /// Too weak.
    #[error("holds an RSA key of fewer than {} bits", RSA_BITS_MIN)]
    RsaTooShort,
    /// Too slow.
    #[error("holds an RSA key of more than {} bits", RSA_BITS_MAX)]
    RsaTooLong,
    /// An RSA key with a small public exponent.
    #[error("holds an RSA key with a public exponent below {}", RSA_EXPONENT_MIN)]
    RsaExponent,
    /// Not a key file.
    #[error("has more than {max} bytes")]
    TooLong {
        /// The most that are read.
        max: usize,
    },
}

impl KeyFault {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::NoKey | Self::Damaged | Self::TooLong { .. } => {
                Some("a private key in PEM is needed, such as `openssl genpkey -algorithm ED25519` writes")
            }
            Self::Encrypted => Some(
                "give the passphrase in CATALOG_KEY_PASSPHRASE, or in a file that CATALOG_KEY_PASSPHRASE_FILE names",
            ),
            Self::OtherPassphrase => Some("all locked key files of a process have one passphrase"),
            Self::LockUnknown => {
                Some("lock it anew with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in <file> -out <new file>`")
            }
            Self::OpenSsh => Some("make a key with `openssl genpkey -algorithm ED25519`"),
            Self::Unsupported => Some("take an Ed25519, P-256 or RSA key"),
            Self::RsaTooShort | Self::RsaTooLong | Self::RsaExponent => {
                Some("take an RSA key of 3072 bits, or an Ed25519 key")
            }
            Self::Several => Some("put each key into a file of its own"),
        }
    }
}

/// What is wrong with the record of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The public half is of another kind than the algorithm.
    #[error("has a public half that is not for its algorithm")]
    OtherKind,
    /// A key pair without a public half.
    #[error("has no public half")]
    NoPublicHalf,
    /// A shared secret with a public half, which would be the secret.
    #[error("is a shared secret and has a public half")]
    SecretShown,
    /// A member that is not canonical base64url, or a point that is not on the curve or of small order.
    #[error("has a public half that does not parse")]
    Damaged,
    /// RSA outside the bounds.
    #[error("is an RSA key of {bits} bits, only {RSA_BITS_MIN} to {RSA_BITS_MAX} are taken")]
    RsaBits {
        /// How many there are.
        bits: usize,
    },
    /// RSA with a small public exponent.
    #[error("is an RSA key with a public exponent below {RSA_EXPONENT_MIN}")]
    RsaExponent,
    /// Two records of one name.
    #[error("is there twice")]
    Twice,
}

/// Why a token could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The private half is not on this node.
    #[error("the private half of key {kid} is not on this node")]
    UnknownKey {
        /// The key.
        kid: Kid,
    },
    /// The header names another key or algorithm: signing it would make a token that nobody accepts.
    #[error("the header to be signed does not name key {kid} and its algorithm")]
    OtherHeader {
        /// The key that was to sign.
        kid: Kid,
    },
    /// The signed token would be longer than any verifier takes.
    #[error("the signed token has {bytes} bytes, the maximum is {max}")]
    TooLong {
        /// How long it would be.
        bytes: usize,
        /// The longest that is taken.
        max: usize,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library could not sign with key {kid}")]
    Failed {
        /// The key.
        kid: Kid,
    },
}

impl SigningError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownKey { .. } => {
                Some("copy its file into the key directory of this node, or activate a key that is here")
            }
            Self::OtherHeader { .. } | Self::TooLong { .. } | Self::Failed { .. } => None,
        }
    }
}
