//! `POST /introspect` (RFC 7662): signature, claims *and* log. Every inactive token gets the same bytes.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Form, FromRequest, FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{body, caller::Caller, problem::Problem};
use crate::{
    app::{Catalog, Verdict},
    domain::{Token, authority::RoutePermission},
    signing::Verified,
};

pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    let answer = match answer(&catalog, request).await {
        Ok(body) => Json(body).into_response(),
        Err(response) => return response,
    };
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

async fn answer(catalog: &Arc<Catalog>, request: Request) -> Result<Value, Response> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, catalog).await.map_err(unauthorized)?;
    // RFC 7662 section 2.3 knows one answer to a caller that may not ask: 401.
    caller.require(RoutePermission::TokensCheck).map_err(unauthorized)?;
    let token = token(Request::from_parts(parts, body)).await?;
    match catalog.check(&token).await.map_err(|error| Problem::from(error).into_response())? {
        Verdict::Active { verified, token } => Ok(active(&verified, &token)),
        Verdict::Invalid(_) | Verdict::Shadow | Verdict::Inactive(_) => Ok(json!({ "active": false })),
    }
}

/// The one `token` of a form body; other parameters, such as a hint, change nothing.
async fn token(request: Request) -> Result<String, Response> {
    let request = {
        let (parts, unread) = request.into_parts();
        let read = body::bytes(Request::from_parts(parts.clone(), unread), &()).await;
        Request::from_parts(parts, read.map_err(IntoResponse::into_response)?.into())
    };
    let Form(members) = Form::<Vec<(String, String)>>::from_request(request, &())
        .await
        .map_err(|_| invalid_request("the body must be application/x-www-form-urlencoded"))?;
    let mut tokens = members.into_iter().filter(|(name, _)| name == "token").map(|(_, value)| value);
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if !token.is_empty() => Ok(token),
        (Some(_), Some(_)) => Err(invalid_request("token is given more than once")),
        _ => Err(invalid_request("token is missing")),
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

/// A caller that may not ask gets the OAuth form of the answer; a database that is gone stays a problem.
fn unauthorized(problem: Problem) -> Response {
    let response = problem.into_response();
    if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return response;
    }
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).cloned();
    let challenge = challenge.unwrap_or_else(|| HeaderValue::from_static("Bearer realm=\"catalog\""));
    let body = json!({
        "error": "invalid_client",
        "error_description": "this needs an active token of the catalog with the permission tokens.check",
    });
    let headers =
        [(header::WWW_AUTHENTICATE, challenge), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::UNAUTHORIZED, headers, Json(body)).into_response()
}

fn invalid_request(description: &str) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": description });
    (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
