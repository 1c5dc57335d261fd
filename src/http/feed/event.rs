//! The events of the feed's stream (WHATWG HTML, section 9.2).

use axum::body::Bytes;
use catalog_gateway::wire::{EVENT_HEARTBEAT, EVENT_PAGE, EVENT_RELOAD, Page};
use serde::Serialize;

/// A page. It has an id when everything up to its place is told with it.
pub(super) fn page(page: &Page) -> Bytes {
    let is_heartbeat = page.items.is_empty() && page.piece == 0 && !page.is_partial;
    let name = if is_heartbeat { EVENT_HEARTBEAT } else { EVENT_PAGE };
    let id = if page.is_partial { String::new() } else { format!("id: {}\n", page.mark) };
    event(name, &id, page)
}

/// That the reader has to begin anew, and why.
pub(super) fn reload(document: &impl Serialize) -> Bytes {
    event(EVENT_RELOAD, "", document)
}

fn event(name: &str, id: &str, data: &impl Serialize) -> Bytes {
    // What is written here has no key but text, and nothing in it fails.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use catalog_gateway::wire::{Digest, Item, Mark};
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_has_an_id_when_everything_up_to_it_is_told() {
        let mark = Mark { log_id: Uuid::nil(), position: 7, digest: Digest([0; 32]) };
        let (time, items) = (DateTime::UNIX_EPOCH, Vec::new());
        let heartbeat = Page {
            mark,
            after: Some(6),
            piece: 0,
            is_partial: false,
            time,
            staleness_ms: 0,
            next: None,
            has_more: false,
            items,
        };
        let items = vec![Item::KeyCompromised { kid: "a\nb".to_owned() }];
        let partial = Page { is_partial: true, items, ..heartbeat.clone() };
        let last = Page { piece: 1, ..heartbeat.clone() };

        for (told, name, has_id) in
            [(heartbeat, EVENT_HEARTBEAT, true), (partial, EVENT_PAGE, false), (last, EVENT_PAGE, true)]
        {
            let text = String::from_utf8(page(&told).to_vec()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines[0], format!("event: {name}"));
            assert_eq!(lines.contains(&&*format!("id: {mark}")), has_id);
            assert_eq!(lines.len(), if has_id { 4 } else { 3 }, "{text}");
            let data = lines[lines.len() - 2].strip_prefix("data: ").unwrap();
            assert_eq!(serde_json::from_str::<Page>(data).unwrap(), told);
        }
    }
}
