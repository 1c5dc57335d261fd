//! What can be wrong with a page.

use crate::wire::Mark;

/// Why a page cannot be applied. After any of them but [`Self::OlderSnapshot`] nothing that is not known as revoked is told to
/// be good until a snapshot has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A page is missing before this one.
    #[error("the page goes on from {after}, piece {piece}, but what is known ends at {known}, piece {pieces}")]
    Gap {
        /// How far the log is known.
        known: i64,
        /// How many pieces past it.
        pieces: u32,
        /// Where the page goes on from.
        after: i64,
        /// Which piece it is.
        piece: u32,
    },
    /// It is of another log: a restored one, or another catalog's.
    #[error("the page is of the log {}, not of {}", .said.log_id, .known.log_id)]
    OtherLog {
        /// What was known.
        known: Mark,
        /// What the page says.
        said: Mark,
    },
    /// The log is another one at the very position that is known.
    #[error("the log has another digest at position {} than what is known", .known.position)]
    OtherDigest {
        /// What was known.
        known: Mark,
        /// What the page says.
        said: Mark,
    },
    /// The log has become shorter.
    #[error("the log ends at {}, but it was known up to {}", .said.position, .known.position)]
    WentBack {
        /// What was known.
        known: Mark,
        /// What the page says.
        said: Mark,
    },
    /// A snapshot from before what is known, of the same log. Nothing was changed.
    #[error("the snapshot ends at {}, but the log is known up to {}", .said.position, .known.position)]
    OlderSnapshot {
        /// What is known.
        known: Mark,
        /// What the snapshot says.
        said: Mark,
    },
    /// It contradicts itself.
    #[error("the page {0}")]
    Malformed(&'static str),
    /// Only a snapshot helps: there was none yet, or what followed it did not fit.
    #[error("a snapshot is needed first")]
    NeedsSnapshot,
}
