//! Commands of an operator that change what shapes tokens. Those about keys are in `keys`.

use super::{Catalog, OpenError};
use crate::{
    domain::{Act, Authority, Command, Origin, Position, configure::ApplyPolicy, policy::Policy},
    store::{AppendError, log},
};

/// What became of an operator's command.
#[derive(Debug, Clone)]
pub struct Settled<T> {
    /// What holds now.
    pub now: T,
    /// Where its event stands; `None` when it held before.
    pub position: Option<Position>,
}

impl Catalog {
    /// Applies a policy, from here on and everywhere.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn apply_policy(&self, command: ApplyPolicy, origin: Origin) -> Result<Settled<Policy>, OpenError> {
        let position = self.settle(Act::ApplyPolicy(Box::new(command)), origin).await?;
        let policy = log::settings(self.database.reads()).await?.policy;
        let now = policy.ok_or(crate::domain::Refusal::NotConfigured)?;
        Ok(Settled { now, position })
    }

    pub(super) async fn settle(&self, act: Act, origin: Origin) -> Result<Option<Position>, AppendError> {
        let (authority, now) = (Authority::of_shell(), self.ambient.clock.now());
        let appended = self.appender.append(Command { act, authority, origin, now, idempotency: None }).await?;
        Ok(appended.events.last().map(|event| event.position))
    }
}
