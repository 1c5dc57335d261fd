//! Reading the log: from a position, in order, as recorded.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream};
use sqlx::{Connection, Executor, FromRow, PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder, Row};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Database, Head, StoreError, chain::Sha256Digest, codec, head, postgres::bounded};
use crate::domain::{Path, Position, Recorded, Settings};

/// How many events wait for a slow reader.
pub const STREAM_BUFFER: usize = 64;

static COLUMNS: &str =
    "select position, kind, jti, recorded_at, path, request_id, body, personal, salt, personal_commitment, digest
       from events
      where position > ";

/// Which events are read: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// After this position.
    pub after: Position,
    /// Up to and with this position.
    pub until: Option<Position>,
    /// That speak of this token.
    pub jti: Option<Uuid>,
    /// That came through this door.
    pub path: Option<Path>,
    /// That are part of a token's life, and not of what others tried with it.
    pub of_its_life: bool,
}

/// A row of `events` as it is stored.
#[derive(Debug, Clone, FromRow)]
pub struct EventRow {
    /// Its place.
    pub position: i64,
    /// A copy of what `body` says.
    pub kind: String,
    /// A copy of what `body` says.
    pub jti: Option<Uuid>,
    /// The database's clock.
    pub recorded_at: DateTime<Utc>,
    /// A copy of what `body` says.
    pub path: String,
    /// A copy of what `body` says.
    pub request_id: String,
    /// The structure.
    pub body: Vec<u8>,
    /// What may have been erased.
    pub personal: Option<Vec<u8>>,
    /// Erased with `personal`.
    pub salt: Option<Vec<u8>>,
    /// What stays of `personal`.
    pub personal_commitment: Vec<u8>,
    /// What binds it to all before it.
    pub digest: Vec<u8>,
}

impl EventRow {
    /// The event.
    ///
    /// # Errors
    /// [`StoreError::UnreadableEvent`].
    pub fn decode(&self) -> Result<Recorded, StoreError> {
        let occurrence = codec::decode(&self.body, self.personal.as_deref())
            .map_err(|source| StoreError::UnreadableEvent { position: self.position, source })?;
        Ok(Recorded { position: Position(self.position), recorded_at: self.recorded_at, occurrence })
    }

    /// What binds it to all before it, if it has the length of one.
    pub(super) fn digest(&self) -> Result<Sha256Digest, StoreError> {
        let digest = Sha256Digest::try_from(&self.digest[..]);
        digest.map_err(|error| StoreError::Refused(sqlx::Error::Decode(Box::new(error))))
    }
}

/// A page of at most `limit` events, in order.
///
/// # Errors
/// [`StoreError`].
pub async fn page(pool: &PgPool, selection: &Selection, limit: u16) -> Result<Vec<Recorded>, StoreError> {
    let mut query = select(selection);
    query.push(" limit ").push_bind(i64::from(limit));
    let rows: Vec<EventRow> = bounded(async { Ok(query.build_query_as().fetch_all(pool).await?) }).await?;
    rows.iter().map(EventRow::decode).collect()
}

/// Which tables the projections are that are read into memory: others once they were made anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ProjectionTables {
    tokens: Option<i64>,
    rules: Option<i64>,
}

/// The end of the log, the tables beside it, and the rows from a position on, in order and no more than `limit`, as one
/// statement sees them.
pub(super) async fn ahead(
    connection: &mut PgConnection,
    position: Position,
    limit: u16,
) -> Result<(Head, ProjectionTables, Vec<EventRow>), StoreError> {
    let query = sqlx::query(include_str!("ahead.sql")).bind(position.0).bind(i64::from(limit));
    let rows = query.fetch_all(connection).await?;
    let first = rows.first().ok_or(StoreError::Headless)?;
    let head = Head::of_columns(first, ["log_id", "head_position", "head_digest", "head_recorded_at"])?;
    let tables = ProjectionTables { tokens: first.try_get("tokens_table")?, rules: first.try_get("rules_table")? };
    // Where nothing comes after the position there is a row without an event.
    let is_event = first.try_get::<Option<i64>, _>("position")?.is_some();
    let events = rows.iter().filter(|_| is_event).map(EventRow::from_row).collect::<Result<_, _>>()?;
    Ok((head, tables, events))
}

/// The events at these positions, in order.
///
/// # Errors
/// [`StoreError`].
pub async fn at(pool: &PgPool, positions: &[Position]) -> Result<Vec<Recorded>, StoreError> {
    let positions: Vec<i64> = positions.iter().map(|position| position.0).collect();
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push("0 and position = any(").push_bind(positions).push(") order by position");
    let rows: Vec<EventRow> = bounded(async { Ok(query.build_query_as().fetch_all(pool).await?) }).await?;
    rows.iter().map(EventRow::decode).collect()
}

/// The last event up to a position: that at the position, if none is missing.
///
/// # Errors
/// [`StoreError`].
pub async fn last(pool: &PgPool, until: Position) -> Result<Option<Recorded>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push("0 and position <= ").push_bind(until.0).push(" order by position desc limit 1");
    let row: Option<EventRow> = bounded(async { Ok(query.build_query_as().fetch_optional(pool).await?) }).await?;
    row.as_ref().map(EventRow::decode).transpose()
}

/// Every selected row, in order, one at a time.
pub(super) fn rows<'a>(
    connection: &'a mut PgConnection,
    query: &'a mut QueryBuilder<Postgres>,
) -> impl Stream<Item = Result<EventRow, StoreError>> + 'a {
    query.build_query_as::<EventRow>().fetch(connection).map_err(StoreError::from)
}

