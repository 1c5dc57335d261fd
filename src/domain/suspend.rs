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

    /// The status of the tokens that it changes.
    #[must_use]
    pub fn from_status(self) -> Status {
        match self {
            Self::Suspend => Status::Active,
            Self::Resume => Status::Suspended,
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
    fn of(&self, token: &Token, now: DateTime<Utc>) -> Result<Option<Event>, Refusal> {
        match token.status(now) {
            status @ (Status::Revoked | Status::Expired) => {
                Err(Refusal::WrongStatus { jti: token.jti, status, wish: self.change.done() })
            }
            status if status == self.change.from_status() => Ok(Some(self.event(token.jti))),
            Status::Active | Status::Suspended => Ok(None),
        }
    }

    fn event(&self, jti: Uuid) -> Event {
        let note = self.note.clone();
        match self.change {
            Change::Suspend => Event::TokenSuspended(SuspensionChanged { jti, note }),
            Change::Resume => Event::TokenResumed(SuspensionChanged { jti, note }),
        }
    }
}

/// Decides a suspension or a resumption: an event for each token that it changes, none for those that are so already.
/// It asks for what a revocation asks for. Of a subject only tokens that exist and are not over are meant.
///
/// # Errors
/// [`Refusal`]: the caller may not, the token is not its own to know or is over, or the subject has too many.
pub fn change_suspension(
    state: &State,
    command: &ChangeSuspension,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Vec<Event>, Refusal> {
    state.require_credential(authority.credential, now)?;
    match &command.which {
        Which::Token(jti) => Ok(command.of(target(state, *jti, authority)?, now)?.into_iter().collect()),
        Which::Subject(sub) => {
            let tokens = of_subject(state, command.change, sub, authority, now)?;
            Ok(tokens.into_iter().map(|token| command.event(token.jti)).collect())
        }
    }
}

/// The tokens of a subject that are changed, in the order of their issuance.
fn of_subject<'a>(
    state: &'a State,
    change: Change,
    sub: &Subject,
    authority: &Authority,
    now: DateTime<Utc>,
) -> Result<Vec<&'a Token>, Refusal> {
    authority.require(RoutePermission::TokensRevoke)?;
    if let Some(own) = authority.subject.as_ref().filter(|own| *own != sub && !authority.is_admin) {
        return Err(Refusal::SubjectOutOfReach { own: own.clone() });
    }
    let mut tokens: Vec<&Token> =
        state.tokens_of(sub).filter(|token| token.status(now) == change.from_status()).collect();
    // In a crowd those in reach may not all be known here, whatever became of some of them in the same batch.
    if state.is_crowd(sub, change) || tokens.len() > CHANGED_MAX {
        return Err(Refusal::TooManyTokens { max: CHANGED_MAX });
    }
    tokens.retain(|token| authority.reaches(token));
    tokens.sort_unstable_by_key(|token| token.issued);
    Ok(tokens)
}
