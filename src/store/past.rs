//! What was so of tokens and is no more: kept so that a state of the past can be read as one of today.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};

use super::{StoreError, difference, ordered::Placed, stretch::Stretch};
use crate::domain::{
    Position, Rule,
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

/// Every row of `past_revocations`.
pub(super) static REVOCATIONS: &str = include_str!("past_revocations_all.sql");
/// Every row of `past_suspensions`.
pub(super) static SUSPENSIONS: &str = include_str!("past_suspensions_all.sql");

#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
pub(super) struct RevocationRow {
    issued_pos: i64,
    revoked_pos: i64,
    revoked_at: DateTime<Utc>,
    effective_from: Option<DateTime<Utc>>,
    revocation_reason: String,
    revocation_note: Option<String>,
    revoked_by: Option<String>,
    until_pos: i64,
}

impl Placed for RevocationRow {
    fn issued_pos(&self) -> i64 {
        self.issued_pos
    }
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

#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
pub(super) struct SuspensionRow {
    issued_pos: i64,
    suspended_pos: i64,
    suspended_at: DateTime<Utc>,
    until_pos: i64,
}

impl Placed for SuspensionRow {
    fn issued_pos(&self) -> i64 {
        self.issued_pos
    }
}

impl SuspensionRow {
    fn of(past: &Past) -> Option<Self> {
        let Was::Suspended(Suspension { position, at, .. }) = &past.was else { return None };
        Some(Self { issued_pos: past.issued.0, suspended_pos: position.0, suspended_at: *at, until_pos: past.until.0 })
    }
}

/// Where the rows differ from what the fold of the log says is no more. What a rule ends is told once it is filled; of
/// what was erased nobody can tell any more that a rule covered it, and the row is believed.
pub(super) fn revocation_differences(
    rows: Vec<RevocationRow>,
    stretch: &Stretch,
    rules: &[Rule],
    unfilled: &[Rule],
) -> Vec<(Position, String)> {
    let may_have_ended = |issued: i64, until: i64| {
        let rule = rules.iter().find(|rule| rule.position.0 == until);
        let token = || stretch.tokens.values().find(|token| token.issued.0 == issued);
        rule.and_then(|rule| Some((rule, token()?))).is_some_and(|(rule, token)| rule.may_have_covered(token))
    };
    let ended = stretch.past.iter().filter_map(RevocationRow::of);
    let mut expected: BTreeMap<(i64, i64), RevocationRow> =
        ended.map(|row| ((row.issued_pos, row.revoked_pos), row)).collect();
    let mut found = Vec::new();
    for row in rows {
        let expected = expected.remove(&(row.issued_pos, row.revoked_pos));
        if expected.as_ref() != Some(&row) && !may_have_ended(row.issued_pos, row.until_pos) {
            let differs = difference::first(&row, expected.as_ref());
            let detail = format!("the row of past_revocations is not what the log says: {differs}");
            found.push((Position(row.issued_pos), detail));
        }
    }
    expected.retain(|_, row| unfilled.iter().all(|rule| rule.position.0 != row.until_pos));
    let missing = expected.into_keys().map(|(issued, _)| Position(issued));
    found
        .extend(missing.map(|issued| (issued, "past_revocations has no row for a revocation of the token".to_owned())));
    found
}

/// The same of suspensions, which no rule ends.
pub(super) fn suspension_differences(rows: Vec<SuspensionRow>, stretch: &Stretch) -> Vec<(Position, String)> {
    let ended = stretch.past.iter().filter_map(SuspensionRow::of);
    let mut expected: BTreeMap<(i64, i64), SuspensionRow> =
        ended.map(|row| ((row.issued_pos, row.suspended_pos), row)).collect();
    let mut found = Vec::new();
    for row in rows {
        let expected = expected.remove(&(row.issued_pos, row.suspended_pos));
        if expected.as_ref() != Some(&row) {
            let differs = difference::first(&row, expected.as_ref());
            let detail = format!("the row of past_suspensions is not what the log says: {differs}");
            found.push((Position(row.issued_pos), detail));
        }
    }
    let missing = expected.into_keys().map(|(issued, _)| Position(issued));
    found
        .extend(missing.map(|issued| (issued, "past_suspensions has no row for a suspension of the token".to_owned())));
    found
}
