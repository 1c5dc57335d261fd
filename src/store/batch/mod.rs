//! One batch, six steps: find the head, load the state, decide, write, commit, answer.
//!
//! While nobody else appends, the head is only read, and the write takes effect if it is still there: one statement less to
//! begin with, one less to commit, and nobody waits for a lock that is held while this process thinks. Once somebody else
//! has appended, the head is locked first, until this process finds it again as it left it.

mod at_once;
mod clock;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{Executor, PgConnection, Row};
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::clock::Clock;
use super::{
    Database, Head, LiveTokens, StoreError,
    appender::{AppendError, Appended, Request},
    chain::Sha256Digest,
    draft::{Decision, Draft},
    load::{self, Named},
    log,
    metrics::{self, Outcome},
    names::Names,
    tokens,
};
use crate::domain::{Command, Position, Recorded, Settings, ambient::Entropy, causes::Causes};

/// The most tokens that are read with the head: more would take their time from a statement that shows whether the
/// connection is alive.
const WITH_HEAD_MAX: usize = 200;
/// How long a connection's first statement may take: past it the connection is taken for dead.
const BEGIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the steps before the commit may take together.
const DECIDE_TIMEOUT: Duration = Duration::from_millis(3_500);
/// How long a commit may take before its outcome counts as unknown.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(3_500);

/// The appender's own connection and what it remembers between batches.
pub(super) struct Writer {
    database: Database,
    entropy: Arc<dyn Entropy>,
    live: Arc<LiveTokens>,
    connection: Option<PgConnection>,
    known: Option<Known>,
    /// Whether nobody else appended before the last batch.
    is_alone: bool,
    /// Whether something was appended that nobody was woken for.
    has_appended: bool,
}

/// The settings as of a head: while the head is still that one, nobody else has appended.
pub(super) struct Known {
    pub(super) head: Head,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
}

/// Why a batch has no outcome.
#[derive(Debug)]
enum BatchError {
    /// Before the commit: nothing was recorded.
    Before(StoreError),
    /// At the commit: it may have been recorded.
    AtCommit,
}

