//! One reader of a set, for whom a look costs less.

use std::{ops::Deref, sync::Arc};

use arc_swap::{ArcSwap, Cache};
use uuid::Uuid;

use crate::{
    now::Now,
    set::{Known, RevocationSet, Verdict},
};

/// A reader of its own for a thread that checks all the time: [`RevocationSet::check`] without the two locked instructions that
/// let any thread look at any time. It keeps the table alive that it saw last, so one that does not check any more is to be
/// dropped.
pub struct Reader {
    set: RevocationSet,
    known: Cache<Source, Arc<Known>>,
}

/// Where the table comes from.
#[derive(Clone)]
struct Source(RevocationSet);

impl Deref for Source {
    type Target = ArcSwap<Known>;

    fn deref(&self) -> &ArcSwap<Known> {
        self.0.known()
    }
}

impl Reader {
    pub(crate) fn new(set: &RevocationSet) -> Self {
        Self { set: set.clone(), known: Cache::new(Source(set.clone())) }
    }

    /// As [`RevocationSet::check`].
    #[must_use]
    #[inline]
    pub fn check(&mut self, jti: Uuid, kid: &str, now: Now) -> Verdict {
        let asked = self.set.asked(jti, kid, now);
        self.set.judge(self.known.load(), asked)
    }
}
