//! What the feed says of a token that a gateway has to hear of.

use catalog_gateway::wire::Item;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A token that is revoked, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Revoked {
    pub(super) jti: Uuid,
    /// Seconds since 1970.
    pub(super) exp: i64,
    /// From when on; `None` = at once.
    pub(super) from: Option<DateTime<Utc>>,
}

impl Revoked {
    /// What an item of the feed says, if it is this.
    pub(super) fn of(item: &Item) -> Option<Self> {
        match item {
            Item::Revoked { jti, exp, effective_from } => Some(Self { jti: *jti, exp: *exp, from: *effective_from }),
            _ => None,
        }
    }

    /// Whether it is in force, of a token that is not expired.
    pub(super) fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.exp > now.timestamp() && self.from.is_none_or(|from| from <= now)
    }
}
