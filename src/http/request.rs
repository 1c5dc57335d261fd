//! What every request gets: a name in the diagnostics, and an end.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::{Instrument, field};

use super::{
    metrics,
    problem::{ANSWER_TIMEOUT, Code, Problem},
};
use crate::{app::Catalog, domain::text::RequestId};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names the request, by its own `x-request-id` if that is a plain word, and says the name in the answer.
pub(super) async fn name(State(catalog): State<Arc<Catalog>>, mut request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| fresh(&catalog));
    request.extensions_mut().insert(id.clone());
    let (route, method) = (route(&request).to_owned(), request.method().clone());
    // Of the highest level, so that it is there wherever a line is.
    let span = tracing::error_span!(
        "request",
        request_id = id.as_str(),
        method = metrics::name(&method),
        route,
        actor = field::Empty,
        jti = field::Empty
    );
    let begun = tokio::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status(), begun.elapsed());
    metrics::answered(&route, &method, status, elapsed);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (status, code) = (status.as_u16(), response.extensions().get::<Code>().map(|code| code.as_str()));
    span.in_scope(|| tracing::info!(status, code, elapsed_ms, "a request was answered"));
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}

/// Answers in time, whatever the database does. A write that was queued runs to its end all the same.
pub(super) async fn bound(request: Request, next: Next) -> Response {
    let may_write = may_write(&request);
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) if may_write => Problem::outcome_unknown().into_response(),
        Err(_) => Problem::unavailable().into_response(),
    }
}

/// Whether the route appends to the log.
fn may_write(request: &Request) -> bool {
    match *request.method() {
        Method::DELETE => true,
        Method::POST => !matches!(route(request), "/introspect" | "/revocations/check"),
        _ => false,
    }
}

/// The pattern that the request's path met. The path itself may hold anything, a token too.
fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str)
}

fn given(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get(&X_REQUEST_ID)?.to_str().ok()?;
    // Every part of a token but its signature begins so. The name is shown and recorded, which a token must not be.
    RequestId::parse(text).ok().filter(|_| !text.starts_with("eyJ"))
}

fn fresh(catalog: &Catalog) -> RequestId {
    RequestId::of_uuid(catalog.new_id())
}

/// The address of the peer.
pub(super) fn peer(extensions: &axum::http::Extensions) -> Option<SocketAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address)
}
