//! Forward-auth at an edge: the catalog's own decision, by what is known here.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse, Response},
};

use crate::{
    app::edge::{Edge, EdgePassage},
    http::{
        authorize::{Identity, Read, answered, is_below, of_headers, of_query_and_headers},
        caller::token_of,
        problem::{self, Problem},
        request::client,
    },
};

pub(super) async fn handle(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    answered(answer(&edge, &parts, of_query_and_headers(&parts)).await)
}

/// A path below, or nothing of ours.
pub(super) async fn below_path(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if is_below(&parts.uri) {
        return answered(answer(&edge, &parts, of_headers(&parts)).await);
    }
    problem::no_such_route(&parts.uri).into_response()
}

async fn answer(edge: &Edge, parts: &Parts, demand: Read) -> Result<Response, Problem> {
    let (token, demand) = (token_of(&parts.headers).map_err(Problem::without_audience)?, demand?);
    match edge.authorize(token, &demand, client(parts)).await? {
        EdgePassage::Allowed { verified, issuance } => {
            let claims = &verified.claims;
            let teams = claims.teams.as_ref().map(|teams| teams.iter().map(String::as_str));
            let permissions = claims.scopes.permissions.iter().map(String::as_str);
            Ok(Identity::new(&claims.sub, teams, permissions, claims.jti, &issuance.path).into_response())
        }
        EdgePassage::NotGood => Err(Problem::not_for_this_service()),
        EdgePassage::Denied(denied) => Err(Problem::denied(denied, &demand)),
    }
}
