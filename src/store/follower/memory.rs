//! The live tokens as of a place in the log.

use uuid::Uuid;

use super::{
    super::{Head, chain::Sha256Digest, log::ProjectionTables},
    never_issued::NeverIssued,
};
use crate::domain::{Position, Recorded, index::LiveIndex};

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) index: LiveIndex,
    pub(super) log_id: Uuid,
    // Of the event at the index's position.
    digest: Sha256Digest,
    // Those it was loaded from.
    pub(super) tables: ProjectionTables,
    // How often the memory had been loaded before.
    pub(super) load: u64,
    pub(super) never_issued: NeverIssued,
}

impl Memory {
    /// As it was loaded from a log with this head, and these tables.
    pub(super) fn new(head: &Head, tables: ProjectionTables, index: LiveIndex, load: u64) -> Self {
        Self { index, log_id: head.log_id, digest: head.digest, tables, load, never_issued: NeverIssued::default() }
    }

    pub(super) fn mark(&self) -> (Uuid, Position, Sha256Digest) {
        (self.log_id, self.index.position(), self.digest)
    }

    /// Takes in what was appended, the last of it with this digest; whether it follows on what is known.
    pub(super) fn take<'a>(&mut self, events: impl Iterator<Item = &'a Recorded>, digest: Sha256Digest) -> bool {
        let before = self.index.position();
        let follows = self.index.follow(events.inspect(|recorded| self.never_issued.hear(recorded)));
        if follows && self.index.position() > before {
            self.digest = digest;
        }
        follows
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::DateTime;

    use super::{super::LiveTokens, *};
    use crate::domain::{
        Actor, Event, Origin, Path,
        event::{Occurrence, SuspensionChanged},
        text::RequestId,
    };

    /// Somebody held a token back.
    pub(in super::super) fn suspended(jti: Uuid, position: Position) -> Recorded {
        let origin = Origin {
            path: Path::Api,
            actor: Actor::Anonymous,
            request_id: RequestId::of_uuid(Uuid::nil()),
            address: None,
            user_agent: None,
        };
        let event = Event::TokenSuspended(SuspensionChanged { jti, by_full_admin: false, note: None });
        let occurrence = Occurrence { event, occurred_at: DateTime::UNIX_EPOCH, origin };
        Recorded { position, recorded_at: DateTime::UNIX_EPOCH, occurrence }
    }

    #[test]
    fn what_is_appended_while_the_memory_is_loaded_is_in_doubt_until_somebody_looks_who_began_to_after_it() {
        let at = DateTime::UNIX_EPOCH;
        let suspended = suspended(Uuid::nil(), Position(1));
        let head = Head { log_id: Uuid::nil(), position: Position(0), digest: [0; 32], recorded_at: at };
        let live = LiveTokens::default();

        let loading = live.sighting.look();
        live.committed(head.log_id, &[&suspended], [1; 32]);
        *live.write() =
            Some(Memory::new(&head, ProjectionTables::default(), LiveIndex::new(head.position, [], &[], 0), 0));
        live.see(&loading);

        assert!(!live.is_fresh(), "what was loaded is from before the suspension");
        live.see(&live.sighting.look());
        assert!(live.is_fresh());
    }
}
