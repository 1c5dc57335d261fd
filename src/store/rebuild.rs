//! `audit rebuild`: projections made anew from the log, beside the ones in use, and put in their place.
//!
//! A second schema is migrated like any other, and the log is replayed into it by the statements that wrote it the first
//! time. What came of that is held against the fold of the same events, row by row; then, while nobody appends, the events
//! since are replayed, too, and the new tables take the place of the old ones in one transaction.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};
use uuid::Uuid;

use super::{
    Database, Head, StoreError, bulk,
    chain::{GENESIS, Sha256Digest},
    draft::Draft,
    fill::{self, Step},
    head,
    log::{self, EventRow, Selection},
    postgres::Schema,
    rebuild_swap::Schemas,
    schema::{self, BESIDE, SchemaError},
    stretch::{Decoding, Stretches},
    tokens,
    verify::{self, Difference, EVENTS_AT_ONCE, Finding},
    verify_tables::{Differences, Tables, hold_all},
    verify_walk::Walk,
};
use crate::domain::{Malformed, Position, Recorded, Settings, State, causes::Causes};

/// The most events of one transaction.
const BATCH_MAX: usize = 1_000;
/// After so many events the rows of the new tables are counted, and again after so many times as many: plans that were made
/// for empty tables would be kept until somebody counts them.
const COUNTED_AT: u64 = 2_000;
const COUNTED_AGAIN: u64 = 8;
/// So few events may be left to be replayed while nobody appends, or the rounds of catching up before are over.
const LEFT_MAX: usize = 16;
const ROUNDS_MAX: usize = 1_000;
/// How many rows of a rule are filled at once: nobody waits for these.
const FILL_MAX: u16 = 20_000;

/// A projection that can be made anew: tables that follow from the log, and from each other only within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Tokens, their revocations, and what they are found by.
    Tokens,
    /// The rules of revocation.
    Rules,
    /// The last logins of people.
    People,
}

impl Projection {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Rules, Self::Tokens, Self::People];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Rules => "rules",
            Self::People => "people",
        }
    }

    /// Its tables.
    #[must_use]
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Tokens => &[
                "issued_tokens",
                "token_revocations",
                "token_names",
                "token_teams",
                "token_permissions",
                "token_spans",
                "past_revocations",
                "past_suspensions",
                "status_list_entries",
            ],
            Self::Rules => &["revocation_rules"],
            Self::People => &["people"],
        }
    }
}

impl std::str::FromStr for Projection {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let named = Self::ALL.into_iter().find(|projection| projection.as_str() == text);
        named.ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected: "rules, tokens or people" })
    }
}

/// What a rebuilding came to.
#[derive(Debug)]
pub struct Rebuilt {
    /// The end of the log that the projections hold for.
    pub head: Head,
    /// How many events were replayed.
    pub events: u64,
    /// How many tokens they tell of.
    pub tokens: u64,
    /// Where the old projections were not the fold of the log, the earliest first, and no more than a thousand.
    pub differed: Vec<Difference>,
    /// In how many places they were not.
    pub rows_differed: u64,
}

/// Why nothing was replaced.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The database did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The second schema could not be made.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The name of the schema leaves no room for that of the second one.
    #[error(transparent)]
    Name(#[from] Malformed),
    /// Somebody else is at it.
    #[error("another process is rebuilding this catalog")]
    Busy,
    /// The second schema's name is that of something else.
    #[error("there is a schema '{0}' that no rebuilding made")]
    Taken(String),
    /// Somebody who reads, for minutes, what would be replaced.
    #[error(
        "somebody reads the projections without an end, a report or an export that waits, or a query that is left open"
    )]
    InUse,
    /// The log itself does not hold.
    #[error("the log does not hold at {}: {}", place(.0.position), .0.detail)]
    Broken(Box<Finding>),
    /// A rule's conditions were erased, and stand only in the row that would be replaced.
    #[error("what the rule at position {0} covers was erased from the log, and stands only in its row")]
    Erased(Position),
    /// What was made anew is not the fold of the log: a defect of this program.
    #[error("what was made anew is not what the log says at {}: {}", place(.0.0), .0.1)]
    Different(Box<Difference>),
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn place(position: Option<Position>) -> String {
    position.map_or_else(|| "no position".to_owned(), |position| format!("position {position}"))
}

