//! Tokens that were found good: the signature of one that comes again is not checked again.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use sha2::{Digest, Sha256};

use super::verified::Verified;

/// The longest text that is remembered: what it says is held in a few times as many bytes.
const BYTES_MAX: usize = 2_048;
/// How many are remembered, the latest ones.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// What stands for a token's text: the text itself is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// The tokens that the keys of one verifier were found to have signed. It goes with the verifier, so with its keys.
pub(super) struct Remembered(Mutex<LruCache<Fingerprint, Arc<Verified>>>);

impl Fingerprint {
    /// `None` for a token that is too long to be remembered.
    pub(super) fn of(token: &str) -> Option<Self> {
        (token.len() <= BYTES_MAX).then(|| Self(Sha256::digest(token.as_bytes()).into()))
    }
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(TOKENS_MAX)))
    }

    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<Arc<Verified>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&fingerprint).cloned()
    }

    pub(super) fn put(&self, fingerprint: Fingerprint, verified: Arc<Verified>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(fingerprint, verified);
    }
}
