//! `GET /revocations/{jti}`: the check by identifier. An unknown one is an answer, not an error.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{body::Jti, caller::Caller, problem::Problem};
use crate::{
    app::{
        Catalog,
        metrics::{self, Checked},
    },
    domain::authority::RoutePermission,
    store::tokens,
};

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    Jti(jti): Jti,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::TokensCheck)?;
    let now = catalog.ambient().clock.now();
    let token = tokens::get(catalog.database().reads(), jti).await;
    let token = token.inspect_err(|_| metrics::checked(Checked::Jti, metrics::UNAVAILABLE))?;
    let status = token.map_or("unknown", |token| token.status(now).as_str());
    metrics::checked(Checked::Jti, status);
    Ok(Json(json!({ "jti": jti, "status": status })).into_response())
}
