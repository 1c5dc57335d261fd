//! The feed of a server: what its memory hears of, told at once to everybody who listens, each page made once.
//!
//! Pages are numbered by the places they go from and to, and listeners begin between two of them. While a rule is being
//! expanded there is no such moment, and whoever comes then reads the database until there is.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use catalog_gateway::wire::{Item, Mark, Page};
use chrono::{DateTime, Utc};
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Catalog, metrics};
use crate::{
    domain::{ambient::Clock, causes::Causes},
    store::{LiveTokens, follower::News},
};

/// How often listeners hear something, whether or not anything changed.
const BEAT_PERIOD: Duration = Duration::from_secs(1);
/// How often at most for those who come and know more than was told.
const WANTED_PERIOD: Duration = Duration::from_millis(50);
/// The most items of a page.
const ITEMS_MAX: usize = 1_000;
/// How many pages a listener may be behind.
const BEHIND_MAX: usize = 1_024;

/// Where listeners hear what changed.
#[derive(Debug)]
pub struct Feed {
    standing: Mutex<Option<Standing>>,
    told: broadcast::Sender<Told>,
    // Somebody knows more than was told.
    wanted: Notify,
}

/// How far listeners were told.
#[derive(Debug, Clone, Copy)]
struct Standing {
    mark: Mark,
    /// How many pieces of what comes after it.
    pieces: u32,
    load: u64,
}

/// What listeners are told.
#[derive(Debug, Clone)]
pub enum Told {
    /// What changed.
    Page(Arc<Sheet>),
    /// That the log is another one, and they have to begin anew.
    Elsewhere,
    /// That some of it was let go, and they have to read it themselves.
    Lost,
}

/// A page, and what it looks like on the wire, which is the same for all.
#[derive(Debug)]
pub struct Sheet {
    /// The page.
    pub page: Page,
    rendered: OnceLock<Bytes>,
}

/// Where somebody who wants to listen may begin.
#[derive(Debug)]
pub enum Joined {
    /// Here, with the pages that go on from this place.
    At(Mark, broadcast::Receiver<Told>),
    /// Not at this moment.
    NotYet,
}

impl Sheet {
    fn of(page: Page) -> Told {
        Told::Page(Arc::new(Self { page, rendered: OnceLock::new() }))
    }

    /// What it looks like, made by whoever asks first.
    pub fn rendered(&self, render: impl FnOnce(&Page) -> Bytes) -> Bytes {
        self.rendered.get_or_init(|| render(&self.page)).clone()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self { standing: Mutex::default(), told: broadcast::Sender::new(BEHIND_MAX), wanted: Notify::new() }
    }
}

impl Feed {
    /// How far it has come; `None` while nothing is followed.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.standing().map(|standing| standing.mark)
    }

    /// Begins to listen, for somebody who knows everything up to `known` or will have read up to where it begins.
    #[must_use]
    pub fn join(&self, known: &Mark) -> Joined {
        let standing = self.standing();
        match *standing {
            Some(Standing { mark, pieces: 0, .. }) if mark.position >= known.position => {
                Joined::At(mark, self.told.subscribe())
            }
            Some(Standing { pieces: 0, .. }) => {
                self.wanted.notify_one();
                Joined::NotYet
            }
            _ => Joined::NotYet,
        }
    }

    fn standing(&self) -> MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what there is to tell, and with `is_beat` that there is nothing.
    fn tell(&self, news: Option<News>, now: DateTime<Utc>, is_beat: bool) {
        // Whoever joins does so before or after all of it.
        let mut standing = self.standing();
        let begun = standing.as_ref().map(|standing| standing.load);
        let Some(news) = news else {
            *standing = None;
            return self.end_if(begun.is_some(), Told::Elsewhere);
        };
        let fresh = Standing { mark: news.mark, pieces: 0, load: news.load };
        let known = standing.get_or_insert(fresh);
        let Some(items) = news.items.filter(|_| known.load == news.load) else {
            let told = if known.load == news.load { Told::Lost } else { Told::Elsewhere };
            *known = fresh;
            return self.end_if(true, told);
        };
        if self.told.receiver_count() == 0 {
            // Whoever comes reads what was before that.
            *known = fresh;
            return;
        }
        // What rules from before cover, whoever is there has read.
        let is_whole = news.expanding.is_none_or(|rule| rule.0 <= known.mark.position);
        let closes = known.pieces > 0 && is_whole;
        if is_beat || closes || !items.is_empty() {
            let staleness_ms = u64::try_from(news.staleness.as_millis()).unwrap_or(u64::MAX);
            let end = is_whole.then_some(news.mark);
            known.pages(items, end, |page| self.send(Page { time: now, staleness_ms, ..page }));
        }
    }

    fn send(&self, page: Page) {
        metrics::feed_page();
        // Nobody may be listening any more.
        let _ = self.told.send(Sheet::of(page));
    }

    fn end_if(&self, is_over: bool, told: Told) {
        if is_over {
            let _ = self.told.send(told);
        }
    }
}

