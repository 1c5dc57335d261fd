//! The HTTP API: one file per endpoint; `problem` maps every error, `caller` authenticates.

mod accept;
mod as_of;
mod audit_events;
mod audit_report;
mod authorize;
mod basic;
mod body;
pub mod bridge;
mod caller;
mod check_revocations;
pub mod connections;
mod courier;
mod cursor;
mod detached;
pub mod edge;
mod entrance;
mod etag;
mod feed;
mod fresh;
mod health;
mod introspect;
mod issue_token;
mod jwks;
mod list_tokens;
mod metadata;
pub mod metrics;
mod oauth;
mod openapi;
mod problem;
mod query;
mod request;
mod revocation;
mod revocations;
mod revocations_answer;
mod revocations_asked;
mod revoke;
mod revoke_token;
mod rotate_token;
mod show_token;
mod stale;
mod status_list;
mod subject_suspension;
mod suspension;
mod token_events;
mod whoami;

use std::sync::Arc;

use axum::{
    Extension, Router,
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
    middleware::{from_fn, from_fn_with_state},
};
use catalog_gateway::admission::TrustedProxies;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::metrics::Metrics;
use crate::app::Catalog;

/// The longest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Tells with every write where in the log it stands; `?min_position` takes it.
const POSITION: HeaderName = HeaderName::from_static("catalog-position");

/// The routes of a catalog, and what `recorder` has recorded. To be served with the peer's address as connect info; of a peer
/// that is one of `proxies` it is believed from where its requests come.
pub fn router(catalog: Arc<Catalog>, recorder: PrometheusHandle, proxies: TrustedProxies) -> Router {
    let metrics = Metrics::new(recorder, catalog.opened_at());
    let (router, _) = routes().split_for_parts();
    router
        .merge(openapi::docs::pages())
        .fallback(authorize::below_path)
        .method_not_allowed_fallback(authorize::by_any_method)
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(from_fn_with_state(catalog.clone(), stale::say))
        .layer(from_fn(request::bound))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(Arc::new(catalog.issuer().clone()), problem::write_out))
        .layer(Extension(metrics))
        .layer(Extension(Arc::new(proxies)))
        .layer(from_fn_with_state(catalog.ambient().clone(), request::name))
        .with_state(catalog)
}

/// Every route with its documentation: there is no other way for a route to come in.
fn routes() -> OpenApiRouter<Arc<Catalog>> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(entrance::handle))
        .routes(routes!(issue_token::handle, list_tokens::handle))
        .routes(routes!(show_token::handle, revoke_token::handle))
        .routes(routes!(token_events::handle))
        .routes(routes!(rotate_token::handle))
        .routes(routes!(courier::handle))
        .routes(routes!(suspension::suspend))
        .routes(routes!(suspension::resume))
        .routes(routes!(subject_suspension::suspend))
        .routes(routes!(subject_suspension::resume))
        .routes(routes!(revocations::handle, feed::handle))
        .routes(routes!(feed::snapshot::handle))
        .routes(routes!(check_revocations::handle))
        .routes(routes!(revocation::handle))
        .routes(routes!(status_list::handle))
        .routes(routes!(revoke::handle))
        .routes(routes!(whoami::handle))
        .routes(routes!(introspect::handle))
        .routes(routes!(authorize::handle))
        .routes(routes!(audit_events::handle))
        .routes(routes!(audit_report::handle))
        .routes(routes!(jwks::handle))
        .routes(routes!(metadata::handle))
        .routes(routes!(health::ready))
        .routes(routes!(health::alive))
        .routes(routes!(metrics::handle))
        .routes(routes!(openapi::handle))
        .routes(routes!(problem::pages::index))
        .routes(routes!(problem::pages::one))
}
