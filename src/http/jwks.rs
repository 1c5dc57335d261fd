//! `GET /.well-known/jwks.json` (RFC 7517): the public keys, never a secret.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{app::Catalog, signing::jwks};

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, Json(jwks(&catalog.settings().keys))).into_response()
}
