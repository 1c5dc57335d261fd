//! The compromised keys: a list that one adds to while others read it.

use std::{iter::successors, sync::OnceLock};

/// None, as a rule. What is in it stays in it, and an added key is seen by whoever sees anything that was written after it.
#[derive(Default)]
pub(crate) struct Keys {
    first: Place,
}

type Place = OnceLock<Box<Link>>;

struct Link {
    kid: Box<str>,
    next: Place,
}

impl Keys {
    /// Adds a key, unless it is there. For the one who writes.
    pub(crate) fn add(&self, kid: &str) {
        let mut place = &self.first;
        while let Some(link) = place.get() {
            if *link.kid == *kid {
                return;
            }
            place = &link.next;
        }
        // It is empty still: nobody else writes.
        let _ = place.set(Box::new(Link { kid: kid.into(), next: Place::new() }));
    }

    #[inline]
    pub(crate) fn contain(&self, kid: &str) -> bool {
        self.iter().any(|known| known == kid)
    }

    /// In the order in which they were added.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        successors(self.first.get(), |link| link.next.get()).map(|link| &*link.kid)
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
        assert!(!keys.contain("a") && keys.iter().next().is_none());

        for kid in ["a", "b", "a", "c"] {
            keys.add(kid);
        }

        assert_eq!(keys.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(keys.contain("c") && !keys.contain("d"));
    }

    #[test]
    fn many_keys_are_let_go_without_a_stack_to_hold_them() {
        let mut first = Place::new();
        for _ in 0..300_000 {
            let link = Link { kid: "key".into(), next: std::mem::take(&mut first) };
            first = Place::from(Box::new(link));
        }

        drop(Keys { first });
    }
}
