//! The live tokens as of a place in the log.

use uuid::Uuid;

use super::super::{Head, chain::Sha256Digest};
use crate::domain::{Position, Recorded, index::LiveIndex};

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) index: LiveIndex,
    pub(super) log_id: Uuid,
    // Of the event at the index's position.
    digest: Sha256Digest,
    // How often the memory had been loaded before.
    pub(super) load: u64,
}

impl Memory {
    /// As it was loaded from a log with this head.
    pub(super) fn new(head: &Head, index: LiveIndex, load: u64) -> Self {
        Self { index, log_id: head.log_id, digest: head.digest, load }
    }

    pub(super) fn mark(&self) -> (Uuid, Position, Sha256Digest) {
        (self.log_id, self.index.position(), self.digest)
    }

    /// Takes in what was appended, the last of it with this digest; whether it follows on what is known.
    pub(super) fn take<'a>(&mut self, events: impl Iterator<Item = &'a Recorded>, digest: Sha256Digest) -> bool {
        let before = self.index.position();
        let follows = self.index.follow(events);
        if follows && self.index.position() > before {
            self.digest = digest;
        }
        follows
    }
}
