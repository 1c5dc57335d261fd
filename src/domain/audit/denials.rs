//! What was refused: by which rule, to whom, how often, and who was refused again and again in a short time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    pool::{Book, Id, pairs},
    seen::{Denied, Seen},
    tally::{Count, Tally},
};
use crate::domain::Position;

/// So many refusals of one actor within [`BURST_SECONDS`] are a burst.
pub const BURST_TIMES: u64 = 20;
/// Ten minutes, in seconds.
pub const BURST_SECONDS: i64 = 600;
/// How many positions of a burst are told.
const BURST_POSITIONS_MAX: usize = 20;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Denials {
    events: u64,
    times: u64,
    rule: Tally,
    actor: Tally,
    kind: Tally,
    #[serde(with = "pairs")]
    pairs: BTreeMap<(Id, Id), Told>,
    #[serde(with = "pairs")]
    windows: BTreeMap<Id, Window>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Told {
    times: u64,
    first: Position,
    last: Position,
}

/// What one actor was refused in a short time.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Window {
    since: i64,
    times: u64,
    positions: Vec<Position>,
    is_told: bool,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DenialsReport {
    /// How often.
    pub total: u64,
    /// In how many events: those of a minute are counted in one.
    pub events: u64,
    /// By the rule that said no.
    pub by_rule: Vec<Count>,
    /// By who asked.
    pub by_actor: Vec<Count>,
    /// By what was asked for: the kind of the event.
    pub by_kind: Vec<Count>,
    /// By both rule and actor, most frequent first.
    pub by_rule_and_actor: Vec<DenialRow>,
}

/// What a rule refused to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DenialRow {
    /// The rule.
    pub rule: String,
    /// Who asked.
    pub actor: String,
    /// How often.
    pub count: u64,
    /// Where in the log the first one is.
    pub first: Position,
    /// Where in the log the last one is.
    pub last: Position,
}

/// Many refusals of one actor in a short time.
pub(super) struct Burst {
    pub(super) times: u64,
    pub(super) since: DateTime<Utc>,
    pub(super) positions: Vec<Position>,
}

impl Denials {
    /// Adds a refusal, and tells of a burst as soon as it is one.
    pub(super) fn add(&mut self, denied: &Denied<'_>, seen: &Seen<'_>, by: Id, book: &mut Book) -> Option<Burst> {
        let (times, rule) = (u64::from(denied.count), book.name(&denied.rule));
        self.events += 1;
        self.times += times;
        self.rule.add(rule, times);
        self.actor.add(by, times);
        self.kind.add(book.name(seen.kind), times);
        let told = self.pairs.entry((rule, by)).or_insert(Told { times: 0, first: seen.position, last: seen.position });
        told.times += times;
        told.last = seen.position;
        self.burst(denied, seen, by)
    }

    fn burst(&mut self, denied: &Denied<'_>, seen: &Seen<'_>, by: Id) -> Option<Burst> {
        let since = denied.since.timestamp();
        let new = || Window { since, times: 0, positions: Vec::new(), is_told: false };
        let window = self.windows.entry(by).or_insert_with(new);
        if seen.occurred_at.timestamp() >= window.since + BURST_SECONDS {
            *window = new();
        }
        window.times += u64::from(denied.count);
        if window.positions.len() < BURST_POSITIONS_MAX {
            window.positions.push(seen.position);
        }
        if window.is_told || window.times < BURST_TIMES {
            return None;
        }
        window.is_told = true;
        let since = DateTime::from_timestamp(window.since, 0).unwrap_or(denied.since);
        Some(Burst { times: window.times, since, positions: window.positions.clone() })
    }

    pub(super) fn told(&self, book: &Book) -> DenialsReport {
        let row = |((rule, actor), told): (&(Id, Id), &Told)| DenialRow {
            rule: book.text(*rule).to_owned(),
            actor: book.text(*actor).to_owned(),
            count: told.times,
            first: told.first,
            last: told.last,
        };
        let mut rows: Vec<DenialRow> = self.pairs.iter().map(row).collect();
        rows.sort_by(|one, other| {
            other.count.cmp(&one.count).then_with(|| (&one.rule, &one.actor).cmp(&(&other.rule, &other.actor)))
        });
        DenialsReport {
            total: self.times,
            events: self.events,
            by_rule: self.rule.told(book),
            by_actor: self.actor.told(book),
            by_kind: self.kind.told(book),
            by_rule_and_actor: rows,
        }
    }
}
