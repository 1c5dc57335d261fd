//! A report: what a fold has come to, sorted, for whoever writes it out.

use serde::Serialize;
use uuid::Uuid;

use super::{
    days::Day,
    denials::DenialsReport,
    findings::FindingsReport,
    issuance::IssuanceReport,
    live::LiveReport,
    out_of_band::OutOfBandRow,
    reads::ReadsReport,
    revocations::RevocationsReport,
    scope::Scope,
    settings::ChangeRow,
    tally::{Count, Listed},
    watch::{ReuseRow, ShadowRow},
};

/// A report. The same scope of the same log gives the same one, whoever asks, wherever and whenever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it is of.
    pub scope: Scope,
    /// The log that was read for it.
    pub log: LogPart,
    /// How many events were counted.
    pub events: u64,
    /// How many of these had their personal part erased.
    pub erased: u64,
    /// What somebody should look into, the gravest first.
    pub findings: Vec<FindingsReport>,
    /// The events by kind.
    pub by_kind: Vec<Count>,
    /// The days on which anything happened, in UTC.
    pub by_day: Vec<Day>,
    /// What was issued.
    pub issuance: IssuanceReport,
    /// What was issued past the API's controls, one by one.
    pub out_of_band: Listed<OutOfBandRow>,
    /// What may still be used at the end.
    pub live: LiveReport,
    /// What was revoked.
    pub revocations: RevocationsReport,
    /// How often a token was held back.
    pub suspensions: u64,
    /// How often one was let go.
    pub resumptions: u64,
    /// What was refused.
    pub denials: DenialsReport,
    /// Tokens with a good signature that were never issued so.
    pub shadow_tokens: Listed<ShadowRow>,
    /// Rotated tokens that were presented after their end.
    pub reused_tokens: Listed<ReuseRow>,
    /// What became of keys.
    pub keys: Listed<ChangeRow>,
    /// What became of the policy.
    pub policies: Listed<ChangeRow>,
    /// What became of everything else that shapes tokens, and of clients.
    pub settings: Listed<ChangeRow>,
    /// Who read the log out.
    pub reads: ReadsReport,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogPart {
    /// The epoch of the log.
    pub log_id: Uuid,
    /// The last position.
    pub position: crate::domain::Position,
    /// SHA-256 over the commitments of every event up to there, in hexadecimal: of a log that is whole, its digest there.
    pub digest: String,
}

impl Report {
    /// How many findings there are.
    #[must_use]
    pub fn findings_total(&self) -> u64 {
        self.findings.iter().map(|rule| rule.findings.total).sum()
    }
}
