//! All that is in force at the end of the log, read in one snapshot of the database.

use std::time::Duration;

use catalog_gateway::wire::{Item, Mark};
use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream};
use sqlx::{Connection, Executor, PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::super::{
    Database, StoreError, head, log,
    postgres::{READS_LIVE, SNAPSHOT},
    rules::COVERED,
};
use crate::domain::{Position, text::Kid};

/// How many items are sent together.
const PORTION: usize = 1_000;
/// How many portions wait for a slow reader.
const WAITING_MAX: usize = 4;

/// For how long a reader may keep us waiting, all in all: so long, and longer by so much for each portion that it has taken. Each
/// holds a session of the database.
const PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE_OF_PORTION: Duration = Duration::from_secs(1);

/// Why there is no more of it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The log could not be read on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its reader took too little of it.
    #[error("its reader takes too little of it")]
    Unread,
}

/// A portion of the items; `None` = that was all.
type Portion = Result<Option<Vec<Item>>, StoreError>;

/// Where portions go.
struct Portions {
    to: mpsc::Sender<Portion>,
    patience: Duration,
}

impl Portions {
    /// Whether it was taken, in time.
    async fn pass(&mut self, portion: Portion) -> bool {
        let begun = Instant::now();
        let is_taken = self.to.send_timeout(portion, self.patience).await.is_ok();
        self.patience = self.patience.saturating_sub(begun.elapsed()) + PATIENCE_OF_PORTION;
        is_taken
    }
}

/// The end of the log, and all that is in force there for tokens that are not expired at `now`: compromised keys and what
/// is spared of them, then tokens. A slow reader slows the database down, not this process, and one that is too slow is given
/// up. It ends with what broke it off, if anything did. `place` is let go of when the database is.
///
/// # Errors
/// [`StoreError`], when it cannot be begun.
pub async fn read<P: Send + 'static>(
    database: &Database,
    now: DateTime<Utc>,
    place: P,
) -> Result<(Mark, impl Stream<Item = Result<Vec<Item>, Broken>> + Send + use<P>), StoreError> {
    let mut connection = database.connect_as_writer().await?;
    // Nothing waits for it, so a reader may take its time.
    for setting in ["set tcp_user_timeout to 0", "set idle_in_transaction_session_timeout to 0"] {
        connection.execute(setting).await?;
    }
    connection.execute(SNAPSHOT).await?;
    let mark = Mark::from(&head::read(&mut connection).await?);
    let (to, reader) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        let mut portions = Portions { to, patience: PATIENCE };
        // Whoever reads may be gone already.
        match send(&mut connection, now, &mut portions).await {
            Ok(true) => drop(portions.pass(Ok(None)).await),
            Ok(false) => {}
            Err(error) => drop(portions.pass(Err(error)).await),
        }
        let _ = connection.close().await;
        drop(place);
    });
    Ok((mark, stream::unfold(Some(reader), next)))
}

/// The next portion. What ends without a word that it was all was broken off.
async fn next(
    reader: Option<mpsc::Receiver<Portion>>,
) -> Option<(Result<Vec<Item>, Broken>, Option<mpsc::Receiver<Portion>>)> {
    let mut reader = reader?;
    match reader.recv().await {
        Some(Ok(None)) => None,
        Some(Ok(Some(items))) => Some((Ok(items), Some(reader))),
        Some(Err(error)) => Some((Err(error.into()), None)),
        None => Some((Err(Broken::Unread), None)),
    }
}

/// Whether all of it was taken.
async fn send(connection: &mut PgConnection, now: DateTime<Utc>, portions: &mut Portions) -> Result<bool, StoreError> {
    connection.execute(READS_LIVE).await?;
    let settings = log::settings_on(&mut *connection).await?;
    for key in settings.keys {
        let Some(compromise) = key.compromise else { continue };
        let told = vec![Item::KeyCompromised { kid: key.kid.to_string() }];
        let is_taken = portions.pass(Ok(Some(told))).await;
        if !is_taken || !spared(connection, &key.kid, compromise.from, now, portions).await? {
            return Ok(false);
        }
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
    portions: &mut Portions,
) -> Result<bool, StoreError> {
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

/// Passes rows on as items, as long as somebody reads them. Whether all were taken.
async fn pass(
    mut rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin,
    items: impl Fn(&PgRow) -> Result<Vec<Item>, sqlx::Error>,
    portions: &mut Portions,
) -> Result<bool, StoreError> {
    let mut portion = Vec::new();
    while let Some(row) = rows.try_next().await? {
        portion.extend(items(&row)?);
        if portion.len() >= PORTION && !portions.pass(Ok(Some(std::mem::take(&mut portion)))).await {
            return Ok(false);
        }
    }
    Ok(portion.is_empty() || portions.pass(Ok(Some(portion))).await)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn items() -> Vec<Item> {
        vec![Item::KeyCompromised { kid: "k".to_owned() }]
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up_when_its_time_is_over_and_what_it_takes_gives_it_more() {
        let (to, mut reader) = mpsc::channel(1);
        let mut portions = Portions { to, patience: Duration::ZERO };
        assert!(portions.pass(Ok(Some(items()))).await, "there is room for one");
        assert_eq!(portions.patience, PATIENCE_OF_PORTION);

        portions.patience = Duration::ZERO;
        assert!(!portions.pass(Ok(Some(items()))).await);
        reader.recv().await.unwrap().unwrap();
        assert!(portions.pass(Ok(Some(items()))).await, "it has taken one");
    }

    #[tokio::test]
    async fn what_does_not_say_that_it_was_all_was_broken_off() {
        let read = async |portions: Vec<Portion>| {
            let (to, reader) = mpsc::channel(9);
            for portion in portions {
                to.send(portion).await.unwrap();
            }
            drop(to);
            let read: Vec<_> = stream::unfold(Some(reader), next).map(|portion| portion.is_ok()).collect().await;
            read
        };

        assert_eq!(read(vec![Ok(Some(items())), Ok(Some(items())), Ok(None)]).await, [true, true]);
        assert_eq!(read(vec![Ok(Some(items())), Ok(Some(items()))]).await, [true, true, false]);
        assert_eq!(read(vec![Ok(Some(items())), Err(StoreError::Headless), Ok(Some(items()))]).await, [true, false]);
        assert_eq!(read(vec![]).await, [false]);
    }
}
