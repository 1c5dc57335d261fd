//! Hears what the catalog's feed says, page by page, from the place up to which the gateway was told.

use std::{convert::Infallible, sync::Arc, time::Duration};

use catalog_gateway::{
    client::AskError,
    follow::{
        Pauses,
        changes::{Changes, NoPage},
    },
    wire::{Cursor, Item, Page},
};
use tokio::time::sleep;

use super::{
    ledger::Place,
    metrics,
    revoked::Revoked,
    shared::{Shared, Side},
};
use crate::domain::causes::Causes;

/// How often is asked whether there is more.
const POLL_PERIOD: Duration = Duration::from_millis(250);
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) struct Listener {
    pub(super) shared: Arc<Shared>,
    pub(super) changes: Changes,
    /// Up to where the gateway was told before.
    pub(super) place: Option<Place>,
}

impl Listener {
    pub(super) async fn forever(mut self) -> Infallible {
        let mut pauses = Pauses::new(PAUSE_MIN, PAUSE_MAX);
        let mut cursor = None;
        loop {
            let outcome = match &cursor {
                None => self.begin().await,
                Some(cursor) => self.go_on(cursor, &mut pauses).await,
            };
            match outcome {
                Ok(next) => cursor = Some(next),
                Err(NoPage::Reload) => {
                    tracing::warn!("{}: everything that is in force is told again", NoPage::Reload);
                    (self.place, cursor) = (None, None);
                    sleep(pauses.next(None)).await;
                }
                Err(NoPage::Ask(error)) => {
                    let asked = match &error {
                        AskError::Unavailable { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    self.shared.trouble(Side::Feed, &told(&error));
                    sleep(pauses.next(asked)).await;
                }
            }
        }
    }

    /// Loads what is in force, and tells where to go on.
    async fn begin(&mut self) -> Result<Cursor, NoPage> {
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
        self.ring();
        Ok(mark.into())
    }

    /// Asks for what comes after a place, and tells where to go on then.
    async fn go_on(&self, cursor: &Cursor, pauses: &mut Pauses) -> Result<Cursor, NoPage> {
        let page = self.changes.after(cursor).await?;
        let pieces = cursor.within.map_or(0, |within| within.pieces);
        if !page.follows(&cursor.mark, pieces) {
            return Err(NoPage::Reload);
        }
        let next: Cursor = match &page.next {
            Some(next) => next.parse().map_err(|_| AskError::Answer("says nowhere to go on"))?,
            None => return Err(AskError::Answer("says nowhere to go on").into()),
        };
        pauses.reset();
        self.shared.heard(page.time);
        self.learn(&page);
        if !page.has_more && !page.is_partial {
            self.shared.caught_up();
            sleep(POLL_PERIOD).await;
        }
        Ok(next)
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