/// Makes projections anew while others append, and puts them in the place of the old ones. `progress` is told how many
/// events were replayed.
///
/// # Errors
/// [`RebuildError`]: everything is as it was.
pub async fn rebuild(
    database: &Database,
    projections: &[Projection],
    progress: &mut (dyn FnMut(u64, &Head) + Send),
) -> Result<Rebuilt, RebuildError> {
    let side = database.beside(format!("{}_rebuild", database.schema().as_str()).parse()?);
    let mut owner = database.connect_as_owner().await?;
    owner.execute("set client_min_messages to error").await?;
    // The seed is a fixed number of our own. The lock ends with the session.
    let first = "select pg_try_advisory_lock(hashtextextended($1, 7228113430952114))";
    let is_first: bool = sqlx::query_scalar(first).bind(database.schema().as_str()).fetch_one(&mut owner).await?;
    if !is_first {
        return Err(RebuildError::Busy);
    }
    drop_schema(&mut owner, side.schema()).await?;
    let rebuilt = in_schema(database, &side, &mut owner, projections, progress).await;
    side.close().await;
    let tidied = tidy(database, owner, side.schema()).await;
    let rebuilt = rebuilt?;
    if let Err(error) = tidied {
        tracing::warn!(error = %Causes(&error), "the projections are replaced, and something is left to be cleared away");
    }
    Ok(rebuilt)
}

/// Clears away what is left, whatever came of it. The next rebuilding would, too.
async fn tidy(database: &Database, mut owner: PgConnection, side: &Schema) -> Result<(), RebuildError> {
    owner.execute("rollback").await?;
    drop_schema(&mut owner, side).await?;
    owner.close().await?;
    Ok(schema::vacuum(database).await?)
}

/// Drops what an earlier rebuilding has left, and nothing else.
async fn drop_schema(owner: &mut PgConnection, schema: &Schema) -> Result<(), RebuildError> {
    let name = schema.as_str();
    let said = "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = $1";
    match sqlx::query_scalar::<_, Option<String>>(said).bind(name).fetch_optional(&mut *owner).await? {
        None => Ok(()),
        Some(said) if said.as_deref() == Some(BESIDE) => {
            Ok(run(owner, format!("drop schema \"{name}\" cascade")).await?)
        }
        Some(_) => Err(RebuildError::Taken(name.to_owned())),
    }
}

