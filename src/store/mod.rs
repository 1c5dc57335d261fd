//! The log and its projections in Postgres: the only floor that speaks SQL.

pub mod address;
pub mod appender;
mod batch;
pub mod bulk;
pub mod chain;
pub mod codec;
mod copy_in;
mod copy_out;
mod difference;
mod draft;
pub mod embedded;
pub mod feed;
pub mod fill;
pub mod follower;
pub mod head;
pub mod idempotency;
mod kept;
pub mod key_usage;
pub mod life;
mod listing;
mod load;
pub mod log;
pub mod lookups;
pub mod metrics;
mod names;
mod ordered;
pub mod part;
mod past;
pub mod people;
pub mod postgres;
pub mod preview;
mod reach;
pub mod rebuild;
mod rebuild_swap;
pub mod replay;
mod replay_live;
pub mod row;
pub mod rules;
pub mod schema;
pub mod skim;
mod status_lists;
mod stretch;
pub mod tally;
pub mod tokens;
pub mod trouble;
mod turns;
pub mod verify;
mod verify_names;
mod verify_reach;
mod verify_rows;
mod verify_rules;
mod verify_tables;
mod verify_walk;

pub use address::{Address, AddressError};
pub use appender::{AppendError, Appended, Appender, Pending};
pub use follower::LiveTokens;
pub use head::Head;
pub use lookups::Lookups;
pub use postgres::{Connections, Database};
pub use trouble::Trouble;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why something could not be read. None of them says anything about a token: could not tell is not no.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or not in time.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// The database did not answer in time.
    #[error("the database did not answer within {0:?}")]
    TimedOut(std::time::Duration),
    /// The database answered, and cannot do it at the moment.
    #[error("{trouble}")]
    Unable {
        /// Why.
        trouble: Trouble,
        /// In the database's own words.
        source: sqlx::Error,
    },
    /// The database answered with an error.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// An event cannot be read; nothing past it is believed.
    #[error("the event at position {position} cannot be read")]
    UnreadableEvent {
        /// Its position.
        position: i64,
        /// Why.
        source: codec::CodecError,
    },
    /// A row of a projection cannot be read.
    #[error("the row of token {jti} cannot be read: {what}")]
    UnreadableRow {
        /// The token.
        jti: uuid::Uuid,
        /// Why.
        what: String,
    },
    /// Nobody knows where the log ends.
    #[error("log_head has no row: where the log ends is not known")]
    Headless,
    /// A statement that several askers shared had no answer for any of them.
    #[error(transparent)]
    Shared(std::sync::Arc<StoreError>),
}

impl StoreError {
    /// Whether the same may well succeed later: nothing is wrong with what is stored or asked.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            // A log that is being restored may have no head yet.
            Self::Unavailable(_) | Self::TimedOut(_) | Self::Unable { .. } | Self::Headless => true,
            Self::Shared(error) => error.is_passing(),
            Self::Refused(_) | Self::UnreadableEvent { .. } | Self::UnreadableRow { .. } => false,
        }
    }

    /// Whether the database said that it refused the statement, and went on: then it did nothing of it. A session that
    /// ends says why, too, but not how far it came.
    fn is_rolled_back(&self) -> bool {
        let (Self::Refused(source) | Self::Unable { source, .. }) = self else { return false };
        let said = source.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        said.is_some_and(|error| error.severity() == PgSeverity::Error)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Refused(error),
            sqlx::Error::Database(database) => match database.code().as_deref().and_then(Trouble::of) {
                Some(trouble) => Self::Unable { trouble, source: error },
                None => Self::Refused(error),
            },
            _ => Self::Unavailable(error),
        }
    }
}
