//! A counter that every core counts for itself: where all add to one number, each waits until it has the number from another.

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
