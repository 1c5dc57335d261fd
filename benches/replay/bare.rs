//! The same rows without anything done to them: as sqlx hands them out, and as PostgreSQL copies them.

use std::time::{Duration, Instant};

use catalog::store::log::EventRow;
use futures_util::TryStreamExt;
use sqlx::PgConnection;

use crate::support::stand::Error;

const ROWS: &str =
    "select position, kind, jti, recorded_at, path, request_id, body, personal, salt, personal_commitment, digest
                      from catalog.events order by position";
const COPY: &str = "copy catalog.events to stdout (format binary)";

/// Something was read at all.
fn counted(events: u64) -> Result<(), Error> {
    if events == 0 { Err("there are no events".into()) } else { Ok(()) }
}

/// How long a stream of all rows takes.
pub async fn stream(connection: &mut PgConnection) -> Result<Duration, Error> {
    let begun = Instant::now();
    let mut rows = sqlx::query_as::<_, EventRow>(ROWS).fetch(connection);
    let mut events = 0;
    while let Some(row) = rows.try_next().await? {
        std::hint::black_box(row);
        events += 1;
    }
    counted(events)?;
    Ok(begun.elapsed())
}

/// How long a copy of the whole table takes.
pub async fn copy(connection: &mut PgConnection) -> Result<Duration, Error> {
    let begun = Instant::now();
    let mut pieces = connection.copy_out_raw(COPY).await?;
    let mut bytes = 0;
    while let Some(piece) = pieces.try_next().await? {
        bytes += std::hint::black_box(piece).len() as u64;
    }
    counted(bytes)?;
    Ok(begun.elapsed())
}
