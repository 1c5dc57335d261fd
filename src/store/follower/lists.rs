//! The status lists as the memory of a process has them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::LiveTokens;
use crate::domain::{
    index::LiveList,
    status_list::{PackedList, StatusListBegun},
};

/// What tells one state of a list from another: which memory, and how often it has changed the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListVersion {
    load: u64,
    changes: u64,
}

/// A status list.
#[derive(Debug)]
pub struct ListedTokens {
    /// What it is.
    pub begun: StatusListBegun,
    /// Its state.
    pub version: ListVersion,
    /// Its entries; `None` where the asker knows that state.
    pub packed: Option<PackedList>,
}

impl LiveTokens {
    /// The status lists at `now`; `None` while nothing is answered from memory.
    #[must_use]
    pub fn status_lists(&self, now: DateTime<Utc>, known: &HashMap<Uuid, ListVersion>) -> Option<Vec<ListedTokens>> {
        let mut memory = self.write();
        let memory = memory.as_mut().filter(|_| self.may_answer())?;
        let load = memory.load;
        let listed = |list: &LiveList| {
            let version = ListVersion { load, changes: list.changes };
            let is_known = known.get(&list.begun.id) == Some(&version);
            ListedTokens { begun: list.begun.clone(), version, packed: (!is_known).then(|| list.packed.clone()) }
        };
        Some(memory.index.status_lists(now).map(listed).collect())
    }

    /// Whether there is such a list; `None` while nothing is answered from memory.
    #[must_use]
    pub fn has_status_list(&self, id: Uuid) -> Option<bool> {
        let memory = self.read();
        let memory = memory.as_ref().filter(|_| self.may_answer())?;
        Some(memory.index.has_status_list(id))
    }

    /// Whether what is known is answered from.
    fn may_answer(&self) -> bool {
        self.sighting.may_answer()
    }
}
