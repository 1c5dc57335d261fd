//! Rotated tokens that are presented after their ends: whoever does so has an old copy, or one that is not its own.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::{AskedBy, Catalog};
use crate::domain::{Act, Authority, Command, causes::Causes, denial::RotatedTokenReused, index::LiveToken};

/// How many identifiers are remembered to have been recorded. The log knows them all.
const REUSES_REMEMBERED_MAX: usize = 10_000;

/// The rotated tokens that this process has recorded of late.
#[derive(Default)]
pub(super) struct Reuses(Mutex<HashSet<Uuid>>);

impl Catalog {
    /// Has it recorded that a rotated token was presented after its end, if it was. The answer does not wait for it.
    pub(super) fn note_reuse(&self, jti: Uuid, token: &LiveToken, asked_by: &dyn AskedBy) {
        let now = self.ambient.clock.now();
        let Some(successor) = token.superseded_by(now) else { return };
        if !self.reuses.is_news(jti) {
            return;
        }
        let family = token.family().unwrap_or(jti);
        tracing::warn!(%jti, %successor, "a rotated token was presented after its end");
        let act = Act::SeeReuse(RotatedTokenReused { jti, family, successor });
        let (authority, origin) = (Authority::of_nobody(), asked_by.origin());
        let command = Command { act, authority, origin, now, idempotency: None };
        let (appender, reuses) = (self.appender.clone(), self.reuses.clone());
        tokio::spawn(async move {
            if let Err(error) = appender.append(command).await {
                tracing::error!(error = %Causes(&error), %jti, "the reuse of a rotated token could not be recorded");
                reuses.forget(jti);
            }
        });
    }
}

impl Reuses {
    /// Whether this one is to be recorded: it was not yet.
    fn is_news(&self, jti: Uuid) -> bool {
        let mut seen = self.lock();
        if seen.len() >= REUSES_REMEMBERED_MAX {
            seen.clear();
        }
        seen.insert(jti)
    }

    /// It could not be recorded: whoever sees it next tries again.
    fn forget(&self, jti: Uuid) {
        self.lock().remove(&jti);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reuse_is_news_once_and_again_when_it_could_not_be_recorded() {
        let (reuses, jti) = (Reuses::default(), Uuid::from_u128(1));

        assert!(reuses.is_news(jti) && !reuses.is_news(jti));
        reuses.forget(jti);
        assert!(reuses.is_news(jti));
    }
}
