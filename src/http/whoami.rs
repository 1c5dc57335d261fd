//! `GET /whoami`: who the caller is here, and what it may do.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{caller::Caller, problem::Problem};
use crate::{
    app::{Catalog, view::TokenView},
    domain::authority::Permissions,
    store::tokens,
};

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, caller: Caller) -> Result<Response, Problem> {
    let authority = &caller.authority;
    let jti = authority.credential.ok_or_else(Problem::bad_credential)?;
    let token = tokens::get(catalog.database().reads(), jti).await?.ok_or_else(Problem::bad_credential)?;
    let permissions = match &authority.permissions {
        Permissions::All => None,
        Permissions::These(held) => Some(held),
    };
    Ok(Json(json!({
        "sub": authority.subject,
        "is_admin": authority.is_admin,
        "teams": authority.teams,
        "permissions": permissions,
        "credential": TokenView::new(&token, catalog.ambient().clock.now()),
    }))
    .into_response())
}
