//! The HTTP API: one file per endpoint; `problem` maps every error, `caller` authenticates.

mod audit_events;
mod body;
mod caller;
mod check_revocations;
pub mod connections;
mod cursor;
mod etag;
mod fresh;
mod health;
mod introspect;
mod issue_token;
mod jwks;
mod list_tokens;
pub mod metrics;
mod oauth;
mod problem;
mod request;
mod revocation;
mod revoke;
mod revoke_token;
mod show_token;
mod token_events;
mod whoami;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use self::metrics::Metrics;
use crate::app::Catalog;

/// The longest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Tells with every write where in the log it stands; `?min_position` takes it.
const POSITION: HeaderName = HeaderName::from_static("catalog-position");

/// The routes of a catalog, and what `recorder` has recorded. To be served with the peer's address as connect info.
pub fn router(catalog: Arc<Catalog>, recorder: PrometheusHandle) -> Router {
    let metrics = Metrics::new(recorder, catalog.opened_at());
    Router::new()
        .route("/tokens", post(issue_token::handle).get(list_tokens::handle))
        .route("/tokens/{jti}", get(show_token::handle).delete(revoke_token::handle))
        .route("/tokens/{jti}/events", get(token_events::handle))
        .route("/revocations/check", post(check_revocations::handle))
        .route("/revocations/{jti}", get(revocation::handle))
        .route("/revoke", post(revoke::handle))
        .route("/whoami", get(whoami::handle))
        .route("/introspect", post(introspect::handle))
        .route("/audit/events", get(audit_events::handle))
        .route("/.well-known/jwks.json", get(jwks::handle))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::alive))
        .route("/metrics", get(metrics::handle))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(catalog.clone(), fresh::at_least))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(from_fn(request::bound))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(Extension(metrics))
        .layer(from_fn_with_state(catalog.clone(), request::name))
        .with_state(catalog)
}
