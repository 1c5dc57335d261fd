//! A log as it really was, so that what a set says can be held against it.

use catalog_gateway::wire::{Digest, Item, Mark, Page};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    model::refuses,
    pages::{FAR, LOG, jti, mark, page, start},
};

/// How many tokens and keys there are: few, so that they are met again and again.
pub const TOKENS: u128 = 6;
pub const KEYS: [&str; 2] = ["one", "two"];

/// Changes, and when they happened, in milliseconds past the start.
#[derive(Debug, Default)]
pub struct Truth {
    changes: Vec<(i64, Vec<Item>)>,
}

impl Truth {
    pub fn head(&self) -> i64 {
        i64::try_from(self.changes.len()).unwrap()
    }

    pub fn append(&mut self, ms: i64, items: Vec<Item>) {
        self.changes.push((ms, items));
    }

    /// What happened after one position up to another.
    pub fn items(&self, after: i64, upto: i64) -> Vec<Item> {
        let range = usize::try_from(after).unwrap()..usize::try_from(upto).unwrap();
        self.changes[range].iter().flat_map(|(_, items)| items.clone()).collect()
    }

    pub fn page(&self, after: Option<i64>, upto: i64, ms: i64) -> Page {
        page(after, upto, self.items(after.unwrap_or(0), upto), u64::try_from(ms).unwrap())
    }

    /// Whether a token was refused by all that the log said at any time since `since`, with its deadlines at `now`. What a
    /// change does, it does one after the other.
    pub fn refused_since(&self, since: i64, jti: Uuid, kid: &str, now: DateTime<Utc>) -> bool {
        let items = self.items(0, self.head());
        let before: usize = self.changes.iter().filter(|(ms, _)| *ms <= since).map(|(_, items)| items.len()).sum();
        (before..=items.len()).all(|upto| refuses(&items[..upto], jti, kid, now))
    }
}

/// Something that may happen to a token or a key.
pub fn item() -> impl Strategy<Value = Item> {
    let token = (0..TOKENS).prop_map(jti);
    // Around the instants at which it is checked.
    let from = prop::option::of((0..30_000_i64).prop_map(|ms| start() + TimeDelta::milliseconds(ms)));
    prop_oneof![
        3 => (token.clone(), from).prop_map(|(jti, effective_from)| Item::Revoked { jti, exp: FAR, effective_from }),
        2 => token.clone().prop_map(|jti| Item::Suspended { jti, exp: FAR }),
        2 => token.clone().prop_map(|jti| Item::Resumed { jti, exp: FAR }),
        1 => token.prop_map(|jti| Item::Spared { jti, exp: FAR }),
        1 => prop::sample::select(KEYS.to_vec()).prop_map(|kid| Item::KeyCompromised { kid: kid.to_owned() }),
    ]
}

/// The same position in another history.
pub fn forked(position: i64) -> Mark {
    Mark { digest: Digest([1; 32]), ..mark(position) }
}

pub fn elsewhere(position: i64) -> Mark {
    Mark { log_id: Uuid::from_u128(LOG.as_u128() + 1), ..mark(position) }
}
