//! Strong entity tags (RFC 9110 section 8.8.3): a reader that has the bytes already is told so.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams, PartialSchema,
    openapi::path::{Parameter, ParameterIn},
};

use super::{openapi::parameter, problem::Problem};

/// The header that [`json`] reads.
pub(super) enum IfNoneMatch {}

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Entity tags of the answers that the caller has already.";
        vec![parameter("if-none-match", ParameterIn::Header, String::schema(), description)]
    }
}

/// A JSON answer with its tag; without its body when the request names the tag.
pub(super) fn json(
    request: &HeaderMap,
    content_type: &'static str,
    body: &impl Serialize,
) -> Result<Response, Problem> {
    bytes(request, content_type, serde_json::to_vec(body).map_err(|_| Problem::internal())?.into())
}

/// An answer with its tag; without its body when the request names the tag.
pub(super) fn bytes(request: &HeaderMap, content_type: &str, bytes: Bytes) -> Result<Response, Problem> {
    tagged(request, content_type, &of(&bytes), bytes)
}

/// The tag of these bytes.
fn of(bytes: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)))
}

/// The same of an answer whose tag is known.
pub(super) fn tagged(request: &HeaderMap, content_type: &str, tag: &str, bytes: Bytes) -> Result<Response, Problem> {
    let header_value = HeaderValue::from_str(tag).map_err(|_| Problem::internal())?;
    let mut response = if names(request, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], bytes).into_response()
    };
    response.headers_mut().insert(header::ETAG, header_value);
    Ok(response)
}

/// Whether `If-None-Match` names the tag; comparison is weak there (RFC 9110 section 13.1.2).
fn names(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut named = values.flat_map(|value| value.split(',')).map(str::trim);
    named.any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}
