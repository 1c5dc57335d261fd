//! The catalog's keys: asked for when they are needed, kept, and asked for again when a token names one that is not known.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use tokio::time::Instant;

use super::{
    key::Secret,
    remember::Remembering,
    set::{KeySet, KeySetError},
    verify::{Invalid, Rules, Verified},
};
use crate::{
    causes::Causes,
    client::{self, AskError, Catalog},
};

/// The longest JWK Set.
const BYTES_MAX: usize = 256 * 1024;
/// How long the catalog may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// How often the catalog is asked at most.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// How often at most when it does not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// After how long known keys are asked for again (`max-age` of the JWK Set), so that one that was withdrawn ends.
const REFRESH_AFTER: Duration = Duration::from_mins(5);

/// Verifies tokens by the catalog's keys. Cheap to clone: all clones share the keys.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rules: Rules,
    catalog: Catalog,
    secret: Option<Secret>,
    keys: ArcSwap<Remembering>,
    /// Those that were published once. Nothing is good by them alone.
    withdrawn: ArcSwap<Remembering>,
    asked: Mutex<Asked>,
    asking: tokio::sync::Mutex<()>,
    warned: Warned,
}

/// Of what was warned already, each once: it says how this is set up, and that does not change.
#[derive(Debug, Default)]
struct Warned {
    of_secret: AtomicBool,
    of_issuer: AtomicBool,
}

/// When the catalog was asked for its keys, and what came of it.
#[derive(Debug, Default, Clone)]
struct Asked {
    began: Option<Instant>,
    /// When it was over.
    at: Option<Instant>,
    is_answered: bool,
    etag: Option<String>,
}

/// The token names a key that is not known, and the catalog could not be asked for its keys since the token came: it does not answer, or
/// was asked only just before. That is not a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the catalog's keys cannot be had at the moment")]
pub struct KeysUnavailable;

/// Why a token is not accepted, or cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is not good.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nobody can tell.
    #[error(transparent)]
    KeysUnavailable(#[from] KeysUnavailable),
    /// It names a shared secret that is not known here, and no catalog publishes one. Nobody can tell.
    #[error("the token names a shared secret that is not known here")]
    SecretUnknown,
}

/// Why no keys came.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

impl Verifier {
    /// By the keys that the catalog publishes.
    #[must_use]
    pub fn new(catalog: Catalog, rules: Rules) -> Self {
        Self::make(catalog, rules, None)
    }

    /// By those, and a shared secret for HS256, which no catalog publishes.
    #[must_use]
    pub fn with_secret(catalog: Catalog, rules: Rules, secret: Secret) -> Self {
        Self::make(catalog, rules, Some(secret))
    }

    fn make(catalog: Catalog, rules: Rules, secret: Option<Secret>) -> Self {
        let shared = Shared {
            rules,
            catalog,
            keys: ArcSwap::from_pointee(Remembering::by(with(KeySet::default(), secret.as_ref()))),
            withdrawn: ArcSwap::from_pointee(Remembering::by(KeySet::default())),
            secret,
            asked: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            warned: Warned::default(),
        };
        Self(Arc::new(shared))
    }

    /// Checks a token as [`Rules::verify`] does. For one that names an unknown key the catalog is asked first, though not
    /// more often than every five seconds: in between nobody can tell of such a token, for the key may be a new one. The signature
    /// of a token that was found good before is not checked again.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Verified>, VerifyError> {
        let verified = self.verify_for_any(token, now).await?;
        self.check_audience(&verified)?;
        Ok(verified)
    }

    /// The same, whomever the token is meant for.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify_for_any(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Verified>, VerifyError> {
        let (shared, came) = (&self.0, Instant::now());
        shared.clone().refresh_in_time();
        let judge = || shared.keys.load().verify(&shared.rules, token, now);
        let verdict = match judge() {
            Err(Invalid::UnknownKey) => {
                let are_current = shared.clone().ask_again(came).await;
                match judge() {
                    Err(Invalid::UnknownKey) if !are_current => return Err(KeysUnavailable.into()),
                    verdict => verdict,
                }
            }
            verdict => verdict,
        };
        verdict.map_err(|invalid| shared.told(invalid))
    }

    /// The same by the keys that are known, and nobody is asked; `None` for a token that names another.
    #[cfg(feature = "judge")]
    pub(crate) fn verify_known(&self, token: &str, now: DateTime<Utc>) -> Option<Result<Arc<Verified>, VerifyError>> {
        let shared = &self.0;
        shared.clone().refresh_in_time();
        let verdict = of_known_key(shared.keys.load().verify(&shared.rules, token, now))?;
        Some(verdict.map_err(|invalid| shared.told(invalid)))
    }

    /// The same by a key that was published once and is no more; `None` for one that never was. It says who signed the token, and
    /// not that it is good.
    #[cfg(feature = "judge")]
    pub(crate) fn verify_withdrawn(&self, token: &str, now: DateTime<Utc>) -> Option<Result<Arc<Verified>, Invalid>> {
        of_known_key(self.0.withdrawn.load().verify(&self.0.rules, token, now))
    }

    /// What a token says that names a key which was never seen here. That the key signed it the catalog has to say. `None` for a
    /// shared secret.
    #[cfg(feature = "judge")]
    pub(crate) fn read_unsigned(&self, token: &str, now: DateTime<Utc>) -> Option<Result<Arc<Verified>, Invalid>> {
        of_known_key(self.0.rules.read_unsigned(token, now).map(Arc::new))
    }

    /// Whether a token is meant for here.
    pub(crate) fn check_audience(&self, verified: &Verified) -> Result<(), Invalid> {
        verified.check_audience(&self.0.rules.audience)
    }
}

