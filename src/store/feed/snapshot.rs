//! All that is in force at the end of the log, read in one snapshot of the database.

use catalog_gateway::wire::{Item, Mark};
use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream};
use sqlx::{Connection, Executor, PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::{Database, StoreError, head, log, postgres::SNAPSHOT, rules::COVERED};
use crate::domain::{Position, text::Kid};

/// How many items are sent together.
const PORTION: usize = 1_000;
/// How many portions wait for a slow reader.
const WAITING_MAX: usize = 4;

/// Where a portion of the items goes.
type Portions = mpsc::Sender<Result<Vec<Item>, StoreError>>;

/// The end of the log, and all that is in force there for tokens that are not expired at `now`: compromised keys and what
/// is spared of them, then tokens. A slow reader slows the database down, not this process. It ends with the error that
/// broke it off, if any.
///
/// # Errors
/// [`StoreError`], when it cannot be begun.
pub async fn read(
    database: &Database,
    now: DateTime<Utc>,
) -> Result<(Mark, impl Stream<Item = Result<Vec<Item>, StoreError>> + Send + use<>), StoreError> {
    let mut connection = database.connect_as_writer().await?;
    // Nothing waits for it, so a reader may take its time.
    for setting in ["set tcp_user_timeout to 0", "set idle_in_transaction_session_timeout to 0"] {
        connection.execute(setting).await?;
    }
    connection.execute(SNAPSHOT).await?;
    let mark = Mark::from(&head::read(&mut connection).await?);
    let (portions, reader) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        if let Err(error) = send(&mut connection, now, &portions).await {
            // Whoever reads may be gone already.
            let _ = portions.send(Err(error)).await;
        }
        connection.close().await
    });
    let items = stream::unfold(reader, async |mut reader| reader.recv().await.map(|portion| (portion, reader)));
    Ok((mark, items))
}

async fn send(connection: &mut PgConnection, now: DateTime<Utc>, portions: &Portions) -> Result<(), StoreError> {
    // It reads all there is, which other reads never do.
    connection.execute("set local enable_seqscan to on; set local enable_hashjoin to on").await?;
    let settings = log::settings_on(&mut *connection).await?;
    for key in settings.keys {
        let Some(compromise) = key.compromise else { continue };
        let told = vec![Item::KeyCompromised { kid: key.kid.to_string() }];
        if portions.send(Ok(told)).await.is_err() {
            return Ok(());
        }
        spared(connection, &key.kid, compromise.from, now, portions).await?;
    }
    let mut query = in_force(now);
    pass(query.build().fetch(&mut *connection), held, portions).await
}

/// The tokens that were issued by a key before others had it.
async fn spared(
    connection: &mut PgConnection,
    kid: &Kid,
    from: Position,
    now: DateTime<Utc>,
    portions: &Portions,
) -> Result<(), StoreError> {
    let query = sqlx::query("select jti, exp from tokens where kid = $1 and issued_pos < $2 and exp > $3");
    let rows = query.bind(kid.as_str()).bind(from.0).bind(now).fetch(connection);
    pass(rows, |row| Ok(vec![Item::Spared { jti: row.try_get("jti")?, exp: exp(row)? }]), portions).await
}

/// The tokens that are revoked or suspended, now or from an instant on, by their rows or by a rule.
fn in_force(now: DateTime<Utc>) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(
        "select jti, exp, revoked_pos is not null as is_revoked, effective_from, suspended_pos is not null as is_suspended, ",
    );
    query.push(COVERED).push(" as is_covered from tokens where exp > ").push_bind(now);
    query.push(" and (revoked_pos is not null or suspended_pos is not null or ").push(COVERED).push(")");
    query
}

/// What is told of such a token: it may be held back until it is resumed and end at an instant, too.
fn held(row: &PgRow) -> Result<Vec<Item>, sqlx::Error> {
    let (jti, exp): (Uuid, _) = (row.try_get("jti")?, exp(row)?);
    let is_covered: bool = row.try_get("is_covered")?;
    let effective_from = if is_covered { None } else { row.try_get("effective_from")? };
    let mut items = Vec::new();
    if is_covered || row.try_get("is_revoked")? {
        items.push(Item::Revoked { jti, exp, effective_from });
    }
    if row.try_get("is_suspended")? {
        items.push(Item::Suspended { jti, exp });
    }
    Ok(items)
}

fn exp(row: &PgRow) -> Result<i64, sqlx::Error> {
    row.try_get("exp").map(|exp: DateTime<Utc>| exp.timestamp())
}

/// Passes rows on as items, as long as somebody reads them.
async fn pass(
    mut rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin,
    items: impl Fn(&PgRow) -> Result<Vec<Item>, sqlx::Error>,
    portions: &Portions,
) -> Result<(), StoreError> {
    let mut portion = Vec::new();
    while let Some(row) = rows.try_next().await? {
        portion.extend(items(&row)?);
        if portion.len() >= PORTION && portions.send(Ok(std::mem::take(&mut portion))).await.is_err() {
            return Ok(());
        }
    }
    if !portion.is_empty() {
        // Whoever reads may be gone already.
        let _ = portions.send(Ok(portion)).await;
    }
    Ok(())
}
