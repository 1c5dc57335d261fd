//! `audit.read.v1`: that the log was read out, and how far.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Position,
    text::{Subject, TeamId},
};

/// `audit.read.v1`: what was handed out of the log. It is recorded before anything is, and stands behind what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRead {
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
    /// Personal: the subject, where it was of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Subject>,
    /// The team, where it was of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
}

/// What is made of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handed {
    /// A report.
    Report,
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
        })
    }
}
