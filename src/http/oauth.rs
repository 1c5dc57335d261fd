//! What the OAuth endpoints share: a form with one token, and errors in the form of RFC 6749 section 5.2.

use std::borrow::Cow;

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body,
    problem::{Code, Problem},
};

/// What can be wrong besides the form and the caller, which get the form of RFC 6749.
pub(super) const FORM_BODY: &[Code] = &[Code::BodyTooSlow, Code::BodyTooLarge, Code::Unavailable];

const FORM: &str = "application/x-www-form-urlencoded";
const TOKEN_MISSING: &str = "token is missing";

/// What says in a form who asks (RFC 6749 section 2.3.1, RFC 7521 section 4.2, RFC 6750 section 2.2). Here the header
/// says it, or nothing does.
const FORM_CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "access_token"];

/// The form of a request (RFC 7662 section 2.1, RFC 7009 section 2.1). [`token`] reads it: other parameters change
/// nothing, but credentials, which are not taken from a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is read name by name")]
pub(super) struct TokenForm {
    /// The token.
    #[schema(min_length = 1, examples("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.…"))]
    token: String,
    /// What kind of token it may be; changes nothing.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
}

/// An error of an OAuth endpoint (RFC 6749 section 5.2).
#[derive(Serialize, ToSchema)]
pub(super) struct OAuthError {
    /// What is the matter.
    error: OAuthErrorCode,
    /// The same for people.
    error_description: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OAuthErrorCode {
    InvalidClient,
    InvalidRequest,
}

/// The one `token` of a form body; other parameters, such as a hint, change nothing, but that one which is a credential
/// is refused: with the header it is one too many (RFC 6749 section 2.3), and alone it is not taken (section 5.2).
pub(super) async fn token(parts: &Parts, body: Body) -> Result<String, Response> {
    let form = body::bytes(&parts.headers, body).await.map_err(bad_request)?;
    if !body::is_of(&parts.headers, FORM) {
        return Err(invalid_request("the body must be application/x-www-form-urlencoded"));
    }
    // What is no text is no token, but gets the answer of one.
    let form = str::from_utf8(&form).map_or_else(|_| String::from_utf8_lossy(&form), Cow::Borrowed);
    let members = form.split('&').map(|member| member.split_once('=').unwrap_or((member, "")));
    let members: Vec<(Cow<'_, str>, &str)> = members.map(|(name, value)| (meant(name), value)).collect();
    if let Some((name, _)) = members.iter().find(|(name, _)| FORM_CREDENTIALS.contains(&&**name)) {
        return Err(if parts.headers.contains_key(header::AUTHORIZATION) {
            invalid_request(&format!("{name} in the form is a second credential beside the Authorization header"))
        } else {
            let told = format!("{name} in the form is not taken: who asks says so in the Authorization header");
            invalid_client(Problem::bad_client(), OAuthError::invalid_client(told))
        });
    }
    let mut tokens = members.iter().filter(|(name, _)| name == "token").map(|(_, value)| meant(value));
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if !token.is_empty() => Ok(token.into_owned()),
        (Some(_), Some(_)) => Err(invalid_request("token is given more than once")),
        _ => Err(invalid_request(TOKEN_MISSING)),
    }
}

/// What is written in a form. No character of a token needs to be written in another way than it is.
fn meant(written: &str) -> Cow<'_, str> {
    if !written.as_bytes().contains(&b'%') && !written.as_bytes().contains(&b'+') {
        return Cow::Borrowed(written);
    }
    let spaced = written.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// A malformed request gets the OAuth form of the answer; anything else stays a problem.
pub(super) fn bad_request(problem: Problem) -> Response {
    if problem.status() == StatusCode::BAD_REQUEST {
        invalid_request(problem.detail())
    } else {
        problem.into_response()
    }
}

/// A caller that may not ask gets the OAuth form of the answer; a database that is gone stays a problem.
pub(super) fn unauthorized(problem: Problem) -> Response {
    if matches!(problem.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        invalid_client(problem, unknown_client())
    } else {
        problem.into_response()
    }
}

/// A caller is told this, under the challenge of the way by which it came.
fn invalid_client(problem: Problem, error: OAuthError) -> Response {
    let response = problem.into_response();
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).cloned();
    let challenge = challenge.unwrap_or_else(|| HeaderValue::from_static("Bearer realm=\"catalog\""));
    let headers =
        [(header::WWW_AUTHENTICATE, challenge), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::UNAUTHORIZED, headers, Json(error)).into_response()
}

fn invalid_request(description: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(OAuthError::invalid_request(description))).into_response()
}

/// What a caller is told that may not ask.
pub(super) fn unknown_client() -> OAuthError {
    let description =
        "this needs an active token of the catalog, or a client, with the permission that the route asks for";
    OAuthError::invalid_client(description.to_owned())
}

/// What a form without a token is told.
pub(super) fn missing_token() -> OAuthError {
    OAuthError::invalid_request(TOKEN_MISSING)
}

impl OAuthError {
    fn invalid_client(description: String) -> Self {
        Self { error: OAuthErrorCode::InvalidClient, error_description: description }
    }

    fn invalid_request(description: &str) -> Self {
        Self { error: OAuthErrorCode::InvalidRequest, error_description: description.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn read(form: &str) -> Option<String> {
        let request = Request::post("/").header(header::CONTENT_TYPE, format!("{FORM}; charset=utf-8"));
        let (parts, body) = request.body(Body::from(form.to_owned())).expect("a request").into_parts();
        token(&parts, body).await.ok()
    }

    #[tokio::test]
    async fn a_token_is_what_the_form_means_by_it() {
        for (form, expected) in [
            ("token=a.b-c_d", "a.b-c_d"),
            ("hint=x&token=a%2Eb+c&hint=y", "a.b c"),
            ("%74oken=a=b", "a=b"),
            ("token=%zz%4", "%zz%4"),
            ("token=%ff", "\u{fffd}"),
        ] {
            assert_eq!(read(form).await.as_deref(), Some(expected), "{form}");
        }
        for form in ["", "token", "token=", "Token=a", "token=a&tok%65n=a"] {
            assert_eq!(read(form).await, None, "{form}");
        }
    }
}
