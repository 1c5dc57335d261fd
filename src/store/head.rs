//! The end of the log.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use sqlx::{PgExecutor, Row, postgres::PgRow};
use uuid::Uuid;

use super::{StoreError, chain::Sha256Digest};
use crate::domain::Position;

/// The last event's place and digest, in one epoch of the log. Worth keeping outside: it shows a later rewrite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The epoch.
    pub log_id: Uuid,
    /// The last position, 0 in an empty log.
    pub position: Position,
    /// The last digest.
    #[serde(serialize_with = "hex_digest")]
    pub digest: Sha256Digest,
    /// The last `recorded_at`.
    #[serde(skip)]
    pub recorded_at: DateTime<Utc>,
}

fn hex_digest<S: Serializer>(digest: &Sha256Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(digest))
}

impl Head {
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Self::of_columns(row, ["log_id", "position", "digest", "recorded_at"])
    }

    /// That of a row in which its columns have other names.
    pub(super) fn of_columns(
        row: &PgRow,
        [log_id, position, digest, recorded_at]: [&str; 4],
    ) -> Result<Self, sqlx::Error> {
        let digest: Vec<u8> = row.try_get(digest)?;
        Ok(Self {
            log_id: row.try_get(log_id)?,
            position: Position(row.try_get(position)?),
            digest: digest.try_into().map_err(|_| sqlx::Error::Decode("log_head.digest is not 32 bytes".into()))?,
            recorded_at: row.try_get(recorded_at)?,
        })
    }
}

/// Reads the end of the log.
///
/// # Errors
/// [`StoreError`].
pub async fn read(executor: impl PgExecutor<'_>) -> Result<Head, StoreError> {
    let row = sqlx::query("select log_id, position, digest, recorded_at from log_head where id = 1")
        .fetch_optional(executor)
        .await?;
    Ok(Head::from_row(&row.ok_or(StoreError::Headless)?)?)
}
