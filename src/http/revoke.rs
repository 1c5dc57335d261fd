//! `POST /revoke` (RFC 7009): whoever holds a token may end it, and so may a caller with `tokens.revoke` within its reach.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    caller::{self, Asker, Caller, WRITE},
    detached::detached,
    oauth::{FORM_BODY, OAuthError, TokenForm, bad_request, token, unauthorized},
    openapi::problems,
    problem::Problem,
    query::Parameters,
};
use crate::{
    app::{Catalog, CommandError, Verdict},
    domain::{Refusal, RevokeToken, authority::RoutePermission, revoke::RevocationReason},
    store::AppendError,
};

problems!(Problems = [FORM_BODY, WRITE]);

/// Revoke a token that one holds
///
/// RFC 7009: the token itself is credential enough. With a credential besides, that one needs the permission, and the
/// token must be within its reach. The answer is the same whether there was anything to revoke or not, and so has no `catalog-position`:
/// two of them would tell. A rotated token that is presented here is not taken for used.
#[utoipa::path(
    post,
    path = "/revoke",
    tag = "oauth",
    operation_id = "revokePresentedToken",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "If it was active and within reach, it is revoked."),
        (status = 400, description = "There is no token in the form, or a second credential is, or a parameter is in the query.", body = OAuthError),
        (status = 401, description = "The credential besides may not revoke, or is in the form.", body = OAuthError, headers(
            ("www-authenticate" = String, description = "What the caller lacks (RFC 6750 section 3, RFC 7617 section 2)."),
        )),
        Problems,
    ),
    security((), ("bearer" = ["tokens.revoke"]), ("basic" = ["tokens.revoke"])),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    match revoke(&catalog, request).await {
        // Empty, whether there was anything to revoke or not: the answer is no oracle (section 2.2).
        Ok(()) => StatusCode::OK.into_response(),
        Err(response) => response,
    }
}

async fn revoke(catalog: &Arc<Catalog>, request: Request) -> Result<(), Response> {
    let (mut parts, body) = request.into_parts();
    let asker = if parts.headers.contains_key(header::AUTHORIZATION) {
        Some(Asker::from_request_parts(&mut parts, catalog).await.map_err(unauthorized)?)
    } else {
        None
    };
    <Parameters>::from_request_parts(&mut parts, catalog).await.map_err(bad_request)?;
    // Whoever may not revoke is told so whatever the token is; that it tried is recorded where the decision is made.
    let refusal = asker.as_ref().and_then(|asker| asker.require(RoutePermission::TokensRevoke).err());
    let presented = token(&parts, body).await?;
    let authority = asker.map(|asker| asker.authority);
    let origin = || caller::origin(authority.as_deref(), &parts, catalog);
    let verdict =
        catalog.check_to_end(&presented, &origin).await.map_err(|error| Problem::from(error).into_response())?;
    let Verdict::Active { verified, .. } = verdict else {
        return refusal.map_or(Ok(()), |refusal| Err(unauthorized(refusal)));
    };
    let authority = authority.unwrap_or_else(|| verified.authority());
    let caller = Caller { origin: caller::origin(Some(&authority), &parts, catalog), authority };
    let command = RevokeToken { jti: verified.claims.jti, reason: RevocationReason::Unspecified, note: None };
    // Whoever presents the token alone, as its own credential, and finds it over has what it came for.
    let is_own = caller.authority.token() == Some(command.jti);
    let (catalog, requester) = (catalog.clone(), caller.clone().requester(None));
    let work = async move { catalog.revoke(command, requester).await };
    match detached(work).await.map_err(IntoResponse::into_response)? {
        // Another's token is left alone.
        Ok(_) | Err(CommandError::Append(AppendError::Refused(Refusal::TokenUnknown { .. }))) => Ok(()),
        Err(CommandError::Append(AppendError::Refused(Refusal::CredentialInactive))) if is_own => Ok(()),
        Err(
            error @ CommandError::Append(AppendError::Refused(
                Refusal::PermissionMissing { .. } | Refusal::CredentialInactive,
            )),
        ) => Err(unauthorized(caller.challenged(error.into()))),
        Err(error) => Err(Problem::from(error).into_response()),
    }
}
