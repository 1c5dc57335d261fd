//! The one who writes: judges whether a page goes on where the set is, and learns it.

use std::sync::Arc;

use crate::{
    error::ApplyError,
    freshness::{Freshness, Heard},
    keys::Keys,
    loader::{Loader, Tokens},
    now::Now,
    set::{Applied, Known},
    wire::{Item, Mark, Page},
};

const SECOND: i64 = 1_000_000;
/// For how long after `exp` a token is remembered, in seconds: clocks differ.
const GRACE_SECONDS: i64 = 60;
/// After how long it is looked at what is over.
const SWEEP: i64 = 60 * SECOND;
/// By how much the clocks of two servers of one log may differ.
const SERVERS_DIFFER_MAX: i64 = 2 * SECOND;

/// What readers see, as the one who writes changes it.
pub(crate) trait Readers {
    /// Has them read this from now on.
    fn show(&self, known: Known);
    /// For how long they may rely on it.
    fn freshness(&self) -> &Freshness;
    /// For how long after the log's end was seen, in microseconds.
    fn staleness_max(&self) -> i64;
}

/// How far the log is known.
#[derive(Debug, Clone, Copy)]
struct Place {
    mark: Mark,
    /// When a server first said so, in microseconds since 1970.
    since: i64,
    /// How many pieces of the next change are known, too.
    pieces: u32,
}

/// Where the set is.
#[derive(Default)]
pub(crate) struct Writer {
    tokens: Tokens,
    keys: Arc<Keys>,
    /// Those that came with the pieces of the change that is coming.
    keys_in_part: Vec<String>,
    place: Option<Place>,
    /// Whether what came last did not fit.
    is_astray: bool,
    heard: Option<Heard>,
    /// When it was last looked at what is over, by the monotonic clock.
    swept: i64,
}

impl Writer {
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.place.map(|place| place.mark)
    }

    pub(crate) fn needs_snapshot(&self) -> bool {
        self.is_astray || self.place.is_none()
    }

    pub(crate) fn tokens(&self) -> usize {
        self.tokens.count
    }

    /// How long ago the log's end was seen, in microseconds.
    pub(crate) fn staleness(&self, now: Now) -> Option<i64> {
        self.heard.map(|heard| heard.staleness(now))
    }

    /// Learns a page that is no snapshot, which was asked for at one instant and came at another.
    pub(crate) fn follow(
        &mut self,
        page: &Page,
        (asked, now): (Now, Now),
        readers: &impl Readers,
    ) -> Result<Applied, ApplyError> {
        let place = self.place.filter(|_| !self.is_astray).ok_or(ApplyError::NeedsSnapshot)?;
        let is_next = place.is_next(page).inspect_err(|_| self.go_astray(readers))?;
        if !is_next {
            return Ok(Applied::Ignored);
        }
        self.learn(page, now, readers);
        self.place = Some(place.after(page));
        // What has come of a change that comes in pieces, or before others that have happened already, is no news of the end.
        if !page.is_partial && !page.has_more {
            let (time, staleness) = (page.time.timestamp_micros(), staleness(page));
            let heard = match &self.heard {
                Some(before) => Heard::page(before, now, time, staleness),
                None => Heard::snapshot(asked, now, time, staleness),
            };
            self.sweep(&heard, now, readers);
            self.vouch(heard, readers);
        }
        Ok(Applied::Followed)
    }

    pub(crate) fn replace(
        &mut self,
        loader: Loader,
        head: &Page,
        began: Now,
        readers: &impl Readers,
    ) -> Result<Applied, ApplyError> {
        self.check_snapshot(head).inspect_err(|error| {
            if !matches!(error, ApplyError::OlderSnapshot { .. }) {
                self.go_astray(readers);
            }
        })?;
        let asked = loader.asked;
        self.take(loader, head, readers);
        self.vouch(Heard::snapshot(asked, began, head.time.timestamp_micros(), staleness(head)), readers);
        Ok(Applied::Replaced)
    }

    pub(crate) fn restore(
        &mut self,
        loader: Loader,
        head: &Page,
        readers: &impl Readers,
    ) -> Result<Applied, ApplyError> {
        if self.place.is_some() {
            return Ok(Applied::Ignored);
        }
        self.check_snapshot(head)?;
        self.take(loader, head, readers);
        Ok(Applied::Replaced)
    }

    /// What was learnt may be relied on from now on, for a while.
    fn vouch(&mut self, heard: Heard, readers: &impl Readers) {
        readers.freshness().publish(&heard, readers.staleness_max());
        self.heard = Some(heard);
    }

    /// Only a snapshot helps from now on.
    pub(crate) fn go_astray(&mut self, readers: &impl Readers) {
        self.is_astray = true;
        readers.freshness().end();
    }

    fn check_snapshot(&self, head: &Page) -> Result<(), ApplyError> {
        let said = head.mark;
        if head.after.is_some() || head.piece != 0 || head.is_partial || said.position < 0 {
            return Err(ApplyError::Malformed("is no whole snapshot"));
        }
        match self.place.filter(|_| !self.is_astray) {
            Some(Place { mark: known, .. }) if known.log_id == said.log_id && said.position < known.position => {
                Err(ApplyError::OlderSnapshot { known, said })
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, loader: Loader, head: &Page, readers: &impl Readers) {
        (self.tokens, self.keys) = (loader.tokens, loader.keys);
        self.keys_in_part.clear();
        self.place = Some(Place { mark: head.mark, since: head.time.timestamp_micros(), pieces: 0 });
        self.is_astray = false;
        self.swept = loader.asked.monotonic;
        self.show(readers);
    }

    /// Those that are spared before their keys, so that they are from the first moment, or before it is said that no others are.
    /// Everything else after the keys, so that nothing is let go that a key holds back. What begins anew may be cut otherwise than
    /// the pieces before: a key that came with these, and does not come now, comes later.
    fn learn(&mut self, page: &Page, now: Now, readers: &impl Readers) {
        let over = self.heard.map_or(i64::MIN, |heard| over(&heard, now));
        let is_spared = |item: &&Item| matches!(item, Item::Spared { .. });
        self.learn_tokens(page.items.iter().filter(is_spared), over, readers);
        if page.piece == 0 {
            self.keys_in_part.clear();
        }
        for item in &page.items {
            if let Item::KeyCompromised { kid } = item {
                self.keys.add(kid);
                self.keys_in_part.push(kid.clone());
            }
        }
        if !page.is_partial {
            self.keys_in_part.drain(..).for_each(|kid| self.keys.complete(&kid));
        }
        self.learn_tokens(page.items.iter().filter(|item| !is_spared(item)), over, readers);
    }

    fn learn_tokens<'a>(&mut self, items: impl Iterator<Item = &'a Item>, over: i64, readers: &impl Readers) {
        let table = self.tokens.table.clone();
        items.for_each(|item| self.tokens.learn(item, over));
        if !Arc::ptr_eq(&table, &self.tokens.table) {
            self.show(readers);
        }
    }

    fn sweep(&mut self, heard: &Heard, now: Now, readers: &impl Readers) {
        if now.monotonic.saturating_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = now.monotonic;
        let table = self.tokens.table.clone();
        self.tokens.sweep(over(heard, now));
        if !Arc::ptr_eq(&table, &self.tokens.table) {
            self.show(readers);
        }
    }

    fn show(&self, readers: &impl Readers) {
        readers.show(Known { table: self.tokens.table.clone(), keys: self.keys.clone() });
    }
}

