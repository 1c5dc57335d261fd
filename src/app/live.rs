//! The settings as this process knows them, followed: another process may apply a policy or add a key at any time.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, Guard};
use tokio::time::Instant;

use super::Catalog;
use crate::{
    domain::{Path, Settings, key::KeyRecord, text::Kid},
    signing::{Keyring, KeyringError, PrivateHalf, Verifier},
    store::{
        StoreError,
        follower::{Stale, Staleness},
        log::{self, SettingsPlace},
    },
};

/// What a process knows of the settings, all of it as of one place in the log, and the keys that it can sign with.
#[derive(Debug)]
pub struct Live {
    /// The settings.
    pub settings: Settings,
    /// Verifies by the keys that they name.
    pub(super) verifier: Arc<Verifier>,
    /// The private halves that are here.
    pub(super) keyring: Arc<Keyring>,
    pub(super) place: SettingsPlace,
    // Which look at the log it comes from.
    look: u64,
}

/// The latest [`Live`], replaced as a whole.
pub(super) struct Latest {
    live: ArcSwap<Live>,
    limit: Staleness,
    looks: AtomicU64,
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
    pub(super) fn new(settings: Settings, place: SettingsPlace, keyring: Arc<Keyring>) -> Result<Self, KeyringError> {
        // Nothing can be said of a token whose secret is not here, save of a key of which every token is over.
        let can_matter =
            |key: &&KeyRecord| key.jwk.is_some() || key.over().is_none() || keyring.facts(&key.kid).is_some();
        let keys: Vec<KeyRecord> = settings.keys.iter().filter(can_matter).cloned().collect();
        Ok(Self { verifier: Arc::new(keyring.verifier(&keys)?), keyring, settings, place, look: 0 })
    }

    /// The key that signs what comes through a door.
    pub(super) fn signer(&self, path: Path) -> Option<&Kid> {
        self.settings.signer(path)
    }

    /// Whether the key is here that signs what the API issues.
    pub(super) fn can_sign(&self) -> bool {
        self.signer(Path::Api).is_some_and(|kid| self.keyring.facts(kid).is_some())
    }

    /// Why nothing that the API is asked for can be signed here, in a line; `None` when it can.
    #[must_use]
    pub fn cannot_sign(&self) -> Option<String> {
        let kid = self.signer(Path::Api)?;
        match self.keyring.private_half(kid) {
            PrivateHalf::Here => None,
            PrivateHalf::Missing => Some(format!("the signing key {kid} is not here")),
            PrivateHalf::Unusable(fault) => Some(format!("the signing key {kid} cannot be used: {fault}")),
        }
    }

    /// Which key files here cannot be used, and why: a line for each.
    #[must_use]
    pub fn broken_keys(&self) -> Vec<String> {
        self.keyring.faults().iter().map(KeyringError::told).collect()
    }

    /// Which private halves are to be deleted, in a line; `None` when none is.
    fn kept_keys(&self) -> Option<String> {
        let over = self.settings.keys.iter().filter_map(|key| Some((&key.kid, key.over()?)));
        let kept = over.filter(|(kid, _)| self.keyring.facts(kid).is_some());
        let kept: Vec<String> = kept.map(|(kid, over)| format!("{kid} ({over})")).collect();
        (!kept.is_empty()).then(|| {
            format!("private halves of keys that sign no more are still here, delete them: {}", kept.join(", "))
        })
    }

    /// All that an operator should know of the private halves here.
    #[must_use]
    pub fn key_warnings(&self) -> Vec<String> {
        self.broken_keys().into_iter().chain(self.kept_keys()).collect()
    }
}

impl Latest {
    pub(super) fn new(live: Live, limit: Staleness) -> Self {
        Self { live: ArcSwap::from_pointee(live), limit, looks: AtomicU64::default(), seen: RwLock::default() }
    }

    pub(super) fn get(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The same for a moment: whoever only looks leaves nothing for other cores to wait for.
    pub(super) fn glance(&self) -> Guard<Arc<Live>> {
        self.live.load()
    }

    /// Whether it was the latest a short while ago, or may be older. It never is where nobody follows.
    pub(super) fn may_answer(&self) -> bool {
        let seen = *self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|seen| seen.elapsed() <= self.limit.max || self.limit.then == Stale::Allow)
    }

    /// It was the latest at this moment or later.
    pub(super) fn see(&self, looked: Instant) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(looked);
    }

    /// Somebody begins to look at the log.
    fn look(&self) -> u64 {
        self.looks.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Replaces it, unless somebody has who began to look later. Positions do not tell: a log that was restored is shorter.
    fn put(&self, live: Live) {
        let live = Arc::new(live);
        self.live.rcu(|latest| if live.look > latest.look { live.clone() } else { latest.clone() });
    }

    /// Replaces the private halves alone.
    fn put_keyring(&self, keyring: &Arc<Keyring>) {
        self.live.rcu(|latest| {
            let (settings, verifier, keyring) = (latest.settings.clone(), latest.verifier.clone(), keyring.clone());
            Live { settings, verifier, keyring, place: latest.place, look: latest.look }
        });
    }
}

impl Catalog {
    /// What this process knows of the settings. What a command is decided by is read under the lock, and never older.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        self.latest.get()
    }

    /// Reads the settings again if they changed, or if the log is another one, restored from a backup under this process;
    /// tells whether they did.
    ///
    /// # Errors
    /// [`FollowError`].
    pub async fn follow_settings(&self) -> Result<bool, FollowError> {
        let look = self.latest.look();
        let place = log::settings_place(self.database.reads()).await?;
        if place == self.live().place {
            return Ok(false);
        }
        // What is appended between the two reads is in the settings already, and read again the next time.
        let settings = log::settings(self.database.reads()).await?;
        let keyring = tokio::task::block_in_place(|| self.live().keyring.looked_again());
        // Whoever cannot look for keys goes on with those that are here.
        let keyring = keyring.map_or_else(|_| self.live().keyring.clone(), Arc::new);
        self.latest.put(Live { look, ..Live::new(settings, place, keyring)? });
        Ok(true)
    }

    /// Looks for key files that have come since.
    ///
    /// # Errors
    /// [`KeyringError`]: those that are here stay.
    pub fn look_for_keys(&self) -> Result<(), KeyringError> {
        let keyring = tokio::task::block_in_place(|| self.live().keyring.looked_again())?;
        self.latest.put_keyring(&Arc::new(keyring));
        Ok(())
    }
}
