//! `RevokeToken`: the end of one token, decided.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Authority, Refusal, State, Status, Token, TokenRevoked,
    authority::{Credential, RoutePermission},
    live_token::{End, LiveToken},
    text::Note,
};

/// Ends one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevokeToken {
    /// Which.
    pub jti: Uuid,
    /// Why.
    pub reason: RevocationReason,
    /// Why, in a person's words.
    pub note: Option<Note>,
}

/// Why a token was revoked, in the words of RFC 5280 section 5.3.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// No reason was given.
    #[default]
    Unspecified,
    /// The token, or the key that signed it, may be in other hands.
    KeyCompromise,
    /// Its subject may no longer do what it allows.
    PrivilegeWithdrawn,
    /// Another token took its place.
    Superseded,
    /// What it was for has ended.
    CessationOfOperation,
}

impl RevocationReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::PrivilegeWithdrawn,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// The persisted name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key_compromise",
            Self::PrivilegeWithdrawn => "privilege_withdrawn",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation_of_operation",
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RevocationReason {
    type Err = super::Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| super::Malformed::NotA {
            value: text.to_owned(),
            expected: "one of unspecified, key_compromise, privilege_withdrawn, superseded and cessation_of_operation",
        })
    }
}

/// Decides a revocation. A token that is already revoked needs no second event: `Ok(None)`.
/// An expired one can still be revoked, so that the record says why it was not to be trusted.
///
/// # Errors
/// [`Refusal`]: the caller may not revoke, or the token is not its own to know.
pub fn revoke(
    state: &State,
    command: &RevokeToken,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Option<TokenRevoked>, Refusal> {
    state.require_credential(authority, now)?;
    let token = target(state, command.jti, authority)?;
    if token.revocation.as_ref().is_some_and(|revocation| revocation.holds(now)) {
        return Ok(None);
    }
    Ok(Some(revoked(command)))
}

/// Decides a revocation by no more than what checks go by, of the token and of the caller's own. `None`: that is not enough,
/// and [`revoke`] is to be asked; else it would say the same.
#[must_use]
pub fn revoke_known(
    known: impl Fn(Uuid) -> Option<LiveToken>,
    command: &RevokeToken,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Option<TokenRevoked> {
    let is_good = match &authority.credential {
        None => true,
        Some(Credential::Token(jti)) => known(*jti)?.status(now) == Status::Active,
        Some(Credential::Client { .. } | Credential::Login { .. }) => false,
    };
    let may_revoke = is_its_own(command.jti, authority) || authority.require(RoutePermission::TokensRevoke).is_ok();
    let is_untouched = known(command.jti)?.end == End::Never;
    (is_good && may_revoke && authority.reaches_every_token() && is_untouched).then(|| revoked(command))
}

fn revoked(command: &RevokeToken) -> TokenRevoked {
    TokenRevoked {
        jti: command.jti,
        reason: command.reason,
        effective_from: None,
        successor: None,
        note: command.note.clone(),
    }
}

/// Whoever holds a token may end it (RFC 7009 section 2.1).
fn is_its_own(jti: Uuid, authority: &Authority) -> bool {
    authority.token() == Some(jti)
}

/// The token that a caller wants to end or to hold back, if it may.
pub(super) fn target<'a>(state: &'a State, jti: Uuid, authority: &Authority) -> Result<&'a Token, Refusal> {
    if !is_its_own(jti, authority) {
        authority.require(RoutePermission::TokensRevoke)?;
    }
    state.token(jti).filter(|token| authority.reaches(token)).ok_or(Refusal::TokenUnknown { jti })
}
