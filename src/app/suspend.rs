//! Suspending and resuming: one token, or all that a subject has now.

use super::{Catalog, CommandError, Requester};
use crate::{
    domain::{Act, ChangeSuspension, Command, Position, denial::Denial},
    store::AppendError,
};

/// Tokens that are suspended, or are not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedTokens {
    /// How many were changed by it.
    pub changed: usize,
    /// How many of a subject's it left suspended, because somebody else suspended them.
    pub left: usize,
    /// A place in the log at which they are so.
    pub position: Position,
}

impl Catalog {
    /// Suspends or resumes tokens. What is so already stays so. A denial is recorded, too.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn change_suspension(
        &self,
        command: ChangeSuspension,
        requester: Requester,
    ) -> Result<ChangedTokens, CommandError> {
        let now = self.ambient.clock.now();
        let idempotency = requester.named(command.change.as_str(), &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::ChangeSuspension(command.clone());
        let outcome = self.appender.append(Command { act, authority, origin: origin.clone(), now, idempotency }).await;
        let appended = match outcome {
            Err(AppendError::Refused(refusal)) => {
                let denial = Denial::of_suspension(&command, &refusal, now);
                return Err(self.denied(refusal, denial, origin).await);
            }
            outcome => outcome?,
        };
        let changed = if appended.is_repeat { 0 } else { appended.events.len() };
        if changed > 0 {
            let (change, jti) = (command.change.as_str(), command.jti().map(tracing::field::display));
            tracing::info!(command = change, jti, changed, position = appended.position.0, "tokens were changed");
        }
        Ok(ChangedTokens { changed, left: appended.left, position: appended.position })
    }
}
