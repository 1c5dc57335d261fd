//! The keys that are believed, by their names.

use std::{collections::HashMap, fmt, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use super::key::{Jwk, Key, Secret};

/// More keys than this no catalog has.
const KEYS_MAX: usize = 1_000;

/// Keys by their names.
#[derive(Default)]
pub struct KeySet {
    keys: HashMap<String, Arc<Key>>,
}

/// Why a JWK Set is not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// It is none.
    #[error("it is no JWK Set")]
    Json(#[from] serde_json::Error),
    /// It has more keys than any catalog.
    #[error("it has {0} keys, at most {KEYS_MAX} are taken")]
    TooMany(usize),
    /// Two keys have one name.
    #[error("it has two keys of the name {0}")]
    Twice(String),
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// The public keys of a JWK Set (RFC 7517). A key that is for no algorithm of the catalog, or is not sound, is left out.
    ///
    /// # Errors
    /// [`KeySetError`] for what is no such set.
    pub fn of_jwks(json: &[u8]) -> Result<Self, KeySetError> {
        let Jwks { keys: jwks } = serde_json::from_slice(json)?;
        if jwks.len() > KEYS_MAX {
            return Err(KeySetError::TooMany(jwks.len()));
        }
        let mut keys = HashMap::with_capacity(jwks.len());
        for jwk in jwks.into_iter().filter_map(|jwk| serde_json::from_value::<Jwk>(jwk).ok()) {
            let Some(key) = Key::of_jwk(&jwk) else { continue };
            if keys.insert(jwk.kid.clone(), Arc::new(key)).is_some() {
                return Err(KeySetError::Twice(jwk.kid));
            }
        }
        Ok(Self { keys })
    }

    /// Adds a shared secret for HS256.
    #[must_use]
    pub fn with_secret(mut self, secret: &Secret) -> Self {
        self.keys.insert(secret.kid.clone(), Arc::new(secret.into()));
        self
    }

    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid).map(Arc::as_ref)
    }

    /// Those of both that a third does not have.
    pub(super) fn gone(one: &Self, other: &Self, still: &Self) -> Self {
        let both = one.keys.iter().chain(&other.keys);
        let gone = both.filter(|(kid, _)| !still.keys.contains_key(*kid));
        Self { keys: gone.map(|(kid, key)| (kid.clone(), key.clone())).collect() }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("kids", &self.keys.keys()).finish_non_exhaustive()
    }
}