pub(super) async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    connection.execute(raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

async fn in_schema(
    database: &Database,
    side: &Database,
    owner: &mut PgConnection,
    projections: &[Projection],
    progress: &mut (dyn FnMut(u64, &Head) + Send),
) -> Result<Rebuilt, RebuildError> {
    schema::create_beside(side).await?;
    let mut writer = side.connect_as_writer().await?;
    let mut reader = database.connect_as_writer().await?;
    writer.execute(bulk::UNHURRIED).await?;
    verify::begin(&mut reader).await?;
    let head = head::read(&mut reader).await?;
    let (mut replay, mut counted_at) = (Replay::new(), COUNTED_AT);
    {
        let mut query = log::select(&Selection::default());
        let mut rows = std::pin::pin!(log::rows(&mut reader, &mut query));
        while let Some(row) = rows.try_next().await? {
            replay.push(&row)?;
            if replay.waiting.len() == BATCH_MAX {
                replay.flush(&mut writer).await?;
                if replay.events >= counted_at {
                    schema::vacuum(side).await?;
                    counted_at = counted_at.saturating_mul(COUNTED_AGAIN);
                }
                progress(replay.events, &head);
            }
        }
    }
    replay.flush(&mut writer).await?;
    replay.walk.compare_head(&head);
    replay.find()?;
    let stretches = Stretches::of(&mut reader, EVENTS_AT_ONCE, Vec::new(), Decoding::plain()).await?;
    if let Some(rule) = stretches.rules().iter().find(|rule| !rule.is_whole) {
        return Err(RebuildError::Erased(rule.position));
    }
    while !matches!(fill::fill(side, FILL_MAX).await?, Step::Done) {}
    let (tokens, differed) = compare(&mut reader, &mut writer, stretches, &replay.walk).await?;
    let mut schemas = Schemas { owner, reader, writer, live: database.schema(), side: side.schema() };
    schemas.swap(&mut replay, projections).await?;
    schemas.reader.close().await?;
    schemas.writer.close().await?;
    let head = Head { log_id: head.log_id, ..replay.head };
    Ok(Rebuilt { head, events: replay.events, tokens, differed: differed.kept, rows_differed: differed.count })
}

/// How many tokens there are, and where the tables in use differ from the fold of the log; the new ones must not.
async fn compare(
    reader: &mut PgConnection,
    writer: &mut PgConnection,
    mut stretches: Stretches,
    walk: &Walk,
) -> Result<(u64, Differences), RebuildError> {
    verify::begin(writer).await?;
    let mut live = Tables::open(reader, stretches.rules()).await?;
    let mut anew = Tables::open(writer, stretches.rules()).await?;
    let tokens = hold_all(reader, &mut stretches, &mut live, Some((&mut *writer, &mut anew)), &mut |_| ()).await?;
    let differed = live.finish(reader, &walk.people, &walk.people_erased).await?;
    let wrong = anew.finish(writer, &walk.people, &walk.people_erased).await?;
    reader.execute("commit").await?;
    writer.execute("commit").await?;
    match wrong.kept.into_iter().next() {
        Some(wrong) => Err(RebuildError::Different(Box::new(wrong))),
        None => Ok((tokens, differed)),
    }
}

/// The log on its way into the second schema.
pub(super) struct Replay {
    /// Up to where it is replayed.
    head: Head,
    settings: Settings,
    walk: Walk,
    waiting: Vec<(Sha256Digest, Recorded)>,
    events: u64,
}

impl Replay {
    fn new() -> Self {
        let head = Head {
            log_id: Uuid::nil(),
            position: Position(0),
            digest: GENESIS,
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        };
        Self { head, settings: Settings::default(), walk: Walk::new(), waiting: Vec::new(), events: 0 }
    }

    /// Takes the next event, which has to be whole.
    pub(super) fn push(&mut self, row: &EventRow) -> Result<(), RebuildError> {
        let recorded = self.walk.step(row);
        self.find()?;
        self.waiting.extend(recorded.map(|recorded| row.digest().map(|digest| (digest, recorded))).transpose()?);
        Ok(())
    }

    fn find(&self) -> Result<(), RebuildError> {
        match self.walk.findings.first() {
            Some(finding) => Err(RebuildError::Broken(Box::new(finding.clone()))),
            None => Ok(()),
        }
    }

    /// The next events, no more than one transaction takes.
    pub(super) async fn since(&self, connection: &mut PgConnection) -> Result<Vec<EventRow>, StoreError> {
        let mut query = log::select(&Selection { after: self.head.position, ..Selection::default() });
        query.push(" limit ").push_bind(i64::try_from(BATCH_MAX).unwrap_or(i64::MAX));
        log::rows(connection, &mut query).try_collect().await
    }

    /// Replays the events since, until only a few are left.
    pub(super) async fn catch_up(
        &mut self,
        from: &mut PgConnection,
        to: &mut PgConnection,
    ) -> Result<(), RebuildError> {
        for _ in 0..ROUNDS_MAX {
            let rows = self.since(from).await?;
            rows.iter().try_for_each(|row| self.push(row))?;
            self.flush(to).await?;
            if rows.len() <= LEFT_MAX {
                break;
            }
        }
        Ok(())
    }

    async fn flush(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        connection.execute("begin").await?;
        self.write(connection).await?;
        connection.execute("commit").await?;
        Ok(())
    }

    /// Writes what waits by the statements that wrote it the first time, but for the events themselves.
    pub(super) async fn write(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let Some((digest, last)) = self.waiting.last() else { return Ok(()) };
        let (position, recorded_at) = (last.position, last.recorded_at);
        let end = Head { log_id: self.head.log_id, position, digest: *digest, recorded_at };
        let mut state = State::new(std::mem::take(&mut self.settings));
        let ids: Vec<Uuid> = self.waiting.iter().filter_map(|(_, event)| event.occurrence.event.jti()).collect();
        tokens::by_jti(&mut *connection, &ids).await?.into_iter().for_each(|token| state.insert(token));
        self.events += self.waiting.len() as u64;
        self.waiting.drain(..).for_each(|(_, event)| state.apply(&event));
        self.settings = state.settings.clone();
        let draft = Draft::replayed(self.head.clone(), &end, state);
        if !draft.write(&mut *connection).await? {
            return Err(StoreError::Refused(sqlx::Error::Protocol(
                "somebody else replays into the same schema".into(),
            )));
        }
        draft.write_rest(connection).await?;
        self.head = end;
        Ok(())
    }
}
