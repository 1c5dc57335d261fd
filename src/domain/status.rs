//! What a token is at an instant, and why it is not active.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Malformed, Position, revoke::RevocationReason};

/// Why a token is not active at an instant: what its status goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// It was revoked by name.
    Revoked {
        /// Where in the log.
        position: Position,
        /// Why.
        reason: RevocationReason,
    },
    /// A rule covers it.
    RevokedByRule {
        /// The rule, by its place in the log.
        position: Position,
        /// Why.
        reason: RevocationReason,
    },
    /// Another token took its place, and its deadline has passed.
    Rotated {
        /// Where in the log it was rotated.
        position: Position,
        /// The first instant at which it was inactive.
        deadline: DateTime<Utc>,
        /// Who took its place.
        successor: Uuid,
    },
    /// Its time is over.
    Expired {
        /// The first instant at which it was.
        at: DateTime<Utc>,
    },
    /// It is held back.
    Suspended {
        /// Where in the log.
        position: Position,
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// A token's state at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may be used.
    Active,
    /// Its time is over: `now >= exp`.
    Expired,
    /// It is held back and may come back.
    Suspended,
    /// It is over for good.
    Revoked,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Active, Self::Expired, Self::Suspended, Self::Revoked];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| Malformed::NotA {
            value: text.to_owned(),
            expected: "one of active, expired, suspended and revoked",
        })
    }
}
