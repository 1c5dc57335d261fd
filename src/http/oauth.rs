//! What the OAuth endpoints share: a form with one token, and errors in the form of RFC 6749 section 5.2.

use axum::{
    Json,
    extract::{Form, FromRequest, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{body, problem::Problem};

/// The one `token` of a form body; other parameters, such as a hint, change nothing.
pub(super) async fn token(request: Request) -> Result<String, Response> {
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

/// A caller that may not ask gets the OAuth form of the answer; a database that is gone stays a problem.
pub(super) fn unauthorized(problem: Problem) -> Response {
    let response = problem.into_response();
    if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return response;
    }
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).cloned();
    let challenge = challenge.unwrap_or_else(|| HeaderValue::from_static("Bearer realm=\"catalog\""));
    let body = json!({
        "error": "invalid_client",
        "error_description": "this needs an active token of the catalog with the permission that the route asks for",
    });
    let headers =
        [(header::WWW_AUTHENTICATE, challenge), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::UNAUTHORIZED, headers, Json(body)).into_response()
}

fn invalid_request(description: &str) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": description });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
