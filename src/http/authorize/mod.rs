//! `GET /authorize`: forward-auth. A proxy asks whether a request that it holds may pass, by the token that it bears.

mod demand;
mod identity;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{Uri, request::Parts},
    response::{IntoResponse, Response},
};

pub(super) use demand::{Read, of_headers, of_query_and_headers};
pub(super) use identity::Identity;

use super::{
    caller::{origin, token_of},
    metadata,
    openapi::problems,
    problem::{self, Code, Problem},
    request::client,
};
use crate::{
    app::{Catalog, Passage, metrics},
    domain::{
        claims::Teams,
        text::{Permission, TeamId},
    },
};

/// Its path. Below it there may be the path of the request that is asked about.
pub(super) const PATH: &str = "/authorize";

problems!(
    Problems = [&[
        Code::Malformed,
        Code::CredentialMissing,
        Code::CredentialInvalid,
        Code::IssuedOutOfBand,
        Code::ServerMismatch,
        Code::AddressNotAllowed,
        Code::TimeNotAllowed,
        Code::PermissionMissing,
        Code::Unavailable,
    ]]
);

/// Let a request pass
///
/// Forward-auth for proxies: nginx `auth_request`, Traefik `ForwardAuth`, Envoy `ext_authz`. The token that the request bears
/// is the subject of the check and all that it takes: it has to be active and meant for the configured audience, and what narrows
/// it (`scopes`) is applied. Everything that the query and the `x-authorize-…` headers ask for has to hold. Addresses are held
/// against that of the peer or, where the peer is a trusted proxy, against the one that it names in `x-forwarded-for`.
///
/// A body is not read, and any other method is answered the same, since Envoy asks by the method of the request. So is any path below
/// `/authorize`, where Envoy adds the request's own: the query is the request's, too, and says nothing here.
#[utoipa::path(
    get,
    path = "/authorize",
    tag = "checks",
    operation_id = "authorize",
    params(demand::Asked, demand::AskedByHeaders),
    responses(
        (status = 200, description = "It may pass. Texts are percent-encoded (RFC 3986), all but letters, digits and `-._~@:+/=`.", headers(
            ("x-auth-subject" = String, description = "`sub`: whom the token speaks for."),
            ("x-auth-teams" = String, description = "Its teams with commas between them; `*` is every team, nothing what is public alone."),
            ("x-auth-permissions" = String, description = "The permissions that it names, with commas between them."),
            ("x-auth-jti" = String, description = "Its identifier."),
            ("x-auth-path" = String, description = "The door it was issued through, such as `api` or `cli-dev`."),
        )),
        Problems,
    ),
    security(("passage" = [])),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    answered(answer(&catalog, &parts, of_query_and_headers(&parts)).await)
}

/// What no route takes: a path below this one, or nothing of ours.
pub(super) async fn below_path(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if is_below(&parts.uri) {
        return answered(answer(&catalog, &parts, of_headers(&parts)).await);
    }
    metadata::handle_below_path(State(catalog), parts.method, parts.uri, parts.headers).await.into_response()
}

/// What a route does not take by this method: this one takes any.
pub(super) async fn by_any_method(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    if request.uri().path() == PATH {
        return handle(State(catalog), request).await;
    }
    problem::no_such_method(request.method(), request.uri()).into_response()
}

/// Whether a path is below this one.
pub(super) fn is_below(uri: &Uri) -> bool {
    uri.path().strip_prefix(PATH).is_some_and(|rest| rest.starts_with('/'))
}

async fn answer(catalog: &Arc<Catalog>, parts: &Parts, demand: Read) -> Result<Response, Problem> {
    let (token, demand) = (token_of(&parts.headers).map_err(Problem::without_audience)?, demand?);
    let asked_by = || origin(None, parts, catalog);
    match catalog.authorize(token, &demand, client(parts), &asked_by).await? {
        Passage::Allowed { verified, token } => {
            let claims = &verified.claims;
            let teams = match &claims.teams {
                Teams::Every => None,
                Teams::These(teams) => Some(teams.iter().map(TeamId::as_str)),
            };
            let permissions = claims.scopes.permissions.iter().map(Permission::as_str);
            Ok(Identity::new(claims.sub.as_str(), teams, permissions, claims.jti, token.path.as_str()).into_response())
        }
        Passage::NotGood => Err(Problem::not_for_this_service()),
        Passage::Denied(denied) => Err(Problem::denied(denied, &demand)),
    }
}

/// The answer, counted.
pub(super) fn answered(answer: Result<Response, Problem>) -> Response {
    metrics::authorized(answer.as_ref().map_or_else(|problem| problem.code().as_str(), |_| "allowed"));
    answer.unwrap_or_else(IntoResponse::into_response)
}
