//! What the followed log changes for checks elsewhere, kept until somebody takes it there.

use catalog_gateway::wire::Item;

/// The most that is kept. Nobody has taken anything for long when there is more.
const ITEMS_MAX: usize = 200_000;

/// Changes in the order of the log; what a rule covers comes when it is known.
#[derive(Debug, Default)]
pub struct Changes {
    items: Vec<Item>,
    is_lost: bool,
}

impl Changes {
    /// Adds one. Past the limit all are let go, and whoever takes them hears of that.
    pub(super) fn push(&mut self, item: Item) {
        if self.items.len() == ITEMS_MAX {
            *self = Self { items: Vec::new(), is_lost: true };
        }
        if !self.is_lost {
            self.items.push(item);
        }
    }

    /// Whether there is anything to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && !self.is_lost
    }

    /// The changes, unless some were let go.
    #[must_use]
    pub fn whole(self) -> Option<Vec<Item>> {
        (!self.is_lost).then_some(self.items)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn pushed(count: usize) -> Changes {
        let mut changes = Changes::default();
        for _ in 0..count {
            changes.push(Item::Resumed { jti: Uuid::nil(), exp: 0 });
        }
        changes
    }

    #[test]
    fn too_many_changes_are_let_go_and_that_is_known_until_they_are_taken() {
        assert_eq!(pushed(ITEMS_MAX).whole().map(|items| items.len()), Some(ITEMS_MAX));
        assert!(pushed(ITEMS_MAX + 1).whole().is_none());
        assert!(pushed(ITEMS_MAX + 2).whole().is_none() && !pushed(ITEMS_MAX + 1).is_empty());
        assert!(pushed(0).is_empty());
    }
}
