//! The live tokens as of one position, in one statement's sight.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, types::Json};
use uuid::Uuid;

use super::{
    super::{
        Database, StoreError,
        copy_out::{self, Fields},
        log,
        postgres::{READS_LIVE, SNAPSHOT},
        row::each,
        rules, status_lists,
    },
    Memory,
};
use crate::domain::{
    Malformed, Path, Position,
    claims::Teams,
    index::{End, LiveIndex, LiveToken, told_from},
    likeness::{Likeness, Number, Shared},
    status_list::Entry,
    token::Lineage,
};

/// How many columns the statement has.
const FIELDS: i16 = 20;
/// An estimate is not believed past this: what there is no room for finds some.
const ROOM_MAX: usize = 4_000_000;

/// Reads every token that is not expired at `now`, for a memory that was loaded so often before.
pub(super) async fn load(database: &Database, now: DateTime<Utc>, load: u64) -> Result<Memory, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    connection.execute(SNAPSHOT).await?;
    let (head, tables, _) = log::ahead(&mut connection, Position(0), 0).await?;
    let index = index(&mut connection, head.position, now).await?;
    connection.execute("commit").await?;
    connection.close().await?;
    Ok(Memory::new(&head, tables, index, load))
}

async fn index(connection: &mut PgConnection, position: Position, now: DateTime<Utc>) -> Result<LiveIndex, StoreError> {
    connection.execute(READS_LIVE).await?;
    let lists = log::settings_on(&mut *connection).await?.status_lists;
    let rules = rules::unfilled(&mut *connection).await?;
    let mut index = LiveIndex::new(position, rules, &lists, room(&mut *connection).await?);
    let mut met = Met::default();
    let mut rows = connection.copy_out_raw(&statement(now)).await?;
    while let Some(message) = rows.try_next().await? {
        let Some(mut fields) = Fields::of(&message, FIELDS)? else { continue };
        let jti = fields.uuid()?;
        let unreadable = |error: sqlx::Error| StoreError::UnreadableRow { jti, what: error.to_string() };
        let like = met.like(index.shared(), &mut fields).map_err(unreadable)?;
        let token = token(&mut fields).map_err(unreadable)?;
        index.load(jti, token, like, entry(&mut fields).map_err(unreadable)?);
    }
    Ok(index)
}

/// A copy takes no parameters, and times need none.
fn statement(now: DateTime<Utc>) -> String {
    let literal = |at: DateTime<Utc>| format!("'{}'::timestamptz", at.to_rfc3339_opts(SecondsFormat::Micros, true));
    let select = include_str!("../tokens_live.sql");
    let select = select.replace("$1", &literal(now)).replace("$2", &literal(told_from(now)));
    format!("copy ({select}) to stdout (format binary)")
}

/// For how many tokens there will have to be room, about: to count them takes longer than all that is done before the first
/// of them is read.
async fn room(connection: &mut PgConnection) -> Result<usize, sqlx::Error> {
    let estimated = "explain (format json) select from issued_tokens where exp > now()";
    let Json(plans): Json<Value> = sqlx::query_scalar(estimated).fetch_one(connection).await?;
    let rows = plans.pointer("/0/Plan/Plan Rows").and_then(Value::as_u64).unwrap_or_default();
    let rows = usize::try_from(rows).unwrap_or(ROOM_MAX).min(ROOM_MAX);
    Ok(rows + rows / 32)
}

/// What tokens have in common, by the bytes of the column that had it first: most have what another one had.
#[derive(Default)]
struct Met {
    kids: HashMap<Box<[u8]>, Number>,
    teams: HashMap<Box<[u8]>, Number>,
    permissions: HashMap<Box<[u8]>, Number>,
}

impl Met {
    fn like(&mut self, shared: &mut Shared, fields: &mut Fields<'_>) -> Result<Likeness, sqlx::Error> {
        let kid = number(&mut self.kids, fields.bytes()?, |kid| {
            let kid = std::str::from_utf8(kid).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(shared.kid(&kid.parse().map_err(malformed)?))
        })?;
        let teams = match fields.optional()? {
            None => shared.teams(&Teams::Every),
            Some(teams) => number(&mut self.teams, teams, |teams| {
                Ok(shared.teams(&Teams::These(each(copy_out::texts(teams)?).map_err(malformed)?)))
            })?,
        };
        let permissions = number(&mut self.permissions, fields.bytes()?, |permissions| {
            Ok(shared.permissions(&each(copy_out::texts(permissions)?).map_err(malformed)?))
        })?;
        let (sub, name) = (fields.optional_text()?, fields.optional_text()?);
        Ok(shared.likeness(sub, name, fields.time()?, [kid, teams, permissions]))
    }
}

/// What stands for some bytes, which most often were met before.
fn number(
    met: &mut HashMap<Box<[u8]>, Number>,
    bytes: &[u8],
    make: impl FnOnce(&[u8]) -> Result<Number, sqlx::Error>,
) -> Result<Number, sqlx::Error> {
    if let Some(number) = met.get(bytes) {
        return Ok(*number);
    }
    let number = make(bytes)?;
    met.insert(bytes.into(), number);
    Ok(number)
}

fn malformed(error: Malformed) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

fn token(fields: &mut Fields<'_>) -> Result<LiveToken, sqlx::Error> {
    let digest = fields.optional()?.map(<[u8; 32]>::try_from).transpose();
    let claims_digest = digest.map_err(|error| sqlx::Error::Decode(error.into()))?;
    let (issued, path) = (fields.position()?, fields.text()?);
    let path = path.parse::<Path>().map_err(malformed)?;
    let (out_of_band, exp) = (fields.boolean()?, fields.time()?.timestamp());
    let (is_revoked, effective_from) = (fields.boolean()?, fields.optional_time()?);
    let end = if is_revoked { End::of(effective_from) } else { End::Never };
    let is_suspended = fields.boolean()?;
    let (family, predecessor, successor) = (fields.optional_uuid()?, fields.optional_uuid()?, fields.optional_uuid()?);
    let lineage = Lineage { family, predecessor, successor, first: None }.boxed();
    Ok(LiveToken { claims_digest, issued, path, out_of_band, exp, end, is_suspended, lineage })
}

fn entry(fields: &mut Fields<'_>) -> Result<Option<Entry>, sqlx::Error> {
    let (list, idx): (Option<Uuid>, _) = (fields.optional_uuid()?, fields.optional_small()?);
    Ok(list.zip(idx).map(|(list, idx)| Entry { list, idx: status_lists::index(idx) }))
}
