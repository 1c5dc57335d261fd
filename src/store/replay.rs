//! Replaying the log for a report: every event up to a position, in order, in one snapshot, held against the digests on the
//! way. Rows are read here, and folded on a thread of their own meanwhile, so that no more than a few of them are ever in
//! memory.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Executor, PgConnection, Row, postgres::PgRow};
use tokio::sync::mpsc;

use super::{
    Database, Head, StoreError,
    chain::{self, Sha256Digest},
    head, replay_live,
    skim::{Stored, skim},
};
use crate::domain::{
    Position,
    audit::{Fold, findings::FindingRule},
};

/// How many rows go to the fold at once.
const ROWS_AT_ONCE: usize = 256;
/// How many such batches wait for it.
const BATCHES_WAITING: usize = 8;

static ROWS: &str = "\
select position, kind, recorded_at, body, personal, salt, personal_commitment, digest
  from events
 where position > $1
   and position <= $2
 order by position";

/// How far a report has come, to be gone on with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// What was made of it.
    pub fold: Fold,
    /// What binds it together.
    pub chain: Chain,
    /// What does not hold of the end that it came to. It is told, and not gone on with.
    #[serde(skip)]
    pub ends: Vec<(FindingRule, Position, String)>,
}

/// The digests of what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    position: Position,
    /// Made anew from every event.
    #[serde(with = "hex::serde")]
    made: Sha256Digest,
    /// As it is stored with the last one.
    #[serde(with = "hex::serde")]
    stored: Sha256Digest,
    recorded_at: Option<DateTime<Utc>>,
}

impl Chain {
    /// Before the first event.
    #[must_use]
    pub fn new() -> Self {
        Self { position: Position(0), made: chain::GENESIS, stored: chain::GENESIS, recorded_at: None }
    }

    /// The last position that was read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// SHA-256 over the commitments of every event up to there: of a log that is whole, its digest there.
    #[must_use]
    pub fn digest(&self) -> &Sha256Digest {
        &self.made
    }

    /// The digest that is stored there.
    #[must_use]
    pub fn stored(&self) -> &Sha256Digest {
        &self.stored
    }

    fn advance(&mut self, row: &BoundRow<'_>, fold: &mut Fold) {
        let (position, at) = (row.stored.position, row.stored.recorded_at);
        if position != self.position.next() {
            let detail = format!("the event is missing; the next one there is {position}");
            fold.find(FindingRule::Gap, self.position.next(), detail);
        }
        if self.recorded_at.is_some_and(|before| at < before) {
            fold.find(FindingRule::Order, position, "recorded_at is earlier than that of the event before");
        }
        let link = |previous| chain::link(previous, position, at, row.stored.body, row.commitment);
        let made = link(&self.made);
        // From here on the chain goes by what is stored, so that one break is one finding.
        let expected = if self.made == self.stored { made } else { link(&self.stored) };
        if expected[..] != *row.digest {
            let detail = "the digest does not follow from the event and the digest before";
            fold.find(FindingRule::Digest, position, detail);
        }
        let is_kept = match (row.stored.personal, row.salt) {
            (Some(personal), Some(salt)) => chain::commitment(salt, personal)[..] == *row.commitment,
            (personal, salt) => personal.is_none() && salt.is_none(),
        };
        if !is_kept {
            fold.find(FindingRule::Digest, position, "the personal part is not the one that was committed to");
        }
        self.made = made;
        self.stored = row.digest.try_into().unwrap_or(chain::GENESIS);
        self.position = position;
        self.recorded_at = Some(at);
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// Before the first event.
    #[must_use]
    pub fn new(fold: Fold) -> Self {
        Self::going_on(fold, Chain::new())
    }

    /// Where an earlier one came to.
    #[must_use]
    pub fn going_on(fold: Fold, chain: Chain) -> Self {
        Self { fold, chain, ends: Vec::new() }
    }

    fn step(&mut self, row: &PgRow) -> Result<(), StoreError> {
        let row = BoundRow::of(row)?;
        self.chain.advance(&row, &mut self.fold);
        let position = row.stored.position.0;
        skim(row.stored, |seen| self.fold.apply(seen))
            .map_err(|source| StoreError::UnreadableEvent { position, source })
    }

    /// The end has to be where the log says that it is.
    fn arrive(&mut self, until: Position, head: &Head) {
        let Chain { position, stored, .. } = self.chain;
        if position < until {
            let detail = format!("the log ends before its head, which is at {}", head.position);
            self.ends.push((FindingRule::Gap, position.next(), detail));
        } else if until == head.position && stored != head.digest {
            self.ends.push((FindingRule::Digest, position, "the last digest is not the head's".to_owned()));
        }
    }
}

/// A row with what binds it, borrowed from what the database sent.
struct BoundRow<'a> {
    stored: Stored<'a>,
    salt: Option<&'a [u8]>,
    commitment: &'a [u8],
    digest: &'a [u8],
}

