//! The status lists of the tokens that may still be used, packed as they are published: one change is two bits, and
//! nothing has to be walked when a list is made.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroU32,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    live_token::End,
    status_list::{Entry, PackedList, StatusListBegun, StatusType},
};

/// For how long after `exp` an entry goes on saying what it said: whoever checks a token may grant it some leeway.
const LEEWAY: TimeDelta = TimeDelta::minutes(10);

/// Where an entry is, in few bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    list: NonZeroU32,
    idx: u32,
}

/// The lists, by a number that is their own here.
#[derive(Debug, Default)]
pub(super) struct LiveLists {
    lists: BTreeMap<u32, LiveList>,
    numbers: HashMap<Uuid, u32>,
    // The number of the last one, which is open.
    open: u32,
    // When a token's revocation begins to hold: no event will say so.
    deadlines: BTreeSet<(DateTime<Utc>, Uuid)>,
}

/// A list of which a token may still be used, or that tokens still get entries in.
#[derive(Debug)]
pub struct LiveList {
    /// What it is.
    pub begun: StatusListBegun,
    /// Its entries.
    pub packed: PackedList,
    /// How often it was changed.
    pub changes: u64,
    tokens: usize,
}

impl LiveLists {
    /// Tokens get their entries in this list from here on.
    pub(super) fn begin(&mut self, begun: &StatusListBegun) {
        self.open += 1;
        let packed = PackedList::new(begun.entries);
        self.lists.insert(self.open, LiveList { begun: begun.clone(), packed, changes: 0, tokens: 0 });
        self.numbers.insert(begun.id, self.open);
    }

    /// A token has this entry. `None` = there is no such list.
    pub(super) fn enter(&mut self, entry: Entry) -> Option<Slot> {
        let list = *self.numbers.get(&entry.list)?;
        self.lists.get_mut(&list)?.tokens += 1;
        Some(Slot { list: NonZeroU32::new(list)?, idx: entry.idx })
    }

    /// The entry of a token says what it is.
    pub(super) fn say(&mut self, slot: Slot, jti: Uuid, end: End, is_suspended: bool) {
        if let End::From(deadline) = end {
            self.deadlines.insert((deadline, jti));
        }
        self.set(
            slot,
            match end {
                End::AtOnce => StatusType::Invalid,
                End::From(_) | End::Never if is_suspended => StatusType::Suspended,
                End::From(_) | End::Never => StatusType::Valid,
            },
        );
    }

    /// A token whose deadline has passed since this was last asked for.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Option<Uuid> {
        let first = self.deadlines.first()?;
        (first.0 <= now).then(|| self.deadlines.pop_first())?.map(|(_, jti)| jti)
    }

    /// The token's revocation holds.
    pub(super) fn end(&mut self, slot: Slot) {
        self.set(slot, StatusType::Invalid);
    }

    /// The token cannot be used any more, whoever is lenient.
    pub(super) fn leave(&mut self, slot: Slot) {
        self.set(slot, StatusType::Valid);
        if let Some(list) = self.lists.get_mut(&slot.list.get()) {
            list.tokens -= 1;
        }
    }

    fn set(&mut self, slot: Slot, status: StatusType) {
        if let Some(list) = self.lists.get_mut(&slot.list.get()) {
            list.changes += u64::from(list.packed.set(slot.idx, status));
        }
    }

    /// The lists, but for those that no token refers to any more, nor will.
    pub(super) fn all(&self) -> impl Iterator<Item = &LiveList> {
        self.lists.iter().filter(|(number, list)| self.is_live(**number, list)).map(|(_, list)| list)
    }

    /// The list of that name.
    pub(super) fn get(&self, id: Uuid) -> Option<&LiveList> {
        let number = *self.numbers.get(&id)?;
        self.lists.get(&number).filter(|list| self.is_live(number, list))
    }

    fn is_live(&self, number: u32, list: &LiveList) -> bool {
        list.tokens > 0 || number == self.open
    }
}

/// Until when a token with an entry is remembered that expires then, both in seconds since 1970.
pub(super) fn kept_until(exp: i64) -> i64 {
    exp.saturating_add(LEEWAY.num_seconds())
}

/// The earliest `exp` of tokens that lists still speak of.
#[must_use]
pub fn told_from(now: DateTime<Utc>) -> DateTime<Utc> {
    now - LEEWAY
}