impl Standing {
    /// The pages of some items, at least one. With `end` nothing is left out up to there, and the last page says so.
    fn pages(&mut self, items: Vec<Item>, end: Option<Mark>, mut send: impl FnMut(Page)) {
        let mut items = items.into_iter();
        loop {
            let portion: Vec<Item> = items.by_ref().take(ITEMS_MAX).collect();
            let end = end.filter(|_| items.len() == 0);
            let page = Page {
                mark: end.unwrap_or(self.mark),
                after: Some(self.mark.position),
                piece: self.pieces,
                is_partial: end.is_none(),
                time: DateTime::UNIX_EPOCH,
                staleness_ms: 0,
                next: None,
                has_more: false,
                items: portion,
            };
            send(page);
            match end {
                Some(mark) => (self.mark, self.pieces) = (mark, 0),
                None => self.pieces = self.pieces.saturating_add(1),
            }
            if items.len() == 0 {
                return;
            }
        }
    }
}

impl Catalog {
    /// Where listeners hear what changes for checks.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Begins the feed at what is in memory, so that the first who come to listen find it, too.
    pub fn begin_feed(&self) {
        self.feed.tell(self.live_tokens.news(), self.ambient.clock.now(), false);
    }

    /// Tells listeners for as long as it is polled, in a task of its own: nothing else is to keep them waiting.
    pub(super) async fn keep_feed(&self) -> Infallible {
        loop {
            let telling = tell_on(self.feed.clone(), self.live_tokens.clone(), self.ambient.clock.clone());
            let Err(error) = AbortOnDropHandle::new(tokio::spawn(telling)).await;
            tracing::error!(error = %Causes(&error), "the feed broke off and begins again");
        }
    }
}

async fn tell_on(feed: Arc<Feed>, live: Arc<LiveTokens>, clock: Arc<dyn Clock>) -> Infallible {
    let mut beat = interval(BEAT_PERIOD);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beaten = Instant::now();
    loop {
        let is_beat = tokio::select! {
            _ = beat.tick() => true,
            () = wanted(&feed, beaten) => true,
            () = live.has_news() => false,
        };
        if is_beat {
            beaten = Instant::now();
        }
        feed.tell(live.news(), clock.now(), is_beat);
    }
}

/// Returns when somebody waits for a beat, not too soon after the last.
async fn wanted(feed: &Feed, beaten: Instant) {
    feed.wanted.notified().await;
    sleep_until(beaten + WANTED_PERIOD).await;
}

#[cfg(test)]
mod tests {
    use catalog_gateway::wire::Digest;
    use uuid::Uuid;

    use super::*;
    use crate::domain::Position;

    fn mark(position: i64) -> Mark {
        Mark { log_id: Uuid::nil(), position, digest: Digest([u8::try_from(position).unwrap(); 32]) }
    }

    fn news(position: i64, items: usize, is_whole: bool) -> News {
        expanding(position, items, (!is_whole).then_some(position))
    }

    fn expanding(position: i64, items: usize, rule: Option<i64>) -> News {
        let item = |number| Item::Resumed { jti: Uuid::from_u128(number as u128), exp: 0 };
        let items = Some((0..items).map(item).collect());
        let (expanding, staleness) = (rule.map(Position), Duration::ZERO);
        News { mark: mark(position), load: 0, items, expanding, staleness }
    }

