//! The compromised keys: a list that one adds to while others read it.

use std::{
    iter::successors,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// None, as a rule. What is in it stays in it, and an added key is seen by whoever sees anything that was written after it.
#[derive(Default)]
pub(crate) struct Keys {
    first: Place,
}

type Place = OnceLock<Box<Link>>;

struct Link {
    key: Key,
    next: Place,
}

/// A compromised key.
pub(crate) struct Key {
    kid: Box<str>,
    is_whole: AtomicBool,
}

impl Key {
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether it is known which of its tokens are spared. Whoever sees so sees what was written before.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }
}

impl Keys {
    /// Adds a key, unless it is there. Which of its tokens are spared is not known yet. For the one who writes.
    pub(crate) fn add(&self, kid: &str) {
        let mut place = &self.first;
        while let Some(link) = place.get() {
            if *link.key.kid == *kid {
                return;
            }
            place = &link.next;
        }
        // It is empty still: nobody else writes.
        let key = Key { kid: kid.into(), is_whole: AtomicBool::new(false) };
        let _ = place.set(Box::new(Link { key, next: Place::new() }));
    }

    /// Which of a key's tokens are spared is known now. For the one who writes.
    pub(crate) fn complete(&self, kid: &str) {
        // All who check read this: it is written once.
        if let Some(key) = self.find(kid).filter(|key| !key.is_whole()) {
            key.is_whole.store(true, Ordering::Release);
        }
    }

    #[inline]
    pub(crate) fn find(&self, kid: &str) -> Option<&Key> {
        self.iter().find(|key| *key.kid == *kid)
    }

    /// In the order in which they were added.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        successors(self.first.get(), |link| link.next.get()).map(|link| &link.key)
    }
}

impl Drop for Keys {
    /// One after the other: within each other, many would not fit on the stack.
    fn drop(&mut self) {
        let mut rest = self.first.take();
        while let Some(mut link) = rest {
            rest = link.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_added_once_and_stays() {
        let keys = Keys::default();
        assert!(keys.find("a").is_none() && keys.iter().next().is_none());

        for kid in ["a", "b", "a", "c"] {
            keys.add(kid);
        }

        assert_eq!(keys.iter().map(Key::kid).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(keys.find("c").is_some() && keys.find("d").is_none());
    }

    #[test]
    fn what_is_known_of_a_key_becomes_whole_and_stays_so() {
        let keys = Keys::default();
        let are_whole = || keys.iter().map(Key::is_whole).collect::<Vec<_>>();
        keys.add("a");
        keys.add("b");
        assert_eq!(are_whole(), [false, false]);

        keys.complete("a");
        keys.complete("another");
        keys.add("a");

        assert_eq!(are_whole(), [true, false]);
    }

    #[test]
    fn many_keys_are_let_go_without_a_stack_to_hold_them() {
        let mut first = Place::new();
        for _ in 0..300_000 {
            let key = Key { kid: "key".into(), is_whole: AtomicBool::new(true) };
            let link = Link { key, next: std::mem::take(&mut first) };
            first = Place::from(Box::new(link));
        }

        drop(Keys { first });
    }
}
