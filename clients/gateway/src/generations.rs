//! A memory of a bounded size that forgets what came longest ago.

use std::{collections::HashMap, hash::Hash};

/// Two generations of half the number each: the older goes when the younger is full.
pub(crate) struct Generations<Key, Value> {
    young: HashMap<Key, Value>,
    old: HashMap<Key, Value>,
    entries_max: usize,
}

impl<Key: Eq + Hash, Value> Generations<Key, Value> {
    /// Remembers so many at most.
    pub(crate) fn of(entries_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), entries_max }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn put(&mut self, key: Key, value: Value) {
        if self.young.len() >= self.entries_max / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        if self.entries_max > 0 {
            self.young.insert(key, value);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_remembered_than_may_be_and_the_latest_are() {
        let mut generations = Generations::of(10);

        for number in 0..1_000 {
            generations.put(number, number);
            assert!(generations.young.len() + generations.old.len() <= 10);
        }

        assert!((995..1_000).all(|number| generations.get(&number) == Some(&number)));
        assert_eq!(generations.get(&980), None);
        generations.clear();
        assert_eq!(generations.get(&999), None);
    }

    #[test]
    fn where_nothing_may_be_remembered_nothing_is() {
        let mut generations = Generations::of(0);

        generations.put(1, 1);

        assert_eq!(generations.get(&1), None);
    }
}
