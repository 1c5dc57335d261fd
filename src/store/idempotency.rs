//! Which requests were answered before, under the names that they gave themselves.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::{FromRow, PgConnection, Row};
use uuid::Uuid;

use super::{Database, StoreError, log::EventRow, postgres::bounded};
use crate::domain::{
    Actor, Position,
    idempotency::{Answered, Scope},
    text::IdempotencyKey,
};

/// The requests of these names that are remembered.
pub(super) async fn load(
    connection: &mut PgConnection,
    scopes: &[&Scope],
) -> Result<Vec<(Scope, Answered)>, StoreError> {
    if scopes.is_empty() {
        return Ok(Vec::new());
    }
    let (credentials, keys): (Vec<String>, Vec<&str>) =
        scopes.iter().map(|scope| (scope.credential.to_string(), scope.key.as_str())).unzip();
    let rows = sqlx::query(include_str!("idempotency_by_scope.sql"))
        .bind(credentials)
        .bind(keys)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let event = EventRow::from_row(row)?.decode()?;
            let digest: Vec<u8> = row.try_get("request_digest")?;
            let request_digest = digest.try_into().map_err(|_| unreadable("request_digest"))?;
            Ok((scope(row)?, Answered { request_digest, at: row.try_get("at")?, event }))
        })
        .collect()
}

/// The rows that name no event, or one that is no answer to their own credential, and what is wrong with them.
pub(super) async fn stray(connection: &mut PgConnection) -> Result<Vec<(Position, &'static str)>, StoreError> {
    let mut stray = Vec::new();
    let mut rows = sqlx::query(include_str!("idempotency_stray.sql")).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let named = Position(row.try_get("named")?);
        if row.try_get::<Option<i64>, _>("position")?.is_none() {
            stray.push((named, "a row of idempotency names an event that is not there"));
            continue;
        }
        // Of an event that cannot be read there is another finding.
        let Ok(event) = EventRow::from_row(&row)?.decode() else { continue };
        let actor = &event.occurrence.origin.actor;
        let is_erased = matches!(actor, Actor::Person { sub: None, .. });
        if !is_erased && actor.holder() != scope(&row).ok().map(|scope| scope.credential) {
            stray.push((named, "a row of idempotency names what another credential was answered"));
        }
    }
    Ok(stray)
}

fn scope(row: &sqlx::postgres::PgRow) -> Result<Scope, StoreError> {
    let credential: String = row.try_get("credential")?;
    let key: String = row.try_get("key")?;
    Ok(Scope {
        credential: Uuid::try_parse(&credential).map_err(|_| unreadable("credential"))?,
        key: IdempotencyKey::parse(key).map_err(|_| unreadable("key"))?,
    })
}

fn unreadable(column: &str) -> StoreError {
    StoreError::Refused(sqlx::Error::Decode(format!("idempotency.{column} cannot be read").into()))
}

/// Remembers the requests of a batch. A name that ran out but was not swept yet is taken over.
pub(super) async fn insert(connection: &mut PgConnection, named: &[(Scope, Answered)]) -> Result<(), StoreError> {
    if named.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("idempotency_insert.sql"))
        .bind(named.iter().map(|(scope, _)| scope.credential.to_string()).collect::<Vec<_>>())
        .bind(named.iter().map(|(scope, _)| scope.key.as_str()).collect::<Vec<_>>())
        .bind(named.iter().map(|(_, answered)| &answered.request_digest[..]).collect::<Vec<_>>())
        .bind(named.iter().map(|(_, answered)| answered.event.position.0).collect::<Vec<_>>())
        .bind(named.iter().map(|(_, answered)| answered.at).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// The most that are forgotten at once: a commit that meets one of them waits for it.
pub const SWEEP_MAX: u64 = 1_000;

/// Forgets requests from `until` or before, the oldest first and at most [`SWEEP_MAX`], and tells how many there were.
/// One that somebody else has locked is left for the next time.
///
/// # Errors
/// [`StoreError`].
pub async fn sweep(database: &Database, until: DateTime<Utc>) -> Result<u64, StoreError> {
    let delete = sqlx::query(include_str!("idempotency_sweep.sql")).bind(until).bind(SWEEP_MAX.cast_signed());
    bounded(async { Ok(delete.execute(database.reads()).await?.rows_affected()) }).await
}
