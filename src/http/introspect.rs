//! `POST /introspect` (RFC 7662): signature, claims *and* log. Every inactive token gets the same bytes.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    caller::Caller,
    oauth::{token, unauthorized},
    problem::Problem,
};
use crate::{
    app::{Catalog, Verdict},
    domain::{Token, authority::RoutePermission},
    signing::Verified,
};

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    match answer(&catalog, request).await {
        Ok(body) => Json(body).into_response(),
        Err(response) => response,
    }
}

async fn answer(catalog: &Arc<Catalog>, request: Request) -> Result<Value, Response> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, catalog).await.map_err(unauthorized)?;
    // RFC 7662 section 2.3 knows one answer to a caller that may not ask: 401.
    caller.require(RoutePermission::TokensCheck).map_err(unauthorized)?;
    let token = token(Request::from_parts(parts, body)).await?;
    match catalog.check(&token, &caller.origin).await.map_err(|error| Problem::from(error).into_response())? {
        Verdict::Active { verified, token } => Ok(active(&verified, &token)),
        Verdict::Invalid(_) | Verdict::Shadow | Verdict::Inactive(_) => Ok(json!({ "active": false })),
    }
}

fn active(verified: &Verified, token: &Token) -> Value {
    let claims = &verified.claims;
    let mut body = json!({
        "active": true,
        "token_type": "Bearer",
        "client_id": claims.client_id,
        "username": claims.user.full_name,
        "iss": claims.iss,
        "aud": claims.aud,
        "sub": claims.sub,
        "jti": claims.jti,
        "iat": claims.iat,
        "exp": claims.exp,
        "token_use": claims.token_use,
        "user": claims.user,
        "teams": claims.teams,
        "namespaces": claims.namespaces,
        "scopes": claims.scopes,
        "path": token.path,
        "out_of_band": token.out_of_band,
        "position": token.issued,
    });
    for (member, value) in [("scope", json!(claims.scope)), ("env", json!(claims.env))] {
        if !value.is_null() {
            body[member] = value;
        }
    }
    body
}
