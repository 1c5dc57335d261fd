//! `GET /tokens/{jti}`: one token's record.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    as_of,
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

/// When a record is asked for as it was.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Moment {
    /// As it was then: a time in the past, or a position of the log such as `@812`.
    #[param(nullable = false)]
    as_of: Option<String>,
}

problems!(Problems = [PERMITTED, FRESH, &[Code::TokenUnknown]]);

/// Show a token
///
/// Its record, with its status now; with `as_of` as it was then. It never shows the token itself, which is not kept.
#[utoipa::path(
    get,
    path = "/tokens/{jti}",
    tag = "tokens",
    operation_id = "showToken",
    params(Jti, Moment, Fresh, IfNoneMatch),
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
    Fresh(moment): Fresh<Moment>,
    headers: HeaderMap,
    jti: Jti,
) -> Result<Response, Problem> {
    let Some(past) = as_of::read(&catalog, moment.as_of.as_deref()).await? else {
        let token = visible(&catalog, &caller, jti).await?;
        return answer(&headers, &TokenView::new(&token, catalog.ambient().clock.now()));
    };
    caller.require(RoutePermission::TokensRead)?;
    let token = tokens::get_as_of(catalog.database().reads(), jti.0, past.position).await?;
    let token = token.filter(|token| caller.authority.sight().includes(token));
    let token = token.ok_or_else(|| Problem::unknown_token(jti.0))?;
    answer(&headers, &TokenView::new(&token, past.at).as_of(past))
}

fn answer(headers: &HeaderMap, view: &TokenView<'_>) -> Result<Response, Problem> {
    let answer = etag::json(headers, "application/json", view)?;
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
