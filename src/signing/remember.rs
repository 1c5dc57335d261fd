//! Tokens that were found good: the signature of one that comes again is not checked again.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::constant_time;
use lru::LruCache;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::verified::Verified;

/// The longest text that is remembered: what it says is held in a few times as many bytes.
const BYTES_MAX: usize = 2_048;
/// How many are remembered, the latest ones.
const TOKENS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// What stands for a token's text: the text itself is not kept with what it says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Fingerprint([u8; 32]);

/// A token as it was presented.
pub struct PresentedToken<'a> {
    text: &'a str,
    last: Option<&'a LastPresented>,
    known: Option<Known>,
}

/// The token that was last found well signed over a connection, for as long as the connection is open: most carry the same
/// credential again and again. To compare it takes a tenth of what it takes to hash it, and nobody else waits for the lock.
#[derive(Default)]
pub struct LastPresented(Mutex<Option<Last>>);

struct Last {
    text: Zeroizing<String>,
    known: Known,
}

/// A token that was found well signed.
#[derive(Clone)]
struct Known {
    verified: Arc<Verified>,
    /// By which of all [`Remembered`].
    by: u64,
}

type Found = LruCache<Fingerprint, Arc<Verified>>;

/// The tokens that the keys of one verifier were found to have signed. It goes with the verifier, so with its keys; what a
/// connection still has of it then nobody takes any more.
pub(super) struct Remembered {
    /// No other has it.
    number: u64,
    found: Mutex<Found>,
}

impl Fingerprint {
    /// `None` for a token that is too long to be remembered.
    fn of(token: &str) -> Option<Self> {
        (token.len() <= BYTES_MAX).then(|| Self(Sha256::digest(token.as_bytes()).into()))
    }
}

impl<'a, T: AsRef<str> + ?Sized> From<&'a T> for PresentedToken<'a> {
    fn from(text: &'a T) -> Self {
        Self { text: text.as_ref(), last: None, known: None }
    }
}

impl<'a> PresentedToken<'a> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Whether it is what was [last found well signed](LastPresented::jti) over its connection. Then whoever has made the span
    /// of the request has named it there.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known.is_some()
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
    pub fn now<'a>(&'a self, text: &'a str) -> PresentedToken<'a> {
        PresentedToken { text, last: Some(self), known: self.known(text, Known::clone) }
    }

    /// The identifier of what is presented now, if it is what was last found well signed. Whether it still is, and good, this does
    /// not say.
    #[must_use]
    pub fn jti(&self, text: &str) -> Option<Uuid> {
        self.known(text, |known| known.verified.claims.jti)
    }

    fn known<T>(&self, text: &str, read: impl FnOnce(&Known) -> T) -> Option<T> {
        let last = self.lock();
        let last = last.as_ref()?;
        // A proxy may send what many present over one connection, and none of them is to find out about another's.
        constant_time::verify_slices_are_equal(last.text.as_bytes(), text.as_bytes()).ok()?;
        Some(read(&last.known))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LastPresented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastPresented(…)")
    }
}

impl Remembered {
    pub(super) fn new() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Self { number, found: Mutex::new(LruCache::new(TOKENS_MAX)) }
    }

    /// What was found of the very text when it came before.
    pub(super) fn get(&self, token: &mut PresentedToken<'_>) -> Option<Arc<Verified>> {
        if let Some(known) = token.known.take().filter(|known| known.by == self.number) {
            return Some(known.verified);
        }
        let verified = self.lock().get(&Fingerprint::of(token.text)?).cloned()?;
        self.keep(token, &verified);
        Some(verified)
    }

    pub(super) fn put(&self, token: &PresentedToken<'_>, verified: &Arc<Verified>) {
        if let Some(fingerprint) = Fingerprint::of(token.text) {
            self.lock().put(fingerprint, verified.clone());
            self.keep(token, verified);
        }
    }

    /// Keeps it with the connection.
    fn keep(&self, token: &PresentedToken<'_>, verified: &Arc<Verified>) {
        if let Some(last) = token.last {
            let known = Known { verified: verified.clone(), by: self.number };
            *last.lock() = Some(Last { text: token.text.to_owned().into(), known });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::fixtures::claims;

    fn verified(kid: &str) -> Arc<Verified> {
        Arc::new(Verified::new(claims(), kid.parse().expect("a kid"), [0; 32]))
    }

    #[test]
    fn over_a_connection_the_very_text_that_came_last_is_known_and_no_other() {
        let (remembered, last) = (Remembered::new(), LastPresented::default());
        let (one, two) = (verified("one"), verified("two"));
        remembered.put(&last.now("one"), &one);
        remembered.put(&last.now("two"), &two);

        for (text, known) in [("two", Some(&two)), ("one", Some(&one)), ("onE", None), ("", None), ("one", Some(&one))]
        {
            assert_eq!(remembered.get(&mut last.now(text)).as_ref(), known, "{text}");
            assert_eq!(remembered.get(&mut text.into()).as_ref(), known, "{text} over no connection");
        }
        assert!(last.jti("one").is_some() && last.now("one").is_known());
        assert!(last.jti("two").is_none() && !last.now("two").is_known());
    }

    #[test]
    fn what_one_set_of_keys_was_found_to_have_signed_says_nothing_about_another() {
        let last = LastPresented::default();
        let before = Remembered::new();
        before.put(&last.now("one"), &verified("one"));
        drop(before);

        assert_eq!(Remembered::new().get(&mut last.now("one")), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let (remembered, last, long) = (Remembered::new(), LastPresented::default(), "t".repeat(BYTES_MAX + 1));
        remembered.put(&last.now(&long), &verified("one"));

        assert_eq!(remembered.get(&mut last.now(&long)), None);
        assert!(last.lock().is_none());
    }
}
