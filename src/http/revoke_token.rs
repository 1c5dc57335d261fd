//! `DELETE /tokens/{jti}`: revoke a token. Again changes nothing and says the same.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    POSITION,
    body::{JSON_BODY, Jti, OptionalJsonBody, RequestName},
    caller::{Caller, PERMITTED, WRITE},
    detached::detached,
    openapi::problems,
    problem::{Code, Problem},
    query::Parameters,
};
use crate::{
    app::Catalog,
    domain::{Position, RevokeToken, revoke::RevocationReason, text::Note},
};

/// Why a token is revoked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = RevocationRequest)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Why {
    /// Why, in one of RFC 5280's words; absent = `unspecified`.
    reason: RevocationReason,
    /// Why, in a person's words.
    note: Option<Note>,
}

problems!(Problems = [PERMITTED, JSON_BODY, WRITE, &[Code::TokenUnknown, Code::IdempotencyKeyReused]]);

/// Revoke a token
///
/// It is over at once and for good. Revoking it again changes nothing and says the same. Whoever holds a token may
/// revoke it without any permission.
#[utoipa::path(
    delete,
    path = "/tokens/{jti}",
    tag = "tokens",
    operation_id = "revokeToken",
    params(Jti, RequestName),
    request_body(
        content = Option<Why>,
        examples(
            ("reason" = (value = json!({ "reason": "key_compromise", "note": "it was in a screenshot" }))),
        ),
    ),
    responses(
        (status = 204, description = "It is revoked.", headers(
            ("catalog-position" = Position, description = "Where in the log its revocation stands."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    RequestName(key): RequestName,
    Jti(jti): Jti,
    OptionalJsonBody(why): OptionalJsonBody<Why>,
) -> Result<Response, Problem> {
    let command = RevokeToken { jti, reason: why.reason, note: why.note };
    let position = detached(async move { catalog.revoke(command, caller.requester(key)).await }).await??;
    Ok((StatusCode::NO_CONTENT, [(POSITION, position.to_string())]).into_response())
}
