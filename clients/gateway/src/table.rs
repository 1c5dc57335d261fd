//! The tokens of which something is known: a hash table that one writes to while others read it.
//!
//! Eight slots make a bucket, and of each slot one byte of its token's hash, the tag, stands in the bucket's word. A reader
//! that looks for a token of which nothing is known reads that word and, as a rule, nothing else. A slot is filled before its
//! tag is written, its state is one word, and no slot is ever emptied: so a reader finds a token as it was or as it is, and
//! nothing in between. What is over leaves when the whole table is written anew.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use uuid::Uuid;

use crate::state::State;

/// Slots of a bucket: as many as a word has bytes.
const SLOTS: usize = 8;
/// How full a table may be: three in four.
const FULL: (usize, usize) = (3, 4);
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Written by one, read by many.
pub(crate) struct Table {
    tags: Box<[AtomicU64]>,
    slots: Box<[Slot]>,
}

#[derive(Default)]
struct Slot {
    high: AtomicU64,
    low: AtomicU64,
    state: AtomicU64,
    exp: AtomicU64,
}

/// One token of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) jti: Uuid,
    pub(crate) state: State,
    /// Seconds since 1970.
    pub(crate) exp: i64,
}

impl Entry {
    /// Whether nobody needs it that was over at this instant, in seconds since 1970.
    pub(crate) fn is_needless(&self, over: i64) -> bool {
        self.exp <= over || self.state == State::CLEAR
    }
}

/// A token's identifier, and where it belongs.
#[derive(Clone, Copy)]
struct Key {
    high: u64,
    low: u64,
    hash: u64,
}

impl Key {
    fn of(jti: Uuid) -> Self {
        let (high, low) = jti.as_u64_pair();
        // The catalog draws its identifiers at random, so nobody can choose any that collide.
        let product = u128::from(high ^ 0x9e37_79b9_7f4a_7c15) * u128::from(low ^ 0xd1b5_4a32_d192_ed03);
        #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are folded into one")]
        let hash = (product >> 64) as u64 ^ product as u64;
        Self { high, low, hash: hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// One byte of the hash, never zero.
    fn tag(self) -> u64 {
        (self.hash & 0xff).max(1)
    }

    /// The bucket where the search begins, of so many.
    fn home(self, buckets: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of buckets")]
        let home = ((u128::from(self.hash) * buckets as u128) >> 64) as usize;
        home
    }
}

/// What a search came to.
enum Found<'a> {
    /// The token's slot.
    Here(&'a Slot),
    /// It is not in the table, and would go there.
    Free { bucket: usize, place: usize },
}

impl Table {
    /// An empty table that takes so many tokens.
    pub(crate) fn with_room_for(tokens: usize) -> Self {
        // One bucket more than needed, so that a search always comes to an empty slot.
        let buckets = tokens.saturating_mul(FULL.1).div_ceil(FULL.0 * SLOTS) + 1;
        Self {
            tags: std::iter::repeat_with(AtomicU64::default).take(buckets).collect(),
            slots: std::iter::repeat_with(Slot::default).take(buckets * SLOTS).collect(),
        }
    }

    /// How many tokens it takes.
    pub(crate) fn room(&self) -> usize {
        (self.slots.len() - SLOTS) / FULL.1 * FULL.0
    }

    /// The bytes it takes up.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.tags) + size_of_val(&*self.slots)
    }

    /// What is known of a token.
    #[inline]
    pub(crate) fn get(&self, jti: Uuid) -> State {
        match self.find(Key::of(jti)) {
            Found::Here(slot) => State(slot.state.load(Acquire)),
            Found::Free { .. } => State::CLEAR,
        }
    }

    /// Changes what is known of a token, and tells whether it is new in the table. For the one who writes, who has made sure
    /// that there is room.
    pub(crate) fn change(&self, jti: Uuid, exp: i64, change: impl FnOnce(State) -> State) -> bool {
        let key = Key::of(jti);
        match self.find(key) {
            Found::Here(slot) => {
                slot.state.store(change(State(slot.state.load(Relaxed))).0, Release);
                slot.exp.store(slot.exp.load(Relaxed).max(seconds(exp)), Relaxed);
                false
            }
            Found::Free { bucket, place } => {
                let slot = &self.slots[bucket * SLOTS + place];
                slot.exp.store(seconds(exp), Relaxed);
                slot.state.store(change(State::CLEAR).0, Relaxed);
                slot.high.store(key.high, Relaxed);
                slot.low.store(key.low, Relaxed);
                let word = self.tags[bucket].load(Relaxed);
                self.tags[bucket].store(word | (key.tag() << (8 * place)), Release);
                true
            }
        }
    }

    /// Every token of it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let filled = move |(index, slot): (usize, &Slot)| {
            let word = self.tags[index / SLOTS].load(Acquire);
            let is_filled = (word >> (8 * (index % SLOTS))) & 0xff != 0;
            is_filled.then(|| slot.entry())
        };
        self.slots.iter().enumerate().filter_map(filled)
    }

    #[inline]
    fn find(&self, key: Key) -> Found<'_> {
        let pattern = key.tag().wrapping_mul(LOW_BITS);
        let mut bucket = key.home(self.tags.len());
        loop {
            let word = self.tags[bucket].load(Acquire);
            let empty = zeros(word);
            // A byte above one that is alike can be taken for alike, too; what its slot says is decisive.
            let mut alike = zeros(word ^ pattern) & !empty;
            while alike != 0 {
                let slot = &self.slots[bucket * SLOTS + place(alike)];
                if slot.low.load(Relaxed) == key.low && slot.high.load(Relaxed) == key.high {
                    return Found::Here(slot);
                }
                alike &= alike - 1;
            }
            if empty != 0 {
                return Found::Free { bucket, place: place(empty) };
            }
            bucket = if bucket + 1 == self.tags.len() { 0 } else { bucket + 1 };
        }
    }
}

