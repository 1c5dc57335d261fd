//! `POST /tokens`: issue a token.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    POSITION,
    body::{JsonBody, RequestName},
    caller::Caller,
    problem::Problem,
};
use crate::{
    app::{Catalog, view},
    domain::IssueToken,
};

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    RequestName(key): RequestName,
    JsonBody(command): JsonBody<IssueToken>,
) -> Result<Response, Problem> {
    let issued = catalog.issue(command, caller.requester(key)).await?;
    let location = format!("/tokens/{}", issued.token.jti);
    let body = view::issued(&issued, catalog.ambient().clock.now());
    let headers = [(header::LOCATION, location), (POSITION, issued.token.issued.to_string())];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}
