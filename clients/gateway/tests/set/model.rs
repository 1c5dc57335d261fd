//! A set as anybody would write it first: everything that was said, gone through anew for each question.

use catalog_gateway::{
    Verdict,
    wire::{Item, Mark, Page},
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The clocks of a machine, and the catalog's, in milliseconds past the start.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    pub monotonic: i64,
    pub wall: i64,
}

/// Knows what a set is to say.
#[derive(Debug, Default)]
pub struct Model {
    known: Vec<Item>,
    /// The compromised keys of which has come what is spared.
    whole: Vec<String>,
    /// Those that have come since a change began to come in pieces.
    in_part: Vec<String>,
    mark: Option<Mark>,
    pieces: u32,
    is_astray: bool,
    heard: Option<Clocks>,
}

impl Model {
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    pub fn needs_snapshot(&self) -> bool {
        self.is_astray || self.mark.is_none()
    }

    /// What comes at the instant when it was written, so that only what it says matters.
    pub fn apply(&mut self, page: &Page, clocks: Clocks) {
        let Some(after) = page.after else { return self.replace(page, clocks) };
        if self.needs_snapshot() {
            return;
        }
        let known = self.mark.unwrap();
        let is_same = known.log_id == page.mark.log_id
            && (known.position != page.mark.position || known.digest == page.mark.digest);
        if is_same && page.mark.position <= known.position && after < known.position {
            return;
        }
        if !is_same || after != known.position || page.piece > self.pieces {
            self.is_astray = true;
            return;
        }
        if !page.is_partial && page.mark.position == known.position && self.pieces > 0 {
            return;
        }
        if page.piece == 0 {
            self.in_part.clear();
        }
        self.in_part.extend(keys(&page.items));
        if page.is_partial {
            self.known.extend(page.items.iter().cloned());
            self.pieces = page.piece + 1;
            return;
        }
        self.known.extend(page.items.iter().cloned());
        (self.mark, self.pieces) = (Some(page.mark), 0);
        self.whole.append(&mut self.in_part);
        if !page.has_more {
            self.heard = Some(clocks);
        }
    }

    fn replace(&mut self, page: &Page, clocks: Clocks) {
        let is_older =
            self.mark.is_some_and(|known| known.log_id == page.mark.log_id && page.mark.position < known.position);
        if is_older && !self.is_astray {
            return;
        }
        // As old as it says, by both clocks.
        let staleness = i64::try_from(page.staleness_ms).unwrap();
        let heard = Clocks { monotonic: clocks.monotonic - staleness, wall: clocks.wall - staleness };
        let (mark, heard) = (Some(page.mark), Some(heard));
        let whole = keys(&page.items).collect();
        *self = Self { known: page.items.clone(), whole, mark, heard, ..Self::default() };
    }

    pub fn check(&self, jti: Uuid, kid: &str, now: Clocks, start: DateTime<Utc>) -> Verdict {
        // The catalog's clock runs with the monotonic one.
        let latest = if self.heard.is_some() { now.wall.max(now.monotonic) } else { now.wall };
        let is_refused = |said: &[Item]| refuses(said, jti, kid, start + TimeDelta::milliseconds(latest));
        if is_refused(&self.without_keys_in_part()) {
            Verdict::Revoked
        } else if self.is_fresh(now) && !is_refused(&self.known) {
            Verdict::NotRevoked
        } else {
            Verdict::Stale
        }
    }

    fn without_keys_in_part(&self) -> Vec<Item> {
        let is_whole = |item: &&Item| match item {
            Item::KeyCompromised { kid } => self.whole.contains(kid),
            _ => true,
        };
        self.known.iter().filter(is_whole).cloned().collect()
    }

    fn is_fresh(&self, now: Clocks) -> bool {
        let Some(heard) = self.heard.filter(|_| !self.needs_snapshot()) else { return false };
        let (monotonic, wall) = (now.monotonic - heard.monotonic, now.wall - heard.wall);
        monotonic <= 5_000 && wall <= 5_000 && wall >= monotonic - 1_000 && now.wall >= now.monotonic - 5_000
    }
}

fn keys(items: &[Item]) -> impl Iterator<Item = String> {
    items.iter().filter_map(|item| match item {
        Item::KeyCompromised { kid } => Some(kid.clone()),
        _ => None,
    })
}

/// Whether what is said refuses a token at an instant.
pub fn refuses(said: &[Item], jti: Uuid, kid: &str, now: DateTime<Utc>) -> bool {
    let of_token = |item: &&Item| match item {
        Item::Revoked { jti: of, .. }
        | Item::Suspended { jti: of, .. }
        | Item::Resumed { jti: of, .. }
        | Item::Spared { jti: of, .. } => *of == jti,
        Item::KeyCompromised { .. } => false,
    };
    let is_revoked = said.iter().filter(of_token).any(|item| match item {
        Item::Revoked { effective_from, .. } => effective_from.is_none_or(|from| from <= now),
        _ => false,
    });
    let last = said.iter().filter(of_token).rfind(|item| matches!(item, Item::Suspended { .. } | Item::Resumed { .. }));
    let is_spared = said.iter().filter(of_token).any(|item| matches!(item, Item::Spared { .. }));
    let is_compromised = said.iter().any(|item| matches!(item, Item::KeyCompromised { kid: of } if of == kid));
    is_revoked || matches!(last, Some(Item::Suspended { .. })) || (is_compromised && !is_spared)
}
