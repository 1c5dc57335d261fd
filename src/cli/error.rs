//! Why a command did not come to its end, what the reader can do, and the exit code.

use std::{borrow::Cow, io, net::SocketAddr, path::PathBuf};

use metrics_exporter_prometheus::BuildError;

use super::{
    audit_export::ExportError,
    audit_report::ReportError,
    client::ClientError,
    config::ConfigError,
    exit_code::{COULD_NOT_RUN, REFUSED, refusal_code},
    hint::{append_hint, listen_hint, schema_hint, store_hint},
    interrupt::INTERRUPTED,
};
use crate::{
    app::{CommandError, OpenError, SeedError, bridge::BridgeError, policy_file::PolicyFault, range::RangeError},
    domain::{Malformed, Refusal, text::Kid},
    signing::KeyringError,
    store::{
        AppendError, StoreError, codec::CodecError, embedded::EmbeddedError, rebuild::RebuildError, schema::SchemaError,
    },
};

/// Why a command did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was asked for contradicts itself.
    #[error("the request is malformed: {0}")]
    Request(#[from] Malformed),
    /// A server gave no answer that can be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A server was asked to check a token, and there is no verdict.
    #[error(transparent)]
    NotChecked(ClientError),
    /// A command that asks a server was told where the log is.
    #[error("{flag} is for commands that open the log themselves, and this one asks a server")]
    FlagOfTheLog {
        /// The flag.
        flag: &'static str,
    },
    /// There is no such command to show the page of.
    #[error("there is no command '{name}'")]
    NoSuchCommand {
        /// What was asked for.
        name: String,
    },
    /// A manual page cannot be written.
    #[error("the manual page {} cannot be written", path.display())]
    ManPage {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to read yet.
    #[error("there is no catalog in {place}")]
    NoCatalog {
        /// Where it was looked for.
        place: String,
    },
    /// Somebody may need what is there.
    #[error("the catalog in {place} has {what}; only one without any is seeded")]
    NotEmpty {
        /// Where they are.
        place: String,
        /// What is there.
        what: &'static str,
    },
    /// A catalog could not be seeded to the end.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The private cluster cannot be used.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The catalog cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The command was refused or could not be recorded.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The database could not say.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schema does not fit.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Projections could not be made anew.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The keys cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// An event cannot be shown.
    #[error("an event cannot be shown")]
    Event(#[from] CodecError),
    /// There is no such range of the log.
    #[error(transparent)]
    Range(RangeError),
    /// An export did not come to its end, or cannot go on.
    #[error(transparent)]
    Export(ExportError),
    /// There is no such report, or it cannot be gone on with or made again.
    #[error(transparent)]
    Report(ReportError),
    /// A bridge cannot be.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The log has no such key.
    #[error("the log has no key {kid}")]
    KeyUnknown {
        /// What was asked for.
        kid: Kid,
    },
    /// A key was to sign that this process cannot sign with.
    #[error("the key {kid} cannot sign here: {why}")]
    CannotSign {
        /// The key.
        kid: Kid,
        /// What it lacks.
        why: String,
        /// What helps.
        remedy: Option<String>,
    },
    /// A shared secret has nothing to show.
    #[error("the key {kid} is a shared secret and has no public half")]
    KeyShared {
        /// What was asked for.
        kid: Kid,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is larger than it may be.
    #[error("{} has {length} bytes, the maximum is {max}", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its length, in bytes.
        length: u64,
        /// The most that is read.
        max: u64,
    },
    /// A file is no policy. The one in force stays.
    #[error("{} is not a policy: {fault}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Where, and how.
        fault: PolicyFault,
    },
    /// What was given is no token.
    #[error("not a token: {0}")]
    NotAToken(&'static str),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server does not know where it listens.
    #[error("the server cannot tell where it listens")]
    Serve(#[source] io::Error),
    /// The recorder of metrics cannot be installed. A defect of ours.
    #[error("metrics cannot be recorded")]
    Metrics(#[from] BuildError),
    /// stdin cannot be read.
    #[error("cannot read stdin")]
    Input(#[source] io::Error),
    /// stdout cannot be written.
    #[error("cannot write to stdout")]
    Output(#[from] io::Error),
    /// A secret that is shown once would be lost.
    #[error("stdout is closed, and nobody would have the token; none was asked for")]
    NowhereToShow,
    /// What was made is shown once, and the place to show it cannot be written.
    #[error("{made}, and cannot be written to stdout")]
    NotShown {
        /// What was made.
        made: &'static str,
        /// What to do about it.
        remedy: String,
        /// What the system said.
        source: io::Error,
    },
    /// So many tokens are not revoked without a word of a person.
    #[error("so much is revoked by --yes, or after a question; there is nobody to ask here")]
    NotAgreed,
    /// Every token is not revoked after a mere question.
    #[error("--all revokes every token there is, and is only done with --yes")]
    AllNotAgreed,
    /// The person who was asked did not agree.
    #[error("nothing was revoked")]
    Declined,
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
    /// A thread did not come to its end. A defect of ours.
    #[error("a thread did not come to its end")]
    Thread(#[from] tokio::task::JoinError),
    /// Ctrl-C, or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// 1 for what was refused or is not there, 2 for what could not run, 0 for a reader that had enough.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::KeyUnknown { .. } | Self::KeyShared { .. } | Self::NotEmpty { .. } | Self::Declined => REFUSED,
            Self::Client(error) => error.exit_code(),
            Self::Interrupted => INTERRUPTED,
            Self::Open(_) | Self::Command(_) => self.refusal().map_or(COULD_NOT_RUN, refusal_code),
            Self::Config(_)
            | Self::Request(_)
            | Self::NotChecked(_)
            | Self::FlagOfTheLog { .. }
            | Self::NoSuchCommand { .. }
            | Self::ManPage { .. }
            | Self::NoCatalog { .. }
            | Self::Seed(_)
            | Self::Embedded(_)
            | Self::Store(_)
            | Self::Schema(_)
            | Self::Rebuild(_)
            | Self::Keyring(_)
            | Self::CannotSign { .. }
            | Self::Event(_)
            | Self::Range(_)
            | Self::Export(_)
            | Self::Report(_)
            | Self::Bridge(_)
            | Self::NotAToken(_)
            | Self::File { .. }
            | Self::FileTooLarge { .. }
            | Self::Policy { .. }
            | Self::Listen { .. }
            | Self::Serve(_)
            | Self::Metrics(_)
            | Self::Input(_)
            | Self::Output(_)
            | Self::NowhereToShow
            | Self::NotShown { .. }
            | Self::NotAgreed
            | Self::AllNotAgreed
            | Self::Signals(_)
            | Self::Thread(_) => COULD_NOT_RUN,
        }
    }

    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Config(error) => return error.hint(),
            Self::Client(error) | Self::NotChecked(error) => return error.hint(),
            Self::FlagOfTheLog { .. } => "name the server in --url or CATALOG_URL; 'issue' goes to the log with --dev",
            Self::NotAgreed | Self::AllNotAgreed => "see with --dry-run what would be revoked; nothing was",
            Self::NowhereToShow => "send stdout to a file or a pipe, or leave it to the terminal",
            Self::NotShown { remedy, .. } => return Some(remedy.clone()),
            Self::NoSuchCommand { .. } => "see 'catalog help'",
            Self::NoCatalog { .. } => {
                "make one with 'catalog serve', or name another in --data (CATALOG_DATA) or CATALOG_DATABASE_URL"
            }
            Self::NotEmpty { .. } => {
                "name a new one in --data, or in --schema; nothing that is recorded can be removed"
            }
            Self::Embedded(error) => return error.hint(),
            Self::Open(OpenError::Keyring(error)) | Self::Keyring(error) | Self::Seed(SeedError::Keyring(error)) => {
                return error.hint();
            }
            Self::Rebuild(RebuildError::Busy) => "wait until it has ended",
            Self::Rebuild(RebuildError::Taken(_)) => {
                "it is needed while projections are made anew: rename it, or drop it if nobody needs it"
            }
            Self::Rebuild(RebuildError::InUse) => {
                "nothing was replaced; see who it is in pg_locks and pg_stat_activity, and try again once they have ended"
            }
            Self::Rebuild(RebuildError::Schema(error))
            | Self::Open(OpenError::Schema(error))
            | Self::Seed(SeedError::Schema(error))
            | Self::Schema(error) => schema_hint(error)?,
            Self::Rebuild(RebuildError::Store(StoreError::Refused(_))) => {
                "it needs the login of the schema's owner, who may create schemas in this database"
            }
            Self::Rebuild(RebuildError::Store(error)) => store_hint(error)?,
            Self::Open(OpenError::Store(error)) | Self::Store(error) | Self::Seed(SeedError::Store(error)) => {
                store_hint(error)?
            }
            Self::Open(OpenError::Append(error))
            | Self::Command(CommandError::Append(error))
            | Self::Seed(SeedError::Append(error)) => return append_hint(error).map(Cow::into_owned),
            Self::Command(CommandError::Signing(error)) => error.hint()?,
            Self::Policy { .. } => {
                "'catalog policy show' writes one out, every key with its value; nothing was applied"
            }
            Self::Open(OpenError::SettingsLost) => {
                "'catalog audit verify' says what is missing; restore the database from a backup"
            }
            Self::CannotSign { remedy, .. } => {
                let elsewhere = "where the servers have it, --elsewhere activates it all the same";
                return Some(remedy.iter().map(String::as_str).chain([elsewhere]).collect::<Vec<_>>().join("; "));
            }
            Self::KeyUnknown { .. } => "see 'catalog keys list'",
            Self::Export(error) => error.hint()?,
            Self::Report(error) => error.hint()?,
            Self::Bridge(error) => error.hint()?,
            Self::Listen { source, .. } => listen_hint(source)?,
            Self::Command(CommandError::Incomplete)
            | Self::Seed(_)
            | Self::Rebuild(_)
            | Self::Request(_)
            | Self::ManPage { .. }
            | Self::Event(_)
            | Self::Range(_)
            | Self::KeyShared { .. }
            | Self::NotAToken(_)
            | Self::File { .. }
            | Self::FileTooLarge { .. }
            | Self::Serve(_)
            | Self::Metrics(_)
            | Self::Input(_)
            | Self::Output(_)
            | Self::Declined
            | Self::Signals(_)
            | Self::Thread(_)
            | Self::Interrupted => return None,
        };
        Some(hint.to_owned())
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Open(OpenError::Append(AppendError::Refused(refusal)))
            | Self::Command(CommandError::Append(AppendError::Refused(refusal))) => Some(refusal),
            _ => None,
        }
    }
}
