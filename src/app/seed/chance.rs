//! Chance that can be repeated: a seed gives the same numbers on every machine, in every version.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::domain::ambient::Entropy;

/// SHA-256 over a seed and a count. Nothing that must not be guessed is made of it.
pub(super) struct Chance {
    seed: [u8; 32],
    drawn: AtomicU64,
}

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        Self { seed: Sha256::digest(seed.to_be_bytes()).into(), drawn: AtomicU64::new(0) }
    }

    /// A chance of its own, the same however much was drawn before.
    pub(super) fn of_one(&self, index: u64) -> Self {
        let seed = Sha256::new().chain_update(self.seed).chain_update(index.to_be_bytes()).finalize();
        Self { seed: seed.into(), drawn: AtomicU64::new(0) }
    }

    /// A number below `bound`, each as likely as the next.
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.block().first_chunk().copied().map_or(0, u64::from_be_bytes) % bound.max(1)
    }

    /// True once in `times`, on average.
    pub(super) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A rank below `count`, the first ones most often: each octave of ranks is as likely as the next, which is
    /// Zipf's law in steps.
    pub(super) fn rank(&self, count: u64) -> u64 {
        let octave = 1 << self.below(u64::from(count.max(1).ilog2()) + 1);
        (octave - 1 + self.below(octave)) % count.max(1)
    }

    /// One of them, each as likely as the next.
    pub(super) fn one_of<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(usize::try_from(self.below(choices.len() as u64)).unwrap_or(0))
    }

    fn block(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        Sha256::new().chain_update(self.seed).chain_update(drawn.to_be_bytes()).finalize().into()
    }
}

impl Entropy for Chance {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            chunk.copy_from_slice(&self.block()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| {
            let chance = Chance::of(seed);
            [chance.below(1_000), chance.rank(1_000), chance.of_one(7).below(1_000)]
        };

        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn first_ranks_come_most_often_and_every_rank_comes() {
        let chance = Chance::of(1);
        let mut seen = [0_u32; 40];

        for _ in 0..10_000 {
            seen[usize::try_from(chance.rank(40)).unwrap()] += 1;
        }

        assert!(seen[0] > 1_000 && seen.iter().all(|count| *count > 0), "{seen:?}");
        assert_eq!(chance.rank(1), 0);
    }
}
