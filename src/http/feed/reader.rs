//! One reader of the feed's stream: it comes to where the others are by the database, and is told with them from then on.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use catalog_gateway::wire::{Cursor, Mark, Page};
use chrono::{DateTime, Utc};
use tokio::{
    sync::{
        SemaphorePermit,
        broadcast::{self, error::RecvError},
    },
    time::{Instant, sleep},
};

use super::event;
use crate::{
    app::{
        Catalog,
        feed::{Joined, Told},
        metrics::{self, CutOff, FeedReader},
    },
    domain::{Authority, authority::Credential, causes::Causes},
    http::problem::{self, Problem},
    store::feed::{self, Elsewhere, FeedError},
};

/// How long somebody waits who cannot join the others yet before it reads the database again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked at whether somebody would still be let in: a page a second is made at least.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long somebody is told whom an identity provider vouched for: longer only after another look at what vouches for it.
const LOGIN_TIME_MAX: Duration = Duration::from_mins(5);

/// A reader.
pub(super) struct Reader {
    catalog: Arc<Catalog>,
    authority: Arc<Authority>,
    at: Cursor,
    stage: Stage,
    is_idle: bool,
    /// Whether its next event was asked for and is not there yet. Else it has not taken the last one.
    is_waiting: bool,
    /// When it was last looked at whether it would be let in.
    looked_at: Instant,
    ends_at: Option<End>,
    span: tracing::Span,
    _place: SemaphorePermit<'static>,
    _counted: FeedReader,
}

/// Where it is.
enum Stage {
    /// It reads the database, and is not among the others.
    Behind,
    /// It is among the others, and first reads the database up to where it joined.
    Joining(Mark, broadcast::Receiver<Told>),
    /// It is told with the others. Whether it was told anything yet.
    Joined(broadcast::Receiver<Told>, bool),
    /// It is told nothing more.
    Over,
}

/// When it is told nothing more whatever happens, by whichever clock comes first to it: the one that nobody sets, or the one
/// that goes on while a machine is suspended.
struct End {
    monotonic: Instant,
    wall: DateTime<Utc>,
}

impl End {
    fn of(span: Duration, now: DateTime<Utc>) -> Self {
        Self { monotonic: Instant::now() + span, wall: now + span }
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.wall || Instant::now() >= self.monotonic
    }
}

impl Reader {
    /// A reader that knows everything up to a place.
    pub(super) fn new(
        catalog: Arc<Catalog>,
        authority: Arc<Authority>,
        at: Cursor,
        place: SemaphorePermit<'static>,
    ) -> Self {
        let now = catalog.ambient().clock.now();
        let is_login = matches!(authority.credential, Some(Credential::Login { .. }));
        Self {
            catalog,
            authority,
            at,
            stage: Stage::Behind,
            is_idle: false,
            is_waiting: false,
            looked_at: Instant::now(),
            ends_at: is_login.then(|| End::of(LOGIN_TIME_MAX, now)),
            span: tracing::Span::current(),
            _place: place,
            _counted: FeedReader::begins(),
        }
    }

