//! Page after page, and the snapshot.

use std::{
    io::{self, Read},
    time::Duration,
};

use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{Connection, End, Settings, pause::jittered, run::Run, snapshot};
use crate::{
    client::{self, AskError},
    loader::Loader,
    wire::{Item, Page},
};

/// The problem that says that only a snapshot helps.
const FEED_RELOAD: &str = "feed_reload";
/// The longest problem that is read.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// How many chunks of a snapshot wait to be read.
const CHUNKS_MAX: usize = 16;

#[derive(Deserialize)]
struct Problem {
    code: String,
}

impl Run {
    /// Asks for pages until then.
    pub(super) async fn poll(&mut self, until: Instant) -> Result<(), End> {
        self.begin();
        while Instant::now() < until {
            let has_more = self.ask_for_page().await?;
            self.tell(Connection::Polling);
            if self.is_late_by_pages() {
                return Err(End::Late);
            }
            if !has_more {
                tokio::time::sleep(jittered(self.settings.poll_interval)).await;
            }
        }
        Ok(())
    }

    /// Asks for what has happened meanwhile, and tells whether there is more.
    pub(super) async fn ask_for_page(&mut self) -> Result<bool, End> {
        let (within, asked) = (self.settings.answer_time_max, self.settings.clock.now());
        let request = self.catalog.request(Method::GET, "revocations")?.query(&[("after", self.next()?)]);
        let request = request.header(reqwest::header::ACCEPT, "application/json");
        let response = checked(self.catalog.send(request, within).await?, within).await?;
        let body = client::body(response, self.settings.page_bytes_max, within).await?;
        let page: Page = serde_json::from_slice(&body).map_err(AskError::Json)?;
        self.set.resume();
        let (has_more, cursor) = (page.has_more || page.is_partial, page.next.clone());
        let before = self.cursor.clone();
        self.apply(page, cursor, asked).await?;
        // Whoever gets no further by asking is not to ask again at once.
        Ok(has_more && self.cursor != before)
    }

    /// Loads a snapshot. It ends no row of failures: whether it fits, only the page after it shows.
    pub(super) async fn load(&mut self) -> Result<(), End> {
        let asked = self.settings.clock.now();
        let request = self.catalog.request(Method::GET, "revocations/snapshot")?;
        let response = self.catalog.send(request, self.settings.snapshot_time_max).await?;
        let response = checked(response, self.settings.answer_time_max).await?;
        let began = self.settings.clock.now();
        let (loader, head) = receive(response, &self.settings, Loader::new(asked), Loader::push).await?;
        let set = self.set.clone();
        let (address, mark) = (self.catalog.address(), head.mark);
        tokio::task::spawn_blocking(move || set.replace(loader, &head, began)).await??;
        tracing::info!(address, position = mark.position, log_id = %mark.log_id, "the snapshot is loaded");
        self.cursor = None;
        self.heard();
        Ok(())
    }
}

/// Reads a snapshot while it comes, beside the async threads, and hands its items over to what is to take them.
pub(super) async fn receive<S: Send + 'static>(
    mut response: Response,
    settings: &Settings,
    mut sink: S,
    push: fn(&mut S, &Item),
) -> Result<(S, Page), End> {
    let (send, chunks) = mpsc::channel(CHUNKS_MAX);
    let (bytes_max, within) = (settings.snapshot_bytes_max, settings.snapshot_time_max);
    let reading = tokio::task::spawn_blocking(move || {
        let chunks = Chunks { coming: chunks, here: None, read: 0 };
        let head = snapshot::read(chunks, bytes_max, &mut |item| push(&mut sink, item))?;
        Ok::<_, serde_json::Error>((sink, head))
    });
    let outcome = loop {
        let chunk = match timeout(within, response.chunk()).await {
            Err(_) => break Err(AskError::Silent(within)),
            Ok(Err(error)) => break Err(AskError::Unreachable(error)),
            Ok(Ok(None)) => break Ok(()),
            Ok(Ok(Some(chunk))) => chunk,
        };
        // Whoever reads has found something wrong when it takes no more.
        if send.send(chunk).await.is_err() {
            break Ok(());
        }
    };
    drop(send);
    let read = reading.await?;
    outcome?;
    Ok(read.map_err(AskError::Json)?)
}

/// An answer that is not what was asked for as the end that it means.
pub(super) async fn checked(response: Response, time_max: Duration) -> Result<Response, End> {
    if response.status() == StatusCode::CONFLICT {
        let body = client::body(response, PROBLEM_BYTES_MAX, time_max).await?;
        return match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if problem.code == FEED_RELOAD => Err(End::Reload),
            _ => Err(AskError::Answer("is a conflict of an unknown kind").into()),
        };
    }
    match client::refusal(&response) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(response),
    }
}

/// Chunks that come from an async thread, as a blocking one reads them.
struct Chunks<Bytes> {
    coming: mpsc::Receiver<Bytes>,
    here: Option<Bytes>,
    read: usize,
}

impl<Bytes: AsRef<[u8]>> Read for Chunks<Bytes> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self.here.as_ref().and_then(|chunk| chunk.as_ref().get(self.read..)).unwrap_or_default();
            if !rest.is_empty() {
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                self.read += length;
                return Ok(length);
            }
            match self.coming.blocking_recv() {
                Some(chunk) => (self.here, self.read) = (Some(chunk), 0),
                None => return Ok(0),
            }
        }
    }
}
