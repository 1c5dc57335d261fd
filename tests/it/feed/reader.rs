//! A reader of the feed in a few lines, and a stream of it taken apart.

use std::collections::{BTreeMap, BTreeSet};

use catalog_gateway::wire::{Cursor, Item, Mark, Page};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::support::process::Client;

/// What somebody knows who follows the feed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Known {
    pub mark: Option<Mark>,
    pub pieces: u32,
    /// Each with the earliest instant from which on it is; `MIN_UTC` = at once.
    revoked: BTreeMap<Uuid, DateTime<Utc>>,
    suspended: BTreeSet<Uuid>,
    keys: BTreeSet<String>,
    spared: BTreeSet<Uuid>,
}

impl Known {
    /// Takes a page in, which must go on from what is known.
    pub fn apply(&mut self, page: &Page) {
        match (page.after, self.mark) {
            (None, _) => *self = Self::default(),
            (Some(_), Some(mark)) => assert!(page.follows(&mark, self.pieces), "{page:?} after {self:?}"),
            (Some(_), None) => {}
        }
        for item in &page.items {
            self.learn(item);
        }
        // Until the last piece has come, what is known up to is what it was.
        self.pieces = if page.is_partial { self.pieces + 1 } else { 0 };
        self.mark = Some(page.mark);
    }

    fn learn(&mut self, item: &Item) {
        match item.clone() {
            Item::Revoked { jti, effective_from, .. } => {
                let from = effective_from.unwrap_or(DateTime::<Utc>::MIN_UTC);
                let known = self.revoked.entry(jti).or_insert(from);
                *known = from.min(*known);
            }
            Item::Suspended { jti, .. } => _ = self.suspended.insert(jti),
            Item::Resumed { jti, .. } => _ = self.suspended.remove(&jti),
            Item::KeyCompromised { kid } => _ = self.keys.insert(kid),
            Item::Spared { jti, .. } => _ = self.spared.insert(jti),
        }
    }

    /// A stream that broke off begins again after what is known as a whole.
    pub fn begin_again(&mut self) -> String {
        self.pieces = 0;
        self.mark.unwrap().to_string()
    }

    /// The status of a token that is not expired.
    pub fn status(&self, jti: Uuid, kid: &str, now: DateTime<Utc>) -> &'static str {
        let is_revoked = self.revoked.get(&jti).is_some_and(|from| now >= *from);
        let is_of_thief = self.keys.contains(kid) && !self.spared.contains(&jti);
        match () {
            () if is_revoked || is_of_thief => "revoked",
            () if self.suspended.contains(&jti) => "suspended",
            () => "active",
        }
    }

    pub fn is_revoked(&self, jti: Uuid) -> bool {
        self.revoked.contains_key(&jti)
    }
}

/// The place that a text names.
pub fn cursor(text: &str) -> Cursor {
    text.parse().unwrap()
}

/// An event of a stream.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Event {
    pub fn read(text: &str) -> Self {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::to_owned)
        };
        let data = field("data: ").unwrap_or_else(|| panic!("no data in {text:?}"));
        Self { name: field("event: ").unwrap(), id: field("id: "), data: serde_json::from_str(&data).unwrap() }
    }

    pub fn page(&self) -> Page {
        let page: Page = serde_json::from_value(self.data.clone()).unwrap();
        assert_eq!(self.id.is_some(), !page.is_partial, "an id when all before it is told: {self:?}");
        assert!(self.id.iter().all(|id| *id == page.mark.to_string()));
        let is_heartbeat = page.items.is_empty() && page.piece == 0 && !page.is_partial;
        assert_eq!(self.name, if is_heartbeat { "heartbeat" } else { "revocations" });
        page
    }
}

/// A stream of a server.
pub struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    /// Opens one, which goes on after this event if any.
    pub async fn open(client: &Client, token: &str, last: Option<&str>) -> Self {
        let response = Self::ask(client, "/revocations", token, last).await;
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { response, read: String::new() }
    }

    pub async fn ask(client: &Client, path: &str, token: &str, last: Option<&str>) -> reqwest::Response {
        let mut request =
            client.another().request("GET", path).bearer_auth(token).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.send().await.unwrap()
    }

    /// The next event; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let rest = self.read.split_off(end + 2);
                return Some(Event::read(&std::mem::replace(&mut self.read, rest)));
            }
            // A server that is gone cuts it off in the middle.
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next page.
    pub async fn page(&mut self) -> Page {
        self.next().await.unwrap_or_else(|| panic!("the stream is over")).page()
    }

    /// Reads on until something holds of what is known.
    pub async fn until(&mut self, known: &mut Known, mut holds: impl FnMut(&Known) -> bool) {
        while !holds(known) {
            known.apply(&self.page().await);
        }
    }

    /// Reads to the end.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
