//! `POST /tokens`: issue a token.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
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
};
use crate::{
    app::{
        Catalog,
        view::{self, IssuedView},
    },
    domain::{IssueToken, Position},
};

/// What the decision over an issuance can refuse.
pub(super) const ISSUANCE: &[Code] = &[
    Code::TokenTooLarge,
    Code::SubjectNotYours,
    Code::AdminNotYours,
    Code::EmailNotYours,
    Code::FullNameNotYours,
    Code::NamespacesNotYours,
    Code::CredentialOfShellKey,
    Code::RestrictionsNotKept,
    Code::AudiencesNotYours,
    Code::SubjectNotInTeams,
    Code::MembershipUnknown,
    Code::OutlivesParent,
    Code::ReasonRequired,
    Code::PermissionsNotGrantable,
    Code::AudiencesNotAllowed,
    Code::CatalogNotGrantable,
    Code::TooManyActive,
    Code::TeamsNotYours,
    Code::TeamsRequired,
    Code::PermissionsNotYours,
    Code::PermissionsRequired,
    Code::TtlTooLong,
    Code::NameInUse,
    Code::RepeatOver,
    Code::IdempotencyKeyReused,
    Code::NotConfigured,
    Code::KeyNotHere,
];

problems!(Problems = [PERMITTED, JSON_BODY, WRITE, ISSUANCE]);

/// Issue a token
///
/// The token itself is in this answer and nowhere else; its event is in the log before. Somebody who is no
/// administrator issues for their own subject only, and within their own teams, permissions and restrictions. A lost
/// answer is had again by sending the same request under the same `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "tokens",
    operation_id = "issueToken",
    params(RequestName),
    request_body(
        content = IssueToken,
        examples(
            ("least" = (summary = "Everything as the policy has it", value = json!({ "sub": "alice@example.com" }))),
            ("narrowed" = (summary = "A named token of a team, with one permission, for office hours", value = json!({
                "sub": "alice@example.com",
                "name": "ci",
                "expires_in": 3600,
                "teams": ["red"],
                "scopes": {
                    "permissions": ["tools.read"],
                    "ip_restrictions": ["10.0.0.0/8"],
                    "time_restrictions": { "weekdays_only": true },
                    "usage_limits": { "requests_per_hour": 100 },
                },
                "reason": "nightly builds",
            }))),
            ("of_an_administrator" = (summary = "An administrator's token for this API", value = json!({
                "sub": "root@example.com",
                "aud": ["catalog"],
                "is_admin": true,
            }))),
        ),
    ),
    responses(
        (status = 201, description = "It was issued, or was issued before under the same key.", body = IssuedView, headers(
            ("location" = String, description = "Where its record is."),
            ("catalog-position" = Position, description = "Where in the log it was issued."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.create"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    _: Parameters,
    RequestName(key): RequestName,
    JsonBody(command): JsonBody<IssueToken>,
) -> Result<Response, Problem> {
    let work = {
        let catalog = catalog.clone();
        async move { catalog.issue(command, caller.requester(key)).await }
    };
    let issued = detached(work).await??;
    let location = format!("/tokens/{}", issued.token.jti);
    let body = view::issued(&issued, catalog.ambient().clock.now());
    let headers = [(header::LOCATION, location), (POSITION, issued.token.issued.to_string())];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}