/// The statement of a selection, ordered by position.
pub(super) fn select(selection: &Selection) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push_bind(selection.after.0);
    if let Some(until) = selection.until {
        query.push(" and position <= ").push_bind(until.0);
    }
    if let Some(jti) = selection.jti {
        query.push(" and jti = ").push_bind(jti);
    }
    if let Some(path) = selection.path {
        query.push(" and path = ").push_bind(path.as_str());
    }
    if selection.of_its_life {
        query.push(" and split_part(kind, '.', 1) = 'token'");
    }
    query.push(" order by position");
    query
}

/// The statement of the events that end tokens by what they have in common, ordered by position.
pub(super) fn select_rules() -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("0 and split_part(kind, '.v', 1) in ('tokens.revoked_by_rule', 'key.compromised') order by position");
    query
}

/// The statement of what happened to these tokens after a position, ordered by position.
pub(super) fn select_lives(ids: Vec<Uuid>, after: i64) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push_bind(after).push(" and jti = any(").push_bind(ids);
    query.push(") and split_part(kind, '.', 1) = 'token' order by position");
    query
}

/// Every selected event, in order, read in one snapshot on a connection of its own. A slow reader slows the database
/// down, not this process: at most [`STREAM_BUFFER`] events wait. The stream ends with the error that broke it off, if any.
///
/// # Errors
/// [`StoreError`], when the connection cannot be had.
pub async fn stream(
    database: &Database,
    selection: Selection,
) -> Result<impl Stream<Item = Result<Recorded, StoreError>> + Send + use<>, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    // A reader that pauses, such as a pager, leaves the server unable to send. Nothing waits for a read, so it may last.
    connection.execute("set tcp_user_timeout to 0").await?;
    let (events, reader) = mpsc::channel(STREAM_BUFFER);
    tokio::spawn(async move {
        if let Err(error) = send(&mut connection, &selection, &events).await {
            // Whoever reads may be gone already.
            let _ = events.send(Err(error)).await;
        }
        connection.close().await
    });
    Ok(stream::unfold(reader, async |mut reader| reader.recv().await.map(|event| (event, reader))))
}

async fn send(
    connection: &mut PgConnection,
    selection: &Selection,
    events: &mpsc::Sender<Result<Recorded, StoreError>>,
) -> Result<(), StoreError> {
    let mut query = select(selection);
    let mut rows = pin!(rows(connection, &mut query));
    while let Some(row) = rows.try_next().await? {
        if events.send(Ok(row.decode()?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The settings as the log has them now.
///
/// # Errors
/// [`StoreError`].
pub async fn settings(pool: &PgPool) -> Result<Settings, StoreError> {
    bounded(settings_on(pool)).await
}

pub(super) async fn settings_on(executor: impl PgExecutor<'_>) -> Result<Settings, StoreError> {
    let mut settings = Settings::default();
    for recorded in settings_events_on(executor).await? {
        settings.apply(&recorded);
    }
    Ok(settings)
}

/// The events that the settings are made of, in order.
///
/// # Errors
/// [`StoreError`].
pub async fn settings_events(pool: &PgPool) -> Result<Vec<Recorded>, StoreError> {
    bounded(settings_events_on(pool)).await
}

async fn settings_events_on(executor: impl PgExecutor<'_>) -> Result<Vec<Recorded>, StoreError> {
    let rows: Vec<EventRow> = sqlx::query_as(include_str!("settings.sql")).fetch_all(executor).await?;
    rows.iter().map(EventRow::decode).collect()
}

/// Which settings there are: those that end with this event of this log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettingsPlace {
    /// The position of the last event that they are made of; 0 where there is none.
    pub position: Position,
    /// Its digest, which no event of another log or history has.
    pub digest: Sha256Digest,
}

/// The last event that the settings are made of.
///
/// # Errors
/// [`StoreError`].
pub async fn settings_place(pool: &PgPool) -> Result<SettingsPlace, StoreError> {
    let read = sqlx::query_as(include_str!("settings_place.sql")).fetch_optional(pool);
    let place = |(position, digest)| SettingsPlace { position: Position(position), digest };
    bounded(async { Ok(read.await?.map(place).unwrap_or_default()) }).await
}

/// The first position that was recorded at an instant or later; that of the next event where there is none.
///
/// # Errors
/// [`StoreError`].
pub async fn first_since(pool: &PgPool, instant: DateTime<Utc>) -> Result<Position, StoreError> {
    // `recorded_at` never goes backwards along the log, and no position is missing: so halves can be left out.
    let (mut first, mut next) = (1, head(pool).await?.position.0 + 1);
    while first < next {
        let middle = first + (next - first) / 2;
        let read = sqlx::query_scalar("select recorded_at from events where position = $1").bind(middle);
        let recorded_at: DateTime<Utc> = bounded(async { Ok(read.fetch_one(pool).await?) }).await?;
        (first, next) = if recorded_at < instant { (middle + 1, next) } else { (first, middle) };
    }
    Ok(Position(first))
}

/// With which of these identifiers something of this name was seen: the first word of its kind.
pub(super) async fn seen(executor: impl PgExecutor<'_>, what: &str, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    Ok(sqlx::query_scalar(include_str!("seen.sql")).bind(ids).bind(what).fetch_all(executor).await?)
}

/// Whether a courier of a token was issued whose `header.payload` has this SHA-256, in hex.
///
/// # Errors
/// [`StoreError`].
pub async fn has_courier(pool: &PgPool, jti: Uuid, claims_digest: &str) -> Result<bool, StoreError> {
    let query = sqlx::query_scalar(include_str!("courier_seen.sql")).bind(jti).bind(claims_digest);
    bounded(async { Ok(query.fetch_one(pool).await?) }).await
}

/// The end of the log, within a read's time.
///
/// # Errors
/// [`StoreError`].
pub async fn head(pool: &PgPool) -> Result<head::Head, StoreError> {
    bounded(head::read(pool)).await
}
