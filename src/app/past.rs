//! The past of the log: which end of it somebody means, and when that was.

use chrono::{DateTime, Utc};

use super::Catalog;
use crate::{
    domain::{AsOf, Position},
    store::{StoreError, log},
};

/// The log as it was: what was recorded by a position, judged at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Its last event; 0 before the first.
    pub position: Position,
    /// The instant that is judged at: the one that was asked for, or that at which the event was decided.
    pub at: DateTime<Utc>,
}

/// Why there is no such past.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// It lies behind the end of the log.
    #[error("the log ends at @{head}, recorded at {recorded_at}: that is not the past yet")]
    Ahead {
        /// The end of the log.
        head: Position,
        /// When that was recorded, as RFC 3339.
        recorded_at: String,
    },
    /// The log begins later.
    #[error("the log begins at @1 and ends at @{head}")]
    NoPosition {
        /// The end of the log.
        head: Position,
    },
    /// Could not tell.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Catalog {
    /// Which past somebody means.
    ///
    /// # Errors
    /// [`PastError`].
    pub async fn past(&self, as_of: AsOf) -> Result<Past, PastError> {
        let reads = self.database.reads();
        let head = log::head(reads).await?;
        let ahead = || {
            let recorded_at = super::view::instant(head.recorded_at);
            PastError::Ahead { head: head.position, recorded_at }
        };
        match as_of {
            AsOf::Position(Position(0)) => Err(PastError::NoPosition { head: head.position }),
            AsOf::Position(position) => {
                if position > head.position {
                    return Err(ahead());
                }
                // Where it is missing the one before says when that was.
                let event = log::last(reads, position).await?;
                Ok(Past { position, at: event.map_or(DateTime::UNIX_EPOCH, |event| event.occurrence.occurred_at) })
            }
            // What is recorded later at this instant would be left out.
            AsOf::At(at) if at >= self.ambient.clock.now() => Err(ahead()),
            AsOf::At(at) => {
                let next = log::first_since(reads, at + chrono::TimeDelta::microseconds(1)).await?;
                Ok(Past { position: Position(next.0 - 1), at })
            }
        }
    }
}
