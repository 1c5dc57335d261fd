//! Revocations of many tokens at once.

use uuid::Uuid;

use super::{Catalog, CommandError, Requester};
use crate::{
    domain::{Act, Command, Origin, Position, Refusal, RevokeTokens, denial::Denial, revoke_several::Verdict},
    store::AppendError,
};

/// What became of a request for the end of several tokens.
#[derive(Debug, Clone)]
pub struct RevokedTokens {
    /// The verdicts, in the order of the request.
    pub verdicts: Vec<(Uuid, Verdict)>,
    /// The position of the log that they hold for.
    pub position: Position,
}

impl Catalog {
    /// Revokes several tokens in one transaction. A token that is unknown, or not the caller's to know, keeps no other
    /// from its end; that it was asked for is recorded like a revocation of it alone that was refused.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke_several(
        &self,
        command: RevokeTokens,
        requester: Requester,
    ) -> Result<RevokedTokens, CommandError> {
        let now = self.ambient.clock.now();
        let idempotency = requester.named("revoke several", &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::RevokeSeveral(command.clone());
        let asked = Command { act, authority: authority.clone(), origin: origin.clone(), now, idempotency };
        let appended = match self.appender.append(asked).await {
            Err(AppendError::Refused(refusal)) => {
                self.note_denials(&command, command.ids(), |_| refusal.clone(), &origin).await?;
                return Err(refusal.into());
            }
            outcome => outcome?,
        };
        let since = appended.events.first().map(|event| event.position);
        let verdicts = command.verdicts(&authority, &appended.several, since);
        let (revoked, position) = (appended.events.len(), appended.position.0);
        if revoked > 0 && !appended.is_repeat {
            tracing::info!(command = "revoke several", revoked, position, "tokens were revoked");
        }
        let is_unknown = |(_, verdict): &&(Uuid, Verdict)| *verdict == Verdict::Unknown;
        let unknown: Vec<Uuid> = verdicts.iter().filter(is_unknown).map(|(jti, _)| *jti).collect();
        self.note_denials(&command, &unknown, |jti| Refusal::TokenUnknown { jti }, &origin).await?;
        Ok(RevokedTokens {
            position: verdicts.iter().filter_map(position_of).fold(appended.position, Position::max),
            verdicts,
        })
    }

    async fn note_denials(
        &self,
        command: &RevokeTokens,
        ids: &[Uuid],
        refusal: impl Fn(Uuid) -> Refusal,
        origin: &Origin,
    ) -> Result<(), AppendError> {
        let now = self.ambient.clock.now();
        for jti in ids {
            let refusal = refusal(*jti);
            let denial = Denial::of_revocation(&command.one(*jti), &refusal, now);
            self.note_denial(&refusal, denial, origin.clone()).await?;
        }
        Ok(())
    }
}

/// The events of a repeated request stand behind the one that it is known by.
fn position_of((_, verdict): &(Uuid, Verdict)) -> Option<Position> {
    match verdict {
        Verdict::Revoked(position) => Some(*position),
        Verdict::AlreadyRevoked(_) | Verdict::Unknown => None,
    }
}
