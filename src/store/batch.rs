//! One batch, six steps: lock the head, load the state, decide, write, commit, answer.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{Executor, PgConnection, Postgres, Row, postgres::PgArguments, query::Query};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Database, Head, LiveTokens, StoreError,
    appender::{AppendError, Appended, Request},
    chain::{self, Sha256Digest},
    codec, idempotency,
    load::load,
    log,
    metrics::{self, Outcome},
    names::Names,
    people,
    reach::Reach,
    row::{self, TokenRow},
    rules,
};
use crate::domain::{
    Command, Event, Occurrence, Position, Recorded, Refusal, Settings, State, Token,
    ambient::Entropy,
    causes::Causes,
    command::Decision as Decided,
    idempotency::{Answered, Scope},
};

/// How long a transaction's beginning may take: past it the connection is taken for dead.
const BEGIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the steps before the commit may take together.
const DECIDE_TIMEOUT: Duration = Duration::from_millis(3_500);
/// How long a commit may take before its outcome counts as unknown.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(3_500);

/// Writes a batch that issues tokens: the head, the events, the tokens, and what listings find them by.
static ISSUED: &str = concat!(include_str!("append_events.sql"), include_str!("append_issued.sql"), "select");
/// Writes a batch that changes tokens: the head, the events, revocations, and what else may change of a token.
static CHANGED: &str = concat!(include_str!("append_events.sql"), include_str!("append_changed.sql"), "select");
/// Writes a batch that does both. Neither of the others opens an index that it does not need.
static BOTH: &str = concat!(
    include_str!("append_events.sql"),
    include_str!("append_changed.sql"),
    include_str!("append_issued.sql"),
    "select"
);

/// The appender's own connection and what it remembers between batches.
pub(super) struct Writer {
    database: Database,
    entropy: Arc<dyn Entropy>,
    live: Arc<LiveTokens>,
    connection: Option<PgConnection>,
    known: Option<Known>,
}

/// The settings as of a head: while the head is still that one, nobody else has appended.
#[derive(Clone)]
struct Known {
    log_id: Uuid,
    position: Position,
    digest: Sha256Digest,
    settings: Settings,
}

/// Why a batch has no outcome.
#[derive(Debug)]
enum BatchError {
    /// Before the commit: nothing was recorded.
    Before(StoreError),
    /// At the commit: it may have been recorded.
    AtCommit,
}

/// A command's decision, waiting for the commit.
type Decision = Result<Appended, Refusal>;

impl Writer {
    pub(super) fn new(database: Database, entropy: Arc<dyn Entropy>, live: Arc<LiveTokens>) -> Self {
        Self { database, entropy, live, connection: None, known: None }
    }

    /// Records a batch and answers each of its commands. One that the database will not take, or whose rows cannot be
    /// read, fails alone.
    pub(super) async fn append(&mut self, batch: Vec<Request>) {
        metrics::batch(batch.len());
        let commands: Vec<&Command> = batch.iter().map(|request| &request.command).collect();
        match self.record(&commands).await {
            Ok(decisions) => {
                for (request, decision) in batch.into_iter().zip(decisions) {
                    request.answer(decision.map_err(AppendError::Refused));
                }
            }
            Err(BatchError::AtCommit) => refuse_all(batch, &AppendError::OutcomeUnknown),
            Err(BatchError::Before(error)) if !error.is_passing() && batch.len() > 1 => {
                for request in batch {
                    if request.is_waited_for() {
                        Box::pin(self.append(vec![request])).await;
                    } else {
                        // It was told meanwhile that the outcome is unknown, and is not to be surprised by one.
                        metrics::ended(Outcome::Expired, 1);
                    }
                }
            }
            Err(BatchError::Before(error)) => {
                let error = told(error, &Names::of(commands.iter().copied()));
                refuse_all(batch, &error);
            }
        }
    }

