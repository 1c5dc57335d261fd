//! What media type a request asks for.

use axum::http::{HeaderMap, header};

/// Whether `Accept` names a media type. Parameters, weights and wildcards are not looked at.
pub(super) fn names(headers: &HeaderMap, essence: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|range| range.split(';').next().map(str::trim) == Some(essence))
}
