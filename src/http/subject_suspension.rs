//! `POST /tokens/suspend` and `/tokens/resume`: the same for all tokens that a subject has. The subject is in the body,
//! so that addresses of people are in nobody's list of requests.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    POSITION,
    body::{JSON_BODY, JsonBody},
    caller::{Caller, PERMITTED, WRITE},
    detached::detached,
    openapi::problems,
    problem::{Code, Problem},
    query::Parameters,
};
use crate::{
    app::Catalog,
    domain::{
        ChangeSuspension, Position,
        suspend::{Change, Which},
        text::{Note, Subject},
    },
};

/// Whose tokens are suspended or resumed, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SubjectSuspensionRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// The subject.
    sub: Subject,
    /// Why, in a person's words.
    note: Option<Note>,
}

/// What became of a subject's tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubjectSuspension)]
pub(super) struct Changes {
    /// How many were changed by it.
    changed: usize,
    /// How many stay suspended because another suspended them, whom the caller does not outrank; none for a suspension.
    left: usize,
    /// A place in the log at which this is so.
    position: Position,
}

problems!(Problems = [PERMITTED, JSON_BODY, WRITE, &[Code::SubjectOutOfReach, Code::TooManyTokens]]);

/// Suspend a subject's tokens
///
/// All that exist, are active and within the caller's reach, in one transaction, with an event for each. What is issued to
/// the subject afterwards is not suspended. Doing it again changes those only that were issued or resumed since, or
/// that a narrower caller had suspended before a full administrator.
#[utoipa::path(
    post,
    path = "/tokens/suspend",
    tag = "tokens",
    operation_id = "suspendSubject",
    request_body(
        content = Whose,
        examples(("note" = (value = json!({ "sub": "alice@example.com", "note": "the laptop is lost" })))),
    ),
    responses(
        (status = 200, description = "None of them is active.", body = Changes, headers(
            ("catalog-position" = Position, description = "A place in the log at which none is."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn suspend(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    JsonBody(whose): JsonBody<Whose>,
) -> Result<Response, Problem> {
    change(catalog, Change::Suspend, whose, caller).await
}

/// Resume a subject's tokens
///
/// All that are suspended and within the caller's reach, in one transaction, with an event for each. Those that another
/// suspended are left, unless a full administrator asks; how many, is said. What is revoked or expired stays so.
#[utoipa::path(
    post,
    path = "/tokens/resume",
    tag = "tokens",
    operation_id = "resumeSubject",
    request_body(
        content = Whose,
        examples(("note" = (value = json!({ "sub": "alice@example.com", "note": "the laptop was found" })))),
    ),
    responses(
        (status = 200, description = "None of them is suspended but those that are left.", body = Changes, headers(
            ("catalog-position" = Position, description = "A place in the log at which this is so."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn resume(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    JsonBody(whose): JsonBody<Whose>,
) -> Result<Response, Problem> {
    change(catalog, Change::Resume, whose, caller).await
}

async fn change(catalog: Arc<Catalog>, change: Change, whose: Whose, caller: Caller) -> Result<Response, Problem> {
    let command = ChangeSuspension { change, which: Which::Subject(whose.sub), note: whose.note };
    let changed = detached(async move { catalog.change_suspension(command, caller.requester(None)).await }).await??;
    let body = Changes { changed: changed.changed, left: changed.left, position: changed.position };
    Ok(([(POSITION, changed.position.to_string())], Json(body)).into_response())
}
