//! `POST /tokens/{jti}/rotate`: a successor takes a token's place, and for a while both are good.

use std::{num::NonZeroU32, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    POSITION,
    body::{JSON_BODY, JsonBody, Jti, RequestName},
    caller::{Caller, PERMITTED, WRITE},
    detached::detached,
    issue_token::ISSUANCE,
    openapi::problems,
    problem::{Code, Problem},
    query::Parameters,
};
use crate::{
    app::{
        Catalog,
        view::{self, IssuedView},
    },
    domain::{Position, RotateToken, positive::positive, rotate::Overlap},
};

/// How a token is rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RotationRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// For how long the token stays good beside its successor: at most what it has left. `0s` ends it at once.
    overlap: Overlap,
    /// The successor's lifetime in seconds, within the policy; absent = as long as the token's own was, or what the policy
    /// and the caller's own token leave.
    #[serde(default, deserialize_with = "positive")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    expires_in: Option<NonZeroU32>,
}

problems!(
    Problems = [
        PERMITTED,
        JSON_BODY,
        WRITE,
        ISSUANCE,
        &[Code::TokenUnknown, Code::WrongStatus, Code::AlreadyRotated, Code::OverlapTooLong],
    ]
);

/// Rotate a token
///
/// A successor with the same claims but `jti`, `iat` and `exp` is issued by the same rules as any token, as the caller may
/// grant them today; it takes over the name. The token itself is inactive from the deadline on, at the very instant.
/// Another caller needs `tokens.create` besides; the token itself may rotate itself with `tokens.rotate_self`. A token is
/// rotated once: who comes second is told the successor.
#[utoipa::path(
    post,
    path = "/tokens/{jti}/rotate",
    tag = "tokens",
    operation_id = "rotateToken",
    params(Jti, RequestName),
    request_body(
        content = How,
        examples(
            ("overlap" = (summary = "Ten minutes to hand the successor out", value = json!({ "overlap": "10m" }))),
            ("at_once" = (summary = "Without overlap, for an hour", value = json!({ "overlap": "0s", "expires_in": 3600 }))),
        ),
    ),
    responses(
        (status = 201, description = "The successor was issued, or was issued before under the same key.", body = IssuedView,
            headers(
                ("location" = String, description = "Where the successor's record is."),
                ("catalog-position" = Position, description = "Where in the log the successor was issued."),
            )
        ),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke", "tokens.create"]), ("bearer" = ["tokens.rotate_self"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    RequestName(key): RequestName,
    Jti(jti): Jti,
    JsonBody(how): JsonBody<How>,
) -> Result<Response, Problem> {
    let command = RotateToken { jti, overlap: how.overlap, ttl_seconds: how.expires_in.map(Into::into) };
    let work = {
        let catalog = catalog.clone();
        async move { catalog.rotate(command, caller.requester(key)).await }
    };
    let issued = detached(work).await??;
    let location = format!("/tokens/{}", issued.token.jti);
    let body = view::issued(&issued, catalog.ambient().clock.now());
    let headers = [(header::LOCATION, location), (POSITION, issued.token.issued.to_string())];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}
