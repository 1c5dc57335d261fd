//! Commands of an operator about the signing keys: what is made known, what signs, what is put away.

use super::{Catalog, OpenError, settings::Settled};
use crate::{
    domain::{
        Act, Origin,
        event::KeyAdded,
        key_life::{ActivateKey, RetireKey},
        text::Kid,
    },
    store::key_usage,
};

impl Catalog {
    /// Makes a key known, from here on and everywhere.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn add_key(&self, key: KeyAdded, origin: Origin) -> Result<Settled<Kid>, OpenError> {
        let kid = key.kid.clone();
        let position = self.settle(Act::AddKey(Box::new(key)), origin).await?;
        Ok(Settled { now: kid, position })
    }

    /// Has a key sign, from here on and everywhere.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn activate_key(&self, command: ActivateKey, origin: Origin) -> Result<Settled<Kid>, OpenError> {
        let kid = command.kid.clone();
        let position = self.settle(Act::ActivateKey(command), origin).await?;
        Ok(Settled { now: kid, position })
    }

    /// Puts a key away of which every token is over.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn retire_key(&self, kid: Kid, origin: Origin) -> Result<Settled<Kid>, OpenError> {
        let (counted, live) = key_usage::live(self.database.reads(), &kid, self.ambient.clock.now()).await?;
        let position = self.settle(Act::RetireKey(RetireKey { kid: kid.clone(), live, counted }), origin).await?;
        Ok(Settled { now: kid, position })
    }
}
