//! What an edge answers, with the shapes and the meaning that the catalog's own document gives: `/authorize` and
//! `/introspect`, health and figures.

mod authorize;
mod health;
mod introspect;
pub mod metrics;

use std::sync::Arc;

use axum::{
    Extension, Router,
    http::{HeaderValue, Method, Uri, header::CACHE_CONTROL},
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get, post},
};
use catalog_gateway::admission::TrustedProxies;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use super::{authorize::PATH, problem, request};
use crate::app::edge::Edge;

/// The routes of an edge, and what `recorder` has recorded. To be served with the peer's address as connect info; of a peer that is
/// one of `proxies` it is believed from where its requests come.
pub fn router(edge: Arc<Edge>, recorder: PrometheusHandle, proxies: TrustedProxies) -> Router {
    Router::new()
        .route(PATH, any(authorize::handle))
        .route("/introspect", post(introspect::handle))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::handle))
        .fallback(authorize::below_path)
        .method_not_allowed_fallback(async |method: Method, uri: Uri| problem::no_such_method(&method, &uri))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(from_fn(request::bound))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(edge.issuer().clone(), problem::write_out))
        .layer(Extension(recorder))
        .layer(Extension(Arc::new(proxies)))
        .layer(from_fn_with_state(edge.ambient().clone(), request::name))
        .with_state(edge)
}
