//! Tokens that were found good: the signature of one that comes again is not checked again.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    set::KeySet,
    verify::{Invalid, Rules, Verified, sha256},
};
use crate::generations::Generations;

/// The longest text that is remembered: what it says is held in a few times as many bytes.
const BYTES_MAX: usize = 2_048;
/// How many are remembered.
const TOKENS_MAX: usize = 8_192;

/// Keys, and what they were found to have signed. It goes with its keys.
pub(super) struct Remembering {
    keys: KeySet,
    /// By the SHA-256 of the whole text, which is kept nowhere.
    known: Mutex<Generations<[u8; 32], Arc<Verified>>>,
}

impl Remembering {
    pub(super) fn by(keys: KeySet) -> Self {
        Self { keys, known: Mutex::new(Generations::of(TOKENS_MAX)) }
    }

    pub(super) fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// As [`Rules::verify_for_any`]. Of a text that was found good before only the times are judged again.
    pub(super) fn verify(&self, rules: &Rules, token: &str, now: DateTime<Utc>) -> Result<Arc<Verified>, Invalid> {
        if token.len() > BYTES_MAX {
            return rules.verify_for_any(token, &self.keys, now).map(Arc::new);
        }
        let fingerprint = sha256(token.as_bytes());
        let known = self.known().get(&fingerprint).cloned();
        if let Some(verified) = known {
            verified.check_times(now)?;
            return Ok(verified);
        }
        let verified = Arc::new(rules.verify_for_any(token, &self.keys, now)?);
        self.known().put(fingerprint, verified.clone());
        Ok(verified)
    }

    fn known(&self) -> MutexGuard<'_, Generations<[u8; 32], Arc<Verified>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Remembering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembering").field("keys", &self.keys).finish_non_exhaustive()
    }
}