    /// A connection that was good at the last batch may have died since; nothing was sent on it, so once more is safe.
    async fn record(&mut self, commands: &[&Command]) -> Result<Vec<Decision>, BatchError> {
        let kept = match self.connection.take() {
            Some(mut connection) => begin(&mut connection).await.is_ok().then_some(connection),
            None => None,
        };
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await.map_err(BatchError::Before)?,
        };
        let decisions = self.record_in(&mut connection, commands).await?;
        // After an error the connection is dropped instead: a session whose socket is closed cannot keep the head.
        self.connection = Some(connection);
        Ok(decisions)
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.database.connect_as_writer().await?;
        begin(&mut connection).await?;
        Ok(connection)
    }

    async fn record_in(
        &mut self,
        connection: &mut PgConnection,
        commands: &[&Command],
    ) -> Result<Vec<Decision>, BatchError> {
        let prepared = tokio::time::timeout(DECIDE_TIMEOUT, self.prepare(connection, commands))
            .await
            .unwrap_or(Err(StoreError::TimedOut(DECIDE_TIMEOUT)));
        let (decisions, known) = prepared.map_err(BatchError::Before)?;
        let begun = Instant::now();
        let committed = tokio::time::timeout(COMMIT_TIMEOUT, connection.execute("commit")).await;
        metrics::commit(begun.elapsed());
        match committed {
            Ok(Ok(_)) => {
                let appended = decisions.iter().flatten().filter(|appended| !appended.is_repeat);
                let events: Vec<&Recorded> = appended.flat_map(|appended| &appended.events).collect();
                self.live.committed(known.log_id, &events, known.digest);
                self.known = Some(known);
                Ok(decisions)
            }
            Ok(Err(error)) => {
                let (error, request_ids) = (Causes(&error), Names::of(commands.iter().copied()));
                tracing::error!(%error, %request_ids, "the outcome of a commit is unknown");
                self.live.doubt();
                Err(BatchError::AtCommit)
            }
            Err(_) => {
                let (timeout_ms, request_ids) = (COMMIT_TIMEOUT.as_millis(), Names::of(commands.iter().copied()));
                tracing::error!(timeout_ms, %request_ids, "a commit did not answer in time");
                self.live.doubt();
                Err(BatchError::AtCommit)
            }
        }
    }

    /// The steps from the lock to the write.
    async fn prepare(
        &self,
        connection: &mut PgConnection,
        commands: &[&Command],
    ) -> Result<(Vec<Decision>, Known), StoreError> {
        let (head, now) = lock_head(connection).await?;
        let settings = self.settings(connection, &head).await?;
        let state = load(connection, settings, commands).await?;
        let mut draft = Draft::new(&head, now, state);
        let decisions =
            commands.iter().map(|command| draft.decide(command, &*self.entropy)).collect::<Result<_, _>>()?;
        draft.write(connection).await?;
        Ok((decisions, draft.known()))
    }

    /// The settings at the locked head: those remembered while nobody else has appended, else read again. They are few.
    async fn settings(&self, connection: &mut PgConnection, head: &Head) -> Result<Settings, StoreError> {
        match &self.known {
            Some(known) if known.is(head) => Ok(known.settings.clone()),
            _ => log::settings_on(connection).await,
        }
    }
}

impl Known {
    fn is(&self, head: &Head) -> bool {
        (self.log_id, self.position, self.digest) == (head.log_id, head.position, head.digest)
    }
}

async fn begin(connection: &mut PgConnection) -> Result<(), StoreError> {
    let begun = tokio::time::timeout(BEGIN_TIMEOUT, connection.execute("begin")).await;
    begun.map_err(|_| StoreError::TimedOut(BEGIN_TIMEOUT))??;
    Ok(())
}

/// What the callers are told of an error before the commit.
fn told(error: StoreError, request_ids: &Names) -> AppendError {
    if error.is_passing() {
        tracing::warn!(error = %Causes(&error), %request_ids, "nothing could be recorded");
        AppendError::Unavailable(Arc::new(error))
    } else {
        tracing::error!(error = %Causes(&error), %request_ids, "the log refused an event");
        AppendError::Rejected(Arc::new(error))
    }
}

fn refuse_all(batch: Vec<Request>, error: &AppendError) {
    for request in batch {
        request.answer(Err(error.clone()));
    }
}

/// Its own statement: one that waited for the lock and read other tables too would read them as before the wait.
async fn lock_head(connection: &mut PgConnection) -> Result<(Head, DateTime<Utc>), StoreError> {
    let row = sqlx::query(include_str!("lock_head.sql")).fetch_one(connection).await?;
    Ok((Head::from_row(&row)?, row.try_get("now")?))
}

/// The batch as it grows: each command sees what those before it did.
struct Draft {
    log_id: Uuid,
    begun: Position,
    position: Position,
    digest: Sha256Digest,
    now: DateTime<Utc>,
    state: State,
    rows: Vec<EventRow>,
    named: Vec<(Scope, Answered)>,
}

/// An event's columns, but for the time, which the batch shares.
struct EventRow {
    position: Position,
    kind: &'static str,
    jti: Option<Uuid>,
    path: &'static str,
    request_id: String,
    body: Vec<u8>,
    personal: Vec<u8>,
    salt: [u8; 16],
    commitment: Sha256Digest,
    digest: Sha256Digest,
}

impl Draft {
    fn new(head: &Head, now: DateTime<Utc>, state: State) -> Self {
        Self {
            log_id: head.log_id,
            begun: head.position,
            position: head.position,
            digest: head.digest,
            now,
            state,
            rows: Vec::new(),
            named: Vec::new(),
        }
    }

