//! The one writer of a process: a bounded queue, drained into one transaction a batch.
//!
//! The batch is what arrived while the last one was being committed; nothing lingers. Several processes need no
//! lease among them: each takes the head row, and its lock orders their commits.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::JoinHandle,
    time::Instant,
};

use super::{
    Database, LiveTokens, StoreError,
    batch::Writer,
    metrics::{self, Outcome},
    names::Names,
};
use crate::domain::{Act, Command, Position, Recorded, Refusal, Token, ambient::Entropy, causes::Causes};

/// The most commands in one transaction.
pub const BATCH_MAX: usize = 1_000;
/// The most tokens that the commands of one transaction name, unless one command alone names more.
pub const TOKENS_MAX: usize = 2_000;
/// The most commands that wait.
pub const QUEUE_MAX: usize = 4_096;
/// How long a caller waits for the outcome before it is told that it is unknown.
pub const OUTCOME_TIMEOUT: Duration = Duration::from_millis(4_500);

/// What became of a command that was decided in its favour.
#[derive(Debug, Clone)]
pub struct Appended {
    /// Its events, none when everything was already so.
    pub events: Vec<Recorded>,
    /// The token it is about, as it is now.
    pub token: Option<Token>,
    /// The tokens it is about, as they are now, where it is about several.
    pub several: Vec<Token>,
    /// How many of a subject's tokens it left as they are, because its caller may not change them.
    pub left: usize,
    /// The end of the log when it was decided: its last event, or for none the state that made it unnecessary.
    pub position: Position,
    /// Whether the same request was answered before, by these events.
    pub is_repeat: bool,
}

/// Why a command has no outcome to show.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The domain said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More commands wait than may.
    #[error("too many commands are waiting to be recorded")]
    QueueFull,
    /// The database could not be reached, or could not do it. Nothing was recorded.
    #[error("nothing could be recorded")]
    Unavailable(#[source] Arc<StoreError>),
    /// The task that records has ended. Nothing was recorded, and nothing will be until the process is started again.
    #[error("this process records nothing any more")]
    Ended,
    /// The log was reached, but what became of the commit is not known.
    #[error("the outcome is unknown; it may have been recorded")]
    OutcomeUnknown,
    /// The database refused this command's rows, or those it needs cannot be read. A defect of ours, or tampering;
    /// nothing was recorded.
    #[error("the log refused the event")]
    Rejected(#[source] Arc<StoreError>),
}

/// The queue's entrance.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: mpsc::Sender<Request>,
}

/// A command that was queued, and whose outcome is still to come. Dropping it changes nothing.
#[derive(Debug)]
pub struct Pending {
    deadline: Instant,
    outcome: oneshot::Receiver<Result<Appended, AppendError>>,
}

/// A command on its way, and where its outcome goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: Command,
    deadline: Instant,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Appender {
    /// Starts the task, which tells the live tokens of what it has committed before it answers. It ends, its queue drained, when the last entrance is dropped.
    #[must_use]
    pub fn start(database: Database, entropy: Arc<dyn Entropy>, live: Arc<LiveTokens>) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer = move || Writer::new(database.clone(), entropy.clone(), live.clone());
        (Self { queue }, tokio::spawn(drain(requests, writer)))
    }

    /// Whether commands can still be recorded by this process.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }

    /// How many commands wait, besides those that are being recorded.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Has a command decided and recorded. Once queued it runs to its end, whether or not anybody still waits.
    ///
    /// # Errors
    /// [`AppendError`], within [`OUTCOME_TIMEOUT`].
    pub async fn append(&self, command: Command) -> Result<Appended, AppendError> {
        self.enqueue(command)?.outcome().await
    }

    /// Queues a command behind those that were queued before, without waiting for its outcome.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`] and [`AppendError::Ended`].
    pub fn enqueue(&self, command: Command) -> Result<Pending, AppendError> {
        let deadline = Instant::now() + OUTCOME_TIMEOUT;
        let (reply, outcome) = oneshot::channel();
        let request = Request { command, deadline, reply };
        self.queue.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => turned_away(AppendError::QueueFull),
            TrySendError::Closed(_) => turned_away(AppendError::Ended),
        })?;
        Ok(Pending { deadline, outcome })
    }
}

impl Pending {
    /// Waits for the outcome.
    ///
    /// # Errors
    /// [`AppendError`], within [`OUTCOME_TIMEOUT`] of the queueing.
    pub async fn outcome(self) -> Result<Appended, AppendError> {
        match tokio::time::timeout_at(self.deadline, self.outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(AppendError::OutcomeUnknown),
        }
    }
}

impl Request {
    /// Whether its caller was not yet told that the outcome is unknown.
    pub(super) fn is_waited_for(&self) -> bool {
        Instant::now() < self.deadline
    }

