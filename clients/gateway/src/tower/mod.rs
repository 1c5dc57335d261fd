//! A layer for tower and axum: bearer in, verified claims out.
//!
//! ```
//! use std::time::Duration;
//! use axum::{Extension, Router, body::Body, http::{Request, StatusCode}, routing::get};
//! use catalog_gateway::{
//!     RevocationSet,
//!     client::{Catalog, Credential},
//!     follow::{Follower, Settings},
//!     jwt::{Rules, Verified, Verifier},
//!     tower::Guard,
//! };
//! use tower::ServiceExt;
//!
//! async fn whoami(Extension(verified): Extension<Verified>) -> String {
//!     verified.claims.sub
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # // Where nobody answers.
//! # let address = "http://127.0.0.1:9";
//! let catalog = Catalog::new(address, Credential::client("edge", "the client's secret".into()))?;
//! let set = RevocationSet::new(Duration::from_secs(5));
//! let follower = Follower::start(catalog.clone(), set.clone(), Settings::default());
//! let rules = Rules { issuer: "https://tokens.example.com".to_owned(), audience: "gateway".to_owned() };
//! let guard = Guard::new(Verifier::new(catalog, rules), set).requiring("tools.read");
//! let router: Router = Router::new().route("/", get(whoami)).layer(guard);
//!
//! let nobodys = Request::get("/").body(Body::empty())?;
//! assert_eq!(router.clone().oneshot(nobodys).await?.status(), StatusCode::UNAUTHORIZED);
//! // While the catalog was not heard, nobody can tell whether a token is good.
//! let header = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0"; // {"typ":"at+jwt","alg":"EdDSA","kid":"k1"}
//! let request = Request::get("/").header("authorization", format!("Bearer {header}.e30.AAAA")).body(Body::empty())?;
//! assert_eq!(router.oneshot(request).await?.status(), StatusCode::SERVICE_UNAVAILABLE);
//! # drop(follower);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    confirm::{Confirmation, Confirmer},
    follow::Clock,
    jwt::{Verified, Verifier, VerifyError},
    set::{RevocationSet, Verdict},
};

pub use answer::Refusal;

/// Lets requests pass that bear a good token, with its [`Verified`] claims among their extensions, and answers all others: 401
/// for a token that is not good, 403 for one that lacks the permission, 503 where nobody can tell.
///
/// What the claims narrow (`teams`, `scopes`), the service behind it has to apply.
#[derive(Clone)]
pub struct Guard(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    verifier: Verifier,
    set: RevocationSet,
    confirmer: Option<Confirmer>,
    permission: Option<String>,
    realm: String,
    clock: Clock,
}

impl Guard {
    /// Takes what is signed by the catalog's keys and not revoked.
    #[must_use]
    pub fn new(verifier: Verifier, set: RevocationSet) -> Self {
        let (confirmer, permission, realm, clock) = (None, None, "gateway".to_owned(), Clock::machine());
        Self(Arc::new(Settings { verifier, set, confirmer, permission, realm, clock }))
    }

    /// Takes only what the catalog has confirmed to have issued.
    #[must_use]
    pub fn confirmed_by(self, confirmer: Confirmer) -> Self {
        self.with(|settings| settings.confirmer = Some(confirmer))
    }

    /// Takes only tokens that name this permission, by itself or as `resource.*` or `*`.
    #[must_use]
    pub fn requiring(self, permission: impl Into<String>) -> Self {
        self.with(|settings| settings.permission = Some(permission.into()))
    }

    /// Names itself so where it asks for a token. Letters, digits, spaces, dots and hyphens; any other character is left out.
    #[must_use]
    pub fn named(self, realm: &str) -> Self {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || " .-".contains(*c);
        self.with(|settings| settings.realm = realm.chars().filter(is_plain).collect())
    }

    /// Goes by other clocks, for tests.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        self.with(|settings| settings.clock = clock)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What the token of a request says, if it is good.
    ///
    /// # Errors
    /// [`Refusal`], which says what to answer.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<Verified, Refusal> {
        let token = bearer(headers)?;
        let now = self.0.clock.now();
        let verified = match self.0.verifier.verify(token, self.0.set.latest(now)).await {
            Ok(verified) => verified,
            Err(VerifyError::Invalid(_)) => return Err(Refusal::TokenInvalid),
            Err(VerifyError::KeysUnavailable(_)) => return Err(Refusal::CouldNotTell),
        };
        self.check(&verified)?;
        if let Some(confirmer) = &self.0.confirmer {
            match confirmer.confirm(token, &verified, self.0.set.latest(now)).await {
                // It may have been revoked while the catalog was asked.
                Confirmation::Issued => self.check(&verified)?,
                Confirmation::NotActive => return Err(Refusal::TokenInvalid),
                Confirmation::CouldNotTell => return Err(Refusal::CouldNotTell),
            }
        }
        match &self.0.permission {
            Some(permission) if !verified.claims.permits(permission) => Err(Refusal::PermissionMissing),
            _ => Ok(verified),
        }
    }

    fn check(&self, verified: &Verified) -> Result<(), Refusal> {
        match self.0.set.check(verified.claims.jti, &verified.kid, self.0.clock.now()) {
            Verdict::NotRevoked => Ok(()),
            Verdict::Revoked => Err(Refusal::TokenInvalid),
            Verdict::Stale => Err(Refusal::CouldNotTell),
        }
    }

    /// The answer to a request that is not let pass.
    #[must_use]
    pub fn answer<Body: From<String>>(&self, refusal: Refusal) -> Response<Body> {
        refusal.answer(&self.0.realm, self.0.permission.as_deref())
    }
}

/// The one token of a request (RFC 6750 section 2.1). Several are as bad as a wrong one.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::TokenMissing)?;
    let (Ok(text), None) = (value.to_str(), values.next()) else { return Err(Refusal::TokenInvalid) };
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::TokenMissing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim_matches(' ')) } else { Err(Refusal::TokenMissing) }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("permission", &self.0.permission).finish_non_exhaustive()
    }
}

impl<Inner> Layer<Inner> for Guard {
    type Service = Guarded<Inner>;

    fn layer(&self, inner: Inner) -> Guarded<Inner> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind a [`Guard`].
#[derive(Debug, Clone)]
pub struct Guarded<Inner> {
    guard: Guard,
    inner: Inner,
}

impl<Inner, In, Out> Service<Request<In>> for Guarded<Inner>
where
    Inner: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    Inner::Future: Send,
    In: Send + 'static,
    Out: From<String>,
{
    type Response = Response<Out>;
    type Error = Inner::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Out>, Inner::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        let guard = self.guard.clone();
        // The one that was made ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            match guard.admit(request.headers()).await {
                Ok(verified) => {
                    request.extensions_mut().insert(verified);
                    inner.call(request).await
                }
                Err(refusal) => Ok(guard.answer(refusal)),
            }
        })
    }
}
