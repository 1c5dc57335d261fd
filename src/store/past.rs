//! What was so of tokens and is no more: kept so that a state of the past can be read as one of today.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::StoreError;
use crate::domain::{
    Position, Rule, Token,
    state::{Past, Was},
    token::{Revocation, Suspension},
};

/// Adds what the events of a batch have ended.
pub(super) async fn insert(connection: &mut PgConnection, past: &[Past]) -> Result<(), StoreError> {
    insert_revocations(connection, past).await?;
    insert_suspensions(connection, past).await
}

async fn insert_revocations(connection: &mut PgConnection, past: &[Past]) -> Result<(), StoreError> {
    let ended: Vec<RevocationRow> = past.iter().filter_map(RevocationRow::of).collect();
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("past_revocations_insert.sql"))
        .bind(ended.iter().map(|row| row.issued_pos).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.revoked_pos).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.revoked_at).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.effective_from).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.revocation_reason.clone()).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.revocation_note.clone()).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.revoked_by.clone()).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.until_pos).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_suspensions(connection: &mut PgConnection, past: &[Past]) -> Result<(), StoreError> {
    let ended: Vec<SuspensionRow> = past.iter().filter_map(SuspensionRow::of).collect();
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("past_suspensions_insert.sql"))
        .bind(ended.iter().map(|row| row.issued_pos).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.suspended_pos).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.suspended_at).collect::<Vec<_>>())
        .bind(ended.iter().map(|row| row.until_pos).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, FromRow)]
struct RevocationRow {
    issued_pos: i64,
    revoked_pos: i64,
    revoked_at: DateTime<Utc>,
    effective_from: Option<DateTime<Utc>>,
    revocation_reason: String,
    revocation_note: Option<String>,
    revoked_by: Option<String>,
    until_pos: i64,
}

impl RevocationRow {
    fn of(past: &Past) -> Option<Self> {
        let Was::Revoked(Revocation { position, at, effective_from, reason, note, by, by_rule: _ }) = &past.was else {
            return None;
        };
        Some(Self {
            issued_pos: past.issued.0,
            revoked_pos: position.0,
            revoked_at: *at,
            effective_from: *effective_from,
            revocation_reason: reason.to_string(),
            revocation_note: note.as_ref().map(ToString::to_string),
            revoked_by: by.clone(),
            until_pos: past.until.0,
        })
    }
}

#[derive(Debug, Clone, PartialEq, FromRow)]
struct SuspensionRow {
    issued_pos: i64,
    suspended_pos: i64,
    suspended_at: DateTime<Utc>,
    until_pos: i64,
}

impl SuspensionRow {
    fn of(past: &Past) -> Option<Self> {
        let Was::Suspended(Suspension { position, at, .. }) = &past.was else { return None };
        Some(Self { issued_pos: past.issued.0, suspended_pos: position.0, suspended_at: *at, until_pos: past.until.0 })
    }
}

/// Where the rows differ from what the fold of the log says is no more. What a rule ends is told once it is filled; of
/// what was erased nobody can tell any more that a rule covered it, and the row is believed.
pub(super) async fn differences(
    connection: &mut PgConnection,
    past: &[Past],
    folded: &HashMap<Uuid, Token>,
    rules: &[Rule],
    unfilled: &[Rule],
) -> Result<Vec<(Position, String)>, StoreError> {
    let tokens: HashMap<Position, &Token> = folded.values().map(|token| (token.issued, token)).collect();
    let may_have_ended = |issued: i64, until: i64| {
        let rule = rules.iter().find(|rule| rule.position.0 == until);
        rule.zip(tokens.get(&Position(issued))).is_some_and(|(rule, token)| rule.may_have_covered(token))
    };
    let mut found = Vec::new();
    let mut revocations: BTreeMap<(i64, i64), RevocationRow> =
        past.iter().filter_map(RevocationRow::of).map(|row| ((row.issued_pos, row.revoked_pos), row)).collect();
    {
        let mut rows =
            sqlx::query_as::<_, RevocationRow>(include_str!("past_revocations_all.sql")).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let expected = revocations.remove(&(row.issued_pos, row.revoked_pos));
            if expected.as_ref() != Some(&row) && !may_have_ended(row.issued_pos, row.until_pos) {
                let detail = "the row of past_revocations is not what the log says".to_owned();
                found.push((Position(row.issued_pos), detail));
            }
        }
    }
    revocations.retain(|_, row| unfilled.iter().all(|rule| rule.position.0 != row.until_pos));
    let missing = revocations.into_keys().map(|(issued, _)| Position(issued));
    found
        .extend(missing.map(|issued| (issued, "past_revocations has no row for a revocation of the token".to_owned())));
    let mut suspensions: BTreeMap<(i64, i64), SuspensionRow> =
        past.iter().filter_map(SuspensionRow::of).map(|row| ((row.issued_pos, row.suspended_pos), row)).collect();
    {
        let mut rows =
            sqlx::query_as::<_, SuspensionRow>(include_str!("past_suspensions_all.sql")).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            if suspensions.remove(&(row.issued_pos, row.suspended_pos)).as_ref() != Some(&row) {
                let detail = "the row of past_suspensions is not what the log says".to_owned();
                found.push((Position(row.issued_pos), detail));
            }
        }
    }
    let missing = suspensions.into_keys().map(|(issued, _)| Position(issued));
    found
        .extend(missing.map(|issued| (issued, "past_suspensions has no row for a suspension of the token".to_owned())));
    Ok(found)
}
