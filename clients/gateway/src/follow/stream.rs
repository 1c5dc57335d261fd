//! The event stream, as long as it speaks.

use std::time::Duration;

use reqwest::{Method, Response, header};
use tokio::time::{Instant, timeout_at};

use super::{
    Connection, End,
    events::{Event, Events},
    page::checked,
    run::Run,
};
use crate::{
    client::{AskError, Catalog},
    wire::{EVENT_HEARTBEAT, EVENT_PAGE, EVENT_RELOAD},
};

const EVENT_STREAM: &str = "text/event-stream";

impl Run {
    /// Follows the stream to its end.
    pub(super) async fn stream(&mut self) -> Result<(), End> {
        if self.is_behind() || self.is_suspect {
            // However long the stream takes to begin: what has happened meanwhile is known. And a catalog that answers nothing at
            // all is not taken for one whose stream is held back.
            while self.ask_for_page().await? {}
        }
        let mut response = open(&self.catalog, self.next()?, self.settings.answer_time_max).await?;
        self.set.resume();
        self.begin();
        self.tell(Connection::Streaming);
        let mut events = Events::new(self.settings.page_bytes_max);
        let mut has_spoken = false;
        let mut deadline = Instant::now() + self.settings.silence_max;
        loop {
            let silent_ms = self.settings.silence_max.as_millis();
            // Bytes are no sign of life: only what is said in full is.
            let chunk =
                timeout_at(deadline, response.chunk()).await.map_err(|_| End::Silent { silent_ms, has_spoken })?;
            let Some(chunk) = chunk.map_err(AskError::Unreachable)? else { return Err(End::Over) };
            let said = events.push(&chunk).map_err(|_| AskError::Answer("has an event that is too long"))?;
            for event in said {
                if self.hear(event).await? {
                    (has_spoken, self.is_suspect) = (true, false);
                    deadline = Instant::now() + self.settings.silence_max;
                }
            }
            if has_spoken && self.is_late() {
                return Err(End::Late);
            }
        }
    }

    /// Takes an event in, and tells whether it is of the feed.
    async fn hear(&mut self, event: Event) -> Result<bool, End> {
        match event.name.as_str() {
            EVENT_PAGE | EVENT_HEARTBEAT => {
                let page = serde_json::from_str(&event.data).map_err(AskError::Json)?;
                let now = self.settings.clock.now();
                self.apply(page, event.id, now).await?;
                Ok(true)
            }
            EVENT_RELOAD => Err(End::Reload),
            _ => Ok(false),
        }
    }
}

/// Opens the stream that goes on after an event.
pub(super) async fn open(catalog: &Catalog, after: String, within: Duration) -> Result<Response, End> {
    let request = catalog.request(Method::GET, "revocations")?.header(header::ACCEPT, EVENT_STREAM);
    let request = request.header("last-event-id", after);
    let response = match catalog.send(request, within).await {
        // A proxy that holds the stream back may hold its head back, too.
        Err(AskError::Silent(_)) => {
            return Err(End::Silent { silent_ms: within.as_millis(), has_spoken: false });
        }
        response => checked(response?, within).await?,
    };
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if kind.starts_with(EVENT_STREAM) { Ok(response) } else { Err(AskError::Answer("is no event stream").into()) }
}
