//! Replaying the log for a report: every event up to a position, in order, in one snapshot, held against the digests on the
//! way. Rows come as a copy, and are folded on a thread of their own meanwhile, so that no more than a few of them are ever
//! in memory.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Executor, PgConnection};
use tokio::{
    sync::{mpsc, watch},
    task::JoinError,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Database, Head, StoreError,
    chain::{self, Sha256Digest},
    copy_out::{self, Fields},
    head,
    postgres::SNAPSHOT,
    replay_live,
    skim::{Skimmed, Stored, skim},
    turns::in_turns,
};
use crate::domain::{
    Position,
    audit::{Fold, findings::FindingRule},
};

/// How many rows go to the fold at once.
const ROWS_AT_ONCE: usize = 256;
/// How many such batches wait for it. Twice as many take twice the memory and no less time on two cores.
const BATCHES_WAITING: usize = 8;

/// Rows as the database sent them, one behind the other. They are copied here, so that the connection reads into the same few
/// kilobytes again and again. Batches are used again as well: to allocate for each row costs more than the copy.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl Batch {
    fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    fn is_full(&self) -> bool {
        self.ends.len() == ROWS_AT_ONCE
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn read(&self) -> Result<Vec<BoundRow<'_>>, StoreError> {
        let (mut rows, mut begin) = (Vec::with_capacity(self.ends.len()), 0);
        for end in &self.ends {
            rows.extend(BoundRow::of(&self.bytes[begin..*end])?);
            begin = *end;
        }
        Ok(rows)
    }
}

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
        let link = |previous| chain::link_digest(previous, position, at, &row.body, row.commitment);
        let made = link(&self.made);
        // From here on the chain goes by what is stored, so that one break is one finding.
        let expected = if self.made == self.stored { made } else { link(&self.stored) };
        if expected[..] != *row.digest {
            let detail = "the digest does not follow from the event and the digest before";
            fold.find(FindingRule::Digest, position, detail);
        }
        if !row.is_kept {
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

    fn step(&mut self, row: &BoundRow<'_>) {
        self.chain.advance(row, &mut self.fold);
        row.skimmed.seen(|seen| self.fold.apply(seen));
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

/// A row with what binds it, borrowed from what the database sent, and what can be made of it by itself.
struct BoundRow<'a> {
    stored: Stored<'a>,
    commitment: &'a [u8],
    digest: &'a [u8],
    /// The digest of its body.
    body: Sha256Digest,
    /// Whether its personal part is the one that was committed to, or erased.
    is_kept: bool,
    skimmed: Skimmed<'a>,
}

impl<'a> BoundRow<'a> {
    /// That of a message, if it has one.
    fn of(message: &'a [u8]) -> Result<Option<Self>, StoreError> {
        let Some(mut fields) = Fields::of(message, copy_out::EVENT_FIELDS)? else { return Ok(None) };
        let stored = Stored {
            position: fields.position()?,
            kind: fields.text()?,
            recorded_at: fields.time()?,
            body: fields.bytes()?,
            personal: fields.optional()?,
        };
        let (salt, commitment, digest) = (fields.optional()?, fields.bytes()?, fields.bytes()?);
        let is_kept = match (stored.personal, salt) {
            (Some(personal), Some(salt)) => chain::commitment(salt, personal)[..] == *commitment,
            (personal, salt) => personal.is_none() && salt.is_none(),
        };
        let position = stored.position.0;
        let skimmed = skim(stored).map_err(|source| StoreError::UnreadableEvent { position, source })?;
        Ok(Some(Self { stored, commitment, digest, body: chain::digest(stored.body), is_kept, skimmed }))
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
    connection.execute(SNAPSHOT).await?;
    let head = head::read(&mut connection).await?;
    let snapshot: String = sqlx::query_scalar("select pg_export_snapshot()").fetch_one(&mut connection).await?;
    let (database, scope) = (database.clone(), reading.fold.scope().clone());
    let (after, until) = (reading.chain.position, scope.end);
    let end = head.position;
    let serving = tokio::spawn(async move { replay_live::served(&database, &snapshot, &scope, end).await });
    let serving = AbortOnDropHandle::new(serving);
    let (batches, waiting) = mpsc::channel(BATCHES_WAITING);
    let (done, again) = mpsc::channel(2 * BATCHES_WAITING);
    let (come, mut coming) = watch::channel(after);
    let folding = AbortOnDropHandle::new(tokio::task::spawn_blocking(move || fold(reading, waiting, &done)));
    // In a task, so that the thread that waits for the socket is the one that reads it.
    let sending = AbortOnDropHandle::new(tokio::spawn(async move {
        let sent = send(&mut connection, (after, until), batches, again, come).await;
        sent.map(|()| connection)
    }));
    while coming.changed().await.is_ok() {
        progress(*coming.borrow_and_update());
    }
    // An event that cannot be read ends the fold, and then nobody takes what is sent.
    let mut reading = folding.await.map_err(crashed)??;
    let connection = sending.await.map_err(crashed)??;
    reading.arrive(until, &head);
    let served = serving.await.map_err(crashed)??;
    let differences = replay_live::differences(&served, &reading.fold).into_iter();
    reading.ends.extend(differences.map(|(position, detail)| (FindingRule::Projection, position, detail)));
    connection.close().await?;
    Ok(reading)
}

fn fold(reading: Reading, waiting: mpsc::Receiver<Batch>, done: &mpsc::Sender<Batch>) -> Result<Reading, StoreError> {
    // Most of the work is in rows by themselves.
    in_turns(reading, waiting, |mut batch, turn| {
        let rows = batch.read();
        turn.take(|reading| {
            rows?.iter().for_each(|row| reading.step(row));
            Ok(())
        });
        batch.clear();
        // As many are enough as there is room for.
        let _ = done.try_send(batch);
    })
}

fn crashed(_: JoinError) -> StoreError {
    sqlx::Error::WorkerCrashed.into()
}

async fn send(
    connection: &mut PgConnection,
    (after, until): (Position, Position),
    batches: mpsc::Sender<Batch>,
    mut again: mpsc::Receiver<Batch>,
    come: watch::Sender<Position>,
) -> Result<(), StoreError> {
    let mut messages = connection.copy_out_raw(&copy_out::statement(after, until)).await?;
    let mut batch = Batch::default();
    let mut read = after;
    while let Some(message) = messages.try_next().await? {
        batch.push(&message);
        if batch.is_full() {
            let next = again.try_recv().unwrap_or_default();
            if batches.send(std::mem::replace(&mut batch, next)).await.is_err() {
                return Ok(());
            }
            // No position is left out, or else the fold says so.
            read.0 += i64::try_from(ROWS_AT_ONCE).unwrap_or_default();
            come.send_replace(read);
        }
    }
    // Nobody may be there to take it any more, and has told why.
    let _ = batches.send(batch).await;
    Ok(())
}
