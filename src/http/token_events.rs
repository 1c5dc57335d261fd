//! `GET /tokens/{jti}/events`: one token's history.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{audit_events::views, body::Jti, caller::Caller, problem::Problem, show_token::visible};
use crate::{
    app::Catalog,
    store::log::{self, Selection},
};

/// More than any token's life has.
const EVENTS_MAX: u16 = 1_000;

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, caller: Caller, jti: Jti) -> Result<Response, Problem> {
    let token = visible(&catalog, &caller, jti).await?;
    let selection = Selection { jti: Some(token.jti), ..Selection::default() };
    let events = log::page(catalog.database().reads(), &selection, EVENTS_MAX).await?;
    Ok(Json(json!({ "events": views(&events)? })).into_response())
}
