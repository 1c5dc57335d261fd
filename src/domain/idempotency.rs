//! A request that says who it is, so that its repeat gets the same answer and not a second event.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Recorded, text::IdempotencyKey};

/// For how long a repeat is recognised.
#[must_use]
pub fn remembered_for() -> TimeDelta {
    TimeDelta::hours(24)
}

/// A request's name, and what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose name it is: the same key under another credential is another request.
    pub scope: Scope,
    /// SHA-256 over the parsed command: the order of members and white space make no other request.
    pub request_digest: [u8; 32],
}

/// A key belongs to the credential that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The `jti` of the caller's token.
    pub credential: Uuid,
    /// As it was sent.
    pub key: IdempotencyKey,
}

impl Idempotency {
    /// Names a request for `command`, whose `kind` keeps an issuance from being taken for a revocation.
    ///
    /// # Errors
    /// Never for the domain's commands; the serializer's error is passed on rather than hidden.
    pub fn new(scope: Scope, kind: &str, command: &impl Serialize) -> Result<Self, serde_json::Error> {
        let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(serde_json::to_vec(command)?);
        Ok(Self { scope, request_digest: digest.finalize().into() })
    }
}

/// A request that was answered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What it asked for.
    pub request_digest: [u8; 32],
    /// When.
    pub at: DateTime<Utc>,
    /// The event that was its answer.
    pub event: Recorded,
}

impl Answered {
    /// Whose the answer is: what belongs to this holder's keys alone is given to nobody else.
    #[must_use]
    pub fn holder(&self) -> Option<Uuid> {
        self.event.occurrence.origin.actor.holder()
    }
}