impl Slot {
    fn entry(&self) -> Entry {
        let jti = Uuid::from_u64_pair(self.high.load(Relaxed), self.low.load(Relaxed));
        let exp = i64::try_from(self.exp.load(Relaxed)).unwrap_or(i64::MAX);
        Entry { jti, state: State(self.state.load(Acquire)), exp }
    }
}

/// The high bit of each byte that is zero. The lowest of them is right; above it a byte of one may be among them.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

/// Which byte the lowest bit stands in.
fn place(bits: u64) -> usize {
    (bits.trailing_zeros() / 8) as usize
}

fn seconds(exp: i64) -> u64 {
    u64::try_from(exp).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Identifiers as good as drawn at random.
    fn jti(seed: u64) -> Uuid {
        let mix = |seed: u64| {
            let word = seed.wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (word ^ (word >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb)
        };
        Uuid::from_u64_pair(mix(seed), mix(!seed))
    }

    #[test]
    fn a_full_table_knows_its_tokens_and_no_others() {
        for tokens in [0, 1, 7, 8, 100, 5_000] {
            let table = Table::with_room_for(tokens);
            for seed in 0..tokens as u64 {
                assert!(table.change(jti(seed), 9, State::suspended), "new");
                assert!(!table.change(jti(seed), 9, State::spared), "known");
            }

            assert!(table.room() >= tokens, "{tokens}");
            for seed in 0..tokens as u64 {
                assert_eq!(table.get(jti(seed)), State::CLEAR.suspended().spared());
                assert_eq!(table.get(jti(seed + 1_000_000)), State::CLEAR);
            }
            assert_eq!(table.entries().count(), tokens);
        }
    }

    #[test]
    fn identifiers_that_follow_each_other_and_odd_ones_are_found_too() {
        let mut odd: Vec<Uuid> =
            (0..2_000).map(|low| Uuid::from_u128((0x0199_0000_0000_7000_8000 << 48) | low)).collect();
        odd.extend((0..1_000_u128).map(|high| Uuid::from_u128(high << 100)));
        odd.extend([Uuid::nil(), Uuid::max()]);
        let table = Table::with_room_for(odd.len());
        let mut known = HashMap::new();
        for (exp, jti) in (1..).zip(&odd) {
            table.change(*jti, exp, State::suspended);
            known.insert(*jti, exp);
        }

        let entries: HashMap<Uuid, i64> = table.entries().map(|entry| (entry.jti, entry.exp)).collect();
        assert_eq!(entries, known);
        assert!(odd.iter().all(|jti| table.get(*jti).is_suspended()));
    }

    #[test]
    fn an_empty_table_knows_nothing_of_anybody() {
        let table = Table::with_room_for(0);

        assert_eq!(table.get(Uuid::nil()), State::CLEAR);
        assert_eq!(table.get(Uuid::max()), State::CLEAR);
    }

    #[test]
    fn the_place_of_the_first_zero_byte_is_right() {
        for (word, expected) in [(0, 0), (0xff, 1), (0x0100_ff01, 2), (u64::MAX >> 8, 7)] {
            assert_eq!(place(zeros(word)), expected, "{word:x}");
        }
        assert_eq!(zeros(u64::MAX), 0);
    }
}
