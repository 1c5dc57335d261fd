//! `POST /revoke` (RFC 7009): whoever holds a token may end it, and so may a caller with `tokens.revoke` within its reach.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    caller::{self, Caller},
    oauth::{token, unauthorized},
    problem::Problem,
};
use crate::{
    app::{Catalog, CommandError, Verdict},
    domain::{Authority, Refusal, RevokeToken, authority::RoutePermission, revoke::RevocationReason},
    store::AppendError,
};

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    match revoke(&catalog, request).await {
        // Empty, whether there was anything to revoke or not: the answer is no oracle (section 2.2).
        Ok(()) => StatusCode::OK.into_response(),
        Err(response) => response,
    }
}

async fn revoke(catalog: &Arc<Catalog>, request: Request) -> Result<(), Response> {
    let (mut parts, body) = request.into_parts();
    let caller = if parts.headers.contains_key(header::AUTHORIZATION) {
        let caller = Caller::from_request_parts(&mut parts, catalog).await.map_err(unauthorized)?;
        caller.require(RoutePermission::TokensRevoke).map_err(unauthorized)?;
        Some(caller)
    } else {
        None
    };
    let presented = token(Request::from_parts(parts.clone(), body)).await?;
    let origin = caller.as_ref().map_or_else(|| caller::anonymous(&parts, catalog), |caller| caller.origin.clone());
    let verdict = catalog.check(&presented, &origin).await.map_err(|error| Problem::from(error).into_response())?;
    let Verdict::Active { verified, .. } = verdict else { return Ok(()) };
    let caller = match caller {
        Some(caller) => caller,
        None => {
            caller::bearer_of(Authority::of_token(&verified.claims), origin).map_err(IntoResponse::into_response)?
        }
    };
    let command = RevokeToken { jti: verified.claims.jti, reason: RevocationReason::Unspecified, note: None };
    match catalog.revoke(command, caller.requester(None)).await {
        Ok(_) => Ok(()),
        // Another's token is left alone, and a token that ended meanwhile has ended.
        Err(CommandError::Append(AppendError::Refused(Refusal::TokenUnknown { .. } | Refusal::CredentialInactive))) => {
            Ok(())
        }
        Err(error) => Err(Problem::from(error).into_response()),
    }
}
