//! The keys of identity providers: asked for when they are needed, kept, asked for again when a token names one that is not
//! known, and never more often than a provider can be asked to bear.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{fetch, metrics};
use crate::{
    domain::{ambient::Clock, causes::Causes, trusted_issuer::KeySource},
    signing::{JwksFault, ProviderKeys},
};

/// The most bytes of a JWK Set.
const BYTES_MAX: usize = 256 * 1024;
/// How long a provider may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a request waits for that; the answer is kept all the same.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// After how many seconds a provider is asked again at the soonest.
const RETRY_SECONDS: i64 = 5;
/// After how many seconds known keys are asked for again, so that one that was withdrawn ends.
const REFRESH_SECONDS: i64 = 300;

/// The providers that were asked so far, by where their keys are.
#[derive(Default)]
pub(super) struct Providers(Mutex<HashMap<KeySource, Arc<Provider>>>);

/// What is known of one provider's keys.
#[derive(Default)]
struct Provider {
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct Known {
    /// The last good answer.
    keys: Option<Arc<ProviderKeys>>,
    /// When it was asked last.
    asked_at: Option<DateTime<Utc>>,
    /// How often it was asked so far.
    rounds: u64,
    /// Whether the last answer was a good one.
    is_answered: bool,
}

/// Nobody can say whether a key is the provider's, for want of its keys. That is not a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys of an identity provider cannot be had at the moment")]
pub struct ProviderUnavailable {
    /// After how many seconds it makes sense to ask again.
    pub retry_after_seconds: u64,
}

/// Why a provider gave no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    #[error(transparent)]
    Read(#[from] fetch::ReadError),
    #[error(transparent)]
    Jwks(#[from] JwksFault),
}

impl Providers {
    /// The keys of a provider, among which one of this name is, if it has one now.
    pub(super) async fn keys(
        &self,
        source: &KeySource,
        kid: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<ProviderKeys>, ProviderUnavailable> {
        let provider = self.provider(source);
        let known = provider.known();
        if let Some(keys) = known.keys.clone().filter(|keys| keys.know(kid)) {
            if known.is_older_than(REFRESH_SECONDS, clock.now()) {
                // Nobody waits for that: what is known is good meanwhile.
                tokio::spawn(refresh(provider, source.clone(), clock.clone()));
            }
            return Ok(keys);
        }
        let (source, kid, clock) = (source.clone(), kid.to_owned(), clock.clone());
        // A request that goes away must not take the answer with it.
        let asking = tokio::spawn(async move { provider.ask_about(&source, &kid, known.rounds, &*clock).await });
        match tokio::time::timeout(WAIT_MAX, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(ProviderUnavailable { retry_after_seconds: 1 }),
        }
    }

    fn provider(&self, source: &KeySource) -> Arc<Provider> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(source.clone()).or_default().clone()
    }
}

/// Asks a provider again whose keys have been known for long, unless somebody does so already.
async fn refresh(provider: Arc<Provider>, source: KeySource, clock: Arc<dyn Clock>) {
    let Ok(_turn) = provider.asking.try_lock() else { return };
    if provider.known().is_older_than(REFRESH_SECONDS, clock.now()) {
        provider.ask(&source, clock.now()).await;
    }
}

impl Provider {
    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks, if nobody did since the request came (which saw this many rounds), and if it is not too soon.
    async fn ask_about(
        &self,
        source: &KeySource,
        kid: &str,
        rounds_seen: u64,
        clock: &dyn Clock,
    ) -> Result<Arc<ProviderKeys>, ProviderUnavailable> {
        let _turn = self.asking.lock().await;
        let known = self.known();
        if let Some(keys) = known.keys.clone().filter(|keys| keys.know(kid)) {
            return Ok(keys);
        }
        let now = clock.now();
        let is_fresh = known.rounds > rounds_seen;
        if !is_fresh {
            if let Some(left) = known.seconds_to_wait(now) {
                return Err(ProviderUnavailable { retry_after_seconds: left });
            }
            self.ask(source, now).await;
        }
        // What it said after the request came is its word: a key that it does not name is none of its.
        let known = self.known();
        match known.keys.clone().filter(|_| known.is_answered) {
            Some(keys) => Ok(keys),
            None => Err(ProviderUnavailable { retry_after_seconds: known.seconds_to_wait(now).unwrap_or(1) }),
        }
    }

    /// Asks once, and keeps what is good of the answer. The caller has the turn.
    async fn ask(&self, source: &KeySource, now: DateTime<Utc>) {
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.asked_at = Some(now);
            known.rounds += 1;
            known.is_answered = false;
        }
        let answer = ask(source).await;
        let (KeySource::JwksUri(from) | KeySource::JwksFile(from)) = source;
        metrics::provider_asked(answer.is_ok());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(keys) => {
                for key in keys.ignored() {
                    let (kid, why) = (key.kid.as_str(), key.why.as_str());
                    tracing::warn!(from, kid, why, "a key of an identity provider is not used");
                }
                known.keys = Some(Arc::new(keys));
                known.is_answered = true;
            }
            Err(AskError::Jwks(fault)) if fault.gives_keys_away() => {
                tracing::error!(from, error = %fault, "an identity provider shows its private keys; none of them is believed");
                known.keys = None;
            }
            Err(error) => {
                let error = Causes(&error);
                tracing::warn!(from, %error, "an identity provider gave no keys; those that it gave before are kept");
            }
        }
    }
}

impl Known {
    fn is_older_than(&self, seconds: i64, now: DateTime<Utc>) -> bool {
        self.asked_at.is_none_or(|asked| now >= asked + TimeDelta::seconds(seconds))
    }

    /// How many seconds are left until it may be asked again, if any.
    fn seconds_to_wait(&self, now: DateTime<Utc>) -> Option<u64> {
        let left = self.asked_at? + TimeDelta::seconds(RETRY_SECONDS) - now;
        // A clock that was set back must not keep it unasked for longer.
        let left = left.min(TimeDelta::seconds(RETRY_SECONDS));
        u64::try_from((left.num_milliseconds() + 999) / 1_000).ok().filter(|left| *left > 0)
    }
}

/// Asks for the keys once.
pub(super) async fn ask(source: &KeySource) -> Result<ProviderKeys, AskError> {
    let json = match source {
        KeySource::JwksUri(uri) => fetch::get(uri, BYTES_MAX, ANSWER_TIME_MAX).await?,
        KeySource::JwksFile(path) => fetch::read(path, BYTES_MAX, ANSWER_TIME_MAX).await?,
    };
    Ok(ProviderKeys::read(&json)?)
}
