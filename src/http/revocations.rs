//! `POST /revocations`: revoke several tokens in one transaction, or all that a rule covers by one event.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

use super::{
    POSITION,
    body::{JSON_BODY, JsonBody, RequestName},
    caller::{Caller, PERMITTED, WRITE},
    detached::detached,
    openapi::problems,
    problem::{Code, Problem},
    query::Parameters,
    revocations_answer::{Revocations, RuleResult},
    revocations_asked::{Asked, Body},
};
use crate::{
    app::{Catalog, Requester},
    domain::Position,
};

problems!(Problems = [PERMITTED, JSON_BODY, WRITE, &[Code::RuleTooWide, Code::IdempotencyKeyReused]]);

/// Revoke several tokens, or by rule
///
/// With `ids` those that are the caller's to revoke are over at once and for good, all in one transaction; one that is
/// unknown keeps no other from its end. With `where`, or `all`, a rule is added: every token that was issued before and
/// meets all conditions is over at once, whatever their number, and tokens that are issued later are untouched. Only an
/// administrator of every team may name any conditions; anybody else names its own subject among them. `dry_run` tells
/// what a rule would do, and does nothing.
#[utoipa::path(
    post,
    path = "/revocations",
    tag = "tokens",
    operation_id = "revokeTokens",
    params(RequestName),
    request_body(
        content = Body,
        examples(
            ("tokens" = (summary = "Tokens that are named", value = json!({
                "ids": ["01990000-0000-7000-8000-000000000000"], "reason": "key_compromise",
            }))),
            ("rule" = (summary = "What somebody had issued before an incident", value = json!({
                "where": { "sub": "contractor@example.com", "issued_before": "2026-11-01T00:00:00Z" },
                "reason": "privilege_withdrawn",
                "note": "the contract has ended",
            }))),
            ("preview" = (summary = "What a rule would do", value = json!({
                "where": { "team": "ops", "path": "cli-dev" }, "dry_run": true,
            }))),
            ("everything" = (summary = "How many tokens there are to revoke", value = json!({
                "all": true, "dry_run": true,
            }))),
        ),
    ),
    responses(
        (status = 200, description = "What became of each, which rule was added, or what one would do.", body = Revocations,
            headers(("catalog-position" = Position, description = "The position of the log that it holds for."))),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    RequestName(key): RequestName,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let (asked, requester) = (body.asked()?, caller.requester(key));
    detached(async move { answer(&catalog, asked, requester).await }).await?
}

async fn answer(catalog: &Catalog, asked: Asked, requester: Requester) -> Result<Response, Problem> {
    match asked {
        Asked::Tokens(command) => {
            let revoked = catalog.revoke_several(command, requester).await?;
            Ok(told(revoked.position, &revoked.into()))
        }
        Asked::Rule(command) => {
            let revoked = catalog.revoke_by_rule(command, requester).await?;
            Ok(told(revoked.position, &Revocations::Rule(RuleResult { rule: revoked.rule })))
        }
        Asked::Preview(command) => {
            let preview = catalog.preview(&command, requester).await?;
            Ok(told(preview.position, &Revocations::Preview((&preview).into())))
        }
    }
}

fn told(position: Position, answer: &Revocations<'_>) -> Response {
    ([(POSITION, position.to_string())], Json(answer)).into_response()
}
