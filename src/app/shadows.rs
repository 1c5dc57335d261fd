//! Tokens with a good signature that were never issued so: evidence that a key may be stolen.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AskedBy, Catalog, Verdict};
use crate::{
    domain::{
        Act, Authority, Command,
        causes::Causes,
        denial::{Shadow, ShadowTokenSeen},
    },
    signing::Signed,
};

/// How many shadow tokens one process records in a minute; more are in the diagnostics and metrics only.
const SHADOWS_A_MINUTE_MAX: u32 = 60;
/// How many identifiers are remembered to have been recorded. The log knows them all.
const SHADOWS_REMEMBERED_MAX: usize = 10_000;

/// The shadow tokens that this process has recorded of late. Whoever has the key can make any number of them, and must
/// not be able to fill the log with them.
#[derive(Default)]
pub(super) struct Shadows(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    minute: i64,
    in_minute: u32,
    ids: HashSet<Uuid>,
}

impl Catalog {
    /// The answer does not wait for the record: whoever presents a forged token is to learn nothing from the time it takes.
    pub(super) fn shadow(&self, signed: impl Into<Signed>, what: Shadow, asked_by: &dyn AskedBy) -> Verdict {
        let Signed { jti, kid, signing_input_digest } = signed.into();
        let name = jti.unwrap_or_else(|| name_of(&signing_input_digest));
        tracing::error!(
            jti = jti.map(tracing::field::display),
            %kid,
            what = what.as_str(),
            "a validly signed token was presented that this catalog did not issue: the key may be stolen"
        );
        let now = self.ambient.clock.now();
        if self.shadows.is_news(name, now) {
            let claims_digest = hex::encode(signing_input_digest);
            let act = Act::SeeShadow(ShadowTokenSeen { jti, kid, claims_digest, what });
            let (authority, origin) = (Authority::of_nobody(), asked_by.origin());
            let command = Command { act, authority, origin, now, idempotency: None };
            let (appender, shadows) = (self.appender.clone(), self.shadows.clone());
            tokio::spawn(async move {
                if let Err(error) = appender.append(command).await {
                    let jti = jti.map(tracing::field::display);
                    tracing::error!(error = %Causes(&error), jti, "a shadow token could not be recorded");
                    shadows.forget(name);
                }
            });
        }
        Verdict::Shadow
    }
}

/// What a shadow token without an identifier is remembered by, here alone: the log knows them by their identifiers, so
/// another process records it again.
fn name_of(signing_input_digest: &[u8; 32]) -> Uuid {
    let mut name = [0; 16];
    name.copy_from_slice(&signing_input_digest[..16]);
    Uuid::from_bytes(name)
}

impl Shadows {
    /// Whether this one is to be recorded: it was not yet, and not too many were within the minute.
    fn is_news(&self, jti: Uuid, now: DateTime<Utc>) -> bool {
        let mut seen = self.lock();
        let minute = now.timestamp().div_euclid(60);
        if minute != seen.minute {
            *seen = Seen { minute, in_minute: 0, ids: std::mem::take(&mut seen.ids) };
        }
        if seen.in_minute >= SHADOWS_A_MINUTE_MAX || seen.ids.contains(&jti) {
            return false;
        }
        if seen.ids.len() >= SHADOWS_REMEMBERED_MAX {
            seen.ids.clear();
        }
        seen.in_minute += 1;
        seen.ids.insert(jti)
    }

    /// It could not be recorded: whoever sees it next tries again.
    fn forget(&self, jti: Uuid) {
        self.lock().ids.remove(&jti);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_is_news_once_and_again_when_it_could_not_be_recorded() {
        let (shadows, jti, now) = (Shadows::default(), Uuid::from_u128(1), DateTime::UNIX_EPOCH);

        assert!(shadows.is_news(jti, now) && !shadows.is_news(jti, now));
        shadows.forget(jti);
        assert!(shadows.is_news(jti, now));
    }

    #[test]
    fn a_thief_cannot_fill_the_log() {
        let shadows = Shadows::default();
        let news = |minute: i64| {
            let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute);
            let ids = (0..1_000).map(|id| Uuid::from_u128(id + 1_000 * u128::try_from(minute).unwrap()));
            ids.filter(|jti| shadows.is_news(*jti, now)).count()
        };

        assert_eq!((news(0), news(1)), (60, 60));
    }
}
