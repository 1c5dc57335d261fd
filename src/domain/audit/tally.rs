//! Counts of names, and lists that do not grow for ever.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pool::{Book, Id};

/// The most rows of one list: a report of more says how many it left out, and a narrower one shows them.
pub const ROWS_MAX: usize = 20_000;

/// How often each name occurred.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Vec<u64>);

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.counts())
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tally = Self::default();
        for (id, times) in Vec::deserialize(deserializer)? {
            tally.add(id, times);
        }
        Ok(tally)
    }
}

impl Tally {
    pub(super) fn add(&mut self, id: Id, times: u64) {
        let place = id as usize;
        if place >= self.0.len() {
            self.0.resize(place + 1, 0);
        }
        self.0[place] += times;
    }

    /// What occurred.
    fn counts(&self) -> impl Iterator<Item = (Id, u64)> {
        (0..).zip(self.0.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// The names, most frequent first, those of the same count in alphabetical order.
    pub(super) fn told(&self, book: &Book) -> Vec<Count> {
        sorted(self.counts().map(|(id, count)| Count { name: book.text(id).to_owned(), count }))
    }

    /// Of lists: the names in them, each as often as there are lists that name it, and how often there was none.
    pub(super) fn told_of_lists(&self, none: &str, book: &Book) -> impl Iterator<Item = Count> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (list, count) in self.counts() {
            let names: BTreeSet<&str> = book.members(list).iter().map(|id| book.text(*id)).collect();
            let names = if names.is_empty() { BTreeSet::from([none]) } else { names };
            for name in names {
                *counts.entry(name).or_default() += count;
            }
        }
        let counts: Vec<Count> =
            counts.into_iter().map(|(name, count)| Count { name: name.to_owned(), count }).collect();
        counts.into_iter()
    }
}

/// Most frequent first, those of the same count in alphabetical order.
pub(super) fn sorted(counts: impl IntoIterator<Item = Count>) -> Vec<Count> {
    let mut counts: Vec<Count> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
    counts
}

/// How often something occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// The first rows of a list, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// How many there are.
    pub total: u64,
    /// How many of them are not among the rows: there are more than [`ROWS_MAX`].
    pub left_out: u64,
    /// The first ones.
    pub rows: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { total: 0, left_out: 0, rows: Vec::new() }
    }
}

impl<T> Listed<T> {
    /// Adds a row, and returns its index if it is kept.
    pub(super) fn push(&mut self, row: impl FnOnce() -> T) -> Option<usize> {
        self.total += 1;
        if self.rows.len() >= ROWS_MAX {
            self.left_out += 1;
            return None;
        }
        self.rows.push(row());
        Some(self.rows.len() - 1)
    }
}
