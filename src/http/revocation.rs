//! `GET /revocations/{jti}`: the check by identifier. An unknown one is an answer, not an error.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body::Jti,
    caller::{ASKER, Asker},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::Problem,
};
use crate::{
    app::{
        Catalog,
        metrics::{self, Finding},
    },
    domain::{Status, authority::RoutePermission, claims::CanonicalUuid},
};

/// What is known of an identifier.
#[derive(Serialize, ToSchema)]
#[schema(as = CheckResult)]
pub(super) struct Checked {
    /// The identifier.
    #[schema(value_type = CanonicalUuid)]
    pub(super) jti: Uuid,
    /// Its token's state now.
    pub(super) status: CheckedStatus,
}

/// A token's state now, or that there never was one.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckedStatus {
    Active,
    Expired,
    Suspended,
    Revoked,
    Unknown,
}

impl Checked {
    /// What was found, counted among the checks.
    pub(super) fn counted(jti: Uuid, status: Option<Status>) -> Self {
        metrics::checked(metrics::Checked::Jti, status.map_or(Finding::Unknown, Finding::from));
        Self { jti, status: status.into() }
    }
}

impl From<Option<Status>> for CheckedStatus {
    fn from(status: Option<Status>) -> Self {
        match status {
            Some(Status::Active) => Self::Active,
            Some(Status::Expired) => Self::Expired,
            Some(Status::Suspended) => Self::Suspended,
            Some(Status::Revoked) => Self::Revoked,
            None => Self::Unknown,
        }
    }
}

problems!(Problems = [ASKER, FRESH]);

/// Check an identifier
///
/// An identifier that was never issued is an answer (`unknown`) and no error. This says nothing about a signature: for
/// a whole token ask `POST /introspect`.
#[utoipa::path(
    get,
    path = "/revocations/{jti}",
    tag = "checks",
    operation_id = "checkRevocation",
    params(Jti, Fresh),
    responses((status = 200, description = "What is known of it.", body = Checked), Problems),
    security(("bearer" = ["tokens.check"]), ("basic" = ["tokens.check"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    asker: Asker,
    _: Fresh,
    Jti(jti): Jti,
) -> Result<Response, Problem> {
    asker.require(RoutePermission::TokensCheck)?;
    let now = catalog.ambient().clock.now();
    let token = catalog.live_token(jti).await;
    let token = token.inspect_err(|_| metrics::checked(metrics::Checked::Jti, Finding::Unavailable))?;
    Ok(Json(Checked::counted(jti, token.map(|token| token.status(now)))).into_response())
}
