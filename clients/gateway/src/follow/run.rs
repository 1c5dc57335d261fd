//! Round after round: a snapshot where one is needed, else the stream, else pages.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use super::{Connection, End, Progress, Settings, keep::Keeper, pause::Pauses};
use crate::{
    causes::Causes,
    client::{AskError, Catalog},
    error::ApplyError,
    now::Now,
    set::{Applied, RevocationSet},
    wire::{Cursor, Page},
};

pub(super) struct Run {
    pub(super) catalog: Catalog,
    pub(super) set: RevocationSet,
    pub(super) settings: Settings,
    /// Where to go on, as the catalog said; `None` = at the mark of what is known.
    pub(super) cursor: Option<String>,
    /// When the set could last tell.
    fresh_at: Instant,
    /// Whether the stream said nothing though pages were answered before and after. That can be a hang that was over just then: so it is
    /// tried once more.
    pub(super) is_suspect: bool,
    /// Until when pages are asked for instead of the stream.
    poll_until: Option<Instant>,
    /// From when on a snapshot may be loaded because pages come too late.
    load_late_from: Instant,
    tell: watch::Sender<Progress>,
    keeper: Option<Keeper>,
    pub(super) pauses: Pauses,
}

impl Run {
    pub(super) fn new(
        catalog: Catalog,
        set: RevocationSet,
        settings: Settings,
        tell: watch::Sender<Progress>,
        keeper: Option<Keeper>,
    ) -> Self {
        let pauses = Pauses::new(settings.pause_min, settings.pause_max);
        let (fresh_at, load_late_from) = (Instant::now(), Instant::now());
        let (cursor, poll_until) = (None, None);
        Self {
            catalog,
            set,
            settings,
            cursor,
            fresh_at,
            is_suspect: false,
            poll_until,
            load_late_from,
            tell,
            keeper,
            pauses,
        }
    }

    pub(super) async fn forever(mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.read().await;
        }
        loop {
            let Err(end) = self.round().await;
            if matches!(end, End::Aborted(_)) {
                return;
            }
            self.tell(Connection::None);
            if let Some(pause) = self.conclude(&end) {
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn round(&mut self) -> Result<std::convert::Infallible, End> {
        if self.set.status(self.settings.clock.now()).needs_snapshot {
            self.tell(Connection::Loading);
            self.load().await?;
        }
        loop {
            match self.poll_until {
                Some(until) if Instant::now() < until => self.poll(until).await?,
                _ => {
                    self.poll_until = None;
                    self.stream().await?;
                }
            }
        }
    }

    /// What follows from the end of a round. The pause before the next one, if there is to be one.
    fn conclude(&mut self, end: &End) -> Option<Duration> {
        if matches!(end, End::Ask(_)) {
            // It is the catalog that does not answer, and not its stream alone that is held back.
            (self.is_suspect, self.poll_until) = (false, None);
        }
        let address = self.catalog.address();
        match end {
            End::Over => tracing::info!(address, "the catalog ended the stream"),
            End::Silent { has_spoken: true, .. } => tracing::warn!(address, "{end}; another connection is made"),
            // Pages that come too late, too, are judged by another clock than the catalog's is now: only a snapshot tells of that.
            End::Late if self.poll_until.is_some() => {
                self.load_late_from = Instant::now() + self.settings.stream_again_after;
                self.reload(end);
            }
            End::Silent { has_spoken: false, .. } if !self.is_suspect => {
                tracing::warn!(address, "{end}; it is tried once more");
                self.is_suspect = true;
            }
            End::Silent { has_spoken: false, .. } | End::Late => {
                tracing::warn!(
                    address,
                    "{end}, as behind a proxy that holds it back, or of a catalog that does not hear its log; pages are asked for instead"
                );
                self.poll_until = Some(Instant::now() + self.settings.stream_again_after);
            }
            End::Misfit(ApplyError::OlderSnapshot { .. }) => tracing::info!(address, "{end}; it is asked for again"),
            End::Reload | End::Misfit(_) => self.reload(end),
            End::Ask(error @ AskError::Refused(_)) => tracing::error!(address, "{error}; it is asked again"),
            End::Ask(error) => tracing::warn!(address, "{}; it is asked again", Causes(error)),
            End::Aborted(_) => {}
        }
        match end {
            // Where something was heard until now nothing speaks against asking at once.
            End::Silent { .. } | End::Late => None,
            End::Ask(AskError::Unavailable { retry_after, .. }) => Some(self.pauses.next(*retry_after)),
            End::Over | End::Reload | End::Misfit(_) | End::Ask(_) | End::Aborted(_) => Some(self.pauses.next(None)),
        }
    }

    fn reload(&mut self, end: &End) {
        self.set.distrust();
        self.cursor = None;
        let address = self.catalog.address();
        tracing::warn!(address, "{end}: what is known does not fit the catalog's log; the snapshot is loaded again");
        self.tell.send_modify(|progress| progress.reloads += 1);
    }

    /// Learns a page that came just now, and was asked for at some instant. The cursor is where the catalog would go on.
    pub(super) async fn apply(&mut self, page: Page, cursor: Option<String>, asked: Now) -> Result<(), End> {
        if page.after.is_none() {
            return Err(AskError::Answer("is a snapshot, and a page was asked for").into());
        }
        let (set, now) = (self.set.clone(), self.settings.clock.now());
        let applied = tokio::task::spawn_blocking(move || set.apply_answer(&page, asked, now)).await??;
        if applied == Applied::Followed {
            self.cursor = cursor.or_else(|| self.cursor.take());
            self.pauses.reset();
            self.heard();
        }
        Ok(())
    }

    /// Looks whether the set can tell now.
    pub(super) fn heard(&mut self) {
        if self.set.status(self.settings.clock.now()).is_fresh {
            self.fresh_at = Instant::now();
            self.tell.send_if_modified(|progress| !std::mem::replace(&mut progress.is_loaded, true));
        }
    }

    /// Whether the set has not been able to tell for so long that what is heard seems to be of no use.
    pub(super) fn is_late(&self) -> bool {
        self.fresh_at.elapsed() > self.settings.silence_max
    }

    /// Whether that is so of pages, for which a snapshot is the remedy, though not all the time.
    pub(super) fn is_late_by_pages(&self) -> bool {
        self.is_late() && Instant::now() >= self.load_late_from
    }

    /// Where to go on.
    pub(super) fn next(&self) -> Result<String, End> {
        let mark = || self.set.status(self.settings.clock.now()).mark.map(|mark| Cursor::from(mark).to_string());
        self.cursor.clone().or_else(mark).ok_or(End::Reload)
    }

    /// Lets what is heard from now on have its time.
    pub(super) fn begin(&mut self) {
        self.fresh_at = Instant::now();
    }

    /// Whether the end of the log was not seen for as long as an answer may take to come.
    pub(super) fn is_behind(&self) -> bool {
        let staleness = self.set.status(self.settings.clock.now()).staleness;
        staleness.is_none_or(|staleness| staleness > self.settings.answer_time_max)
    }

    pub(super) fn tell(&self, connection: Connection) {
        self.tell.send_if_modified(|progress| std::mem::replace(&mut progress.connection, connection) != connection);
    }
}
