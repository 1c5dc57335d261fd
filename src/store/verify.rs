//! `audit verify`: that the log is whole in itself, and that the projections are its fold.

use serde::{Deserialize, Serialize};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::{
    Database, Head, StoreError,
    chain::Sha256Digest,
    head, idempotency,
    postgres::SNAPSHOT,
    stretch::{Decoding, Stretches},
    verify_tables::{Differences, Tables, hold_all},
    verify_walk::Walk,
};
use crate::domain::Position;

/// So many events make a stretch. About three of them are in memory at once.
pub(super) const EVENTS_AT_ONCE: u16 = 2_000;

/// Begins a transaction that reads everything in one snapshot, and thinks between what it reads.
pub(super) async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(SNAPSHOT).await?;
    let settings = "set local idle_in_transaction_session_timeout to 0; \
                    set local enable_seqscan to on; \
                    set local enable_mergejoin to on";
    connection.execute(settings).await.map(drop)
}

/// What a verification saw.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// The end of the log that was verified: keep it outside, and a later rewrite can be shown.
    pub head: Head,
    /// How many events were read.
    pub events: u64,
    /// How many tokens their fold has.
    pub tokens: u64,
    /// How many events had their personal part erased.
    pub erased: u64,
    /// Where rules stand of which conditions were erased. What they cover stands only in their rows, and in the rows of the
    /// tokens that they ended: nothing in the log shows it.
    pub erased_rules: Vec<Position>,
    /// What does not hold, the log itself before the rows that are made of it, each the earliest first, and no more than twenty;
    /// empty = everything holds.
    pub findings: Vec<Finding>,
    /// How many findings there are besides.
    pub more: u64,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where in the log; `None` for a row that no event explains.
    pub position: Option<Position>,
    /// Which rule.
    pub rule: Rule,
    /// What was seen.
    pub detail: String,
}

/// What a verification holds the log to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Positions are 1, 2, 3 … to the head.
    Density,
    /// Each digest follows from the one before, and the last is the head's.
    DigestChain,
    /// The personal part is the one that was committed to.
    Commitment,
    /// `recorded_at` never goes backwards.
    Order,
    /// The columns say what the body says.
    Columns,
    /// The body is an event of a kind that this program knows, in canonical form.
    Form,
    /// The projection is the fold of the log.
    Projection,
    /// The log is the one of a head that was kept outside, and goes on from it.
    Kept,
}

impl Rule {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::DigestChain => "digest_chain",
            Self::Commitment => "commitment",
            Self::Order => "order",
            Self::Columns => "columns",
            Self::Form => "form",
            Self::Projection => "projection",
            Self::Kept => "kept",
        }
    }
}

/// The end of the log at some time, as somebody kept it: a line that an earlier verification wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// The epoch.
    pub log_id: Uuid,
    /// The last position then, 0 in an empty log.
    pub position: Position,
    /// The last digest then.
    #[serde(deserialize_with = "hex::serde::deserialize")]
    pub digest: Sha256Digest,
}

/// Reads the whole log and every projection in one snapshot, and holds it against heads that were kept outside. `progress`
/// is told how many events were read.
///
/// # Errors
/// [`StoreError`], when it could not tell.
pub async fn verify(
    database: &Database,
    kept: &[Kept],
    progress: &mut (dyn FnMut(u64, &Head) + Send),
) -> Result<Verification, StoreError> {
    verify_by(database, kept, EVENTS_AT_ONCE, progress).await
}

/// The same, so many events at once. What is found does not depend on it.
///
/// # Errors
/// [`StoreError`], when it could not tell.
pub async fn verify_by(
    database: &Database,
    kept: &[Kept],
    events_at_once: u16,
    progress: &mut (dyn FnMut(u64, &Head) + Send),
) -> Result<Verification, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    begin(&mut connection).await?;
    let mut walk = Walk::against(kept);
    walk.check_times(&mut connection).await?;
    let head = head::read(&mut connection).await?;
    if !walk.findings.is_empty() {
        return Ok(walk.finish(head, 0));
    }
    let (decoding, walking) = Decoding::by(walk, Walk::step);
    let mut stretches = Stretches::of(&mut connection, events_at_once, Vec::new(), decoding).await?;
    let mut tables = Tables::open(&mut connection, stretches.rules()).await?;
    let told = &mut |events| progress(events, &head);
    let mut tokens = hold_all(&mut connection, &mut stretches, &mut tables, None, told).await?;
    drop(stretches);
    let mut walk = walking.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
    if !walk.misfiled.is_empty() {
        (tokens, tables) = again(&mut connection, events_at_once, &mut walk).await?;
    }
    walk.compare_head(&head);
    walk.compare_kept(kept, &head);
    let erased_rules = tables.erased_rules();
    let Differences { kept, count } = tables.finish(&mut connection, &walk.people, &walk.people_erased).await?;
    walk.more += count - kept.len() as u64;
    for (position, detail) in kept {
        walk.find(position, Rule::Projection, detail);
    }
    for (position, what) in idempotency::stray(&mut connection).await? {
        walk.find(position, Rule::Projection, what);
    }
    connection.close().await?;
    Ok(Verification { erased_rules, ..walk.finish(head, tokens) })
}

/// Some events are not found by their columns, and what came of the others is no fold of the log: all over again, with these.
async fn again(
    connection: &mut PgConnection,
    events_at_once: u16,
    walk: &mut Walk,
) -> Result<(u64, Tables), StoreError> {
    connection.execute("close all").await?;
    let misfiled = std::mem::take(&mut walk.misfiled);
    let mut stretches = Stretches::of(connection, events_at_once, misfiled, Decoding::plain()).await?;
    let mut tables = Tables::open(connection, stretches.rules()).await?;
    let tokens = hold_all(connection, &mut stretches, &mut tables, None, &mut |_| ()).await?;
    Ok((tokens, tables))
}

/// A place in the log, if there is one, and what is wrong there.
pub type Difference = (Option<Position>, String);
