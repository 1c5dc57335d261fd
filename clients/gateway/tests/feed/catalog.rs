//! A catalog that serves a feed and nothing else, and does whatever it is told to do wrong.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use catalog_gateway::{
    Now,
    wire::{Cursor, Digest, EVENT_HEARTBEAT, EVENT_PAGE, EVENT_RELOAD, Item, Mark, Page},
};
use futures_util::stream;
use serde::Deserialize;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use uuid::Uuid;

pub const HEARTBEAT: Duration = Duration::from_millis(40);

/// What the next page does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is left out, and the one after it comes.
    Skip,
    /// It comes twice.
    Twice,
    /// All that ever happened comes again before it, page by page.
    Replay,
}

#[derive(Default)]
pub struct Log {
    epoch: u128,
    changes: Vec<Vec<Item>>,
    pub fault: Option<Fault>,
    /// Answers nothing but 503.
    pub is_down: bool,
    /// Answers with the event that asks for a reload.
    pub asks_for_reload: bool,
    /// How many of the next streams begin with a page that leaves a gap.
    pub gaps: u32,
    /// Says nothing on streams, not even their end.
    pub is_mute: bool,
    /// How many of the next streams say nothing whatever happens.
    pub mute_streams: u32,
    pub streams: u32,
    pub pages: u32,
    pub snapshots: u32,
    /// When the last two were asked for.
    pub loaded: [Option<Instant>; 2],
}

pub struct Catalog {
    log: Mutex<Log>,
    news: Notify,
}

impl Catalog {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { log: Mutex::default(), news: Notify::new() })
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    pub fn append(&self, items: Vec<Item>) {
        self.append_several([items]);
    }

    /// Before anybody hears of the first of them.
    pub fn append_several(&self, changes: impl IntoIterator<Item = Vec<Item>>) {
        self.log().changes.extend(changes);
        self.news.notify_waiters();
    }

    pub fn head(&self) -> i64 {
        self.log().head()
    }

    /// As after a restore: another log, which lacks the last changes.
    pub fn restore(&self, lost: usize) {
        let mut log = self.log();
        log.epoch += 1;
        let left = log.changes.len() - lost;
        log.changes.truncate(left);
    }

    /// Serves until the task is aborted, at this address or at any.
    pub async fn serve(self: &Arc<Self>, address: Option<std::net::SocketAddr>) -> Server {
        let listener = TcpListener::bind(address.unwrap_or(([127, 0, 0, 1], 0).into())).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/revocations", get(revocations))
            .route("/revocations/snapshot", get(snapshot))
            .with_state(self.clone());
        Server { address, task: tokio::spawn(async { axum::serve(listener, router).await.unwrap() }) }
    }
}

