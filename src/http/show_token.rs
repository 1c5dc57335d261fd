//! `GET /tokens/{jti}`: one token's record.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{body::Jti, caller::Caller, etag, problem::Problem};
use crate::{
    app::{Catalog, view::TokenView},
    domain::{Token, authority::RoutePermission},
    store::tokens,
};

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    headers: HeaderMap,
    jti: Jti,
) -> Result<Response, Problem> {
    let token = visible(&catalog, &caller, jti).await?;
    let view = TokenView::new(&token, catalog.ambient().clock.now());
    let answer = etag::json(&headers, "application/json", &view)?;
    Ok(([(header::CACHE_CONTROL, "private, no-cache")], answer).into_response())
}

/// The token, if the caller may know of it; another's is answered like one that does not exist.
pub(super) async fn visible(catalog: &Catalog, caller: &Caller, Jti(jti): Jti) -> Result<Token, Problem> {
    caller.require(RoutePermission::TokensRead)?;
    tokens::get(catalog.database().reads(), jti)
        .await?
        .filter(|token| caller.authority.sight().includes(token))
        .ok_or_else(|| Problem::unknown_token(jti))
}
