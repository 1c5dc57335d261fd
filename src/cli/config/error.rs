//! What can be wrong with the settings.

use crate::{
    domain::Malformed,
    signing::{KeyringError, WeakSecret},
    store::AddressError,
};

/// Why a setting is not taken. None of them repeats a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable whose bytes are not UTF-8.
    #[error("{name} is not valid UTF-8")]
    NotUnicode {
        /// The variable.
        name: &'static str,
    },
    /// A variable that does not parse.
    #[error("{name}: {source}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: Malformed,
    },
    /// A variable that is neither on nor off.
    #[error("{name} is neither true nor false")]
    NotASwitch {
        /// The variable.
        name: &'static str,
    },
    /// A database address that does not parse.
    #[error("{name} {source}")]
    DatabaseUrl {
        /// The flag or variable.
        name: &'static str,
        /// What is wrong with it.
        source: AddressError,
    },
    /// Neither root nor anybody with a home.
    #[error("there is no directory for the catalog: HOME is not set")]
    NoHome,
    /// The current directory, from which a relative one is looked for, is gone.
    #[error("the directory '{}' cannot be made absolute", path.display())]
    Relative {
        /// What was given.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// HS256 was asked for without a secret.
    #[error("HS256 was chosen, but there is no shared secret")]
    SecretMissing,
    /// A secret that anybody could guess.
    #[error("JWT_SECRET_KEY is refused: {0}")]
    WeakSecret(WeakSecret),
    /// A file that has no passphrase, or that others can read.
    #[error(transparent)]
    Passphrase(KeyringError),
    /// A shared secret of an edge that no catalog has.
    #[error("the shared secret is refused: {0}")]
    ShortSecret(catalog_gateway::jwt::WeakSecret),
    /// A bridge leads nowhere.
    #[error("there is no gateway to carry revocations to")]
    GatewayMissing,
    /// An edge or a bridge has nothing to ask the catalog with.
    #[error("there is no credential to ask the catalog with")]
    CredentialMissing,
    /// A file of a secret cannot be read, or others can.
    #[error("the secret in {} cannot be read", path.display())]
    SecretFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: KeyringError,
    },
    /// A file has no secret in its first line.
    #[error("there is no secret in the first line of {}", path.display())]
    NoSecretInFile {
        /// The file.
        path: std::path::PathBuf,
    },
    /// Nothing can be kept in the directory of a snapshot.
    #[error("no snapshot can be kept in '{}'", path.display())]
    SnapshotPlace {
        /// The directory.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Anybody could put another snapshot in its place.
    #[error("no snapshot is kept in '{}', where everybody may write (mode {mode:04o})", path.display())]
    SnapshotExposed {
        /// The directory.
        path: std::path::PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No catalog can be asked there.
    #[error(transparent)]
    Catalog(catalog_gateway::client::SetUpError),
    /// A log filter that does not parse.
    #[error("CATALOG_LOG is not a filter of diagnostics")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
}

impl ConfigError {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Passphrase(error) => return error.hint(),
            Self::SecretFile { path, source } if source.is_exposure() => {
                let path = path.display();
                return Some(format!(
                    "run `chmod 600 '{path}'`, and have another secret made if others may have seen it"
                ));
            }
            _ => {}
        }
        self.fixed_hint().map(str::to_owned)
    }

    fn fixed_hint(&self) -> Option<&'static str> {
        match self {
            Self::NotUnicode { .. } | Self::Malformed { .. } | Self::Passphrase(_) | Self::SecretFile { .. } => None,
            Self::NotASwitch { .. } => Some("write true or false"),
            Self::DatabaseUrl { .. } => {
                Some("write postgres://user:password@host:5432/database, with special characters as %XX")
            }
            Self::NoHome | Self::Relative { .. } => Some("name a directory with --data or CATALOG_DATA"),
            Self::SecretMissing => Some(
                "put the gateway's secret into JWT_SECRET_KEY, or choose EdDSA, ES256 or RS256 in CATALOG_ALGORITHM",
            ),
            Self::WeakSecret(weakness) => Some(weakness.hint()),
            Self::ShortSecret(_) => Some("take the very secret that the catalog signs with"),
            Self::CredentialMissing => Some(
                "make a client with 'catalog clients add NAME --permissions tokens.check' (for a bridge \
                 tokens.check,tokens.courier --all-teams), and name it in --client and the file with its secret in \
                 --client-secret-file",
            ),
            Self::GatewayMissing => Some("name it in --gateway or CATALOG_GATEWAY: https, or http on this machine"),
            Self::NoSecretInFile { .. } => Some("write the secret alone, as 'catalog clients add' does"),
            Self::SnapshotPlace { .. } | Self::SnapshotExposed { .. } => {
                Some("make a directory for it where only this user may write, and name a file there in --snapshot")
            }
            Self::Catalog(_) => Some("name the catalog in --url or CATALOG_URL: https, or http on this machine"),
            Self::Filter(_) => Some("write a level such as debug, or directives such as warn,catalog=debug"),
        }
    }
}
