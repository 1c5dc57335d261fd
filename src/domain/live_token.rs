//! A token as a check sees it, in few bytes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Path, Position, Recorded, Status, Token,
    claims::signing_input_digest,
    event::{TokenIssued, TokenRevoked},
    token::Lineage,
};

/// A token as a check sees it. Its status is that of the [`Token`] it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveToken {
    /// SHA-256 of its signing input; `None` once erased.
    pub claims_digest: Option<[u8; 32]>,
    /// Where in the log it was issued.
    pub issued: Position,
    /// The door it came through.
    pub path: Path,
    /// Whether it came past the API's controls.
    pub out_of_band: bool,
    /// The first instant at which it is expired, in seconds since 1970.
    pub exp: i64,
    /// When its revocation holds.
    pub end: End,
    /// Whether it is held back.
    pub is_suspended: bool,
    /// Its lineage, if it has any: few tokens have. Where its family began is not kept.
    pub lineage: Option<Box<Lineage>>,
}

/// When a token's revocation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum End {
    /// Whatever anybody's clock says.
    AtOnce,
    /// From this instant on.
    From(DateTime<Utc>),
    /// There is none.
    Never,
}

impl End {
    /// That of a revocation with this `effective_from`.
    #[must_use]
    pub fn of(effective_from: Option<DateTime<Utc>>) -> Self {
        effective_from.map_or(Self::AtOnce, Self::From)
    }

    /// Whether it has come.
    #[must_use]
    pub fn holds(self, now: DateTime<Utc>) -> bool {
        match self {
            Self::AtOnce => true,
            Self::From(deadline) => now >= deadline,
            Self::Never => false,
        }
    }
}

impl LiveToken {
    pub(super) fn issued(event: &TokenIssued, recorded: &Recorded) -> Self {
        let (family, predecessor) = (event.family, event.predecessor);
        Self {
            claims_digest: event.signing_input.as_deref().map(signing_input_digest),
            issued: recorded.position,
            path: recorded.occurrence.origin.path,
            out_of_band: event.out_of_band,
            exp: event.exp,
            end: End::Never,
            is_suspended: false,
            lineage: Lineage { family, predecessor, successor: None, first: None }.boxed(),
        }
    }

    pub(super) fn revoke(&mut self, event: &TokenRevoked) {
        self.end(End::of(event.effective_from));
        if event.successor.is_some() {
            let mut lineage = self.lineage.take().map(|lineage| *lineage).unwrap_or_default();
            lineage.successor = lineage.successor.or(event.successor);
            self.lineage = lineage.boxed();
        }
    }

    /// Revocations only unite: the soonest holds.
    pub(super) fn end(&mut self, end: End) {
        self.end = self.end.min(end);
    }

    /// The status at `now`: revoked before expired before suspended.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> Status {
        match () {
            () if self.end.holds(now) => Status::Revoked,
            () if now.timestamp() >= self.exp => Status::Expired,
            () if self.is_suspended => Status::Suspended,
            () => Status::Active,
        }
    }

    /// Whether a presented token's `header.payload` is the one that was issued, and active at `now`.
    #[must_use]
    pub fn confirms(&self, presented: &[u8; 32], now: DateTime<Utc>) -> bool {
        self.claims_digest.as_ref() == Some(presented) && self.status(now) == Status::Active
    }

    /// The token that took its place, if it is over.
    #[must_use]
    pub fn superseded_by(&self, now: DateTime<Utc>) -> Option<Uuid> {
        self.lineage.as_ref().and_then(|lineage| lineage.successor).filter(|_| self.end.holds(now))
    }

    /// The first of its family, for a successor.
    #[must_use]
    pub fn family(&self) -> Option<Uuid> {
        self.lineage.as_ref().and_then(|lineage| lineage.family)
    }
}

impl From<&Token> for LiveToken {
    fn from(token: &Token) -> Self {
        let revocation = token.revocation.as_ref();
        Self {
            claims_digest: token.claims_digest,
            issued: token.issued,
            path: token.path,
            out_of_band: token.out_of_band,
            exp: token.expires_at.timestamp(),
            end: revocation.map_or(End::Never, |revocation| End::of(revocation.effective_from)),
            is_suspended: token.suspension.is_some(),
            lineage: Lineage { first: None, ..token.lineage.clone() }.boxed(),
        }
    }
}
