//! The live tokens as of one position, in one statement's sight.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::{Connection, Executor, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    super::{Database, StoreError, head, log, postgres::SNAPSHOT, status_lists},
    Memory,
};
use crate::domain::{
    Path, Position,
    index::{End, LiveIndex, LiveToken, told_from},
    status_list::Entry,
    token::Lineage,
};

/// Reads every token that is not expired at `now`.
pub(super) async fn load(database: &Database, now: DateTime<Utc>) -> Result<Memory, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    connection.execute(SNAPSHOT).await?;
    let head = head::read(&mut connection).await?;
    let index = index(&mut connection, head.position, now).await?;
    connection.execute("commit").await?;
    connection.close().await?;
    Ok(Memory::new(&head, index))
}

async fn index(connection: &mut PgConnection, position: Position, now: DateTime<Utc>) -> Result<LiveIndex, StoreError> {
    // It reads all there is, which other reads never do.
    connection.execute("set local enable_seqscan to on; set local enable_hashjoin to on").await?;
    let lists = log::settings_on(&mut *connection).await?.status_lists;
    let count: i64 =
        sqlx::query_scalar("select count(*) from tokens where exp > $1").bind(now).fetch_one(&mut *connection).await?;
    let rules: Vec<i64> = sqlx::query_scalar("select position from revocation_rules where filled_to > 0")
        .fetch_all(&mut *connection)
        .await?;
    let rules: BTreeSet<Position> = rules.into_iter().map(Position).collect();
    let mut index = LiveIndex::new(position, rules, &lists, usize::try_from(count).unwrap_or_default());
    let mut rows = sqlx::query(include_str!("../tokens_live.sql")).bind(now).bind(told_from(now)).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let jti: Uuid = row.try_get("jti")?;
        let token = token(&row).map_err(|error| StoreError::UnreadableRow { jti, what: error.to_string() })?;
        index.insert(jti, token, entry(&row)?);
    }
    Ok(index)
}

fn entry(row: &PgRow) -> Result<Option<Entry>, sqlx::Error> {
    let (list, idx): (Option<Uuid>, Option<i32>) = (row.try_get("list")?, row.try_get("idx")?);
    Ok(list.zip(idx).map(|(list, idx)| Entry { list, idx: status_lists::index(idx) }))
}

fn token(row: &PgRow) -> Result<LiveToken, sqlx::Error> {
    let path: &str = row.try_get("path")?;
    let digest: Option<&[u8]> = row.try_get("claims_digest")?;
    let digest = digest.map(<[u8; 32]>::try_from).transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let end = if row.try_get("is_revoked")? { End::of(row.try_get("effective_from")?) } else { End::Never };
    Ok(LiveToken {
        claims_digest: digest,
        issued: Position(row.try_get("issued_pos")?),
        path: path.parse::<Path>().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        out_of_band: row.try_get("out_of_band")?,
        expires_at: row.try_get("exp")?,
        end,
        is_suspended: row.try_get("is_suspended")?,
        lineage: Lineage {
            family: row.try_get("family")?,
            predecessor: row.try_get("predecessor")?,
            successor: row.try_get("successor")?,
            first: None,
        }
        .boxed(),
    })
}
