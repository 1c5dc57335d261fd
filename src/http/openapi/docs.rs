//! `GET /docs`: the document in a browser, from the binary alone.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Nothing is loaded from anywhere else and nothing is sent anywhere else; styles are set from scripts, so they may be
/// inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The pages below `/docs`. They are no part of the API, and so of no document.
pub(in crate::http) fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let config = Config::from("../openapi.json").validator_url("none").try_it_out_enabled(false).use_base_layout();
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    Router::from(SwaggerUi::new("/docs").config(config))
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
}