impl<'a> BoundRow<'a> {
    fn of(row: &'a PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            stored: Stored {
                position: Position(row.try_get(0)?),
                kind: row.try_get(1)?,
                recorded_at: row.try_get(2)?,
                body: row.try_get(3)?,
                personal: row.try_get(4)?,
            },
            salt: row.try_get(5)?,
            commitment: row.try_get(6)?,
            digest: row.try_get(7)?,
        })
    }
}

/// Reads what comes after a reading, up to the end that its scope names. `progress` is told up to where it has come.
///
/// # Errors
/// [`StoreError`], with the position of an event that cannot be read.
pub async fn replay(
    database: &Database,
    reading: Reading,
    progress: &mut (dyn FnMut(Position) + Send),
) -> Result<Reading, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    // A reader that pauses leaves the server unable to send. Nothing waits for a read.
    connection.execute("set tcp_user_timeout to 0; set idle_in_transaction_session_timeout to 0").await?;
    connection.execute("begin isolation level repeatable read read only").await?;
    let head = head::read(&mut connection).await?;
    let (after, until) = (reading.chain.position, reading.fold.scope().end);
    let (batches, waiting) = mpsc::channel(BATCHES_WAITING);
    let folding = tokio::task::spawn_blocking(move || fold(reading, waiting));
    let sent = send(&mut connection, (after, until), batches, progress).await;
    // An event that cannot be read ends the fold, and then nobody takes what is sent.
    let mut reading = folding.await.map_err(|_| StoreError::from(sqlx::Error::WorkerCrashed))??;
    sent?;
    reading.arrive(until, &head);
    let differences = replay_live::differences(&mut connection, &reading.fold).await?;
    reading.ends.extend(differences.into_iter().map(|(position, detail)| (FindingRule::Projection, position, detail)));
    connection.close().await?;
    Ok(reading)
}

fn fold(mut reading: Reading, mut waiting: mpsc::Receiver<Vec<PgRow>>) -> Result<Reading, StoreError> {
    while let Some(rows) = waiting.blocking_recv() {
        for row in &rows {
            reading.step(row)?;
        }
    }
    Ok(reading)
}

async fn send(
    connection: &mut PgConnection,
    (after, until): (Position, Position),
    batches: mpsc::Sender<Vec<PgRow>>,
    progress: &mut (dyn FnMut(Position) + Send),
) -> Result<(), StoreError> {
    let mut rows = pin!(sqlx::query(ROWS).bind(after.0).bind(until.0).fetch(connection));
    let mut batch = Vec::with_capacity(ROWS_AT_ONCE);
    while let Some(row) = rows.try_next().await? {
        batch.push(row);
        if batch.len() == ROWS_AT_ONCE {
            let last = batch.last().and_then(|row| row.try_get(0).ok()).map_or(after, Position);
            if batches.send(std::mem::replace(&mut batch, Vec::with_capacity(ROWS_AT_ONCE))).await.is_err() {
                return Ok(());
            }
            progress(last);
        }
    }
    // Nobody may be there to take it any more, and has told why.
    let _ = batches.send(batch).await;
    Ok(())
}
