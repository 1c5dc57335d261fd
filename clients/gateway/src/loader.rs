//! A snapshot while it comes, and the table that grows with it.

use std::sync::Arc;

use uuid::Uuid;

use crate::{keys::Keys, now::Now, state::State, table::Table, wire::Item};

/// For how many tokens a table has room at first.
const ROOM_MIN: usize = 1_024;

/// Takes the items of a snapshot, however many they are, without keeping them as such.
pub struct Loader {
    pub(crate) asked: Now,
    pub(crate) tokens: Tokens,
    pub(crate) keys: Arc<Keys>,
}

/// Tokens of which something is known, and how many they are.
pub(crate) struct Tokens {
    pub(crate) table: Arc<Table>,
    pub(crate) count: usize,
}

impl Loader {
    /// For a snapshot that was asked for at this instant: it is as old as that, however long it takes.
    #[must_use]
    pub fn new(asked: Now) -> Self {
        Self { asked, tokens: Tokens::default(), keys: Arc::default() }
    }

    /// One item, in the order of the snapshot.
    pub fn push(&mut self, item: &Item) {
        self.tokens.learn(item, i64::MIN);
        if let Item::KeyCompromised { kid } = item {
            self.keys.add(kid);
            self.keys.complete(kid);
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self { table: Arc::new(Table::with_room_for(0)), count: 0 }
    }
}

impl Tokens {
    /// Learns an item about a token. Whatever was over at `over`, in seconds since 1970, need not be known any more.
    pub(crate) fn learn(&mut self, item: &Item, over: i64) {
        let Some((jti, exp)) = token(item) else { return };
        let is_nothing_new = matches!(item, Item::Resumed { .. }) && self.table.get(jti) == State::CLEAR;
        if exp <= over || is_nothing_new {
            return;
        }
        if self.count >= self.table.room() {
            self.rewrite(over);
        }
        self.count += usize::from(self.table.change(jti, exp, |state| changed(state, item)));
    }

    /// Writes another table, without what is over, and with room for half as much again as is left.
    pub(crate) fn rewrite(&mut self, over: i64) {
        let left = self.table.entries().filter(|entry| !entry.is_needless(over)).count();
        let table = Table::with_room_for(left.saturating_add(left / 2).max(ROOM_MIN));
        for entry in self.table.entries().filter(|entry| !entry.is_needless(over)) {
            table.change(entry.jti, entry.exp, |_| entry.state);
        }
        *self = Self { table: Arc::new(table), count: left };
    }

    /// Writes another table when that frees a quarter of this one.
    pub(crate) fn sweep(&mut self, over: i64) {
        let needless = self.table.entries().filter(|entry| entry.is_needless(over)).count();
        if needless > 0 && needless >= self.count / 4 {
            self.rewrite(over);
        }
    }
}

/// The token that an item is about, and its `exp`.
fn token(item: &Item) -> Option<(Uuid, i64)> {
    match item {
        Item::Revoked { jti, exp, .. }
        | Item::Suspended { jti, exp }
        | Item::Resumed { jti, exp }
        | Item::Spared { jti, exp } => Some((*jti, *exp)),
        Item::KeyCompromised { .. } => None,
    }
}

fn changed(state: State, item: &Item) -> State {
    match item {
        Item::Revoked { effective_from, .. } => state.revoked(*effective_from),
        Item::Suspended { .. } => state.suspended(),
        Item::Resumed { .. } => state.resumed(),
        Item::Spared { .. } => state.spared(),
        Item::KeyCompromised { .. } => state,
    }
}