pub struct Server {
    pub address: std::net::SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Log {
    pub fn head(&self) -> i64 {
        i64::try_from(self.changes.len()).unwrap()
    }

    fn mark(&self, position: i64) -> Mark {
        let mut digest = [0x5a; 32];
        digest[..16].copy_from_slice(&self.epoch.to_be_bytes());
        digest[16..24].copy_from_slice(&position.to_be_bytes());
        Mark { log_id: Uuid::from_u128(self.epoch), position, digest: Digest(digest) }
    }

    fn page(&self, after: Option<i64>, upto: i64) -> Page {
        let range = usize::try_from(after.unwrap_or(0)).unwrap()..usize::try_from(upto).unwrap();
        let mark = self.mark(upto);
        Page {
            mark,
            after,
            piece: 0,
            is_partial: false,
            time: Now::read().wall(),
            staleness_ms: 0,
            next: Some(Cursor::from(mark).to_string()),
            has_more: upto < self.head(),
            items: self.changes[range].iter().flatten().cloned().collect(),
        }
    }

    /// The position of a cursor that is of this log.
    fn position(&self, cursor: &str) -> Option<i64> {
        let Cursor { mark, .. } = cursor.parse().unwrap();
        (mark.position <= self.head() && mark == self.mark(mark.position)).then_some(mark.position)
    }
}

#[derive(Deserialize)]
struct Asked {
    after: Option<String>,
}

async fn revocations(State(catalog): State<Arc<Catalog>>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer a-token");
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let is_stream = text("accept").unwrap() == "text/event-stream";
    let cursor = if is_stream { text("last-event-id") } else { asked.after }.unwrap();
    let mut log = catalog.log();
    if log.is_down {
        return unavailable();
    }
    let Some(position) = log.position(&cursor) else { return conflict() };
    if !is_stream {
        log.pages += 1;
        return serde_json::to_string(&log.page(Some(position), log.head())).unwrap().into_response();
    }
    log.streams += 1;
    if let Some(left) = log.mute_streams.checked_sub(1) {
        log.mute_streams = left;
        return (
            [(header::CONTENT_TYPE, "text/event-stream")],
            Body::from_stream(stream::pending::<Result<String, Infallible>>()),
        )
            .into_response();
    }
    drop(log);
    let body = Body::from_stream(stream::unfold((catalog, position), |(catalog, position)| async move {
        let (text, position) = next(&catalog, position).await?;
        Some((Ok::<_, Infallible>(text), (catalog, position)))
    }));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn snapshot(State(catalog): State<Arc<Catalog>>) -> Response {
    let mut log = catalog.log();
    if log.is_down {
        return unavailable();
    }
    log.snapshots += 1;
    log.loaded = [log.loaded[1], Some(Instant::now())];
    serde_json::to_string(&Page { next: None, ..log.page(None, log.head()) }).unwrap().into_response()
}

fn unavailable() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "0")]).into_response()
}

fn conflict() -> Response {
    (StatusCode::CONFLICT, r#"{"code":"feed_reload","status":409}"#).into_response()
}

/// What a stream says next, and where it is then.
async fn next(catalog: &Catalog, position: i64) -> Option<(String, i64)> {
    loop {
        let news = catalog.news.notified();
        if let Some(said) = said(catalog, position).ok()? {
            return Some(said);
        }
        if tokio::time::timeout(HEARTBEAT, news).await.is_err()
            && let Some(text) = heartbeat(catalog, position)
        {
            return Some((text, position));
        }
    }
}

/// The stream is over.
struct Ended;

fn said(catalog: &Catalog, position: i64) -> Result<Option<(String, i64)>, Ended> {
    let mut log = catalog.log();
    if log.asks_for_reload {
        log.asks_for_reload = false;
        return Ok(Some((format!("event: {EVENT_RELOAD}\ndata: {{}}\n\n"), position)));
    }
    if let Some(left) = log.gaps.checked_sub(1) {
        log.gaps = left;
        let far = position + 2;
        let page = Page { mark: log.mark(far), after: Some(far - 1), items: Vec::new(), ..log.page(None, log.head()) };
        return Ok(Some((event(EVENT_PAGE, page), far)));
    }
    // A restored log, or a server that goes down, ends its streams.
    if log.is_down || position > log.head() {
        return Err(Ended);
    }
    if log.is_mute || position == log.head() {
        return Ok(None);
    }
    // A page can only be left out when there is another.
    let has_two = log.head() > position + 1;
    let fault = log.fault.take_if(|fault| *fault != Fault::Skip || has_two);
    let after = if fault == Some(Fault::Skip) { position + 1 } else { position };
    let upto = after + 1;
    let page = event(EVENT_PAGE, log.page(Some(after), upto));
    let text = match fault {
        None | Some(Fault::Skip) => page,
        Some(Fault::Twice) => page.repeat(2),
        Some(Fault::Replay) => {
            let again = (0..position).map(|after| event(EVENT_PAGE, log.page(Some(after), after + 1)));
            again.chain([page]).collect()
        }
    };
    Ok(Some((text, upto)))
}

fn heartbeat(catalog: &Catalog, position: i64) -> Option<String> {
    let log = catalog.log();
    (!log.is_mute && position <= log.head()).then(|| event(EVENT_HEARTBEAT, log.page(Some(position), position)))
}

fn event(name: &str, page: Page) -> String {
    let id = page.next.clone().unwrap();
    let page = Page { next: None, ..page };
    format!("event: {name}\nid: {id}\ndata: {}\n\n", serde_json::to_string(&page).unwrap())
}
