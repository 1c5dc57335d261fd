//! Hears what the catalog's feed says, from the place up to which the gateway was told: by its stream, and by pages where a
//! proxy holds that back.

use std::{convert::Infallible, sync::Arc, time::Duration};

use catalog_gateway::{
    client::AskError,
    follow::{
        Pauses,
        changes::{Changes, NoPage},
    },
    wire::{Cursor, Item, Page},
};
use tokio::time::{Instant, sleep};

use super::{
    ledger::Place,
    metrics,
    revoked::Revoked,
    shared::{Shared, Side},
};
use crate::domain::causes::Causes;

/// How often pages are asked for where the stream is held back, and after how long it is tried again.
const POLL_PERIOD: Duration = Duration::from_millis(500);
const STREAM_AGAIN_AFTER: Duration = Duration::from_mins(1);
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) struct Listener {
    shared: Arc<Shared>,
    changes: Changes,
    /// Up to where the gateway was told before.
    place: Option<Place>,
    at: Option<At>,
    /// Until when pages are asked for instead of the stream.
    poll_until: Option<Instant>,
    pauses: Pauses,
}

/// How much is heard.
#[derive(Debug, Clone, Copy)]
struct At {
    /// Where to go on.
    cursor: Cursor,
    /// How many pieces are known of the change after that place.
    pieces: u32,
}

impl Listener {
    pub(super) fn new(shared: Arc<Shared>, changes: Changes, place: Option<Place>) -> Self {
        let pauses = Pauses::new(PAUSE_MIN, PAUSE_MAX);
        Self { shared, changes, place, at: None, poll_until: None, pauses }
    }

    pub(super) async fn forever(mut self) -> Infallible {
        loop {
            let Err(end) = self.round().await;
            // Where something was heard until now nothing speaks against asking at once.
            if let Some(pause) = self.conclude(&end) {
                sleep(pause).await;
            }
        }
    }

    async fn round(&mut self) -> Result<Infallible, NoPage> {
        loop {
            match self.at {
                None => self.begin().await?,
                Some(at) if self.poll_until.is_some_and(|until| Instant::now() < until) => self.ask(at).await?,
                Some(at) => self.listen(at).await?,
            }
        }
    }

    /// What follows from the end of a round: the pause before the next one, if there is to be one.
    fn conclude(&mut self, end: &NoPage) -> Option<Duration> {
        match end {
            NoPage::Silent { has_spoken: false } => {
                tracing::warn!("{end}, as behind a proxy that holds it back; pages are asked for instead");
                self.poll_until = Some(Instant::now() + STREAM_AGAIN_AFTER);
                None
            }
            NoPage::Silent { .. } => None,
            NoPage::Over => Some(self.pauses.next(None)),
            NoPage::Reload => {
                tracing::warn!("{end}: everything that is in force is told again");
                (self.place, self.at) = (None, None);
                Some(self.pauses.next(None))
            }
            NoPage::Ask(error) => {
                let asked = match error {
                    AskError::Unavailable { retry_after, .. } => *retry_after,
                    _ => None,
                };
                self.shared.trouble(Side::Feed, &told(error));
                Some(self.pauses.next(asked))
            }
        }
    }

    /// Loads what is in force.
    async fn begin(&mut self) -> Result<(), NoPage> {
        let push = |all: &mut Heard, item: &Item| all.push(item);
        let (found, head) = self.changes.snapshot(Heard::default(), push).await?;
        self.shared.heard(head.time);
        for kid in &found.keys {
            compromised(kid);
        }
        let (now, known) = (self.shared.now(), self.place.take().filter(|place| place.mark.log_id == head.mark.log_id));
        let mark = known.map_or(head.mark, |place| place.mark);
        match known {
            Some(place) => self.shared.ledger().resume(place, &found.revoked, now),
            None => self.shared.ledger().begin(mark, &found.revoked, now),
        }
        tracing::info!(position = mark.position, log_id = %mark.log_id, is_resumed = known.is_some(), "the feed is followed");
        self.at = Some(At { cursor: mark.into(), pieces: 0 });
        self.ring();
        Ok(())
    }

    /// Follows the stream for as long as it speaks.
    async fn listen(&mut self, at: At) -> Result<(), NoPage> {
        self.at = Some(At { pieces: 0, cursor: Cursor { within: None, ..at.cursor } });
        let mut stream = self.changes.stream(&at.cursor).await?;
        loop {
            self.take(&stream.next().await?)?;
        }
    }

    /// Asks for a page.
    async fn ask(&mut self, at: At) -> Result<(), NoPage> {
        let page = self.changes.after(&at.cursor).await?;
        if page.next.is_none() {
            return Err(AskError::Answer("says nowhere to go on").into());
        }
        self.take(&page)?;
        if !page.has_more && !page.is_partial {
            sleep(POLL_PERIOD).await;
        }
        Ok(())
    }

