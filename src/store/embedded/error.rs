//! What can go wrong with the private cluster, and what its reader can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The operating system refused something; the source says why.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The address of a Unix socket has a fixed size.
    #[error("the socket path {} has {bytes} bytes, the limit is {bytes_max}", path.display())]
    SocketPathTooLong {
        /// The path that the socket would have.
        path: PathBuf,
        /// Its length.
        bytes: usize,
        /// The longest that the operating system takes.
        bytes_max: usize,
    },
    /// Postgres refuses to run as root, and there is nobody else to run it.
    #[error("running as root, and /etc/passwd has neither `postgres` nor `nobody` to run PostgreSQL")]
    NoAccount,
    /// The account that runs the server cannot reach its data.
    #[error("{} cannot be entered by `{account}`, who runs PostgreSQL", directory.display())]
    Untraversable {
        /// The directory that is in the way.
        directory: PathBuf,
        /// The account's name.
        account: String,
    },
    /// The cluster is somebody else's.
    #[error("{} belongs to {owner}", path.display())]
    Foreign {
        /// The cluster's directory.
        path: PathBuf,
        /// Its owner: a name, or a number that has none.
        owner: String,
        /// Who made it: the owner of the directory that it is in. Root's clusters are owned by `postgres`.
        maker: String,
    },
    /// Something else lies where the cluster should be.
    #[error("{} is not a PostgreSQL data directory", path.display())]
    NotACluster {
        /// The directory.
        path: PathBuf,
    },
    /// No directory of server binaries is suitable.
    #[error("no PostgreSQL server binaries (15 or newer) found{}", listed(rejected))]
    NoBinaries {
        /// The directories that were looked at, each with why it will not do.
        rejected: Vec<String>,
    },
    /// The directory that `CATALOG_PG_BIN` names will not do.
    #[error("CATALOG_PG_BIN does not name usable PostgreSQL binaries: {reason}")]
    NamedBinaries {
        /// The directory and why it will not do.
        reason: String,
    },
    /// A cluster is only ever run by the major version that made it.
    #[error("{} was made by PostgreSQL {cluster}, and here is {found}", path.display())]
    WrongMajor {
        /// The cluster's directory.
        path: PathBuf,
        /// The major version in its `PG_VERSION`.
        cluster: u32,
        /// The versions found and where, or `none`.
        found: String,
    },
    /// A step of the first set-up failed; nothing of it is kept.
    #[error("{step} failed ({status}):\n{output}")]
    SetUp {
        /// The program.
        step: &'static str,
        /// How it ended.
        status: String,
        /// The last lines that it said.
        output: String,
    },
    /// Another process kept a lock for too long.
    #[error("{} is still locked by another process after {seconds} s", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The server ended instead of starting.
    #[error("PostgreSQL did not start ({status}):\n{log}")]
    NotStarted {
        /// How it ended.
        status: String,
        /// The last lines of `server.log`.
        log: String,
    },
    /// The server runs, but takes too long to accept connections.
    #[error("PostgreSQL in {} does not accept connections after {seconds} s:\n{log}", path.display())]
    NotReady {
        /// The cluster's directory.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
        /// The last lines of `server.log`.
        log: String,
    },
    /// The server was told to stop and still runs.
    #[error("PostgreSQL (process {pid}) has not stopped after {seconds} s:\n{log}")]
    NotStopped {
        /// The server's process.
        pid: i32,
        /// How long was waited.
        seconds: u64,
        /// The last lines of `server.log`.
        log: String,
    },
}

impl EmbeddedError {
    /// What the reader can do, in one sentence; `None` when the error itself says all there is.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run as the user who owns it, or name another directory in CATALOG_DATA".to_owned()
            }
            Self::Io { .. } | Self::NotStarted { .. } => return None,
            Self::SocketPathTooLong { .. } => "name a directory with a shorter path in CATALOG_DATA".to_owned(),
            Self::NoAccount => "run as another user than root, or add one: useradd --system postgres".to_owned(),
            Self::Untraversable { directory, .. } => format!(
                "chmod o+x {}, or name another directory in CATALOG_DATA (/var/lib/catalog)",
                directory.display()
            ),
            Self::Foreign { maker, .. } => {
                format!("run as {maker}, or name another directory in CATALOG_DATA")
            }
            Self::NotACluster { path } => {
                format!("move {} away, or name another directory in CATALOG_DATA", path.display())
            }
            Self::NoBinaries { .. } | Self::NamedBinaries { .. } => INSTALL.to_owned(),
            Self::WrongMajor { cluster, .. } => {
                format!("install PostgreSQL {cluster} beside it, or name its directory in CATALOG_PG_BIN")
            }
            Self::SetUp { .. } => "nothing was kept; the next start sets up from the beginning".to_owned(),
            Self::Locked { path, .. } => {
                format!("see which process holds it: fuser -v {}", path.display())
            }
            Self::NotReady { path, .. } => format!(
                "it may be recovering, then try again later; if the process in {} is not PostgreSQL, remove that file",
                path.join("postmaster.pid").display()
            ),
            Self::NotStopped { pid, .. } => {
                format!("it may be writing a large checkpoint; if it never ends: kill -QUIT {pid}")
            }
        };
        Some(hint)
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// The program never downloads anything; this is what its reader can do instead.
const INSTALL: &str = "install a PostgreSQL server: `apt-get install postgresql`, `dnf install postgresql-server`, \
    `brew install postgresql`, or `make serve`; or name its directory in CATALOG_PG_BIN, or any other server in \
    CATALOG_DATABASE_URL";

fn listed(rejected: &[String]) -> String {
    let lines = rejected.iter().map(|line| format!("\n  {line}"));
    lines.collect()
}
