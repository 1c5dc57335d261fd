//! `POST /revocations/check`: the check by identifier, for many at once.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body::{JSON_BODY, JsonBody},
    caller::{ASKER, Asker},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::Problem,
    revocation,
};
use crate::{
    app::{
        Catalog,
        metrics::{self, Checked, Finding},
    },
    domain::{Status, authority::RoutePermission, claims::CanonicalUuid},
};

/// The most identifiers in one request.
const IDS_MAX: usize = 1_000;

/// Identifiers to check.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CheckRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    /// The identifiers, in any order and as often as one likes.
    #[schema(max_items = 1000)]
    jtis: Vec<CanonicalUuid>,
}

/// What is known of identifiers.
#[derive(Serialize, ToSchema)]
#[schema(as = CheckResults)]
pub(super) struct Results {
    /// One for each identifier, in their order.
    results: Vec<revocation::Checked>,
}

problems!(Problems = [ASKER, FRESH, JSON_BODY]);

/// Check many identifiers
///
/// The same as `GET /revocations/{jti}`, for 1,000 at most.
#[utoipa::path(
    post,
    path = "/revocations/check",
    tag = "checks",
    operation_id = "checkRevocations",
    params(Fresh),
    request_body(content = Check, example = json!({ "jtis": ["01990000-0000-7000-8000-000000000000"] })),
    responses((status = 200, description = "What is known of each.", body = Results), Problems),
    security(("bearer" = ["tokens.check"]), ("basic" = ["tokens.check"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    asker: Asker,
    _: Fresh,
    JsonBody(check): JsonBody<Check>,
) -> Result<Response, Problem> {
    asker.require(RoutePermission::TokensCheck)?;
    let ids: Vec<Uuid> = check.jtis.into_iter().map(|CanonicalUuid(jti)| jti).collect();
    if ids.len() > IDS_MAX {
        let detail = format!("has {} members, the maximum is {IDS_MAX}", ids.len());
        return Err(Problem::malformed_body("/jtis", detail));
    }
    let now = catalog.ambient().clock.now();
    let tokens = catalog.live_tokens(&ids).await;
    let tokens = tokens.inspect_err(|_| metrics::checked(Checked::Jti, Finding::Unavailable))?;
    let known: HashMap<Uuid, Status> = tokens.iter().map(|(jti, token)| (*jti, token.status(now))).collect();
    let results = ids.iter().map(|jti| revocation::Checked::counted(*jti, known.get(jti).copied())).collect();
    Ok(Json(Results { results }).into_response())
}
