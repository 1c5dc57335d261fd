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
    signing::{Jwks, jwks},
};

problems!(Problems = []);

/// The public keys
///
/// A JWK Set (RFC 7517). A shared secret (HS256) has no public half and is not in it.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "server",
    operation_id = "jwks",
    params(IfNoneMatch),
    responses(
        (status = 200, description = "The keys.", body = Jwks, content_type = "application/jwk-set+json", headers(
            ("etag" = String, description = "Its tag."),
        )),
        (status = 304, description = "It is what the request's tag names.", headers(
            ("etag" = String, description = "Its tag."),
        )),
        Problems,
    ),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, headers: HeaderMap) -> Result<Response, Problem> {
    let answer = etag::json(&headers, "application/jwk-set+json", &jwks(catalog.live().settings.published()))?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], answer).into_response())
}
