//! The feed as one reads it who passes it on: a page is asked for when the one before was dealt with, so what waits to be
//! dealt with waits at the catalog.

use reqwest::{Method, header::ACCEPT};

use super::{
    End, Settings,
    page::{checked, receive},
};
use crate::{
    client::{self, AskError, Catalog},
    wire::{Cursor, Item, Page},
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

fn read(body: &[u8]) -> Result<Page, NoPage> {
    Ok(serde_json::from_slice(body).map_err(AskError::Json)?)
}

impl From<End> for NoPage {
    fn from(end: End) -> Self {
        match end {
            End::Ask(error) => Self::Ask(error),
            End::Aborted(_) => Self::Ask(AskError::Answer("was not read to its end")),
            _ => Self::Reload,
        }
    }
}
