//! What a rule would do: counted in one statement, and so as of one position.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{PgPool, Postgres, QueryBuilder, Row, types::Json};
use uuid::Uuid;

use super::{StoreError, listing, postgres::bounded, tokens::Filter};
use crate::domain::Position;

/// The most values that a breakdown names, and the most tokens of a sample.
pub const SHOWN_MAX: i64 = 20;

/// What is told of the covered tokens.
static COUNTED: &str = "
    ), active as (
        select
            jti,
            issued_pos,
            sub,
            name,
            teams,
            path,
            iat
          from covered
         where status = 'active'
    )
    select
        (select position from log_head where id = 1) as position,
        (select jsonb_build_object(
                    'active', count(*) filter (where status = 'active'),
                    'suspended', count(*) filter (where status = 'suspended'),
                    'expired', count(*) filter (where status = 'expired'))
           from covered) as counts,
        (select coalesce(jsonb_agg(share), '[]')
           from (select sub as value, count(*) as tokens
                   from active
                  group by sub
                  order by count(*) desc, sub
                  limit most) as share) as by_subject,
        (select coalesce(jsonb_agg(share), '[]')
           from (select team as value, count(distinct jti) as tokens
                   from active
                  cross join unnest(coalesce(teams, array[null])) as reached (team)
                  group by team
                  order by count(distinct jti) desc, team
                  limit most) as share) as by_team,
        (select coalesce(jsonb_agg(share), '[]')
           from (select path as value, count(*) as tokens
                   from active
                  group by path
                  order by count(*) desc, path
                  limit most) as share) as by_path,
        (select coalesce(jsonb_agg(newest), '[]')
           from (select jti, sub, name, path, iat
                   from active
                  order by issued_pos desc
                  limit most) as newest) as sample,
        exists (select from covered where jti = asker) as covers_credential,
        (select count(*) from leftover) as successors_left
      from (select ";

/// The tokens that a rule would revoke and that are not revoked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The end of the log that it holds for.
    pub position: Position,
    /// How many.
    pub counts: Counts,
    /// Those that are active, by subject: the most frequent first, and no more than [`SHOWN_MAX`] subjects.
    pub by_subject: Vec<Share>,
    /// By team. A token of several counts for each, and one of none for none.
    pub by_team: Vec<Share>,
    /// By door.
    pub by_path: Vec<Share>,
    /// Some of those that are active: the newest.
    pub sample: Vec<Sample>,
    /// Whether the asker's own credential is among them.
    pub covers_credential: bool,
    /// How many active tokens it would leave that it covered if it went by how their family began, too.
    pub successors_left: u64,
}

/// How many tokens a rule would revoke, by what they are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// Those that would newly become inactive.
    pub active: u64,
    /// Those that could no longer be resumed.
    pub suspended: u64,
    /// Those that are over already.
    pub expired: u64,
}

/// How many active tokens share something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Share {
    /// What; `None` is an erased subject, or every team.
    pub value: Option<String>,
    /// How many.
    pub tokens: u64,
}

/// One of the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sample {
    /// Its identifier.
    pub jti: Uuid,
    /// Whom it speaks for.
    pub sub: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The door it came through.
    pub path: String,
    /// When it was issued.
    pub iat: DateTime<Utc>,
}

/// What a rule of whoever has this credential, if any, would do at `now`.
///
/// # Errors
/// [`StoreError`].
pub async fn preview(
    pool: &PgPool,
    what: impl Into<Filter>,
    credential: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Preview, StoreError> {
    let filter = what.into();
    let mut query = QueryBuilder::<Postgres>::new(
        "with covered as materialized (
             select jti, issued_pos, sub, name, teams, path, iat, ",
    );
    query.push("case when exp <= ").push_bind(now);
    query.push(
        " then 'expired' when suspended_pos is not null then 'suspended' else 'active' end as status from tokens",
    );
    listing::push_unrevoked(&mut query, &filter, now);
    query.push("), leftover as (select jti from tokens");
    listing::push_left(&mut query, &filter, now);
    query.push(COUNTED).push_bind(SHOWN_MAX);
    query.push("::bigint as most, ").push_bind(credential).push("::uuid as asker) as limits");
    let read = query.build().persistent(false).fetch_one(pool);
    let row = bounded(async { Ok(read.await?) }).await?;
    let shares = |column: &str| row.try_get(column).map(|Json(shares): Json<Vec<Share>>| shares);
    let Json(counts) = row.try_get("counts")?;
    let Json(sample) = row.try_get("sample")?;
    Ok(Preview {
        position: Position(row.try_get("position")?),
        counts,
        by_subject: shares("by_subject")?,
        by_team: shares("by_team")?,
        by_path: shares("by_path")?,
        sample,
        covers_credential: row.try_get("covers_credential")?,
        successors_left: row.try_get("successors_left").map(|count: i64| u64::try_from(count).unwrap_or_default())?,
    })
}