    /// The next event; `None` = it ends.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.is_waiting = true;
        let event = self.event().await;
        self.is_waiting = false;
        event
    }

    async fn event(&mut self) -> Option<Bytes> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Over => return None,
                Stage::Behind => match self.catalog.feed().join(&self.at.mark) {
                    Joined::At(mark, told) => self.stage = Stage::Joining(mark, told),
                    Joined::NotYet => return self.alone().await,
                },
                Stage::Joining(mark, told) if self.at == mark.into() => {
                    self.stage = Stage::Joined(told, false);
                    return Some(event::page(&self.nothing_new()));
                }
                Stage::Joining(mark, told) => {
                    if self.is_out().await {
                        return self.cut_off(CutOff::Credential);
                    }
                    let event = self.read(Some(mark)).await;
                    if event.is_ok() {
                        self.stage = Stage::Joining(mark, told);
                    }
                    return self.told(event);
                }
                Stage::Joined(mut told, is_told) => match told.recv().await {
                    Ok(Told::Page(_)) if self.is_out().await => return self.cut_off(CutOff::Credential),
                    Ok(Told::Page(sheet)) => {
                        self.stage = Stage::Joined(told, true);
                        return Some(sheet.rendered(event::page));
                    }
                    Ok(Told::Elsewhere) => return Some(self.reload(&Elsewhere::AnotherLog)),
                    Ok(Told::Lost) => return self.cut_off(CutOff::Lost),
                    // The others went too far ahead while it read the database, for which it is not to blame.
                    Err(RecvError::Lagged(_)) if !is_told => self.stage = Stage::Behind,
                    Err(RecvError::Lagged(_)) => return self.cut_off(CutOff::Slow),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    /// The next event of somebody who cannot join the others at this moment.
    async fn alone(&mut self) -> Option<Bytes> {
        if self.is_idle {
            sleep(PAUSE).await;
        }
        if self.is_out().await {
            return self.cut_off(CutOff::Credential);
        }
        let event = self.read(None).await;
        if event.is_ok() {
            self.stage = Stage::Behind;
        }
        self.told(event)
    }

    /// The next page of the database.
    async fn read(&mut self, until: Option<Mark>) -> Result<Bytes, FeedError> {
        let now = self.catalog.ambient().clock.now();
        let page = feed::page(self.catalog.database(), &self.at, until, feed::ITEMS_MAX, now).await?;
        self.is_idle = page.items.is_empty() && !page.has_more;
        if let Some(next) = page.next.as_deref().and_then(|next| next.parse().ok()) {
            self.at = next;
        }
        Ok(event::page(&Page { next: None, ..page }))
    }

    fn told(&self, event: Result<Bytes, FeedError>) -> Option<Bytes> {
        match event {
            Ok(event) => Some(event),
            Err(FeedError::Elsewhere(elsewhere)) => Some(self.reload(&elsewhere)),
            Err(FeedError::Store(error)) => {
                self.span.in_scope(|| tracing::warn!(error = %Causes(&error), "the log cannot be read for a reader"));
                self.cut_off(CutOff::Unavailable)
            }
        }
    }

    /// That nothing changed since where it is.
    fn nothing_new(&self) -> Page {
        let staleness = self.catalog.staleness().unwrap_or_default();
        Page {
            mark: self.at.mark,
            after: Some(self.at.mark.position),
            piece: 0,
            is_partial: false,
            time: self.catalog.ambient().clock.now(),
            staleness_ms: u64::try_from(staleness.as_millis()).unwrap_or(u64::MAX),
            next: None,
            has_more: false,
            items: Vec::new(),
        }
    }

    /// Whether it would not be let in any more, which is looked at now and then.
    async fn is_out(&mut self) -> bool {
        if self.looked_at.elapsed() < LOOK_INTERVAL {
            return false;
        }
        self.looked_at = Instant::now();
        let is_over = self.ends_at.as_ref().is_some_and(|end| end.is_over(self.catalog.ambient().clock.now()));
        is_over || !self.catalog.is_let_in_still(&self.authority).await
    }

    fn reload(&self, elsewhere: &Elsewhere) -> Bytes {
        self.note(CutOff::Elsewhere);
        let base = problem::base(self.catalog.issuer());
        event::reload(&Problem::feed_reload(elsewhere).document(base))
    }

    fn cut_off(&self, why: CutOff) -> Option<Bytes> {
        self.note(why);
        None
    }

    fn note(&self, why: CutOff) {
        metrics::cut_off(why);
        self.span.in_scope(|| tracing::info!(why = why.as_str(), "a reader of the feed is cut off"));
    }
}

impl Drop for Reader {
    /// Somebody who goes away is waiting then. Whoever is dropped with an event that it did not take read no more, until its
    /// connection was given up.
    fn drop(&mut self) {
        if !self.is_waiting && !matches!(self.stage, Stage::Over) {
            self.note(CutOff::Unread);
        }
    }
}
