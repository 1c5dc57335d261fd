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
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    admission::{Demand, TrustedProxies, Use},
    confirm::Confirmer,
    follow::Clock,
    judge::{Judge, Judged},
    jwt::{Verified, Verifier},
    set::RevocationSet,
};

pub use answer::Refusal;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Lets requests pass that bear a good token which may be used for them, with its [`Verified`] claims among their extensions, and
/// answers all others: 401 for a token that is not good, 403 for one that may not be used so, 503 where nobody can tell.
///
/// It applies `scopes`: permissions, server, addresses and times. Teams, namespaces and limits of use the service behind it has to
/// apply.
#[derive(Clone)]
pub struct Guard(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    judge: Judge,
    demand: Demand,
    proxies: TrustedProxies,
    peer: fn(&Extensions) -> Option<IpAddr>,
    realm: String,
}

impl Guard {
    /// Takes what is signed by the catalog's keys and not revoked.
    #[must_use]
    pub fn new(verifier: Verifier, set: RevocationSet) -> Self {
        Self(Arc::new(Settings {
            judge: Judge::new(verifier, set),
            demand: Demand::default(),
            proxies: TrustedProxies::default(),
            peer: |_| None,
            realm: "gateway".to_owned(),
        }))
    }

    /// Takes only what the catalog has confirmed to have issued.
    #[must_use]
    pub fn confirmed_by(self, confirmer: Confirmer) -> Self {
        self.with(|settings| settings.judge = settings.judge.clone().confirmed_by(confirmer))
    }

    /// Takes only tokens that name this permission, by itself or as `resource.*` or `*`.
    #[must_use]
    pub fn requiring(self, permission: impl Into<String>) -> Self {
        self.with(|settings| settings.demand.permissions = vec![permission.into()])
    }

    /// Takes tokens that are bound to this server, and those that are bound to none. Without it none that is bound passes.
    #[must_use]
    pub fn of_server(self, server_id: impl Into<String>) -> Self {
        self.with(|settings| settings.demand.servers = vec![server_id.into()])
    }

    /// Takes no token that came past the controls of the catalog's API. How a token was issued only the catalog knows: without
    /// [`Self::confirmed_by`] nobody can tell, and nothing passes.
    #[must_use]
    pub fn refusing_out_of_band(self) -> Self {
        self.with(|settings| settings.demand.refuses_out_of_band = true)
    }

    /// Learns the address of a request's peer so, such as from axum's `ConnectInfo`. Without it nobody knows from where a request
    /// comes, and no token passes that is bound to addresses.
    #[must_use]
    pub fn with_peers(self, peer: fn(&Extensions) -> Option<IpAddr>) -> Self {
        self.with(|settings| settings.peer = peer)
    }

    /// Believes the `X-Forwarded-For` of these peers.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        self.with(|settings| settings.proxies = proxies)
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
        self.with(|settings| settings.judge = settings.judge.clone().by(clock))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What the token of a request says, if it is good and may be used for it. From where the request comes nobody knows.
    ///
    /// # Errors
    /// [`Refusal`], which says what to answer.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<Arc<Verified>, Refusal> {
        self.admit_from(None, headers).await
    }

    /// The same for a request that comes from there, itself or by proxies.
    ///
    /// # Errors
    /// [`Refusal`], which says what to answer.
    pub async fn admit_from(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Arc<Verified>, Refusal> {
        let Settings { judge, demand, proxies, .. } = &*self.0;
        let Judged { verified, issuance } = judge
            .judge(bearer(headers)?)
            .await
            .map_err(|objection| if objection.is_no() { Refusal::TokenInvalid } else { Refusal::CouldNotTell })?;
        if demand.refuses_out_of_band && issuance.is_none() {
            return Err(Refusal::CouldNotTell);
        }
        let terms = verified.claims.scopes.terms(issuance.is_some_and(|issuance| issuance.out_of_band));
        let forwarded = || headers.get_all(&X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
        let from = peer.and_then(|peer| proxies.client(peer, forwarded()));
        let used = Use { from, at: judge.set().latest(judge.clock().now()) };
        terms.admit(demand, used).map_err(Refusal::Denied)?;
        Ok(verified)
    }

    /// The answer to a request that is not let pass.
    #[must_use]
    pub fn answer<Body: From<String>>(&self, refusal: Refusal) -> Response<Body> {
        refusal.answer(&self.0.realm, &self.0.demand.permissions.join(" "))
    }
}

/// The one token of a request (RFC 6750 section 2.1). Several are as bad as a wrong one.
///
/// # Errors
/// [`Refusal::TokenMissing`] and [`Refusal::TokenInvalid`].
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::TokenMissing)?;
    let (Ok(text), None) = (value.to_str(), values.next()) else { return Err(Refusal::TokenInvalid) };
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::TokenMissing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim_matches(' ')) } else { Err(Refusal::TokenMissing) }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("demand", &self.0.demand).finish_non_exhaustive()
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
            let peer = (guard.0.peer)(request.extensions());
            match guard.admit_from(peer, request.headers()).await {
                Ok(verified) => {
                    request.extensions_mut().insert(Verified::clone(&verified));
                    inner.call(request).await
                }
                Err(refusal) => Ok(guard.answer(refusal)),
            }
        })
    }
}
