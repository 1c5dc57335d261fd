//! `POST /revocations/check`: the check by identifier, for many at once.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{body::JsonBody, caller::Caller, problem::Problem};
use crate::{
    app::{
        Catalog,
        metrics::{self, Checked},
    },
    domain::{authority::RoutePermission, claims::CanonicalUuid},
    store::tokens,
};

/// The most identifiers in one request.
const IDS_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    jtis: Vec<CanonicalUuid>,
}

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    JsonBody(check): JsonBody<Check>,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::TokensCheck)?;
    let ids: Vec<Uuid> = check.jtis.into_iter().map(|CanonicalUuid(jti)| jti).collect();
    if ids.len() > IDS_MAX {
        let detail = format!("has {} members, the maximum is {IDS_MAX}", ids.len());
        return Err(Problem::malformed_body("/jtis", detail));
    }
    let now = catalog.ambient().clock.now();
    let tokens = tokens::several(catalog.database().reads(), &ids).await;
    let tokens = tokens.inspect_err(|_| metrics::checked(Checked::Jti, metrics::UNAVAILABLE))?;
    let known: HashMap<Uuid, &'static str> =
        tokens.iter().map(|token| (token.jti, token.status(now).as_str())).collect();
    let result = |jti: &Uuid| {
        let status = known.get(jti).copied().unwrap_or("unknown");
        metrics::checked(Checked::Jti, status);
        json!({ "jti": jti, "status": status })
    };
    let results: Vec<Value> = ids.iter().map(result).collect();
    Ok(Json(json!({ "results": results })).into_response())
}
