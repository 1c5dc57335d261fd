//! The feed as one reads it who passes it on: from the stream, or page by page.

use std::{collections::VecDeque, time::Duration};

use reqwest::{Method, Response, header::ACCEPT};
use tokio::time::{Instant, timeout_at};

use super::{
    End, Settings,
    events::{Event, Events},
    page::{checked, receive},
    stream::open,
};
use crate::{
    client::{self, AskError, Catalog},
    wire::{Cursor, EVENT_HEARTBEAT, EVENT_PAGE, EVENT_RELOAD, Item, Page},
};

/// Asks for what changed, and for what is in force.
#[derive(Debug, Clone)]
pub struct Changes {
    catalog: Catalog,
    settings: Settings,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum NoPage {
    /// The catalog did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The place that was to be gone on from is none of the catalog's log: begin again with the snapshot.
    #[error("the catalog asks for a reload: the place is none of its log")]
    Reload,
    /// The stream says nothing any more, or has never said anything, as where a proxy holds it back.
    #[error("the stream says nothing")]
    Silent {
        /// Whether it had said anything.
        has_spoken: bool,
    },
    /// The stream came to its end.
    #[error("the stream ended")]
    Over,
}

/// An event stream as it comes.
#[derive(Debug)]
pub struct Coming {
    response: Response,
    events: Events,
    waiting: VecDeque<Event>,
    has_spoken: bool,
    silence_max: Duration,
}

impl Changes {
    /// Of this catalog. Of the settings the times for answers count, and the longest page and snapshot.
    #[must_use]
    pub fn new(catalog: Catalog, settings: Settings) -> Self {
        Self { catalog, settings }
    }

    /// What changed after a place: a page, perhaps without items, that says in `next` where to go on.
    ///
    /// # Errors
    /// [`NoPage`].
    pub async fn after(&self, cursor: &Cursor) -> Result<Page, NoPage> {
        let within = self.settings.answer_time_max;
        let request = self.catalog.request(Method::GET, "revocations")?.query(&[("after", cursor.to_string())]);
        let response = self.catalog.send(request.header(ACCEPT, "application/json"), within).await?;
        let response = checked(response, within).await?;
        let page = read(&client::body(response, self.settings.page_bytes_max, within).await?)?;
        if page.after.is_some() {
            Ok(page)
        } else {
            Err(AskError::Answer("is a snapshot, and a page was asked for").into())
        }
    }

    /// The stream of what changes after a place. What is known within a change that comes in pieces comes again.
    ///
    /// # Errors
    /// [`NoPage`].
    pub async fn stream(&self, cursor: &Cursor) -> Result<Coming, NoPage> {
        let after = Cursor { within: None, ..*cursor }.to_string();
        let response = open(&self.catalog, after, self.settings.answer_time_max).await?;
        let (events, silence_max) = (Events::new(self.settings.page_bytes_max), self.settings.silence_max);
        Ok(Coming { response, events, waiting: VecDeque::new(), has_spoken: false, silence_max })
    }

    /// What is in force, handed over item by item to what is to take them, and the page without them.
    ///
    /// # Errors
    /// [`NoPage::Ask`]. What was handed over until then is lost.
    pub async fn snapshot<S: Send + 'static>(&self, sink: S, push: fn(&mut S, &Item)) -> Result<(S, Page), NoPage> {
        let within = self.settings.snapshot_time_max;
        let request = self.catalog.request(Method::GET, "revocations/snapshot")?;
        let response = checked(self.catalog.send(request, within).await?, within).await?;
        let (sink, head) = receive(response, &self.settings, sink, push).await?;
        if head.after.is_none() {
            Ok((sink, head))
        } else {
            Err(AskError::Answer("is a page, and a snapshot was asked for").into())
        }
    }
}

impl Coming {
    /// The next page, or a heartbeat, which has no items. `next` says where to go on, once everything up to there is told.
    ///
    /// # Errors
    /// [`NoPage`]. The stream is of no use then.
    pub async fn next(&mut self) -> Result<Page, NoPage> {
        let deadline = Instant::now() + self.silence_max;
        loop {
            while let Some(event) = self.waiting.pop_front() {
                match event.name.as_str() {
                    EVENT_PAGE | EVENT_HEARTBEAT => {
                        self.has_spoken = true;
                        return Ok(Page { next: event.id, ..read(event.data.as_bytes())? });
                    }
                    EVENT_RELOAD => return Err(NoPage::Reload),
                    _ => {}
                }
            }
            // Bytes are no sign of life: only what is said in full is.
            let chunk = timeout_at(deadline, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| NoPage::Silent { has_spoken: self.has_spoken })?;
            let chunk = chunk.map_err(AskError::Unreachable)?.ok_or(NoPage::Over)?;
            let said = self.events.push(&chunk).map_err(|_| AskError::Answer("has an event that is too long"))?;
            self.waiting.extend(said);
        }
    }
}

fn read(body: &[u8]) -> Result<Page, NoPage> {
    Ok(serde_json::from_slice(body).map_err(AskError::Json)?)
}

impl From<End> for NoPage {
    fn from(end: End) -> Self {
        match end {
            End::Ask(error) => Self::Ask(error),
            End::Silent { has_spoken, .. } => Self::Silent { has_spoken },
            End::Over => Self::Over,
            End::Aborted(_) => Self::Ask(AskError::Answer("was not read to its end")),
            _ => Self::Reload,
        }
    }
}
