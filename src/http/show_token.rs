//! `GET /tokens/{jti}`: one token's record.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    body::Jti,
    caller::{Caller, PERMITTED},
    etag::{self, IfNoneMatch},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::{Code, Problem},
};
use crate::{
    app::{Catalog, view::TokenView},
    domain::{Token, authority::RoutePermission},
    store::tokens,
};

problems!(Problems = [PERMITTED, FRESH, &[Code::TokenUnknown]]);

/// Show a token
///
/// Its record, with its status now. It never shows the token itself, which is not kept.
#[utoipa::path(
    get,
    path = "/tokens/{jti}",
    tag = "tokens",
    operation_id = "showToken",
    params(Jti, Fresh, IfNoneMatch),
    responses(
        (status = 200, description = "The record.", body = TokenView, headers(
            ("etag" = String, description = "Its tag."),
        )),
        (status = 304, description = "It is what the request's tag names.", headers(
            ("etag" = String, description = "Its tag."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.read"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Fresh,
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
