//! Who has a command carried out.

use serde::Serialize;

use super::CommandError;
use crate::domain::{
    Authority, Origin,
    idempotency::{Idempotency, Scope},
    text::IdempotencyKey,
};

/// Whoever can tell where a question comes from, which is needed only where something of it is recorded.
pub trait AskedBy: Sync {
    /// Where it comes from.
    fn origin(&self) -> Origin;
}

impl AskedBy for Origin {
    fn origin(&self) -> Origin {
        self.clone()
    }
}

impl<F: Fn() -> Origin + Sync> AskedBy for F {
    fn origin(&self) -> Origin {
        self()
    }
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
    pub(super) fn named(&self, kind: &str, command: &impl Serialize) -> Result<Option<Idempotency>, CommandError> {
        let (Some(credential), Some(key)) = (self.authority.holder(), self.key.clone()) else { return Ok(None) };
        let named = Idempotency::new(Scope { credential, key }, kind, command);
        Ok(Some(named.map_err(|_| CommandError::Incomplete)?))
    }
}
