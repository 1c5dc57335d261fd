//! `DELETE /tokens/{jti}`: revoke a token. Again changes nothing and says the same.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    POSITION,
    body::{Jti, OptionalJsonBody, RequestName},
    caller::Caller,
    problem::Problem,
};
use crate::{
    app::Catalog,
    domain::{RevokeToken, revoke::RevocationReason, text::Note},
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Why {
    reason: RevocationReason,
    note: Option<Note>,
}

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    RequestName(key): RequestName,
    Jti(jti): Jti,
    OptionalJsonBody(why): OptionalJsonBody<Why>,
) -> Result<Response, Problem> {
    let command = RevokeToken { jti, reason: why.reason, note: why.note };
    let revoked = catalog.revoke(command, caller.requester(key)).await?;
    Ok((StatusCode::NO_CONTENT, [(POSITION, revoked.position.to_string())]).into_response())
}
