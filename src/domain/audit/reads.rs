//! Who read the log out, and what of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    pool::{Book, Id},
    read::{AuditRead, Handed},
    seen::Seen,
    tally::{Count, Listed, Tally},
};
use crate::domain::Position;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Reads {
    actor: Tally,
    rows: Listed<ReadRow>,
}

/// Who read the log out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadsReport {
    /// How often.
    pub total: u64,
    /// By who did.
    pub by_actor: Vec<Count>,
    /// One by one.
    pub reads: Listed<ReadRow>,
}

/// Something that was made of the log and handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRow {
    /// Where in the log.
    pub position: Position,
    /// When.
    pub at: DateTime<Utc>,
    /// To whom.
    pub by: String,
    /// What was made of it.
    pub what: Handed,
    /// How it was written.
    pub format: String,
    /// The first event that was counted.
    pub first: Position,
    /// The last event that was counted.
    pub last: Position,
    /// The last event that was read.
    pub end: Position,
    /// The subject, where it was of one and that is not erased.
    pub sub: Option<String>,
    /// The team, where it was of one.
    pub team: Option<String>,
}

impl Reads {
    pub(super) fn add(&mut self, read: &AuditRead, seen: &Seen<'_>, by: Id, book: &Book) {
        self.actor.add(by, 1);
        self.rows.push(|| ReadRow {
            position: seen.position,
            at: seen.occurred_at,
            by: book.text(by).to_owned(),
            what: read.what,
            format: read.format.clone(),
            first: read.first,
            last: read.last,
            end: read.end,
            sub: read.sub.as_ref().map(ToString::to_string),
            team: read.team.as_ref().map(ToString::to_string),
        });
    }

    pub(super) fn told(self, book: &Book) -> ReadsReport {
        ReadsReport { total: self.rows.total, by_actor: self.actor.told(book), reads: self.rows }
    }
}
