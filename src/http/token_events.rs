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
    app::{
        Catalog,
        view::{EventView, StepView},
    },
    domain::{audit::token_life::TokenLife, authority::RoutePermission},
    store::life,
};

/// The history of a token.
#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub(super) struct History<'a> {
    /// Its events, in the order of the log.
    events: Vec<EventView<'a>>,
    /// The same as a story, in the order of the log; what time alone did stands where it did it.
    life: Vec<StepView<'a>>,
}

problems!(Problems = [PERMITTED, FRESH, &[Code::TokenUnknown]]);

/// Show a token's history
///
/// Its life: issued, rotated, held back, revoked, by itself or by rules that cover it, expired. Whoever may read the log (`audit.read`) sees refused attempts on it
/// and forgeries of it, too, and of its issuance on what authority that was: by what its asker held each permission, and which entries of the policy let it be granted.
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
    let is_auditor = caller.require(RoutePermission::AuditRead).is_ok();
    let reads = catalog.database().reads();
    let events = life::own(reads, &token, !is_auditor).await?;
    let mut told = TokenLife::of(token.jti);
    life::with_authority(reads, &token, &events).await?.iter().for_each(|event| told.apply(event));
    let life = told.finish(catalog.ambient().clock.now()).ok_or_else(Problem::internal)?;
    let steps = life.steps.iter().map(|step| StepView::new(step, is_auditor)).collect();
    Ok(Json(History { events: views(&events)?, life: steps }).into_response())
}