    pub(super) fn answer(self, answer: Result<Appended, AppendError>) {
        metrics::ended(Outcome::of(&answer), 1);
        if let Err(AppendError::Refused(refusal)) = &answer {
            metrics::refused(refusal, self.command.origin.path);
        }
        // Nobody may be waiting any more; the event stands all the same.
        let _ = self.reply.send(answer);
    }
}

fn turned_away(error: AppendError) -> AppendError {
    metrics::ended(Outcome::of(&Err(error.clone())), 1);
    error
}

async fn drain(mut requests: mpsc::Receiver<Request>, new_writer: impl Fn() -> Writer) {
    let mut writer = new_writer();
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while requests.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        let mut portions = portions(waiting.drain(..)).into_iter();
        while let Some(portion) = portions.next() {
            let (batch, late): (Vec<_>, Vec<_>) = portion.into_iter().partition(Request::is_waited_for);
            // Whoever waited past its deadline was told so; recording its command now would surprise it.
            metrics::ended(Outcome::Expired, late.len() as u64);
            if !batch.is_empty() {
                let others_wait = portions.len() > 0 || !requests.is_empty();
                writer = record(writer, batch, others_wait, &new_writer).await;
            }
        }
    }
}

/// A task of its own: a defect that panics costs one batch, whose outcome is unknown, and not the appender.
async fn record(mut writer: Writer, batch: Vec<Request>, others_wait: bool, new_writer: impl Fn() -> Writer) -> Writer {
    let (commands, names) = (batch.len() as u64, Names::of(batch.iter().map(|request| &request.command)));
    let recording = tokio::spawn(async move {
        writer.append(batch).await;
        writer.carry_on(others_wait).await;
        writer
    });
    recording.await.unwrap_or_else(|error| {
        tracing::error!(error = %Causes(&error), request_ids = %names, "a batch could not be carried out");
        metrics::ended(Outcome::Unknown, commands);
        new_writer()
    })
}

/// What waits, cut into batches: commands that name many tokens share no transaction that would take too long for all,
/// and a rule has one of its own.
fn portions(waiting: impl Iterator<Item = Request>) -> Vec<Vec<Request>> {
    let mut portions: Vec<Vec<Request>> = Vec::new();
    let mut tokens = 0;
    for request in waiting {
        // A rule ends any number of tokens, and what else a batch is decided on is only so many of them.
        let is_rule = matches!(request.command.act, Act::RevokeByRule { .. } | Act::CompromiseKey(_));
        let named = if is_rule { TOKENS_MAX + 1 } else { request.command.several().len() };
        match portions.last_mut() {
            Some(last) if tokens + named <= TOKENS_MAX => last.push(request),
            _ => {
                portions.push(vec![request]);
                tokens = 0;
            }
        }
        tokens += named;
    }
    portions
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        Act, Actor, Authority, Origin, Path, RevokeTokens, denial::Shadow, denial::ShadowTokenSeen,
        revoke::RevocationReason, text::RequestId,
    };

    fn request(act: Act) -> Request {
        let request_id = RequestId::parse("r").unwrap();
        let origin = Origin { path: Path::Api, actor: Actor::Anonymous, request_id, address: None, user_agent: None };
        let (authority, now) = (Authority::of_nobody(), crate::domain::token::instant(0));
        let command = Command { act, authority, origin, now, idempotency: None };
        let (reply, _) = oneshot::channel();
        Request { command, deadline: Instant::now(), reply }
    }

    fn naming(tokens: usize) -> Request {
        let Some(_) = tokens.checked_sub(1) else {
            let (kid, claims_digest) = ("k".parse().unwrap(), String::new());
            return request(Act::SeeShadow(ShadowTokenSeen {
                jti: None,
                kid,
                claims_digest,
                what: Shadow::NeverIssued,
            }));
        };
        let command = RevokeTokens::new(vec![Uuid::nil(); tokens], RevocationReason::Unspecified, None).unwrap();
        request(Act::RevokeSeveral(command))
    }

    fn sizes(tokens: &[usize]) -> Vec<usize> {
        portions(tokens.iter().map(|tokens| naming(*tokens))).iter().map(Vec::len).collect()
    }

    #[test]
    fn commands_that_name_too_many_tokens_together_share_no_transaction() {
        assert_eq!(sizes(&[0; 1_000]), [1_000]);
        assert_eq!(sizes(&[1_000, 1_000, 0, 1, 1_000]), [3, 2]);
        assert_eq!(sizes(&[0, 999, 1_000, 2, 0]), [3, 2]);
        assert_eq!(sizes(&[]), [0; 0]);
    }
}
