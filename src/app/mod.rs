//! [`Catalog`]: the one door for every write, and the checks that need both a signature and the log.

mod check;
pub mod metrics;
mod open;
mod sweep;
pub mod view;

use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use check::{CheckError, Verdict};
pub use open::{OpenError, Opening, SigningKey};

use crate::{
    domain::{
        Act, Authority, Command, IssueToken, Origin, Position, Refusal, RevokeToken, Settings, Token,
        ambient::{Clock, Entropy, uuid_v7},
        idempotency::{Idempotency, Scope},
        text::{IdempotencyKey, Issuer, Kid},
    },
    signing::{Keyring, SignedToken, SigningError, Verifier},
    store::{self, AppendError, Appended, Appender, Database},
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
    task: JoinHandle<()>,
    keyring: Keyring,
    verifier: Verifier,
    settings: Settings,
    issuer: Issuer,
    signer: Kid,
    log_id: Uuid,
    opened_at: Position,
    ambient: Ambient,
}

/// Who has a command carried out, and under which name the request goes, if it gave itself one.
#[derive(Debug, Clone)]
pub struct Requester {
    /// What it may do.
    pub authority: Authority,
    /// Where it comes from.
    pub origin: Origin,
    /// `Idempotency-Key`: the request's name among those of its credential.
    pub key: Option<IdempotencyKey>,
}

impl Requester {
    /// A requester whose requests have no names.
    #[must_use]
    pub fn new(authority: Authority, origin: Origin) -> Self {
        Self { authority, origin, key: None }
    }

    /// A shell presents no credential, so its requests have no names either.
    fn named(&self, kind: &str, command: &impl Serialize) -> Result<Option<Idempotency>, CommandError> {
        let (Some(credential), Some(key)) = (self.authority.credential, self.key.clone()) else { return Ok(None) };
        let named = Idempotency::new(Scope { credential, key }, kind, command);
        Ok(Some(named.map_err(|_| CommandError::Incomplete)?))
    }
}

/// A token that was just issued: the only moment at which its text exists here.
pub struct IssuedToken {
    /// What the log says of it.
    pub token: Token,
    /// The token itself.
    pub signed: SignedToken,
}

/// A revocation that stands.
#[derive(Debug, Clone)]
pub struct RevokedToken {
    /// What the log says of the token.
    pub token: Token,
    /// Where its revocation stands in the log.
    pub position: Position,
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
    /// Issues a token. It is signed after its event is durable, outside every lock.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue(&self, command: IssueToken, requester: Requester) -> Result<IssuedToken, CommandError> {
        if !self.can_sign() {
            let refusal = Refusal::KeyNotHere { kid: self.signer.clone() };
            store::metrics::refused(&refusal, requester.origin.path);
            return Err(refusal.into());
        }
        let now = self.ambient.clock.now();
        let jti = uuid_v7(now, &*self.ambient.entropy);
        let idempotency = requester.named("issue", &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::Issue { command: Box::new(command), jti, signer: self.signer.clone() };
        let appended = self.appender.append(Command { act, authority, origin, now, idempotency }).await?;
        let (Some(token), Some(signing_input)) = (appended.token.clone(), signing_input(&appended)) else {
            return Err(CommandError::Incomplete);
        };
        tracing::Span::current().record("jti", tracing::field::display(token.jti));
        let signed = self.keyring.sign(&token.kid, signing_input)?;
        if !appended.is_repeat {
            let (jti, position) = (token.jti, token.issued.0);
            tracing::info!(command = "issue", %jti, path = %token.path, position, "a token was issued");
        }
        Ok(IssuedToken { token, signed })
    }

    /// Revokes a token. Revoking it again changes nothing and says the same.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke(&self, command: RevokeToken, requester: Requester) -> Result<RevokedToken, CommandError> {
        let now = self.ambient.clock.now();
        let (jti, reason) = (command.jti, command.reason);
        let idempotency = requester.named("revoke", &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::Revoke(command);
        let appended = self.appender.append(Command { act, authority, origin, now, idempotency }).await?;
        let token = appended.token.ok_or(CommandError::Incomplete)?;
        let position = token.revocation.as_ref().map(|revocation| revocation.position);
        let position = position.ok_or(CommandError::Incomplete)?;
        if !appended.events.is_empty() && !appended.is_repeat {
            tracing::info!(command = "revoke", %jti, %reason, position = position.0, "a token was revoked");
        }
        Ok(RevokedToken { token, position })
    }

    /// The database, for reads.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What shapes every token.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
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

    /// Whether this process can still record what it is told.
    #[must_use]
    pub fn can_record(&self) -> bool {
        self.appender.is_alive()
    }

    /// Whether this process holds the key that signs.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.keyring.facts(&self.signer).is_some()
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
        drop(self.appender);
        // The task ends by itself once its queue has no entrance; it only fails by a panic, which was reported.
        let _ = self.task.await;
        self.database.close().await;
    }
}

fn signing_input(appended: &Appended) -> Option<&str> {
    appended.events.iter().find_map(|recorded| match &recorded.occurrence.event {
        crate::domain::Event::TokenIssued(issued) => issued.signing_input.as_deref(),
        _ => None,
    })
}
