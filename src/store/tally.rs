//! How much happened in a stretch of the log, by the door that it came through.

use sqlx::{PgPool, Row, postgres::PgRow};

use super::{StoreError, postgres::bounded};
use crate::domain::{Path, Position};

/// What came through one door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The door.
    pub path: Path,
    /// Tokens issued.
    pub issued: u64,
    /// Tokens revoked, each by name.
    pub revoked: u64,
    /// Rules added, each of which revoked any number of tokens.
    pub rules: u64,
}

/// What happened after one position, up to and with another.
///
/// # Errors
/// [`StoreError`].
pub async fn between(pool: &PgPool, after: Position, until: Position) -> Result<Vec<Tally>, StoreError> {
    let select = sqlx::query(include_str!("tally.sql")).bind(after.0).bind(until.0);
    let rows = bounded(async { Ok(select.fetch_all(pool).await?) }).await?;
    rows.iter().map(|row| Ok(tally(row)?)).collect()
}

fn tally(row: &PgRow) -> Result<Tally, sqlx::Error> {
    let path: String = row.try_get("path")?;
    let count = |column: &str| row.try_get(column).map(|count: i64| u64::try_from(count).unwrap_or_default());
    Ok(Tally {
        path: path.parse().map_err(|_| sqlx::Error::Decode("events.path is no door of this program".into()))?,
        issued: count("issued")?,
        revoked: count("revoked")?,
        rules: count("rules")?,
    })
}
