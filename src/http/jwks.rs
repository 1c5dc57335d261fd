//! `GET /.well-known/jwks.json` (RFC 7517): the public keys, never a secret.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    etag::{self, IfNoneMatch},
    openapi::problems,
    problem::Problem,
};
use crate::{
    app::Catalog,
    domain::key::JWKS_MAX_AGE_SECONDS,
    signing::{Jwks, jwks},
};

problems!(Problems = []);

/// The public keys
///
/// A JWK Set (RFC 7517): the keys whose tokens may still be good, and those that are to sign next. A shared secret (HS256) has no public half and is not in it.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "server",
    operation_id = "jwks",
    params(IfNoneMatch),
    responses(
        (status = 200, description = "The keys.", body = Jwks, content_type = "application/jwk-set+json", headers(
            ("etag" = String, description = "Its tag."),
            ("cache-control" = String, description = "For how many seconds to go by it."),
        )),
        (status = 304, description = "It is what the request's tag names.", headers(
            ("etag" = String, description = "Its tag."),
            ("cache-control" = String, description = "For how many seconds to go by it."),
        )),
        Problems,
    ),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, headers: HeaderMap) -> Result<Response, Problem> {
    let answer = etag::json(&headers, "application/jwk-set+json", &jwks(catalog.live().settings.published()))?;
    let max_age = format!("public, max-age={JWKS_MAX_AGE_SECONDS}");
    Ok(([(header::CACHE_CONTROL, max_age)], answer).into_response())
}
