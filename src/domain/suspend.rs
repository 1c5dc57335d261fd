//! `ChangeSuspension`: tokens are held back, and let go again. It is the one way back that there is.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Authority, Event, Refusal, State, Status, Token,
    authority::RoutePermission,
    event::SuspensionChanged,
    revoke::target,
    text::{Note, Subject},
};

/// The most tokens of one subject that one command changes.
pub const CHANGED_MAX: usize = 1_000;

/// Holds tokens back, or lets them go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeSuspension {
    /// Which way.
    pub change: Change,
    /// Which.
    pub which: Which,
    /// Why, in a person's words.
    pub note: Option<Note>,
}

/// What becomes of a token that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is held back.
    Suspend,
    /// It is let go.
    Resume,
}

/// Which tokens a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// This one.
    Token(Uuid),
    /// Those of this subject that exist when the command is decided, as far as its caller reaches.
    Subject(Subject),
}

/// Which of a subject's tokens a command is for, by who holds them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Affected {
    /// Those that nobody does.
    Free,
    /// Those that no full administrator does.
    Outranked,
    /// Those that somebody does.
    Suspended,
}

impl Affected {
    /// Those that a change by this caller is for.
    #[must_use]
    pub fn by(change: Change, authority: &Authority) -> Self {
        match change {
            Change::Suspend if authority.is_full_admin() => Self::Outranked,
            Change::Suspend => Self::Free,
            Change::Resume => Self::Suspended,
        }
    }

    /// Whether this is one of them, as long as it is not over.
    #[must_use]
    pub fn includes(self, token: &Token) -> bool {
        match (self, &token.suspension) {
            (Self::Free | Self::Outranked, None) | (Self::Suspended, Some(_)) => true,
            (Self::Outranked, Some(suspension)) => !suspension.by_full_admin,
            (Self::Free, Some(_)) | (Self::Suspended, None) => false,
        }
    }
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 2] = [Self::Suspend, Self::Resume];

    /// The persisted name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }

    /// What a token is afterwards, for people.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ChangeSuspension {
    /// The one token that it is about.
    #[must_use]
    pub fn jti(&self) -> Option<Uuid> {
        match &self.which {
            Which::Token(jti) => Some(*jti),
            Which::Subject(_) => None,
        }
    }

    /// The event that changes a token, `None` when it is so already. What is over stays over.
    fn of(&self, token: &Token, authority: &Authority, now: DateTime<Utc>) -> Result<Option<Event>, Refusal> {
        let status = token.status(now);
        if matches!(status, Status::Revoked | Status::Expired) {
            return Err(Refusal::WrongStatus { jti: token.jti, status, wish: self.change.done() });
        }
        if self.leaves(token, authority) {
            return Err(Refusal::SuspendedByAnother { jti: token.jti });
        }
        Ok(Affected::by(self.change, authority).includes(token).then(|| self.event(token.jti, authority)))
    }

    /// Whether it would let go a token that its caller may not let go.
    fn leaves(&self, token: &Token, authority: &Authority) -> bool {
        let suspension = token.suspension.as_ref().filter(|_| self.change == Change::Resume);
        suspension.is_some_and(|suspension| !suspension.may_be_ended_by(authority))
    }

    fn event(&self, jti: Uuid, authority: &Authority) -> Event {
        let changed = SuspensionChanged { jti, by_full_admin: authority.is_full_admin(), note: self.note.clone() };
        match self.change {
            Change::Suspend => Event::TokenSuspended(changed),
            Change::Resume => Event::TokenResumed(changed),
        }
    }
}

/// Decides a suspension or a resumption: an event for each token that it changes, none for those that are so already. A
/// full administrator's suspension of what a narrower caller suspended changes who may resume.
/// It asks for what a revocation asks for. Of a subject only tokens that exist and are not over are meant, and those that
/// somebody else suspended are left.
///
/// # Errors
/// [`Refusal`]: the caller may not, the token is not its own to know or is over, or the subject has too many.
pub fn change_suspension(
    state: &State,
    command: &ChangeSuspension,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Vec<Event>, Refusal> {
    state.require_credential(authority, now)?;
    match &command.which {
        Which::Token(jti) => Ok(command.of(target(state, *jti, authority)?, authority, now)?.into_iter().collect()),
        Which::Subject(sub) => {
            let tokens = of_subject(state, command, sub, authority, now)?;
            Ok(tokens.into_iter().map(|token| command.event(token.jti, authority)).collect())
        }
    }
}

/// How many of a subject's tokens in the caller's reach a resumption has left suspended, because somebody else did it.
#[must_use]
pub fn left_suspended(state: &State, command: &ChangeSuspension, authority: &Authority, now: DateTime<Utc>) -> usize {
    let Which::Subject(sub) = &command.which else { return 0 };
    let in_reach = state.tokens_of(sub).filter(|token| token.is_kept(now) && authority.reaches(token));
    in_reach.filter(|token| command.leaves(token, authority)).count()
}

/// The tokens of a subject that are changed, in the order of their issuance.
fn of_subject<'a>(
    state: &'a State,
    command: &ChangeSuspension,
    sub: &Subject,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Vec<&'a Token>, Refusal> {
    authority.require(RoutePermission::TokensRevoke)?;
    if let Some(own) = authority.subject.as_ref().filter(|own| *own != sub && !authority.is_admin) {
        return Err(Refusal::SubjectOutOfReach { own: own.clone() });
    }
    let affected = Affected::by(command.change, authority);
    let mut tokens: Vec<&Token> =
        state.tokens_of(sub).filter(|token| token.is_kept(now) && affected.includes(token)).collect();
    // In a crowd those in reach may not all be known here, whatever became of some of them in the same batch.
    if state.is_crowd(sub, affected) || tokens.len() > CHANGED_MAX {
        return Err(Refusal::TooManyTokens { max: CHANGED_MAX });
    }
    tokens.retain(|token| authority.reaches(token) && !command.leaves(token, authority));
    tokens.sort_unstable_by_key(|token| token.issued);
    Ok(tokens)
}
