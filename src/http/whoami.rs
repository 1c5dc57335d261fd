//! `GET /whoami`: who the caller is here, and what it may do.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    caller::{CALLER, Caller},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::Problem,
};
use crate::{
    app::{Catalog, view::TokenView},
    domain::{
        authority::{Credential, Permissions},
        claims::Teams,
        text::{Issuer, Permission, Subject},
    },
    store::tokens,
};

/// Who the caller is here.
#[derive(Serialize, ToSchema)]
#[schema(as = Whoami)]
pub(super) struct Whoami<'a> {
    /// Whom it speaks for.
    #[schema(required)]
    sub: Option<&'a Subject>,
    /// Whether it passes every route.
    is_admin: bool,
    /// The teams it may grant.
    teams: &'a Teams,
    /// The permissions it may use and grant; `null` is all of them.
    #[schema(required)]
    permissions: Option<&'a [Permission]>,
    /// The identity provider that vouches for it; `null` for the bearer of a token of the catalog.
    #[schema(required)]
    issuer: Option<&'a Issuer>,
    /// The record of the token it presented; `null` for a person that an identity provider vouches for.
    #[schema(required)]
    credential: Option<TokenView<'a>>,
}

problems!(Problems = [CALLER, FRESH]);

/// Show the caller
///
/// The authority of the presented token, and its record. Of a person that an identity provider vouches for: what the policy
/// makes of its groups and roles.
#[utoipa::path(
    get,
    path = "/whoami",
    tag = "tokens",
    operation_id = "whoami",
    params(Fresh),
    responses((status = 200, description = "The caller.", body = Whoami), Problems),
    security(("bearer" = [])),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, caller: Caller, _: Fresh) -> Result<Response, Problem> {
    let authority = &caller.authority;
    let (token, issuer) = match &authority.credential {
        Some(Credential::Token(jti)) => {
            let token = tokens::get(catalog.database().reads(), *jti).await?;
            (Some(token.ok_or_else(Problem::bad_credential)?), None)
        }
        Some(Credential::Login { issuer }) => (None, Some(issuer)),
        // A client is not let in here.
        Some(Credential::Client { .. }) | None => return Err(Problem::internal()),
    };
    let permissions = match &authority.permissions {
        Permissions::All => None,
        Permissions::These(held) => Some(held.as_slice()),
    };
    Ok(Json(Whoami {
        sub: authority.subject.as_ref(),
        is_admin: authority.is_admin,
        teams: &authority.teams,
        permissions,
        issuer,
        credential: token.as_ref().map(|token| TokenView::new(token, catalog.ambient().clock.now())),
    })
    .into_response())
}
