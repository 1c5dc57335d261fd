//! `POST /introspect` (RFC 7662) at an edge, for callers that the catalog lets check tokens, and for whoever has the edge's own
//! name and secret.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use crate::{
    app::edge::Edge,
    domain::authority::RoutePermission,
    http::{
        basic,
        caller::{Presented, presented},
        introspect::Introspection,
        oauth::{bad_request, token, unauthorized},
        problem::Problem,
        query::Parameters,
    },
};

pub(super) async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    answer(&edge, request).await.unwrap_or_else(|refused| refused)
}

async fn answer(edge: &Edge, request: Request) -> Result<Response, Response> {
    let (mut parts, body) = request.into_parts();
    admit(edge, &parts.headers).await.map_err(unauthorized)?;
    <Parameters>::from_request_parts(&mut parts, &()).await.map_err(bad_request)?;
    let token = token(&parts, body).await?;
    let found = edge.check(&token).await.map_err(|objection| Problem::from(objection).into_response())?;
    Ok(Json(found.as_ref().map_or(Introspection::inactive(), Introspection::from)).into_response())
}

/// Lets a caller pass that may check tokens.
async fn admit(edge: &Edge, headers: &HeaderMap) -> Result<(), Problem> {
    match presented(headers)? {
        Presented::Bearer(token) => {
            let authority = edge.authenticate(token).await?.ok_or_else(Problem::bad_credential)?;
            authority.require(RoutePermission::TokensCheck).map_err(Problem::from)
        }
        Presented::Basic(credentials) => {
            let own = basic::read(credentials).filter(|own| edge.is_own(&own.name, &own.secret));
            own.map(drop).ok_or_else(Problem::bad_client)
        }
    }
}