    fn tell(feed: &Feed, news: News, is_beat: bool) {
        feed.tell(Some(news), DateTime::UNIX_EPOCH, is_beat);
    }

    fn listen(feed: &Feed, known: i64) -> broadcast::Receiver<Told> {
        match feed.join(&mark(known)) {
            Joined::At(_, told) => told,
            Joined::NotYet => panic!("not yet"),
        }
    }

    fn page(told: &mut broadcast::Receiver<Told>) -> Page {
        match told.try_recv().unwrap() {
            Told::Page(sheet) => sheet.page.clone(),
            told => panic!("{told:?}"),
        }
    }

    #[test]
    fn every_page_goes_on_from_the_one_before_and_a_mark_is_told_when_all_before_it_is() {
        let feed = Feed::default();
        tell(&feed, news(3, 0, true), true);
        let mut told = listen(&feed, 2);
        // A beat, a change, many changes, a rule that takes two looks, and what is appended meanwhile.
        tell(&feed, news(4, 0, true), true);
        tell(&feed, news(5, 1, true), false);
        tell(&feed, news(6, 2 * ITEMS_MAX + 1, true), false);
        tell(&feed, news(8, 2, false), false);
        tell(&feed, news(9, 0, false), true);
        tell(&feed, news(9, 0, true), false);

        let (mut known, mut pieces) = (mark(3), 0);
        let mut seen = Vec::new();
        for _ in 0..8 {
            let page = page(&mut told);
            assert!(page.follows(&known, pieces), "{page:?} after {known:?} and {pieces} pieces");
            (known, pieces) = if page.is_partial { (known, pieces + 1) } else { (page.mark, 0) };
            seen.push((page.mark.position, page.items.len(), page.is_partial));
        }

        let many = ITEMS_MAX;
        let expected = [
            (4, 0, false),
            (5, 1, false),
            (5, many, true),
            (5, many, true),
            (6, 1, false),
            (6, 2, true),
            (6, 0, true),
            (9, 0, false),
        ];
        assert_eq!(seen, expected);
        assert!(told.is_empty());
    }

    #[test]
    fn nobody_joins_in_the_middle_of_a_change_nor_behind_what_it_knows() {
        let feed = Feed::default();
        assert!(matches!(feed.join(&mark(0)), Joined::NotYet));
        tell(&feed, news(3, 0, true), true);
        let _told = listen(&feed, 3);
        assert!(matches!(feed.join(&mark(4)), Joined::NotYet));

        tell(&feed, news(5, 1, false), false);
        assert!(matches!(feed.join(&mark(3)), Joined::NotYet));
        tell(&feed, news(5, 0, true), false);

        assert!(matches!(feed.join(&mark(3)), Joined::At(at, _) if at == mark(5)));
    }

    #[test]
    fn what_nobody_heard_is_before_the_place_at_which_the_next_one_begins() {
        let feed = Feed::default();
        tell(&feed, news(3, 0, true), true);
        tell(&feed, news(5, 7, false), false);

        let mut told = listen(&feed, 3);
        assert_eq!(feed.mark(), Some(mark(5)));
        // Of the rule that was being expanded then it has read.
        tell(&feed, expanding(5, 2, Some(4)), false);
        let page = page(&mut told);
        assert!(page.follows(&mark(5), 0) && !page.is_partial && page.mark == mark(5), "{page:?}");
    }

    #[test]
    fn listeners_are_told_when_the_log_is_another_one_and_when_something_was_let_go() {
        let feed = Feed::default();
        let another = || News { load: 1, ..news(2, 0, true) };
        let lost = News { items: None, ..another() };
        tell(&feed, news(3, 0, true), true);
        let mut told = listen(&feed, 3);

        tell(&feed, another(), false);
        assert!(matches!(told.try_recv(), Ok(Told::Elsewhere)));
        let mut told = listen(&feed, 2);
        tell(&feed, lost, false);
        assert!(matches!(told.try_recv(), Ok(Told::Lost)));
        feed.tell(None, DateTime::UNIX_EPOCH, true);
        assert!(matches!(told.try_recv(), Ok(Told::Elsewhere)));
        assert!(matches!(feed.join(&mark(0)), Joined::NotYet));
    }
}
