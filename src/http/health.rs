//! `GET /healthz` and `GET /readyz`: whether the process lives, and whether it can do its work.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    app::Catalog,
    store::{postgres::bounded, schema},
};

/// The process answers.
pub(super) async fn alive() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The database is reachable, its schema is this program's, and the signing key is here.
pub(super) async fn ready(State(catalog): State<Arc<Catalog>>) -> Response {
    let (database, schema) = match bounded(async { Ok(schema::check(catalog.database()).await) }).await {
        Ok(Ok(())) => (true, true),
        Ok(Err(schema::SchemaError::Outdated { .. } | schema::SchemaError::TooNew { .. })) => (true, false),
        Ok(Err(_)) | Err(_) => (false, false),
    };
    let signing_key = catalog.can_sign();
    let appender = catalog.can_record();
    let is_ready = database && schema && signing_key && appender;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "checks": { "database": database, "schema": schema, "signing_key": signing_key, "appender": appender },
    });
    let mut response = (status, Json(body)).into_response();
    if !is_ready {
        response.headers_mut().insert(header::RETRY_AFTER, 1.into());
    }
    response
}
