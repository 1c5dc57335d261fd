//! `GET /tokens/{jti}/events`: one token's history.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    audit_events::views,
    body::Jti,
    caller::{Caller, PERMITTED},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::{Code, Problem},
    show_token::visible,
};
use crate::{
    app::{Catalog, view::EventView},
    store::log::{self, Selection},
};

/// More than any token's life has.
const EVENTS_MAX: u16 = 1_000;

/// The history of a token.
#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub(super) struct History<'a> {
    /// Its events, in the order of the log.
    events: Vec<EventView<'a>>,
}

problems!(Problems = [PERMITTED, FRESH, &[Code::TokenUnknown]]);

/// Show a token's history
///
/// Every event that speaks of it.
#[utoipa::path(
    get,
    path = "/tokens/{jti}/events",
    tag = "tokens",
    operation_id = "showTokenHistory",
    params(Jti, Fresh),
    responses((status = 200, description = "The events.", body = History), Problems),
    security(("bearer" = ["tokens.read"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Fresh,
    jti: Jti,
) -> Result<Response, Problem> {
    let token = visible(&catalog, &caller, jti).await?;
    let selection = Selection { jti: Some(token.jti), ..Selection::default() };
    let events = log::page(catalog.database().reads(), &selection, EVENTS_MAX).await?;
    Ok(Json(History { events: views(&events)? }).into_response())
}
