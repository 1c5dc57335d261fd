//! A counter that threads count apart: where all add to one number, each core waits until it has the number from another.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crossbeam_utils::CachePadded;
use metrics::Counter;

/// Among how many numbers threads are spread. A few that share one still count right.
const STRIPES: usize = 8;

/// A counter of the recorder, and what was counted for it.
pub(super) struct Striped {
    counter: OnceLock<Counter>,
    stripes: [CachePadded<AtomicU64>; STRIPES],
}

impl Striped {
    pub(super) const fn new() -> Self {
        Self { counter: OnceLock::new(), stripes: [const { CachePadded::new(AtomicU64::new(0)) }; STRIPES] }
    }

    /// Counts so many. The first time the recorder is asked for its counter, so that it has no series of which nothing was heard.
    pub(super) fn increment(&self, by: u64, counter: impl FnOnce() -> Counter) {
        self.counter.get_or_init(counter);
        self.stripes[stripe()].fetch_add(by, Ordering::Relaxed);
    }

    /// Tells the recorder what was counted.
    pub(super) fn tell(&self) {
        if let Some(counter) = self.counter.get() {
            counter.absolute(self.stripes.iter().map(|stripe| stripe.load(Ordering::Relaxed)).sum());
        }
    }
}

/// That of this thread.
fn stripe() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: Cell<Option<usize>> = const { Cell::new(None) });
    OWN.get().unwrap_or_else(|| {
        let own = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
        OWN.set(Some(own));
        own
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn what_many_threads_count_is_told_whole_and_never_less_than_before() {
        static COUNTED: Striped = Striped::new();
        let told = Arc::new(AtomicU64::new(0));
        let now = || {
            COUNTED.tell();
            told.load(Ordering::Relaxed)
        };
        assert_eq!(now(), 0, "nobody has asked for the recorder's counter");

        thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..1_000).for_each(|_| COUNTED.increment(2, || Counter::from_arc(told.clone()))));
            }
            let mut before = 0;
            for _ in 0..1_000 {
                let after = now();
                assert!(before <= after);
                before = after;
            }
        });

        assert_eq!((now(), now()), (4_000 * STRIPES as u64, 4_000 * STRIPES as u64));
    }
}
