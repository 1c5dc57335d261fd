//! That listings find each token by what it says: the rows of [`super::reach`] against the fold of the log.

use std::collections::{BTreeSet, HashMap};

use futures_util::TryStreamExt;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{
    StoreError,
    reach::{self, Reach, SPAN, Times},
};
use crate::domain::{Position, Token};

type Folded = HashMap<Uuid, Token>;
type Differences = Vec<(Position, String)>;
/// What a token is listed under in one of the tables.
type Listed = fn(&Token) -> BTreeSet<&str>;

/// Where the rows differ from what the tokens say.
pub(super) async fn differences(connection: &mut PgConnection, folded: &Folded) -> Result<Differences, StoreError> {
    let mut found = Vec::new();
    let tables: [(&str, &'static str, Listed); 2] = [
        ("token_teams", include_str!("token_teams.sql"), reach::teams),
        ("token_permissions", include_str!("token_permissions.sql"), reach::permissions),
    ];
    for (table, sql, listed) in tables {
        compare_values(connection, folded, table, sql, listed, &mut found).await?;
    }
    compare_spans(connection, folded, &mut found).await?;
    Ok(found)
}

async fn compare_values(
    connection: &mut PgConnection,
    folded: &Folded,
    table: &str,
    sql: &'static str,
    listed: Listed,
    found: &mut Differences,
) -> Result<(), StoreError> {
    let mut expected: HashMap<i64, Vec<&str>> =
        folded.values().map(|token| (token.issued.0, listed(token).into_iter().collect())).collect();
    expected.retain(|_, values: &mut Vec<&str>| !values.is_empty());
    let mut rows = sqlx::query_as::<_, (i64, Vec<String>)>(sql).fetch(connection);
    while let Some((position, values)) = rows.try_next().await? {
        if expected.remove(&position).is_none_or(|expected| expected != values) {
            found.push((Position(position), format!("the rows of {table} are not what the token says")));
        }
    }
    let missing = expected.into_keys().map(Position);
    found.extend(missing.map(|position| (position, format!("{table} has no row for the token"))));
    Ok(())
}

async fn compare_spans(
    connection: &mut PgConnection,
    folded: &Folded,
    found: &mut Differences,
) -> Result<(), StoreError> {
    let mut expected = Reach::of(folded.values()).into_spans();
    let mut rows = sqlx::query_as::<_, SpanRow>(include_str!("token_spans.sql")).fetch(connection);
    while let Some(SpanRow { span, times }) = rows.try_next().await? {
        if expected.remove(&span) != Some(times) {
            found.push((first_of(span), "the row of token_spans from here on is not what its tokens say".to_owned()));
        }
    }
    let missing = expected.into_keys().map(first_of);
    found.extend(missing.map(|position| (position, "token_spans has no row for the tokens from here on".to_owned())));
    Ok(())
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
