//! The settings as this process knows them, followed: another process may apply a policy or add a key at any time.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::time::Instant;

use super::Catalog;
use crate::{
    domain::{Path, Position, Settings, text::Kid},
    signing::{Keyring, KeyringError, Verifier},
    store::{StoreError, follower::STALENESS_MAX, log},
};

/// What a process knows of the settings, all of it as of one position.
#[derive(Debug)]
pub struct Live {
    /// The settings.
    pub settings: Settings,
    /// Verifies by the keys that they name.
    pub(super) verifier: Verifier,
    position: Position,
}

/// The latest [`Live`], replaced as a whole.
pub(super) struct Latest {
    live: RwLock<Arc<Live>>,
    // When somebody who keeps following last began to look, and found it to be the latest.
    seen: RwLock<Option<Instant>>,
}

/// Why the settings could not be followed. Those from before go on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key of the log verifies nothing.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl Live {
    pub(super) fn new(settings: Settings, position: Position, keyring: &Keyring) -> Result<Self, KeyringError> {
        Ok(Self { verifier: keyring.verifier(&settings.keys)?, settings, position })
    }

    /// The key that signs what comes through a door.
    pub(super) fn signer(&self, path: Path) -> Option<&Kid> {
        self.settings.signer(path)
    }
}

impl Latest {
    pub(super) fn new(live: Live) -> Self {
        Self { live: RwLock::new(Arc::new(live)), seen: RwLock::default() }
    }

    pub(super) fn get(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it was the latest a short while ago. It never is where nobody follows.
    pub(super) fn is_fresh(&self) -> bool {
        let seen = *self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|seen| seen.elapsed() <= STALENESS_MAX)
    }

    /// It was the latest at this moment or later.
    pub(super) fn see(&self, looked: Instant) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(looked);
    }

    /// Replaces it, unless somebody was faster with a later one.
    fn put(&self, live: Live) {
        let mut latest = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.position > latest.position {
            *latest = Arc::new(live);
        }
    }
}

impl Catalog {
    /// What this process knows of the settings. What a command is decided by is read under the lock, and never older.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        self.latest.get()
    }

    /// Reads the settings again if they changed; tells whether they did.
    ///
    /// # Errors
    /// [`FollowError`].
    pub async fn follow_settings(&self) -> Result<bool, FollowError> {
        let position = log::settings_position(self.database.reads()).await?;
        if position <= self.live().position {
            return Ok(false);
        }
        // What is appended between the two reads is in the settings already, and read again the next time.
        let settings = log::settings(self.database.reads()).await?;
        self.latest.put(Live::new(settings, position, &self.keyring)?);
        Ok(true)
    }
}
