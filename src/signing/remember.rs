//! Tokens that were found good: the signature of one that comes again is not checked again.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::constant_time;
use lru::LruCache;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::verified::Verified;

/// The longest text that is remembered: what it says is held in a few times as many bytes.
const BYTES_MAX: usize = 2_048;
/// How many are remembered, the latest ones.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// What stands for a token's text: the text itself is not kept with what it says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// A token as it was presented.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    pub(super) text: &'a str,
    /// `None` for one that is too long to be remembered.
    pub(super) fingerprint: Option<Fingerprint>,
}

/// The text that was presented last over a connection, for as long as the connection is open: most carry the same
/// credential again and again, and to compare it takes a tenth of what it takes to hash it.
#[derive(Default)]
pub struct LastPresented(Mutex<Option<(Zeroizing<String>, Fingerprint)>>);

/// The tokens that the keys of one verifier were found to have signed. It goes with the verifier, so with its keys.
pub(super) struct Remembered(Mutex<LruCache<Fingerprint, Arc<Verified>>>);

impl Fingerprint {
    /// `None` for a token that is too long to be remembered.
    pub(super) fn of(token: &str) -> Option<Self> {
        (token.len() <= BYTES_MAX).then(|| Self(Sha256::digest(token.as_bytes()).into()))
    }
}

impl<'a, T: AsRef<str> + ?Sized> From<&'a T> for PresentedToken<'a> {
    fn from(text: &'a T) -> Self {
        let text = text.as_ref();
        Self { text, fingerprint: Fingerprint::of(text) }
    }
}

impl<'a> PresentedToken<'a> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedToken(…)")
    }
}

impl LastPresented {
    /// What is presented now.
    #[must_use]
    pub fn now<'a>(&self, text: &'a str) -> PresentedToken<'a> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, fingerprint)) = &*last
            // A proxy may send what many present over one connection, and none of them is to find out about another's.
            && constant_time::verify_slices_are_equal(same.as_bytes(), text.as_bytes()).is_ok()
        {
            return PresentedToken { text, fingerprint: Some(*fingerprint) };
        }
        let presented = PresentedToken::from(text);
        *last = presented.fingerprint.map(|fingerprint| (text.to_owned().into(), fingerprint));
        presented
    }
}

impl fmt::Debug for LastPresented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastPresented(…)")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_presented_over_a_connection_has_its_own_fingerprint_whatever_came_before_it() {
        let last = LastPresented::default();
        let long = "t".repeat(BYTES_MAX + 1);
        for text in ["one", "one", "two", "onE", "one", "", &long, &long, "one"] {
            let presented = last.now(text);
            assert_eq!(presented.text(), text);
            assert!(presented.fingerprint == Fingerprint::of(text), "{text}");
        }
    }
}
