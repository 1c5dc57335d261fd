//! What was presented that should not have been: shadow tokens, and rotated ones after their end.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{seen::Seen, tally::Listed};
use crate::domain::{
    Position,
    denial::{RotatedTokenReused, Shadow, ShadowTokenSeen},
};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Watch {
    shadows: Listed<ShadowRow>,
    reuses: Listed<ReuseRow>,
}

/// A token with a good signature that was never issued so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowRow {
    /// Where in the log.
    pub position: Position,
    /// When it was seen.
    pub at: DateTime<Utc>,
    /// The identifier that it claims, if it has one.
    pub jti: Option<Uuid>,
    /// The key that signed it, which may be stolen.
    pub kid: String,
    /// What is wrong with it.
    pub what: Shadow,
    /// SHA-256 over its `header.payload`, in hexadecimal.
    pub claims_digest: String,
    /// Who presented it, or asked about it.
    pub by: String,
}

/// A rotated token that was presented after its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReuseRow {
    /// Where in the log.
    pub position: Position,
    /// When it was seen.
    pub at: DateTime<Utc>,
    /// The token.
    pub jti: Uuid,
    /// Its family.
    pub family: Uuid,
    /// The token that had taken its place.
    pub successor: Uuid,
    /// Who presented it, or asked about it.
    pub by: String,
}

impl Watch {
    pub(super) fn add_shadow(&mut self, shadow: &ShadowTokenSeen, seen: &Seen<'_>) {
        self.shadows.push(|| ShadowRow {
            position: seen.position,
            at: seen.occurred_at,
            jti: shadow.jti,
            kid: shadow.kid.to_string(),
            what: shadow.what,
            claims_digest: shadow.claims_digest.clone(),
            by: seen.who.label().into_owned(),
        });
    }

    pub(super) fn add_reuse(&mut self, reused: &RotatedTokenReused, seen: &Seen<'_>) {
        self.reuses.push(|| ReuseRow {
            position: seen.position,
            at: seen.occurred_at,
            jti: reused.jti,
            family: reused.family,
            successor: reused.successor,
            by: seen.who.label().into_owned(),
        });
    }

    pub(super) fn told(self) -> (Listed<ShadowRow>, Listed<ReuseRow>) {
        (self.shadows, self.reuses)
    }
}