    fn decide(&mut self, command: &Command, entropy: &dyn Entropy) -> Result<Decision, StoreError> {
        // Both would be one row, and only the row's key tells of an identifier from before the batch.
        if command.jti_issued().is_some_and(|jti| self.state.token(jti).is_some()) {
            return Err(issued_before());
        }
        match command.decide(&self.state) {
            Ok(Decided::Events(events)) => self.carry_out(command, events, entropy).map(Ok),
            Ok(Decided::Repeat(event)) => {
                let token = event.occurrence.event.jti().and_then(|jti| self.state.token(jti)).cloned();
                let (several, left) = (self.several(command), command.left(&self.state));
                let position = event.position;
                Ok(Ok(Appended { position, events: vec![*event], token, several, left, is_repeat: true }))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn carry_out(
        &mut self,
        command: &Command,
        events: Vec<Event>,
        entropy: &dyn Entropy,
    ) -> Result<Appended, StoreError> {
        let mut recorded = Vec::with_capacity(events.len());
        for event in events {
            let occurrence = Occurrence { event, occurred_at: command.now, origin: command.origin.clone() };
            recorded.push(self.chain(occurrence, entropy)?);
        }
        if let (Some(named), Some(event)) = (&command.idempotency, recorded.first()) {
            let answered = Answered { request_digest: named.request_digest, at: command.now, event: event.clone() };
            self.state.remember(named.scope.clone(), answered.clone());
            self.named.push((named.scope.clone(), answered));
        }
        let token = command.jti().and_then(|jti| self.state.token(jti)).cloned();
        let (several, left) = (self.several(command), command.left(&self.state));
        Ok(Appended { events: recorded, token, several, left, position: self.position, is_repeat: false })
    }

    fn several(&self, command: &Command) -> Vec<Token> {
        command.several().iter().filter_map(|jti| self.state.token(*jti)).cloned().collect()
    }

    fn chain(&mut self, occurrence: Occurrence, entropy: &dyn Entropy) -> Result<Recorded, StoreError> {
        let position = self.position.next();
        let encoded = codec::encode(&occurrence)
            .map_err(|source| StoreError::UnreadableEvent { position: position.0, source })?;
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let commitment = chain::commitment(&salt, &encoded.personal);
        let digest = chain::link(&self.digest, position, self.now, &encoded.body, &commitment);
        self.rows.push(EventRow {
            position,
            kind: codec::kind(&occurrence.event),
            jti: occurrence.event.jti(),
            path: occurrence.origin.path.as_str(),
            request_id: occurrence.origin.request_id.to_string(),
            body: encoded.body,
            personal: encoded.personal,
            salt,
            commitment,
            digest,
        });
        let recorded = Recorded { position, recorded_at: self.now, occurrence };
        self.state.apply(&recorded);
        (self.position, self.digest) = (position, digest);
        Ok(recorded)
    }

    /// One statement: the head, the events, each touched token once, and what listings find new tokens by.
    async fn write(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut touched: Vec<&Token> = self.state.touched().collect();
        // Neighbours in the log are neighbours in the tables, too: a listing finds them on the same pages.
        touched.sort_unstable_by_key(|token| token.issued);
        let rows: Vec<TokenRow> = touched.iter().copied().map(TokenRow::from).collect();
        let first_issued = touched.partition_point(|token| token.issued <= self.begun);
        let (changed, issued) = rows.split_at(first_issued);
        let is_changed = !changed.is_empty() || rows.iter().any(TokenRow::is_revoked);
        let sql = match (issued.is_empty(), is_changed) {
            (true, _) => CHANGED,
            (false, true) => BOTH,
            (false, false) => ISSUED,
        };
        let mut query = row::bind_changed(row::bind_revoked(self.bind(sqlx::query(sql)), &rows), changed);
        if !issued.is_empty() {
            let reach = Reach::of(touched[first_issued..].iter().copied());
            query = row::bind_issued(reach.bind(query), issued);
        }
        query.execute(&mut *connection).await?;
        rules::insert(connection, self.state.rules()).await?;
        people::insert(connection, &self.state).await?;
        idempotency::insert(connection, &self.named).await
    }

    /// Binds the head and the events, column by column.
    fn bind<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let rows = &self.rows;
        query
            .bind(self.position.0)
            .bind(&self.digest[..])
            .bind(self.now)
            .bind(rows.iter().map(|row| row.position.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.jti).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.path).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.request_id.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.body[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.personal[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.salt[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.commitment[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.digest[..]).collect::<Vec<_>>())
    }

    fn known(self) -> Known {
        Known { log_id: self.log_id, position: self.position, digest: self.digest, settings: self.state.settings }
    }
}

fn issued_before() -> StoreError {
    StoreError::Refused(sqlx::Error::Protocol("a token identifier was issued before".to_owned()))
}
