//! Commands of an operator about the signing keys: what is made known, what signs, what is put away.

use chrono::{DateTime, Utc};

use super::{Catalog, OpenError, settings::Settled};
use crate::{
    domain::{
        Act, Origin, Position, Refusal,
        event::KeyAdded,
        key_life::{ActivateKey, CompromiseKey, KeyRefusal, LiveTokens, RetireKey, compromise_key},
        text::Kid,
    },
    store::{
        key_usage, log,
        preview::{self, Preview},
        tokens::Filter,
    },
};

/// What it would do to say that others may have a key.
#[derive(Debug, Clone)]
pub struct CompromisePreview {
    /// The tokens that would be revoked.
    pub revoked: Preview,
    /// Those that were issued before, and stay.
    pub kept: u64,
    /// What has to be done first, or it is refused.
    pub missing: Option<Refusal>,
}

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

    /// From which position on a key's tokens were issued at an instant or later, by the clock of the database.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn position_since(&self, since: DateTime<Utc>) -> Result<Position, OpenError> {
        Ok(log::first_since(self.database.reads(), since).await?)
    }

    /// What [`Self::compromise_key`] would do, at this moment; refused like it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn preview_compromise(&self, command: &CompromiseKey) -> Result<CompromisePreview, OpenError> {
        let (reads, now) = (self.database.reads(), self.ambient.clock.now());
        let missing = match compromise_key(&log::settings(reads).await?, command, now) {
            Ok(_) => None,
            Err(refusal @ Refusal::Key(KeyRefusal::Signs { .. })) => Some(refusal),
            Err(refusal) => return Err(refusal.into()),
        };
        let (kid, from) = (command.kid.clone(), command.from);
        let filter = Filter { kid: Some(kid.clone()), issued_from: Some(from), ..Filter::default() };
        let revoked = preview::preview(reads, filter, None, now).await?;
        let live = key_usage::live(reads, &kid, now).await?.1.map_or(0, |LiveTokens { count, .. }| count);
        let kept = live.saturating_sub(revoked.counts.active + revoked.counts.suspended);
        Ok(CompromisePreview { revoked, kept, missing })
    }

    /// Says that others may have a key: it signs no more, and its tokens from a position on are revoked, all at once.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn compromise_key(&self, command: CompromiseKey, origin: Origin) -> Result<Settled<Kid>, OpenError> {
        let kid = command.kid.clone();
        let position = self.settle(Act::CompromiseKey(Box::new(command)), origin).await?;
        self.rules_added.notify_one();
        Ok(Settled { now: kid, position })
    }
}
