//! What this process itself appends: known here before anybody is answered.

use uuid::Uuid;

use super::{super::chain::Sha256Digest, LiveTokens};
use crate::domain::{Position, Recorded};

impl LiveTokens {
    /// This process has appended these events, the last of which has the digest. Nothing that comes after is answered
    /// from before.
    pub(in super::super) fn committed(&self, log_id: Uuid, events: &[&Recorded], digest: Sha256Digest) {
        if events.is_empty() {
            return;
        }
        let mut memory = self.write();
        let Some(memory) = memory.as_mut().filter(|memory| memory.log_id == log_id) else {
            // What is being loaded may be from before.
            self.sighting.doubt();
            self.wake.notify_one();
            return;
        };
        if !memory.take(events.iter().copied(), digest) {
            self.wake.notify_one();
        }
    }

    /// Wakes those who carry on what this process [has committed](Self::committed), once whoever waits was answered.
    pub(in super::super) fn carry_on(&self) {
        self.appended.notify_one();
        self.moved.notify_waiters();
        if let Some(memory) = self.read().as_ref() {
            self.tell(memory);
        }
    }

    /// Something may have been appended that this process was not told of: until the end of the log is seen again
    /// nothing is answered from memory.
    pub(in super::super) fn doubt(&self) {
        let _guard = self.write();
        self.sighting.doubt();
        self.wake.notify_one();
    }

    /// Somebody was told what the log says up to here, although nothing was appended: nothing that comes after is answered
    /// from before.
    pub(in super::super) fn rest_on(&self, position: Position) {
        if self.read().as_ref().is_some_and(|memory| memory.index.position() < position) {
            self.doubt();
        }
    }
}