impl Place {
    /// Whether a page goes on from here; if not, it is known already.
    fn is_next(&self, page: &Page) -> Result<bool, ApplyError> {
        let (known, said) = (self.mark, page.mark);
        let Some(after) = page.after.filter(|after| (0..=said.position).contains(after)) else {
            return Err(ApplyError::Malformed("ends before it begins"));
        };
        if page.is_partial && said.position != after {
            return Err(ApplyError::Malformed("is a piece that ends beyond what it goes on from"));
        }
        if said.log_id != known.log_id {
            return Err(ApplyError::OtherLog { known, said });
        }
        if said.position == known.position && said.digest != known.digest {
            return Err(ApplyError::OtherDigest { known, said });
        }
        if self.has_gone_back(page) {
            return Err(ApplyError::WentBack { known, said });
        }
        let is_known = said.position < known.position || (said.position == known.position && after < known.position);
        if is_known {
            return Ok(false);
        }
        // A piece may come again after a pause, with those that follow it.
        if after != known.position || page.piece > self.pieces {
            let Self { pieces, .. } = *self;
            return Err(ApplyError::Gap { known: known.position, pieces, after, piece: page.piece });
        }
        // That nothing has happened since says nothing of a change that has come in part.
        let is_within = self.pieces > 0 && !page.is_partial && said.position == known.position;
        Ok(!is_within)
    }

    /// Whether a server has seen the log end before here, later than it was known to be as long as this.
    fn has_gone_back(&self, page: &Page) -> bool {
        let is_end = page.items.is_empty() && page.after == Some(page.mark.position) && !page.is_partial;
        let seen = page.time.timestamp_micros().saturating_sub(staleness(page));
        is_end && page.mark.position < self.mark.position && seen > self.since.saturating_add(SERVERS_DIFFER_MAX)
    }

    fn after(self, page: &Page) -> Self {
        if page.is_partial {
            Self { pieces: page.piece.saturating_add(1), ..self }
        } else if page.mark.position == self.mark.position {
            self
        } else {
            Self { mark: page.mark, since: page.time.timestamp_micros(), pieces: 0 }
        }
    }
}

fn staleness(page: &Page) -> i64 {
    i64::try_from(page.staleness_ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

/// What was over at this instant, in seconds since 1970, need not be remembered: it is over by every clock.
fn over(heard: &Heard, now: Now) -> i64 {
    heard.earliest(now) / SECOND - GRACE_SECONDS
}
