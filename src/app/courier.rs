//! Couriers: signed after their event is durable, like any token, and known again when they are presented here.

use uuid::Uuid;

use super::{Catalog, CommandError, Requester};
use crate::{
    domain::{
        Act, Command, Event, Position, Refusal,
        courier::{CourierIssued, IssueCourier},
        denial::Denial,
    },
    signing::SignedToken,
    store::{self, AppendError, Appended, StoreError, log},
};

/// A courier that was just issued: the only moment at which its text exists here.
pub struct Courier {
    /// What the log says of it.
    pub issued: CourierIssued,
    /// Where in the log.
    pub position: Position,
    /// The courier itself.
    pub signed: SignedToken,
}

impl Catalog {
    /// Has a courier made of a revoked token. A denial is recorded, too.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue_courier(&self, command: IssueCourier, requester: Requester) -> Result<Courier, CommandError> {
        let appended = match self.append_courier(&command, &requester).await {
            Err(AppendError::Refused(refusal)) => {
                let denial = Denial::of_courier(&command, &refusal, self.ambient.clock.now());
                return Err(self.denied(refusal, denial, requester.origin).await);
            }
            outcome => outcome?,
        };
        let Some((issued, position)) = courier(appended) else { return Err(CommandError::Incomplete) };
        let signing_input = issued.signing_input.as_deref().ok_or(CommandError::Incomplete)?;
        let signed = self.live().keyring.sign(&issued.kid, signing_input)?;
        tracing::info!(command = "issue courier", jti = %issued.jti, position = position.0, "a courier was issued");
        Ok(Courier { issued, position, signed })
    }

    /// A process that has not heard yet of another signing key is refused, looks, and asks again, once.
    async fn append_courier(&self, command: &IssueCourier, requester: &Requester) -> Result<Appended, AppendError> {
        let known = self.live().place;
        match self.try_courier(command, requester).await {
            Err(AppendError::Refused(Refusal::KeyNotHere { .. })) if self.knows_more_than(known).await => {
                self.try_courier(command, requester).await
            }
            outcome => outcome,
        }
    }

    async fn try_courier(&self, command: &IssueCourier, requester: &Requester) -> Result<Appended, AppendError> {
        let Requester { authority, origin, .. } = Requester::clone(requester);
        let live = self.live();
        let signer = live.signer(origin.path).cloned().ok_or(Refusal::NotConfigured)?;
        if live.keyring.facts(&signer).is_none() {
            let refusal = Refusal::KeyNotHere { kid: signer };
            store::metrics::refused(&refusal, origin.path);
            return Err(refusal.into());
        }
        let (act, now) = (Act::IssueCourier { command: command.clone(), signer }, self.ambient.clock.now());
        self.appender.append(Command { act, authority, origin, now, idempotency: None }).await
    }

    /// Whether what was presented is a courier that was issued here. As a credential it is as dead as the token; it is no
    /// sign that the key was stolen.
    pub(super) async fn is_courier(&self, jti: Uuid, signing_input_digest: &[u8; 32]) -> Result<bool, StoreError> {
        log::has_courier(self.database.reads(), jti, &hex::encode(signing_input_digest)).await
    }
}

fn courier(appended: Appended) -> Option<(CourierIssued, Position)> {
    appended.events.into_iter().find_map(|recorded| match recorded.occurrence.event {
        Event::CourierIssued(issued) => Some((*issued, recorded.position)),
        _ => None,
    })
}
