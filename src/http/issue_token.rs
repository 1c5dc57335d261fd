//! `POST /tokens`: issue a token.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{body::JsonBody, caller::Caller, problem::Problem};
use crate::{
    app::{Catalog, view},
    domain::IssueToken,
};

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    JsonBody(command): JsonBody<IssueToken>,
) -> Result<Response, Problem> {
    let issued = catalog.issue(command, caller.authority, caller.origin).await?;
    let location = format!("/tokens/{}", issued.token.jti);
    let body = view::issued(&issued, catalog.ambient().clock.now());
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}
