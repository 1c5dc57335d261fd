//! `POST /tokens/{jti}/courier`: a token with the `jti` of a revoked one, for a gateway that takes it as the word to revoke it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    POSITION,
    body::{JSON_BODY, Jti, OptionalJsonBody},
    caller::{ASKER, AnyCaller, WRITE},
    detached::detached,
    openapi::problems,
    problem::{Code, Problem},
    query::Parameters,
};
use crate::{
    app::{
        Catalog,
        view::{self, CourierView},
    },
    domain::{Position, authority::RoutePermission, courier::IssueCourier, text::Audience},
};

/// Where a courier is to be carried.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = CourierRequest)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Where {
    /// The audience of the gateway, which the courier alone is for; absent = all that the token is for.
    aud: Option<Audience>,
}

problems!(
    Problems = [
        ASKER,
        JSON_BODY,
        WRITE,
        &[
            Code::CredentialOfShellKey,
            Code::TokenUnknown,
            Code::NothingToCarry,
            Code::NotMeantFor,
            Code::TokenErased,
            Code::TokenTooLarge,
            Code::NotConfigured,
            Code::KeyNotHere,
            Code::Internal,
        ]
    ]
);

/// Have a courier made
///
/// A signed token with the identifier, the subject and the `exp` of one that is revoked here and not expired, for a gateway
/// that revokes a token when its own bearer ends it. It names no team, no permission and no administrator. Here it is as
/// dead as the token: its identifier is revoked. It is an event before it is signed. Only clients and administrators have
/// couriers made, whatever another's token names.
#[utoipa::path(
    post,
    path = "/tokens/{jti}/courier",
    tag = "tokens",
    operation_id = "issueCourier",
    params(Jti),
    request_body(
        content = Option<Where>,
        examples(("aud" = (value = json!({ "aud": "gateway" })))),
    ),
    responses(
        (status = 201, description = "The courier was issued.", body = CourierView, headers(
            ("catalog-position" = Position, description = "Where in the log it was issued."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.courier"]), ("basic" = ["tokens.courier"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    AnyCaller(caller): AnyCaller,
    _: Parameters,
    Jti(jti): Jti,
    OptionalJsonBody(to): OptionalJsonBody<Where>,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::TokensCourier)?;
    let command = IssueCourier { jti, aud: to.aud };
    let now = catalog.ambient().clock.now();
    let issued = detached(async move { catalog.issue_courier(command, caller.requester(None)).await }).await??;
    let headers = [(POSITION, issued.position.to_string())];
    Ok((StatusCode::CREATED, headers, Json(view::courier(&issued, now))).into_response())
}
