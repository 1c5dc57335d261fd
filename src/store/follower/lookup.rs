//! What the memory cannot tell, so that the log is looked up, and what it takes in of the answer.

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::{LiveTokens, Memory};
use crate::domain::{Position, index::LiveToken};

/// A lookup that is about to begin, and what the memory was like then.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    /// How often it had been loaded: what the log says is of that log.
    load: u64,
    /// The last rule of which is not known yet which tokens it covers.
    rule: Option<Position>,
    begun: Instant,
    now: DateTime<Utc>,
}

impl LiveTokens {
    /// Whether a lookup just found that there is no such token, and there will be none. To be asked of what
    /// [`get`](Self::get) cannot tell.
    #[must_use]
    pub fn is_never_issued(&self, jti: Uuid) -> bool {
        let is_so = |memory: &Memory| memory.never_issued.has(jti, Instant::now()) && !memory.index.has_heard_of(jti);
        self.is_fresh() && self.read().as_ref().is_some_and(is_so)
    }

    /// Begins a lookup at `now`; `None` while there is no memory.
    #[must_use]
    pub fn look_up(&self, now: DateTime<Utc>) -> Option<Lookup> {
        let memory = self.read();
        let memory = memory.as_ref()?;
        Some(Lookup { load: memory.load, rule: memory.index.last_rule(), begun: Instant::now(), now })
    }

    /// Takes in what a lookup found of tokens; `None` = there is no such token.
    pub fn found(&self, lookup: Lookup, found: &[(Uuid, Option<LiveToken>)]) {
        if let Some(memory) = self.read().as_ref().filter(|memory| memory.load == lookup.load) {
            // Of what was issued meanwhile it may have heard before it hears this.
            let is_none =
                |(jti, token): &&(Uuid, Option<LiveToken>)| token.is_none() && !memory.index.has_heard_of(*jti);
            for (jti, _) in found.iter().filter(is_none) {
                memory.never_issued.learn(*jti, lookup.begun, lookup.now);
            }
        }
        // Where the memory cannot tell whether a rule covers a token, whoever checks it would have the log looked up.
        let Some(rule) = lookup.rule.filter(|_| found.iter().any(|(_, token)| token.is_some())) else { return };
        if let Some(memory) = self.write().as_mut().filter(|memory| memory.load == lookup.load) {
            for (jti, token) in found.iter().filter_map(|(jti, token)| Some((jti, token.as_ref()?))) {
                memory.index.learn(*jti, rule, token.end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::tests::suspended;
    use super::*;
    use crate::{
        domain::index::LiveIndex,
        store::{Head, log::ProjectionTables},
    };

    const NEVER: Uuid = Uuid::nil();

    /// As it was loaded from an empty log.
    fn load(live: &LiveTokens, load: u64) {
        let at = DateTime::UNIX_EPOCH;
        let head = Head { log_id: Uuid::nil(), position: Position(0), digest: [0; 32], recorded_at: at };
        let look = live.sighting.look();
        *live.write() =
            Some(Memory::new(&head, ProjectionTables::default(), LiveIndex::new(head.position, [], &[], 0), load));
        live.see(&look);
    }

    fn loaded() -> LiveTokens {
        let live = LiveTokens::default();
        load(&live, 0);
        live
    }

    fn look_up(live: &LiveTokens) -> Lookup {
        live.look_up(DateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn what_was_looked_up_and_not_found_is_known_until_the_memory_is_loaded_anew() {
        let live = loaded();
        assert!(!live.is_never_issued(NEVER));
        live.found(look_up(&live), &[(NEVER, None)]);
        assert!(live.is_never_issued(NEVER));

        let of_the_last = look_up(&live);
        live.forget();
        assert!(!live.is_never_issued(NEVER) && live.look_up(DateTime::UNIX_EPOCH).is_none());
        load(&live, 1);
        live.found(of_the_last, &[(NEVER, None)]);
        assert!(!live.is_never_issued(NEVER), "another log may know it");
    }

    #[test]
    fn while_the_memory_is_in_doubt_what_was_not_found_is_looked_up_again() {
        let live = loaded();
        live.found(look_up(&live), &[(NEVER, None)]);
        live.doubt();
        assert!(!live.is_never_issued(NEVER));
        live.see(&live.sighting.look());
        assert!(live.is_never_issued(NEVER));
    }

    #[test]
    fn a_token_that_was_heard_of_before_what_came_between_is_looked_up() {
        let live = loaded();
        live.found(look_up(&live), &[(NEVER, None)]);
        live.committed(Uuid::nil(), &[&suspended(NEVER, Position(2))], [1; 32]);

        assert!(!live.is_never_issued(NEVER));
    }
}
