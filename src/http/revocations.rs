//! `POST /revocations`: revoke several tokens in one transaction, with a verdict on each.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    POSITION,
    body::{JSON_BODY, JsonBody, RequestName},
    caller::{Caller, PERMITTED, WRITE},
    detached::detached,
    openapi::problems,
    problem::{Code, Problem},
};
use crate::{
    app::{Catalog, RevokedTokens},
    domain::{
        Position, RevokeTokens, claims::CanonicalUuid, revoke::RevocationReason, revoke_several::Verdict, text::Note,
    },
};

/// Tokens to revoke.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RevocationsRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocations {
    /// Their identifiers, in any order and as often as one likes.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<CanonicalUuid>,
    /// Why, in one of RFC 5280's words; absent = `unspecified`.
    #[serde(default)]
    reason: RevocationReason,
    /// Why, in a person's words.
    #[serde(default)]
    note: Option<Note>,
}

/// What became of the tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = RevocationResults)]
struct Results {
    /// One for each identifier, in their order.
    results: Vec<RevocationResult>,
}

/// What became of one token.
#[derive(Serialize, ToSchema)]
struct RevocationResult {
    /// Its identifier.
    #[schema(value_type = CanonicalUuid)]
    jti: Uuid,
    /// What became of it.
    outcome: RevocationOutcome,
    /// Where in the log its revocation stands.
    #[schema(required)]
    position: Option<Position>,
}

/// What became of a token: `revoked` by this request, revoked before, or unknown, which is also said of one that is not
/// the caller's to know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RevocationOutcome {
    Revoked,
    AlreadyRevoked,
    Unknown,
}

problems!(Problems = [PERMITTED, JSON_BODY, WRITE, &[Code::IdempotencyKeyReused]]);

/// Revoke several tokens
///
/// Those that are the caller's to revoke are over at once and for good, all in one transaction. One that is unknown
/// keeps no other from its end.
#[utoipa::path(
    post,
    path = "/revocations",
    tag = "tokens",
    operation_id = "revokeTokens",
    params(RequestName),
    request_body(
        content = Revocations,
        example = json!({ "ids": ["01990000-0000-7000-8000-000000000000"], "reason": "key_compromise" }),
    ),
    responses(
        (status = 200, description = "What became of each.", body = Results, headers(
            ("catalog-position" = Position, description = "The position of the log that it holds for."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    RequestName(key): RequestName,
    JsonBody(asked): JsonBody<Revocations>,
) -> Result<Response, Problem> {
    let ids = asked.ids.into_iter().map(|CanonicalUuid(jti)| jti).collect();
    let command = RevokeTokens::new(ids, asked.reason, asked.note)
        .map_err(|error| Problem::malformed_body("/ids", error.to_string()))?;
    let work = async move { catalog.revoke_several(command, caller.requester(key)).await };
    let RevokedTokens { verdicts, position } = detached(work).await??;
    let results = verdicts.into_iter().map(RevocationResult::from).collect();
    Ok(([(POSITION, position.to_string())], Json(Results { results })).into_response())
}

impl From<(Uuid, Verdict)> for RevocationResult {
    fn from((jti, verdict): (Uuid, Verdict)) -> Self {
        let (outcome, position) = match verdict {
            Verdict::Revoked(position) => (RevocationOutcome::Revoked, Some(position)),
            Verdict::AlreadyRevoked(position) => (RevocationOutcome::AlreadyRevoked, Some(position)),
            Verdict::Unknown => (RevocationOutcome::Unknown, None),
        };
        Self { jti, outcome, position }
    }
}
