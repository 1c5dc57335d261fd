//! `GET /status-lists/{list}`: the status of many tokens, signed, for anybody (Token Status List, section 8).

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use utoipa::{
    IntoParams, PartialSchema,
    openapi::path::{Parameter, ParameterIn},
};
use uuid::Uuid;

use super::{
    accept,
    etag::{self, IfNoneMatch},
    openapi::{parameter, problems},
    problem::{Code, Problem},
    query::Given,
};
use crate::{
    app::{Catalog, StatusListError, schema::of},
    domain::{
        Refusal,
        claims::{CanonicalUuid, parse_jti},
    },
};

const STATUS_LIST: &str = "application/statuslist+jwt";

/// The list that a path names.
#[derive(Debug, Clone, Copy)]
pub(super) struct List(Uuid);

impl IntoParams for List {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("list", ParameterIn::Path, of::<CanonicalUuid>(), "The identifier of the list.")]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for List {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let malformed = || Problem::malformed_parameter("list", "is not a UUID in lower case");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| malformed())?;
        parse_jti(&text).map(Self).ok_or_else(malformed)
    }
}

/// Another time than the present. What else a query string has, caches may have added.
enum AsOf {}

impl IntoParams for AsOf {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Another time, in seconds since 1970 (section 8.4). There are no lists of other times.";
        vec![parameter("time", ParameterIn::Query, u64::schema(), description)]
    }
}

problems!(
    Problems = [&[
        Code::Malformed,
        Code::RouteUnknown,
        Code::NotAcceptable,
        Code::HistoryNotKept,
        Code::Unavailable,
        Code::KeyNotHere,
    ]]
);

/// A status list
///
/// A Status List Token (Token Status List): a JWT of the type `statuslist+jwt`, signed with a key of the JWK Set, with two
/// bits for each of many tokens: 0 valid, 1 revoked, 2 suspended. Tokens name their list and their place in it in the claim
/// `status`, where the policy has lists. What a list says of a place that no token has, or only one that is expired, is
/// nothing. `exp` and `ttl` say for how long to go by it.
#[utoipa::path(
    get,
    path = "/status-lists/{list}",
    tag = "checks",
    operation_id = "statusList",
    params(List, AsOf, IfNoneMatch),
    responses(
        (status = 200, description = "The list.", body = String, content_type = "application/statuslist+jwt", headers(
            ("etag" = String, description = "Its tag."),
            ("cache-control" = String, description = "For how many seconds to go by it."),
            ("vary" = String, description = "What it may be different by."),
            ("access-control-allow-origin" = String, description = "Any page may read it."),
        )),
        (status = 304, description = "It is what the request's tag names.", headers(
            ("etag" = String, description = "Its tag."),
            ("cache-control" = String, description = "For how many seconds to go by it."),
            ("vary" = String, description = "What it may be different by."),
            ("access-control-allow-origin" = String, description = "Any page may read it."),
        )),
        Problems,
    ),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, mut parts: Parts) -> Response {
    let mut response = answer(&catalog, &mut parts).await.unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    response
}

async fn answer(catalog: &Catalog, parts: &mut Parts) -> Result<Response, Problem> {
    let List(id) = List::from_request_parts(parts, &()).await?;
    let time = Given::read(&parts.uri)?.take("time");
    if !accept::takes(&parts.headers, STATUS_LIST) {
        return Err(Problem::not_acceptable(STATUS_LIST));
    }
    match time.as_deref().map(str::parse::<u64>) {
        None => {}
        Some(Ok(_)) => return Err(Problem::history_not_kept()),
        Some(Err(_)) => return Err(Problem::malformed_parameter("time", "is no number of seconds since 1970")),
    }
    let list = catalog.status_list(id)?;
    let max_age = format!("public, max-age={}", list.max_age_seconds(catalog.ambient().clock.now()));
    let is_packed = accept::takes_gzip(&parts.headers);
    let (bytes, tag) = if is_packed { list.packed() } else { list.plain() };
    let mut response = etag::tagged(&parts.headers, STATUS_LIST, tag, bytes)?;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::try_from(max_age).map_err(|_| Problem::internal())?);
    if is_packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

impl From<StatusListError> for Problem {
    fn from(error: StatusListError) -> Self {
        match error {
            StatusListError::Unknown(id) => Self::unknown_status_list(id),
            StatusListError::KeyNotHere(kid) => Refusal::KeyNotHere { kid }.into(),
            StatusListError::Unavailable => Self::status_list_unavailable(),
        }
    }
}
