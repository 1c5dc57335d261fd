//! `RevokeTokens`: the end of several tokens in one transaction, with a verdict on each.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Authority, Malformed, Position, Refusal, RevokeToken, State, Token, TokenRevoked,
    revoke::{RevocationReason, revoke},
    text::Note,
};

/// Ends several tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevokeTokens {
    ids: Vec<Uuid>,
    reason: RevocationReason,
    note: Option<Note>,
}

/// What became of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request revoked it, by the event at this position.
    Revoked(Position),
    /// It was revoked before, at this position.
    AlreadyRevoked(Position),
    /// There is no such token, or none that the caller may know of.
    Unknown,
}

impl RevokeTokens {
    /// The most tokens of one command.
    pub const IDS_MAX: usize = 1_000;

    /// The end of these tokens, in any order and as often as one likes.
    ///
    /// # Errors
    /// [`Malformed`], when there is none, or more than [`Self::IDS_MAX`].
    pub fn new(ids: Vec<Uuid>, reason: RevocationReason, note: Option<Note>) -> Result<Self, Malformed> {
        match ids.len() {
            0 => Err(Malformed::Empty),
            length if length > Self::IDS_MAX => Err(Malformed::TooMany { length, max: Self::IDS_MAX }),
            _ => Ok(Self { ids, reason, note }),
        }
    }

    /// The tokens, as they were named.
    #[must_use]
    pub fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    /// The same, one by one.
    #[must_use]
    pub fn one(&self, jti: Uuid) -> RevokeToken {
        RevokeToken { jti, reason: self.reason, note: self.note.clone() }
    }

    /// The verdicts, in the order of the request. Those of `tokens` that were revoked from `since` on, the position of the
    /// request's first event, were revoked by it: whatever the caller reaches was revoked by then.
    #[must_use]
    pub fn verdicts(&self, authority: &Authority, tokens: &[Token], since: Option<Position>) -> Vec<(Uuid, Verdict)> {
        let within = tokens.iter().filter(|token| authority.reaches(token));
        let positions: HashMap<Uuid, Position> =
            within.filter_map(|token| Some((token.jti, token.revocation.as_ref()?.position))).collect();
        let verdict = |jti: &Uuid| match positions.get(jti) {
            Some(position) if since.is_some_and(|since| *position >= since) => Verdict::Revoked(*position),
            Some(position) => Verdict::AlreadyRevoked(*position),
            None => Verdict::Unknown,
        };
        self.ids.iter().map(|jti| (*jti, verdict(jti))).collect()
    }
}

/// Decides the revocations, each as if it were the only one. An unknown token keeps no other from its end.
///
/// # Errors
/// [`Refusal`]: the caller may not revoke. Then nothing is revoked.
pub fn revoke_several(
    state: &State,
    command: &RevokeTokens,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Vec<TokenRevoked>, Refusal> {
    let mut seen = HashSet::new();
    let mut events = Vec::new();
    for jti in command.ids.iter().filter(|jti| seen.insert(**jti)) {
        match revoke(state, &command.one(*jti), authority, now) {
            Ok(event) => events.extend(event),
            Err(Refusal::TokenUnknown { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(events)
}
