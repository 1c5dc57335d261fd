//! What somebody should look into, each with the positions that show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{pool::pairs, tally::Listed};
use crate::domain::Position;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Findings(#[serde(with = "pairs")] BTreeMap<FindingRule, Listed<Finding>>);

/// By which rule something is a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingRule {
    /// Positions are not dense.
    Gap,
    /// A digest does not follow from the event and the digest before, or a personal part is not the one that was
    /// committed to.
    Digest,
    /// `recorded_at` goes backwards.
    Order,
    /// What is served is not the fold of the log.
    Projection,
    /// A token with a good signature was never issued so.
    ShadowToken,
    /// A rotated token was presented after its end.
    RotatedTokenReused,
    /// One actor was refused again and again in a short time.
    DenialBurst,
    /// A token for an administrator says no reason.
    AdminTokenWithoutReason,
    /// A live token from a shell lives longer than the policy in force lets it, or lets it not be issued at all.
    DevTokenOutlivesPolicy,
}

impl FindingRule {
    /// Every rule, the gravest first.
    pub const ALL: [Self; 9] = [
        Self::Gap,
        Self::Digest,
        Self::Order,
        Self::Projection,
        Self::ShadowToken,
        Self::RotatedTokenReused,
        Self::DenialBurst,
        Self::AdminTokenWithoutReason,
        Self::DevTokenOutlivesPolicy,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Digest => "digest",
            Self::Order => "order",
            Self::Projection => "projection",
            Self::ShadowToken => "shadow_token",
            Self::RotatedTokenReused => "rotated_token_reused",
            Self::DenialBurst => "denial_burst",
            Self::AdminTokenWithoutReason => "admin_token_without_reason",
            Self::DevTokenOutlivesPolicy => "dev_token_outlives_policy",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Gap => "an event is missing",
            Self::Digest => "an event is not what its digest was made of",
            Self::Order => "an event was recorded before the one that precedes it",
            Self::Projection => "what is served is not what the log says",
            Self::ShadowToken => "a token with a good signature was never issued so: its key may be stolen",
            Self::RotatedTokenReused => "a rotated token was presented after its end: others may have it",
            Self::DenialBurst => "one actor was refused again and again in a short time",
            Self::AdminTokenWithoutReason => "a token for an administrator says no reason",
            Self::DevTokenOutlivesPolicy => {
                "a live token from a shell is of a kind that the policy in force does not allow"
            }
        }
    }
}

/// Something that somebody should look into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The events that show it.
    pub positions: Vec<Position>,
    /// What was seen.
    pub detail: String,
}

/// The findings of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingsReport {
    /// By which rule.
    pub rule: FindingRule,
    /// What it means.
    pub meaning: &'static str,
    /// One by one.
    pub findings: Listed<Finding>,
}

impl Findings {
    pub(super) fn add(&mut self, rule: FindingRule, positions: impl Into<Vec<Position>>, detail: impl Into<String>) {
        let finding = || Finding { positions: positions.into(), detail: detail.into() };
        self.0.entry(rule).or_default().push(finding);
    }

    /// Those that there are, the gravest first.
    pub(super) fn told(self) -> Vec<FindingsReport> {
        self.0.into_iter().map(|(rule, findings)| FindingsReport { rule, meaning: rule.meaning(), findings }).collect()
    }
}
