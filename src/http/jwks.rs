//! `GET /.well-known/jwks.json` (RFC 7517): the public keys, never a secret.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{etag, problem::Problem};
use crate::{app::Catalog, signing::jwks};

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, headers: HeaderMap) -> Result<Response, Problem> {
    let answer = etag::json(&headers, "application/jwk-set+json", &jwks(catalog.live().settings.published()))?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], answer).into_response())
}