impl Writer {
    pub(super) fn new(database: Database, entropy: Arc<dyn Entropy>, live: Arc<LiveTokens>) -> Self {
        Self { database, entropy, live, connection: None, known: None, is_alone: false, has_appended: false }
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
                        self.wake_others();
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

    /// Wakes those who carry on what was recorded. Unless other commands wait, whoever was answered comes first: it is this
    /// processor that knows what it hears, and those who are woken take the others.
    pub(super) async fn carry_on(&mut self, others_wait: bool) {
        if !others_wait {
            tokio::task::yield_now().await;
        }
        self.wake_others();
    }

    fn wake_others(&mut self) {
        if std::mem::take(&mut self.has_appended) {
            self.live.carry_on();
        }
    }

    async fn record(&mut self, commands: &[&Command]) -> Result<Vec<Decision>, BatchError> {
        if self.is_alone
            && let Some(decisions) = self.revoke_at_once(commands).await?
        {
            return Ok(decisions);
        }
        if self.is_alone
            && let Some(decisions) = self.record_unlocked(commands).await?
        {
            return Ok(decisions);
        }
        self.record_locked(commands).await
    }

    /// Decides on what is read without a lock. `None`: somebody else has appended, and nothing was recorded.
    async fn record_unlocked(&mut self, commands: &[&Command]) -> Result<Option<Vec<Decision>>, BatchError> {
        self.is_alone = false;
        let ids = load::named(commands);
        let begun = self.open(async move |connection| head_and_named(connection, ids.clone()).await);
        let (mut connection, (found, named)) = begun.await?;
        if !self.known.as_ref().is_some_and(|known| known.is(&found.0)) {
            self.connection = Some(connection);
            return Ok(None);
        }
        let deciding = async {
            let (draft, decisions) = self.decide(&mut connection, found, commands, named).await?;
            // A decision that records nothing holds, too, if nobody has appended while it was read for.
            let is_over = draft.is_empty() && !draft.is_at(&head_now(&mut connection).await?.0);
            Ok((draft, decisions, is_over))
        };
        let (draft, decisions, is_over) = within(DECIDE_TIMEOUT, deciding).await.map_err(BatchError::Before)?;
        let is_recorded = if draft.is_empty() {
            !is_over
        } else if draft.is_one_statement() {
            self.finish(commands, draft.write(&mut connection)).await?
        } else {
            self.write_and_commit(&mut connection, &draft, commands).await?
        };
        self.connection = Some(connection);
        self.is_alone = is_recorded;
        Ok(is_recorded.then(|| self.recorded(draft, decisions)))
    }

    /// In a transaction that nobody waited for while it was decided.
    async fn write_and_commit(
        &self,
        connection: &mut PgConnection,
        draft: &Draft,
        commands: &[&Command],
    ) -> Result<bool, BatchError> {
        let writing = async {
            begin(connection).await?;
            let is_written = draft.write(connection).await?;
            if is_written {
                draft.write_rest(connection).await?;
            } else {
                connection.execute("rollback").await?;
            }
            Ok(is_written)
        };
        let is_written = within(DECIDE_TIMEOUT, writing).await.map_err(BatchError::Before)?;
        if is_written {
            self.finish(commands, commit(connection)).await?;
        }
        Ok(is_written)
    }

    /// Decides on what is read while the head is locked.
    async fn record_locked(&mut self, commands: &[&Command]) -> Result<Vec<Decision>, BatchError> {
        let named = Named::Unknown(load::named(commands));
        let (mut connection, ()) = self.open(async |connection| begin(connection).await).await?;
        let deciding = async {
            let found = lock_head(&mut connection).await?;
            let is_alone = self.known.as_ref().is_none_or(|known| known.is(&found.0));
            let (draft, decisions) = self.decide(&mut connection, found, commands, named).await?;
            if !draft.is_empty() {
                draft.write(&mut connection).await?;
                draft.write_rest(&mut connection).await?;
            }
            Ok((draft, decisions, is_alone))
        };
        let (draft, decisions, is_alone) = within(DECIDE_TIMEOUT, deciding).await.map_err(BatchError::Before)?;
        self.finish(commands, commit(&mut connection)).await?;
        self.connection = Some(connection);
        self.is_alone = is_alone;
        Ok(self.recorded(draft, decisions))
    }

    /// A connection, and what its first statement says. One that was good at the last batch may have died since; nothing
    /// was sent on it that would be missed, so once more is safe. After an error it is not kept: a session whose socket is
    /// closed cannot keep the head.
    async fn open<T>(
        &mut self,
        first: impl AsyncFn(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<(PgConnection, T), BatchError> {
        if let Some(mut connection) = self.connection.take()
            && let Ok(said) = within(BEGIN_TIMEOUT, first(&mut connection)).await
        {
            return Ok((connection, said));
        }
        let anew = async {
            let mut connection = self.database.connect_as_writer().await?;
            // This one is alive: if it does not answer, it waits for somebody.
            let said = within(DECIDE_TIMEOUT, first(&mut connection)).await?;
            Ok((connection, said))
        };
        anew.await.map_err(BatchError::Before)
    }

    /// The steps between the head and the write.
    async fn decide(
        &self,
        connection: &mut PgConnection,
        (head, now): (Head, DateTime<Utc>),
        commands: &[&Command],
        named: Named,
    ) -> Result<(Draft, Vec<Decision>), StoreError> {
        let clock = Clock { said: now, heard: Instant::now() };
        let settings = self.settings(connection, &head).await?;
        let state = load::load(connection, settings, commands, named).await?;
        let mut draft = Draft::new(head, clock, state);
        let decisions =
            commands.iter().map(|command| draft.decide(command, &*self.entropy)).collect::<Result<_, _>>()?;
        Ok((draft, decisions))
    }

    /// Waits for the statement that makes a batch last. Unless the database itself says that it did not, whether it did is
    /// not known.
    async fn finish<T>(
        &self,
        commands: &[&Command],
        last: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, BatchError> {
        let begun = Instant::now();
        let finished = within(COMMIT_TIMEOUT, last).await;
        metrics::commit(begun.elapsed());
        finished.map_err(|error| {
            if error.is_rolled_back() {
                return BatchError::Before(error);
            }
            let (error, request_ids) = (Causes(&error), Names::of(commands.iter().copied()));
            tracing::error!(%error, %request_ids, "the outcome of a commit is unknown");
            self.live.doubt();
            BatchError::AtCommit
        })
    }

    /// What has just been recorded is known to this process first.
    fn recorded(&mut self, draft: Draft, decisions: Vec<Decision>) -> Vec<Decision> {
        let known = draft.known();
        let Head { log_id, position, digest, .. } = known.head;
        let appended = decisions.iter().flatten().filter(|appended| !appended.is_repeat);
        let events: Vec<&Recorded> = appended.flat_map(|appended| &appended.events).collect();
        self.has_appended |= !events.is_empty();
        self.live.committed(log_id, &events, digest);
        // Whoever hears that something was so already may have it from what others appended.
        let is_new = |appended: &Appended| !appended.is_repeat && !appended.events.is_empty();
        if !decisions.iter().all(|decision| decision.as_ref().is_ok_and(is_new)) {
            self.live.rest_on(position);
        }
        self.known = Some(known);
        decisions
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
        self.end() == (head.log_id, head.position, head.digest)
    }

    fn end(&self) -> (Uuid, Position, Sha256Digest) {
        (self.head.log_id, self.head.position, self.head.digest)
    }
}

async fn begin(connection: &mut PgConnection) -> Result<(), StoreError> {
    connection.execute("begin").await?;
    Ok(())
}

async fn commit(connection: &mut PgConnection) -> Result<(), StoreError> {
    connection.execute("commit").await?;
    Ok(())
}

async fn within<T>(limit: Duration, steps: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(limit, steps).await.unwrap_or(Err(StoreError::TimedOut(limit)))
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

/// The end of the log as [`head_now`] reads it, and in the same statement the tokens that a batch names, unless they are many.
async fn head_and_named(
    connection: &mut PgConnection,
    named: Vec<Uuid>,
) -> Result<((Head, DateTime<Utc>), Named), StoreError> {
    if named.len() > WITH_HEAD_MAX {
        return Ok((head_now(connection).await?, Named::Unknown(named)));
    }
    let (head, now, tokens) = tokens::beside_head(connection, &named).await?;
    Ok(((head, now), Named::Known(tokens)))
}

/// The end of the log, and the time that what is appended to it now is recorded at.
async fn head_now(connection: &mut PgConnection) -> Result<(Head, DateTime<Utc>), StoreError> {
    read_head(connection, include_str!("../head_now.sql")).await
}

/// The same, locked. Its own statement: one that waited for the lock and read other tables too would read them as before
/// the wait.
async fn lock_head(connection: &mut PgConnection) -> Result<(Head, DateTime<Utc>), StoreError> {
    read_head(connection, concat!(include_str!("../head_now.sql"), "   for update")).await
}

async fn read_head(connection: &mut PgConnection, sql: &'static str) -> Result<(Head, DateTime<Utc>), StoreError> {
    let row = sqlx::query(sql).fetch_one(connection).await?;
    Ok((Head::from_row(&row)?, row.try_get("now")?))
}
