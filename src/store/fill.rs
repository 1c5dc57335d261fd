//! Filling: the rows of the tokens that a rule covers come to say so themselves, a few at a time and outside the head's
//! lock. Nothing waits for it: the rule is in force meanwhile. Whoever is killed at it leaves the rest to the next.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, QueryBuilder, types::Json};
use tokio::time::{Duration, timeout};

use super::{Database, StoreError, listing, rules::RuleRow, tokens::Filter};
use crate::domain::{Position, Predicate, Rule};

/// The most rows of one transaction: a session that is at work for longer than a few milliseconds keeps others from the processor,
/// and what it leaves to be written is what their next commit waits for.
pub const FILL_MAX: u16 = 250;
/// How long one transaction may take. Nobody waits for it; it is only not to last for ever.
const FILL_TIMEOUT: Duration = Duration::from_mins(1);

/// What one step of filling came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Every rule is filled.
    Done,
    /// There is more to do.
    More {
        /// How many rows were filled.
        rows: u64,
    },
    /// There is more to do, and somebody else is at it.
    Elsewhere,
}

/// Fills at most `rows_max` rows of the earliest rule that is not filled. Rules are filled in their order, so that of
/// several the first stands in the row, as it does in the log.
///
/// # Errors
/// [`StoreError`]: the step was not made.
pub async fn fill(database: &Database, rows_max: u16) -> Result<Step, StoreError> {
    timeout(FILL_TIMEOUT, step(database.reads(), rows_max)).await.unwrap_or(Err(StoreError::TimedOut(FILL_TIMEOUT)))
}

async fn step(pool: &PgPool, rows_max: u16) -> Result<Step, StoreError> {
    let mut transaction = pool.begin().await?;
    let Some(Json(row)) = sqlx::query_scalar::<_, Json<RuleRow>>(include_str!("rule_to_fill.sql"))
        .fetch_optional(&mut *transaction)
        .await?
    else {
        return if are_all_filled(&mut transaction).await? { Ok(Step::Done) } else { Ok(Step::Elsewhere) };
    };
    let filled_to = row.filled_to;
    let rule = Rule::from(row);
    let (rows, filled_to) = match filled_to {
        // Somebody else came to the rule's end just before it was this one's turn.
        0 => (0, 0),
        filled_to => advance(&mut transaction, &rule, filled_to, rows_max).await?,
    };
    sqlx::query("update revocation_rules set filled_to = $2 where position = $1")
        .bind(rule.position.0)
        .bind(filled_to)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Step::More { rows })
}

async fn are_all_filled(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let unfilled = "select not exists (select from revocation_rules where filled_to > 0)";
    Ok(sqlx::query_scalar(unfilled).fetch_one(connection).await?)
}

/// Fills the next rows below `filled_to`; returns how many, and how far they go now: 0 at the end. Nobody is waited for,
/// for no command changes anything of a token that a rule covers.
async fn advance(
    connection: &mut PgConnection,
    rule: &Rule,
    filled_to: i64,
    rows_max: u16,
) -> Result<(u64, i64), StoreError> {
    let found = open(connection, rule, Position(filled_to), rows_max).await?;
    let last = found.last().filter(|_| found.len() == usize::from(rows_max));
    let revocation = rule.revocation();
    let filled = sqlx::query(include_str!("rule_fill.sql"))
        .bind(&found)
        .bind(revocation.position.0)
        .bind(revocation.at)
        .bind(revocation.reason.as_str())
        .bind(revocation.note.as_ref().map(ToString::to_string))
        .bind(revocation.by)
        .execute(connection)
        .await?;
    Ok((filled.rows_affected(), last.copied().unwrap_or(0)))
}

/// The positions of tokens that were issued before another, meet the predicate, and whose row a rule would change; newest
/// first.
async fn open(
    connection: &mut PgConnection,
    rule: &Rule,
    before: Position,
    limit: u16,
) -> Result<Vec<i64>, StoreError> {
    let mut query = QueryBuilder::new("");
    listing::push_open(&mut query, &Filter::from(rule), before, i64::from(limit), rule.at);
    Ok(query.build_query_scalar().persistent(false).fetch_all(connection).await?)
}

/// Whether there is any token that meets the predicate and that a rule of `now` would change.
///
/// # Errors
/// [`StoreError`].
pub async fn covers_any(pool: &PgPool, predicate: &Predicate, now: DateTime<Utc>) -> Result<bool, StoreError> {
    super::postgres::bounded(async {
        let mut connection = pool.acquire().await?;
        let filter = Filter::from(predicate);
        let mut query = QueryBuilder::new("select exists (select from revocation_rules where filled_to > 0) from (");
        listing::push_open(&mut query, &filter, Position(i64::MAX), 1, now);
        query.push(") as found");
        // Most often every rule is in the rows, and to plan what looks at the others takes longer than to find one.
        match query.build_query_scalar().persistent(false).fetch_optional(&mut *connection).await? {
            None => Ok(false),
            Some(false) => Ok(true),
            Some(true) => {
                let mut query = QueryBuilder::new("");
                listing::push_newly(&mut query, &filter, now);
                let found: Option<i64> =
                    query.build_query_scalar().persistent(false).fetch_optional(&mut *connection).await?;
                Ok(found.is_some())
            }
        }
    })
    .await
}
