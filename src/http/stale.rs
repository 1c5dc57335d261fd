//! Answers that may rest on what is too old say so.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};

use crate::app::Catalog;

/// For how many whole seconds the end of the log had not been seen, where checks go on from what is known all the same.
static STALENESS: HeaderName = HeaderName::from_static("catalog-staleness");

/// Adds the header.
pub(super) async fn say(State(catalog): State<Arc<Catalog>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if catalog.is_stale_and_allowed() {
        let seconds = catalog.staleness().unwrap_or_default().as_secs();
        response.headers_mut().insert(STALENESS.clone(), HeaderValue::from(seconds));
    }
    response
}
