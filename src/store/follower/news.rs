//! What the memory of a process has to tell others of.

use std::time::Duration;

use catalog_gateway::wire::{Digest, Item, Mark};

use super::LiveTokens;
use crate::domain::Position;

/// What was followed since the last time.
#[derive(Debug)]
pub struct News {
    /// Up to where.
    pub mark: Mark,
    /// Which memory tells it: it is loaded anew when the log is another one.
    pub load: u64,
    /// The changes; `None` = there were too many, and some are not there.
    pub items: Option<Vec<Item>>,
    /// The last rule of which is not known yet what it covers. Nothing else is left out.
    pub expanding: Option<Position>,
    /// How long ago the end of the log was last seen.
    pub staleness: Duration,
}

impl LiveTokens {
    /// What was followed since this was last asked for; `None` while nothing is in memory.
    pub fn news(&self) -> Option<News> {
        let mut memory = self.write();
        let memory = memory.as_mut()?;
        let (log_id, position, digest) = memory.mark();
        Some(News {
            mark: Mark { log_id, position: position.0, digest: Digest(digest) },
            load: memory.load,
            expanding: memory.index.last_rule_to_expand(),
            items: memory.index.take_changes().whole(),
            staleness: self.staleness().unwrap_or_default(),
        })
    }

    /// Waits until there is something to tell.
    pub async fn has_news(&self) {
        self.told.notified().await;
    }
}
