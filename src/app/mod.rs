//! [`Catalog`]: the one door for every write, and the checks that need both a signature and the log.

mod authorize;
pub(crate) mod beside;
pub mod bridge;
mod check;
mod clients;
mod courier;
mod denials;
pub mod edge;
pub mod feed;
mod fetch;
mod filling;
mod issue;
mod keys;
mod live;
mod login;
mod membership;
pub mod metrics;
pub mod named_files;
mod open;
pub mod past;
pub mod policy_file;
mod providers;
pub mod range;
pub mod report;
mod requester;
mod reuses;
mod revocations;
pub mod schema;
mod seed;
mod settings;
mod shadows;
mod status_lists;
mod striped;
mod suspend;
mod sweep;
mod upkeep;
pub mod view;
pub mod what_if;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

pub use authorize::Passage;
pub use check::{CheckError, Verdict};
pub use clients::ClientView;
pub use courier::Courier;
pub use keys::CompromisePreview;
pub use live::{FollowError, Live};
pub use login::NotLetIn;
pub use open::{OpenError, Opening, SigningKey};
pub use providers::ProviderUnavailable;
pub use requester::{AskedBy, Requester};
pub use revocations::{RevokedByRule, RevokedTokens, Rotated, RuleError};
pub use seed::{LogPlan, LogSeeding, Plan, SeedError, Seeded, SeededLog, seed_log};
pub use settings::Settled;
pub use status_lists::{PublishError, PublishedList, StatusListError};
pub use suspend::ChangedTokens;

use denials::Denials;
use feed::Feed;
use live::Latest;
use login::People;
use membership::Members;
use providers::Providers;
use reuses::Reuses;
use shadows::Shadows;
use status_lists::StatusLists;

use crate::{
    domain::{
        Act, Authority, Command, Origin, Position, Refusal, RevokeToken, Token,
        ambient::{Clock, Entropy, uuid_v7},
        causes::Causes,
        denial::Denial,
        text::Issuer,
    },
    signing::{SignedToken, SigningError},
    store::{
        AppendError, Appender, Connections, Database, LiveTokens, Lookups,
        follower::{self, Followed, Staleness},
    },
};

/// Time and chance as this process has them.
#[derive(Clone)]
pub struct Ambient {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The entropy.
    pub entropy: Arc<dyn Entropy>,
}

/// An open catalog.
pub struct Catalog {
    database: Database,
    appender: Appender,
    lookups: Lookups,
    live_tokens: Arc<LiveTokens>,
    feed: Arc<Feed>,
    task: JoinHandle<()>,
    latest: Latest,
    members: Members,
    providers: Providers,
    people: People,
    denials: Denials,
    shadows: Arc<Shadows>,
    reuses: Arc<Reuses>,
    rules_added: Notify,
    status_lists: StatusLists,
    issuer: Issuer,
    log_id: Uuid,
    opened_at: Position,
    ambient: Ambient,
}

/// A token that was just issued: the only moment at which its text exists here.
pub struct IssuedToken {
    /// What the log says of it.
    pub token: Token,
    /// The token itself.
    pub signed: SignedToken,
}

/// Why a command did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It was refused, or could not be recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It was recorded, but the token could not be signed: there is an event without a token.
    #[error("the issuance was recorded, but the token could not be signed")]
    Signing(#[from] SigningError),
    /// It was recorded, but its outcome does not name the token. A defect of ours.
    #[error("the outcome does not name the token")]
    Incomplete,
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Append(refusal.into())
    }
}

impl Catalog {
    /// Revokes a token, and tells where its revocation stands in the log. Revoking it again changes nothing and says the same.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke(&self, command: RevokeToken, requester: Requester) -> Result<Position, CommandError> {
        let now = self.ambient.clock.now();
        let (jti, reason) = (command.jti, command.reason);
        let idempotency = requester.named("revoke", &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::Revoke(command.clone());
        let outcome = self.appender.append(Command { act, authority, origin: origin.clone(), now, idempotency }).await;
        let appended = match outcome {
            Err(AppendError::Refused(refusal)) => {
                let denial = Denial::of_revocation(&command, &refusal, now);
                return Err(self.denied(refusal, denial, origin).await);
            }
            outcome => outcome?,
        };
        if let Some(revoked) = appended.events.first().filter(|_| !appended.is_repeat) {
            tracing::info!(command = "revoke", %jti, %reason, position = revoked.position.0, "a token was revoked");
            return Ok(revoked.position);
        }
        let revocation = appended.token.and_then(|token| token.revocation);
        Ok(revocation.ok_or(CommandError::Incomplete)?.position)
    }

    /// Has a denial recorded before its asker hears of it. What cannot be recorded is answered as such.
    async fn denied(&self, refusal: Refusal, denial: Denial, origin: Origin) -> CommandError {
        self.note_denial(&refusal, denial, origin).await.map_or_else(CommandError::from, |()| refusal.into())
    }

