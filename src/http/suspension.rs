//! `POST /tokens/{jti}/suspend` and `/resume`: hold a token back, and let it go again.

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
    app::{Catalog, Requester},
    domain::{
        ChangeSuspension, Position,
        suspend::{Change, Which},
        text::Note,
    },
};

/// Why a token is suspended or resumed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = SuspensionRequest)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Why {
    /// Why, in a person's words.
    note: Option<Note>,
}

problems!(
    Problems = [PERMITTED, JSON_BODY, WRITE, &[Code::TokenUnknown, Code::WrongStatus, Code::IdempotencyKeyReused]]
);
problems!(
    ResumeProblems = [
        PERMITTED,
        JSON_BODY,
        WRITE,
        &[Code::TokenUnknown, Code::WrongStatus, Code::SuspendedByAnother, Code::IdempotencyKeyReused]
    ]
);

/// Suspend a token
///
/// It is inactive until it is resumed, and keeps its name. Suspending it again says the same, and changes nothing but
/// who may resume it: a full administrator's suspension outranks a narrower caller's. One that is revoked or expired is
/// refused. Whoever holds a token may suspend it without any permission, and cannot resume it with it.
#[utoipa::path(
    post,
    path = "/tokens/{jti}/suspend",
    tag = "tokens",
    operation_id = "suspendToken",
    params(Jti, RequestName),
    request_body(
        content = Option<Why>,
        examples(("note" = (value = json!({ "note": "its owner is being asked" })))),
    ),
    responses(
        (status = 204, description = "It is suspended.", headers(
            ("catalog-position" = Position, description = "A place in the log at which it is."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn suspend(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    RequestName(key): RequestName,
    Jti(jti): Jti,
    OptionalJsonBody(why): OptionalJsonBody<Why>,
) -> Result<Response, Problem> {
    let command = ChangeSuspension { change: Change::Suspend, which: Which::Token(jti), note: why.note };
    change(catalog, command, caller.requester(key)).await
}

/// Resume a token
///
/// It is active again for the rest of its life. Resuming it again changes nothing and says the same; one that was revoked
/// or has expired stays over, and is refused. A full administrator resumes any token within its reach, anybody else what its own
/// subject suspended.
#[utoipa::path(
    post,
    path = "/tokens/{jti}/resume",
    tag = "tokens",
    operation_id = "resumeToken",
    params(Jti, RequestName),
    request_body(
        content = Option<Why>,
        examples(("note" = (value = json!({ "note": "it was its owner" })))),
    ),
    responses(
        (status = 204, description = "It is not suspended.", headers(
            ("catalog-position" = Position, description = "A place in the log at which it is not."),
        )),
        ResumeProblems,
    ),
    security(("bearer" = ["tokens.revoke"])),
)]
pub(super) async fn resume(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    RequestName(key): RequestName,
    Jti(jti): Jti,
    OptionalJsonBody(why): OptionalJsonBody<Why>,
) -> Result<Response, Problem> {
    let command = ChangeSuspension { change: Change::Resume, which: Which::Token(jti), note: why.note };
    change(catalog, command, caller.requester(key)).await
}

async fn change(catalog: Arc<Catalog>, command: ChangeSuspension, requester: Requester) -> Result<Response, Problem> {
    let changed = detached(async move { catalog.change_suspension(command, requester).await }).await??;
    Ok((StatusCode::NO_CONTENT, [(POSITION, changed.position.to_string())]).into_response())
}