impl Shared {
    fn asked(&self) -> Asked {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an objection means, and a warning where the cause may be how this is set up.
    fn told(&self, invalid: Invalid) -> VerifyError {
        match &invalid {
            Invalid::UnknownSecret => {
                if !self.warned.of_secret.swap(true, Relaxed) {
                    let kid = self.secret.as_ref().map(|secret| secret.kid.as_str());
                    tracing::warn!(
                        kid,
                        "a token of HS256 names a shared secret that is not known here, and is told neither good nor bad: is the \
                         catalog's own secret given, and its environment where secrets are derived?"
                    );
                }
                VerifyError::SecretUnknown
            }
            Invalid::Issuer { named } => {
                if !self.warned.of_issuer.swap(true, Relaxed) {
                    let expected = &self.rules.issuer;
                    tracing::warn!(
                        named,
                        expected,
                        "the catalog's own key signed a token that names another issuer than is taken here"
                    );
                }
                invalid.into()
            }
            _ => invalid.into(),
        }
    }

    /// Has known keys asked for again that have been known for long. Nobody waits for that.
    fn refresh_in_time(self: Arc<Self>) {
        let is_due = |asked: &Asked| {
            let after = if asked.is_answered { REFRESH_AFTER } else { ASK_INTERVAL };
            asked.at.is_some_and(|at| at.elapsed() >= after)
        };
        if is_due(&self.asked()) {
            tokio::spawn(async move {
                let Ok(_turn) = self.asking.try_lock() else { return };
                if is_due(&self.asked()) {
                    self.ask().await;
                }
            });
        }
    }

    /// Asks for the keys, unless somebody did since the token came, or it is too soon. Whether they are known as they were then.
    async fn ask_again(self: Arc<Self>, came: Instant) -> bool {
        let is_current = move |asked: &Asked| asked.began.is_some_and(|began| began >= came);
        // A request that goes away must not take the answer with it.
        let asking = tokio::spawn(async move {
            let _turn = self.asking.lock().await;
            let asked = self.asked();
            let interval = if asked.is_answered { ASK_INTERVAL } else { RETRY_INTERVAL };
            if !is_current(&asked) && asked.at.is_none_or(|at| at.elapsed() >= interval) {
                self.ask().await;
            }
            let asked = self.asked();
            asked.is_answered && is_current(&asked)
        });
        asking.await.unwrap_or(false)
    }

    /// Asks once, and keeps what is good of the answer. The caller has the turn.
    async fn ask(&self) {
        let (began, etag) = (Instant::now(), self.asked().etag);
        let fetched = self.fetch(etag.as_deref()).await;
        let is_answered = fetched.is_ok();
        let etag = match fetched {
            Ok(Some((keys, etag))) => {
                self.replace(with(keys, self.secret.as_ref()));
                etag
            }
            Ok(None) => etag,
            Err(error) => {
                tracing::warn!(address = self.catalog.address(), error = %Causes(&error), "the catalog's keys cannot be had; those that are known stay");
                etag
            }
        };
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) =
            Asked { began: Some(began), at: Some(Instant::now()), is_answered, etag };
    }

    fn replace(&self, keys: KeySet) {
        let gone = KeySet::gone(self.withdrawn.load().keys(), self.keys.load().keys(), &keys);
        self.withdrawn.store(Arc::new(Remembering::by(gone)));
        self.keys.store(Arc::new(Remembering::by(keys)));
    }

    /// The keys and their tag; `None` when they are those of this tag.
    async fn fetch(&self, etag: Option<&str>) -> Result<Option<(KeySet, Option<String>)>, FetchError> {
        let mut request = self.catalog.public(".well-known/jwks.json")?;
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let response = self.catalog.send(request, ANSWER_TIME_MAX).await?;
        if response.status() == StatusCode::NOT_MODIFIED && etag.is_some() {
            return Ok(None);
        }
        if let Some(refusal) = client::refusal(&response) {
            return Err(refusal.into());
        }
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = client::body(response, BYTES_MAX, ANSWER_TIME_MAX).await?;
        Ok(Some((KeySet::of_jwks(&body)?, tag)))
    }
}

#[cfg(feature = "judge")]
fn of_known_key<T>(verdict: Result<T, Invalid>) -> Option<Result<T, Invalid>> {
    match verdict {
        Err(Invalid::UnknownKey | Invalid::UnknownSecret) => None,
        verdict => Some(verdict),
    }
}

fn with(keys: KeySet, secret: Option<&Secret>) -> KeySet {
    match secret {
        Some(secret) => keys.with_secret(secret),
        None => keys,
    }
}