    /// The same of a login, which no command goes before.
    async fn note_login_denial(&self, denial: Denial, origin: Origin) -> Result<(), AppendError> {
        let now = self.ambient.clock.now();
        match self.denials.note(denial, origin, now) {
            Some((denial, origin)) => self.record_first(denial, origin).await,
            None => Ok(()),
        }
    }

    async fn record_first(&self, denial: Denial, origin: Origin) -> Result<(), AppendError> {
        let recorded = self.append_note(Act::Deny(denial.clone()), origin.clone()).await;
        recorded.inspect_err(|_| self.denials.forget(&denial, &origin))
    }

    async fn note_denial(&self, refusal: &Refusal, denial: Denial, origin: Origin) -> Result<(), AppendError> {
        let now = self.ambient.clock.now();
        let noted = refusal.is_denial().then(|| self.denials.note(denial, origin, now)).flatten();
        match noted {
            Some((denial, origin)) => self.record_first(denial, origin).await,
            None => Ok(()),
        }
    }

    /// Records the refusals that were counted over the minutes that have passed since.
    ///
    /// # Errors
    /// [`AppendError`]: what was not recorded is still counted.
    pub async fn record_denials(&self) -> Result<(), AppendError> {
        self.record_counts(self.denials.due(self.ambient.clock.now())).await
    }

    async fn record_counts(&self, counts: Vec<(Denial, Origin)>) -> Result<(), AppendError> {
        let mut outcome = Ok(());
        for (denial, origin) in counts {
            if outcome.is_ok() {
                outcome = self.append_note(Act::Deny(denial.clone()), origin.clone()).await;
            }
            if outcome.is_err() {
                self.denials.put_back(denial, origin);
            }
        }
        outcome
    }

    /// Appends what asks for nothing and so needs no authority.
    async fn append_note(&self, act: Act, origin: Origin) -> Result<(), AppendError> {
        let (authority, now) = (Authority::of_nobody(), self.ambient.clock.now());
        self.appender.append(Command { act, authority, origin, now, idempotency: None }).await.map(drop)
    }

    /// The database, for reads.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// `iss` of every token.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The epoch of the log when it was opened.
    #[must_use]
    pub fn log_id(&self) -> Uuid {
        self.log_id
    }

    /// The end of the log when it was opened.
    #[must_use]
    pub fn opened_at(&self) -> Position {
        self.opened_at
    }

    /// How many commands wait to be recorded by this process.
    #[must_use]
    pub fn commands_waiting(&self) -> usize {
        self.appender.waiting()
    }

    /// What of the log is in memory; `None` unless and until it is followed.
    #[must_use]
    pub fn followed(&self) -> Option<Followed> {
        self.live_tokens.followed()
    }

    /// Whether checks are not answered from memory as they should be: the end of the log was not seen of late.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.live_tokens.is_late()
    }

    /// For how long the end of the log has not been seen; `None` unless and until it is followed.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        self.live_tokens.staleness()
    }

    /// For how long checks are answered from what is known, and what is done then.
    #[must_use]
    pub fn staleness_limit(&self) -> Staleness {
        self.live_tokens.limit()
    }

    /// Whether what is known is too old, and checks are answered from it all the same.
    #[must_use]
    pub fn is_stale_and_allowed(&self) -> bool {
        self.live_tokens.is_stale_and_allowed()
    }

    /// The connections to the database that reads and checks go through, now.
    #[must_use]
    pub fn connections(&self) -> [Connections; 2] {
        [self.database.connections(), self.lookups.connections()]
    }

    /// How many tokens checks wait for that no statement reads yet.
    #[must_use]
    pub fn checks_waiting(&self) -> usize {
        self.lookups.waiting()
    }

    /// Whether this process can still record what it is told.
    #[must_use]
    pub fn can_record(&self) -> bool {
        self.appender.is_alive()
    }

    /// Whether this process holds the key that signs.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.live().can_sign()
    }

    /// Time and chance.
    #[must_use]
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// A new identifier, for a token or a request.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        uuid_v7(self.ambient.clock.now(), &*self.ambient.entropy)
    }

    /// Ends the appender, its queue drained, and closes the connections.
    pub async fn close(self) {
        if let Err(error) = self.record_counts(self.denials.all(self.ambient.clock.now())).await {
            tracing::warn!(error = %Causes(&error), "refusals that were counted are not recorded");
        }
        drop(self.appender);
        // The task ends by itself once its queue has no entrance; it only fails by a panic, which was reported.
        let _ = self.task.await;
        if let Err(error) = follower::tell_the_rest(&self.database, &self.live_tokens).await {
            tracing::debug!(error = %Causes(&error), "the servers of this log were not told to look");
        }
        self.database.close().await;
    }
}
