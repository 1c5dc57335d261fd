//! Why an export did not come to its end, or cannot go on.

use std::{io, path::PathBuf};

use crate::store::feed::Elsewhere;

/// Why an export did not come to its end, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// stdout cannot be written.
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
    /// A file cannot be written. Of one that is written whole, what was there before is there still.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A position file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A position file was not written by an export.
    #[error("{} is no position file: {source}", path.display())]
    NotAPlace {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A position file is of another export.
    #[error("{} is of an export as {found}, and this one is as {asked}", path.display())]
    OtherForm {
        /// The position file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The format of this export.
        asked: String,
    },
    /// A position file is of an export to a file, and this one is not, or the other way round.
    #[error("{} is of an export to {found}", path.display())]
    OtherTarget {
        /// The position file.
        path: PathBuf,
        /// Where to.
        found: &'static str,
    },
    /// There is less in the output than was written.
    #[error("{} has {found} bytes, and the position file says {expected}", path.display())]
    Shorter {
        /// The output.
        path: PathBuf,
        /// How many there are.
        found: u64,
        /// How many were written.
        expected: u64,
    },
    /// The output has something in it that nobody knows the end of.
    #[error("{} is not empty, and there is no position file that says how far it goes", path.display())]
    Unplaced {
        /// The output.
        path: PathBuf,
    },
    /// Another process writes the output.
    #[error("another export writes to {}", path.display())]
    InUse {
        /// The output.
        path: PathBuf,
    },
    /// A position file is of another log.
    #[error("{} is not of this log: {source}", path.display())]
    OtherLog {
        /// The position file.
        path: PathBuf,
        /// Why.
        source: Elsewhere,
    },
    /// The log became another one while it was followed.
    #[error("the log cannot be followed any more: {source}")]
    LogChanged {
        /// Why.
        source: Elsewhere,
    },
}

impl ExportError {
    /// What the reader can do.
    pub(in crate::cli) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unplaced { .. } => Some("name another --output, or remove it to begin anew"),
            Self::Shorter { .. } | Self::NotAPlace { .. } | Self::OtherTarget { .. } => {
                Some("remove the position file and the output to begin anew")
            }
            Self::OtherForm { .. } | Self::OtherLog { .. } | Self::LogChanged { .. } => {
                Some("begin anew with another --output and another --position-file")
            }
            Self::Stdout(_) | Self::Write { .. } | Self::Read { .. } | Self::InUse { .. } => None,
        }
    }
}
