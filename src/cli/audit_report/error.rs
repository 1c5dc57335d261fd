//! Why there is no report, or one cannot be gone on with or made again.

use std::{io, path::PathBuf};

use crate::app::report::{AskedError, SourceError, StateError};

/// Why there is no report, or one cannot be gone on with or made again.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Nothing like it can be asked for.
    #[error(transparent)]
    Asked(AskedError),
    /// A file cannot be written. What was there before is there still.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The report and the state would be one file.
    #[error("{} cannot be both the report and the state", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// A file is no report that can be made again.
    #[error("{}: {source}", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SourceError,
    },
    /// A saved state cannot be gone on with.
    #[error("{}: {source}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: StateError,
    },
}

impl ReportError {
    /// What the reader can do.
    pub(in crate::cli) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::State { .. } => Some("a report without --since reads the log from its beginning, and is the same"),
            Self::NotAReport { source: SourceError::OtherVersion { .. }, .. } => {
                Some("verify it with the version of the program that made it")
            }
            Self::NotAReport { .. } | Self::Asked(_) | Self::Write { .. } | Self::SameFile { .. } => None,
        }
    }
}
