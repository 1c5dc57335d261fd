//! What a report is of: which events, as of which end, and of whom.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::seen::{Denied, Issued};
use crate::domain::{
    Position,
    text::{Subject, TeamId},
};

/// The version of the form of reports. Another one would give other bytes.
pub const REPORT_VERSION: u32 = 1;

/// What a report is of. The same scope of the same log gives the same report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// [`REPORT_VERSION`] of the report.
    pub version: u32,
    /// The epoch of the log.
    pub log_id: Uuid,
    /// The first event that is counted.
    pub first: Position,
    /// The last event that is counted; none is where it lies before the first.
    pub last: Position,
    /// The last event that is read. What is still live is told as of it.
    pub end: Position,
    /// The instant at which it is judged what is still live.
    pub judged_at: DateTime<Utc>,
    /// Only what is about this subject's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Subject>,
    /// Only what is about tokens that reach this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
}

impl Scope {
    /// Whether an event there is counted.
    #[must_use]
    pub fn counts(&self, position: Position) -> bool {
        self.first <= position && position <= self.last
    }

    /// Whether it is of some tokens only.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.sub.is_some() || self.team.is_some()
    }

    /// Whether it is about a token that is issued.
    pub(super) fn has(&self, issued: &Issued<'_>) -> bool {
        let is_subject = self.sub.as_ref().is_none_or(|sub| issued.sub.as_deref() == Some(sub.as_str()));
        let reaches = self.team.as_ref().is_none_or(|team| {
            issued.teams.as_ref().is_none_or(|teams| teams.iter().any(|named| named == team.as_str()))
        });
        is_subject && reaches
    }

    /// Whether it is about what was asked for and refused, where no token is named.
    pub(super) fn asks_for(&self, denied: &Denied<'_>) -> bool {
        let is_subject = self.sub.as_ref().is_none_or(|sub| denied.sub.as_deref() == Some(sub.as_str()));
        let names = self.team.as_ref().is_none_or(|team| denied.teams.iter().any(|named| named == team.as_str()));
        is_subject && names
    }

    /// Whether a fold that was made for an earlier scope can go on to this one.
    #[must_use]
    pub fn goes_on_from(&self, earlier: &Self) -> bool {
        let of_same = (self.version, self.log_id, self.first, &self.sub, &self.team)
            == (earlier.version, earlier.log_id, earlier.first, &earlier.sub, &earlier.team);
        let counted_same = self.last == earlier.last || (earlier.last == earlier.end && self.last >= earlier.end);
        of_same && counted_same && earlier.end <= self.end
    }
}
