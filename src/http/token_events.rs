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
    domain::authority::RoutePermission,
    store::{
        log::{self, Selection},
        rules,
    },
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
/// Its life: issued, revoked, by itself or by rules that cover it. Whoever may read the log (`audit.read`) sees refused attempts on it and forgeries of it, too.
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
    // What others tried with it is for auditors: they are named in it.
    let of_its_life = caller.require(RoutePermission::AuditRead).is_err();
    let selection = Selection { jti: Some(token.jti), of_its_life, ..Selection::default() };
    let reads = catalog.database().reads();
    let mut events = log::page(reads, &selection, EVENTS_MAX).await?;
    events.extend(log::at(reads, &rules::covering(reads, &token).await?).await?);
    events.sort_by_key(|event| event.position);
    Ok(Json(History { events: views(&events)? }).into_response())
}
