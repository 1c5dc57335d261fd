//! That listings find each token by what it says: the rows of [`super::reach`] against the fold of the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{
    StoreError, difference,
    ordered::Placed,
    reach::{self, SPAN, Times},
};
use crate::domain::{Position, Token};

/// A table that tokens are listed by.
pub(super) struct ListedBy {
    name: &'static str,
    /// Its rows, those of a token together.
    pub(super) rows: &'static str,
    /// What a token is listed under in it.
    values: fn(&Token) -> BTreeSet<&str>,
}

/// By the teams that they reach.
pub(super) static TEAMS: ListedBy =
    ListedBy { name: "token_teams", rows: include_str!("token_teams.sql"), values: reach::teams };
/// By what they may do.
pub(super) static PERMISSIONS: ListedBy =
    ListedBy { name: "token_permissions", rows: include_str!("token_permissions.sql"), values: reach::permissions };

#[derive(FromRow, Serialize)]
pub(super) struct ReachRow {
    issued_pos: i64,
    values: Vec<String>,
}

impl Placed for ReachRow {
    fn issued_pos(&self) -> i64 {
        self.issued_pos
    }
}

/// Where the rows differ from what the tokens say.
pub(super) fn differences(
    table: &ListedBy,
    rows: Vec<ReachRow>,
    folded: &HashMap<Uuid, Token>,
) -> Vec<(Position, String)> {
    let listed = folded.values().map(|token| (token.issued.0, (table.values)(token)));
    let mut expected: HashMap<i64, BTreeSet<&str>> = listed.filter(|(_, values)| !values.is_empty()).collect();
    let mut found = Vec::new();
    for row in rows {
        let issued_pos = row.issued_pos;
        let of_token =
            |values: BTreeSet<&str>| ReachRow { issued_pos, values: values.into_iter().map(str::to_owned).collect() };
        let expected = expected.remove(&issued_pos).map(of_token);
        if expected.as_ref().is_none_or(|expected| expected.values != row.values) {
            let differs = difference::first(&row, expected.as_ref());
            let detail = format!("the rows of {} are not what the token says: {differs}", table.name);
            found.push((Position(issued_pos), detail));
        }
    }
    let missing = expected.into_keys().map(Position);
    found.extend(missing.map(|position| (position, format!("{} has no row for the token", table.name))));
    found
}

/// Where the rows of `token_spans` differ from the times of the tokens.
pub(super) async fn span_differences(
    connection: &mut PgConnection,
    mut expected: BTreeMap<i64, Times>,
) -> Result<Vec<(Position, String)>, StoreError> {
    let mut found = Vec::new();
    let mut rows = sqlx::query_as::<_, SpanRow>(include_str!("token_spans.sql")).fetch(connection);
    while let Some(SpanRow { span, times }) = rows.try_next().await? {
        let expected = expected.remove(&span);
        if expected != Some(times) {
            let differs = difference::first(&times, expected.as_ref());
            let detail = format!("the row of token_spans from here on is not what its tokens say: {differs}");
            found.push((first_of(span), detail));
        }
    }
    let missing = expected.into_keys().map(first_of);
    found.extend(missing.map(|position| (position, "token_spans has no row for the tokens from here on".to_owned())));
    Ok(found)
}

/// Where the span of a position begins.
pub(super) fn span_of(position: Position) -> Position {
    first_of(position.0 / SPAN)
}

fn first_of(span: i64) -> Position {
    Position(span.saturating_mul(SPAN))
}

#[derive(FromRow)]
struct SpanRow {
    span: i64,
    #[sqlx(flatten)]
    times: Times,
}