    /// Takes in what a page says that is not known yet.
    fn take(&mut self, page: &Page) -> Result<(), NoPage> {
        let Some(at) = &mut self.at else { return Err(NoPage::Reload) };
        self.shared.heard(page.time);
        self.pauses.reset();
        if !at.is_next(page)? {
            return Ok(());
        }
        match page.next.as_deref().map(str::parse::<Cursor>) {
            Some(Ok(cursor)) => *at = At { cursor, pieces: cursor.within.map_or(0, |within| within.pieces) },
            Some(Err(_)) => return Err(AskError::Answer("says nowhere to go on").into()),
            // A piece on a stream: it goes on at the place where it was.
            None => at.pieces = page.piece + 1,
        }
        self.learn(page);
        if page.items.is_empty() && !page.has_more && !page.is_partial {
            self.shared.caught_up();
        }
        Ok(())
    }

    fn learn(&self, page: &Page) {
        let now = self.shared.now();
        {
            let mut ledger = self.shared.ledger();
            ledger.learn(&page.items, now);
            if !page.is_partial {
                ledger.close(page.mark);
            }
        }
        for item in &page.items {
            match item {
                Item::KeyCompromised { kid } => compromised(kid),
                Item::Suspended { .. } => metrics::suspended(),
                Item::Revoked { .. } | Item::Resumed { .. } | Item::Spared { .. } => {}
            }
        }
        metrics::position(page.mark.position);
        self.ring();
    }

    fn ring(&self) {
        self.shared.couriers.notify_one();
        self.shared.keys.notify_one();
        self.shared.told.notify_one();
    }
}

impl At {
    /// Whether a page goes on from here; if not, it is known already.
    fn is_next(&self, page: &Page) -> Result<bool, NoPage> {
        let (known, said, after) = (self.cursor.mark, page.mark, page.after.unwrap_or(0));
        let is_other = said.log_id != known.log_id || (said.position == known.position && said.digest != known.digest);
        if is_other {
            return Err(NoPage::Reload);
        }
        if said.position < known.position || (said.position == known.position && after < known.position) {
            return Ok(false);
        }
        // Pieces may come again, with those that follow them.
        if after != known.position || page.piece > self.pieces {
            return Err(NoPage::Reload);
        }
        // That nothing has happened since says nothing of a change that has come in part.
        Ok(self.pieces == 0 || page.is_partial || said.position > known.position)
    }
}

/// What a snapshot says that matters to a gateway.
#[derive(Default)]
struct Heard {
    revoked: Vec<Revoked>,
    keys: Vec<String>,
}

impl Heard {
    fn push(&mut self, item: &Item) {
        self.revoked.extend(Revoked::of(item));
        if let Item::KeyCompromised { kid } = item {
            self.keys.push(kid.clone());
        }
    }
}

/// No courier helps against whoever has the key: the gateway must not take it any more.
fn compromised(kid: &str) {
    metrics::key_compromised();
    tracing::error!(kid, "this key is compromised: the gateway takes what it signs until it is given another one");
}

fn told(error: &AskError) -> String {
    match error {
        AskError::Refused(status) => {
            format!("the catalog refuses the credential ({status}): it needs tokens.check and tokens.courier")
        }
        error => Causes(error).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use catalog_gateway::wire::{Digest, Mark};
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn mark(position: i64) -> Mark {
        Mark { log_id: Uuid::from_u128(7), position, digest: Digest([9; 32]) }
    }

    fn page(after: i64, mark: Mark, piece: u32, is_partial: bool) -> Page {
        Page {
            mark,
            after: Some(after),
            piece,
            is_partial,
            time: DateTime::UNIX_EPOCH,
            staleness_ms: 0,
            next: None,
            has_more: false,
            items: Vec::new(),
        }
    }

    #[test]
    fn a_page_goes_on_from_here_or_is_known_or_is_of_another_log() {
        let at = |pieces| At { cursor: mark(10).into(), pieces };
        let elsewhere = Mark { log_id: Uuid::nil(), ..mark(20) };
        let altered = Mark { digest: Digest([8; 32]), ..mark(10) };
        for (what, pieces, page, expected) in [
            ("the next", 0, page(10, mark(20), 0, false), Some(true)),
            ("a heartbeat", 0, page(10, mark(10), 0, false), Some(true)),
            ("one that is known", 0, page(5, mark(10), 0, false), Some(false)),
            ("an older one", 0, page(5, mark(9), 0, false), Some(false)),
            ("one is missing before it", 0, page(11, mark(20), 0, false), None),
            ("another log's", 0, page(10, elsewhere, 0, false), None),
            ("this log's, altered", 0, page(10, altered, 0, false), None),
            ("a first piece", 0, page(10, mark(10), 0, true), Some(true)),
            ("a second piece", 1, page(10, mark(10), 1, true), Some(true)),
            ("a piece again", 2, page(10, mark(10), 1, true), Some(true)),
            ("a piece is missing before it", 1, page(10, mark(10), 2, true), None),
            ("a heartbeat among pieces", 1, page(10, mark(10), 0, false), Some(false)),
            ("the last piece", 2, page(10, mark(20), 2, false), Some(true)),
        ] {
            assert_eq!(at(pieces).is_next(&page).ok(), expected, "{what}");
        }
    }
}
