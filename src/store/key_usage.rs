//! What a key signed that may still be used: counted in one statement, and so as of one position.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, QueryBuilder, Row};

use super::{StoreError, listing, postgres::bounded, tokens::Filter};
use crate::domain::{Position, Status, key_life::LiveTokens, text::Kid};

/// The tokens of a key that are active at `now` or may become so again, and the end of the log for which that holds.
///
/// # Errors
/// [`StoreError`].
pub async fn live(pool: &PgPool, kid: &Kid, now: DateTime<Utc>) -> Result<(Position, Option<LiveTokens>), StoreError> {
    // The status only keeps the walk off spans in which everything is expired: suspended tokens are counted, too.
    let filter = Filter { kid: Some(kid.clone()), status: Some(Status::Active), ..Filter::default() };
    let mut query = QueryBuilder::<Postgres>::new(
        "select (select position from log_head where id = 1) as position, count(*) as count,
                max(least(exp, effective_from)) as until
           from tokens",
    );
    listing::push_unrevoked(&mut query, &filter, now);
    query.push(" and exp > ").push_bind(now);
    let read = query.build().persistent(false).fetch_one(pool);
    let row = bounded(async { Ok(read.await?) }).await?;
    let until: Option<DateTime<Utc>> = row.try_get("until")?;
    let count = u64::try_from(row.try_get::<i64, _>("count")?).unwrap_or_default();
    Ok((Position(row.try_get("position")?), until.map(|until| LiveTokens { count, until })))
}
