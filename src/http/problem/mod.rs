//! Every error as a problem document (RFC 9457). `code` is the one list of them, `convert` says which error is which,
//! and `pages` explains each.

mod code;
mod convert;
mod entry;
mod forbidden;
mod html;
pub(super) mod pages;

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use catalog_gateway::admission::{Demand, Denied};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use code::Code;

use crate::{
    app::NotLetIn,
    domain::{Position, Refusal, claims::CanonicalUuid, text::Issuer},
    store::feed::Elsewhere,
};

/// The longest that any request may take before its answer is that the log could not say.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_millis(4_800);

/// The media type of a problem document.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What a client is told that may not ask.
const BASIC_CHALLENGE: &str = "Basic realm=\"catalog\"";

/// After how many seconds it makes sense to ask again, where nobody knows better.
const RETRY_AFTER_SECONDS: u64 = 1;

/// One occurrence of a problem.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    successor: Option<Uuid>,
    challenge: Option<String>,
    retry_after_seconds: u64,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// Where this kind of problem is explained: an absolute address when the catalog's issuer is one.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    kind: String,
    /// The kind of problem in one line, the same for every occurrence.
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The kind of problem, for programs.
    #[schema(value_type = Code)]
    code: &'static str,
    /// What is the matter this time.
    detail: String,
    /// Where in the request something is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(min_items = 1)]
    errors: Vec<FieldError>,
    /// The token that has taken the place of the one that was to be rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CanonicalUuid, required = false)]
    successor: Option<Uuid>,
}

/// Where in the request something is wrong: `pointer` or `parameter` says it.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct FieldError {
    /// What is wrong with it.
    detail: String,
    /// The place in the body, a JSON pointer (RFC 6901) as a fragment: `#` is the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^#(/.*)?$")]
    pointer: Option<String>,
    /// The parameter of the path or the query, or the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
}

impl Problem {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        let (detail, retry_after_seconds) = (detail.into(), RETRY_AFTER_SECONDS);
        Self { code, detail, errors: Vec::new(), successor: None, challenge: None, retry_after_seconds }
    }

    /// The body is not what the route takes; `pointer` names the member (RFC 6901).
    pub(super) fn malformed_body(pointer: &str, detail: String) -> Self {
        let message = if pointer.is_empty() { detail.clone() } else { format!("{pointer}: {detail}") };
        let mut problem = Self::malformed(message);
        problem.errors.push(FieldError { detail, pointer: Some(format!("#{pointer}")), parameter: None });
        problem
    }

    /// A parameter of the path or the query is not what the route takes.
    pub(super) fn malformed_parameter(parameter: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::malformed(format!("{parameter}: {detail}"));
        problem.errors.push(FieldError { detail, pointer: None, parameter: Some(parameter.to_owned()) });
        problem
    }

    /// The request is not what the route takes.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::Malformed, detail)
    }

    /// The body is larger than any request needs to be.
    pub(super) fn body_too_large() -> Self {
        Self::new(Code::BodyTooLarge, format!("the body exceeds {} bytes", super::BODY_BYTES_MAX))
    }

    /// The body did not arrive in time.
    pub(super) fn body_too_slow() -> Self {
        Self::new(Code::BodyTooSlow, "the body did not arrive in time; nothing was done")
    }

    /// The body is of another media type.
    pub(super) fn not_json() -> Self {
        Self::new(Code::NotJson, "the body must be application/json")
    }

    /// No credential was presented (RFC 6750 section 3: then the challenge names no error).
    pub(super) fn no_credential() -> Self {
        let detail = "present a token of the catalog with the audience 'catalog': Authorization: Bearer …";
        Self::new(Code::CredentialMissing, detail).with_challenge("Bearer realm=\"catalog\"")
    }

    /// The same where tokens are taken for other services.
    pub(super) fn without_audience(self) -> Self {
        match self.code {
            Code::CredentialMissing => Self { detail: "present a token: Authorization: Bearer …".to_owned(), ..self },
            Code::CredentialInvalid => Self::not_for_this_service(),
            _ => self,
        }
    }

    /// The presented token is not good at the service that asks about it. Why is not said.
    pub(super) fn not_for_this_service() -> Self {
        let detail = "the presented token is not an active token for this service";
        Self::new(Code::CredentialInvalid, detail).with_challenge("Bearer realm=\"catalog\", error=\"invalid_token\"")
    }

    /// The presented token is good, and may not be used so (RFC 6750 section 3.1).
    pub(super) fn denied(denied: Denied, demand: &Demand) -> Self {
        let scope = match denied {
            Denied::Permission => format!(", scope=\"{}\"", demand.permissions.join(" ")),
            Denied::OutOfBand | Denied::Server | Denied::Address | Denied::Time => String::new(),
        };
        let challenge = format!("Bearer realm=\"catalog\", error=\"insufficient_scope\"{scope}");
        Self::new(denied.into(), denied.to_string()).with_challenge(&challenge)
    }

    /// The presented credential is not good here. Why is not said.
    pub(super) fn bad_credential() -> Self {
        NotLetIn::Unknown.into()
    }

    /// The presented name and secret are no client's. Which of them is wrong is not said.
    pub(super) fn bad_client() -> Self {
        let detail = "no client of this catalog has that name and secret";
        Self::new(Code::ClientInvalid, detail).with_challenge(BASIC_CHALLENGE)
    }

    /// A client's name and secret were presented where only tokens are taken.
    pub(super) fn basic_not_taken() -> Self {
        let detail = Code::BasicNotTaken.entry().example;
        Self::new(Code::BasicNotTaken, detail).with_challenge("Bearer realm=\"catalog\"")
    }

    /// The same, told to a client: it is to come as another one (RFC 7617 section 2).
    pub(super) fn for_client(self) -> Self {
        self.with_challenge(BASIC_CHALLENGE)
    }

    /// The issuer is no address.
    pub(super) fn no_metadata(issuer: &Issuer) -> Self {
        Self::new(Code::NoMetadata, format!("the issuer '{issuer}' is no address"))
    }

    /// Nothing is known under that name, or nothing that the caller may know of.
    pub(super) fn unknown_token(jti: Uuid) -> Self {
        Refusal::TokenUnknown { jti }.into()
    }

    /// The database could not say. That is not a no.
    pub(super) fn unavailable() -> Self {
        Self::new(Code::Unavailable, "the log cannot be reached at the moment; try again")
    }

    /// The catalog could not say, to an edge that asks it. That is not a no.
    pub(super) fn not_heard() -> Self {
        Self::new(
            Code::Unavailable,
            "the catalog was not heard for too long, or has not said all of this token; try again",
        )
    }

    /// The keys of an identity provider cannot be had. That is not a no.
    pub(super) fn provider_unavailable(retry_after_seconds: u64) -> Self {
        let detail = "the keys of the identity provider cannot be had at the moment, so its token cannot be judged";
        Self { retry_after_seconds, ..Self::new(Code::ProviderUnavailable, detail) }
    }

    /// What became of a write is not known.
    pub(super) fn outcome_unknown() -> Self {
        Self::new(Code::OutcomeUnknown, "it may have been recorded: look at the log before asking again")
    }

    /// The log is not yet as long as the request wants its answer to include.
    pub(super) fn position_ahead(asked: Position, head: Position) -> Self {
        Self::new(Code::PositionAhead, format!("position {asked} was asked for, the log ends at {head}"))
    }

    /// What a reader of the feed follows is not this log.
    pub(super) fn feed_reload(why: &Elsewhere) -> Self {
        Self::new(Code::FeedReload, format!("{why}; begin again with GET /revocations/snapshot"))
    }

    /// The answer has one form, and the request takes another.
    pub(super) fn not_acceptable(content_type: &str) -> Self {
        Self::new(Code::NotAcceptable, format!("this is answered as {content_type}"))
    }

    /// A status list as of another time.
    pub(super) fn history_not_kept() -> Self {
        Self::new(Code::HistoryNotKept, "only the present list is published")
    }

    /// There is no such status list, or no token refers to it any more.
    pub(super) fn unknown_status_list(id: Uuid) -> Self {
        Self::new(Code::RouteUnknown, format!("no status list {id}"))
    }

    /// What the list says now cannot be told. That is not a no.
    pub(super) fn status_list_unavailable() -> Self {
        Self::new(Code::Unavailable, "the list cannot be made at the moment; try again")
    }

    /// There is more to do than may wait. Nothing was recorded.
    pub(super) fn busy(detail: &str) -> Self {
        Self::new(Code::Busy, detail)
    }

    /// A defect of ours. The cause is in the diagnostics, under the request's id.
    pub(super) fn internal() -> Self {
        Self::new(Code::Internal, "the cause is in the server's diagnostics under this answer's x-request-id")
    }

    /// There is no such kind of problem.
    fn unknown_page(name: &str) -> Self {
        let name: String = name.chars().take(100).collect();
        Self::new(Code::RouteUnknown, format!("there is no problem '{name}'"))
    }

    /// An occurrence to show: what the page and the OpenAPI document give as an example.
    pub(super) fn example(code: Code) -> Self {
        let detail = code.entry().example;
        match (code, detail.split_once(": ")) {
            (Code::Malformed, Some((pointer, detail))) => Self::malformed_body(pointer, detail.to_owned()),
            _ => Self::new(code, detail),
        }
    }

    fn with_challenge(mut self, challenge: &str) -> Self {
        self.challenge = Some(challenge.to_owned());
        self
    }

    /// What kind it is.
    pub(super) fn code(&self) -> Code {
        self.code
    }

    /// The status it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What is the matter this time.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The document, its `type` below `base`.
    pub(super) fn document(self, base: &str) -> Document {
        let entry = self.code.entry();
        Document {
            kind: format!("{base}{}", self.code.path()),
            title: entry.title,
            status: entry.status.as_u16(),
            code: entry.code,
            detail: self.detail,
            errors: self.errors,
            successor: self.successor,
        }
    }
}

/// Status and headers; [`write_out`] adds the document, because only there it is known where the catalog lives.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the documents of the problems that the layers inside answer.
pub(super) async fn write_out(State(issuer): State<Arc<Issuer>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let (mut parts, _) = response.into_parts();
    // For the line that the diagnostics have of the answer.
    parts.extensions.insert(problem.code);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    let body = Json(problem.document(base(&issuer))).into_response().into_body();
    Response::from_parts(parts, body)
}

/// The catalog's own address, when its issuer is one; else nothing, and what follows is relative.
pub(super) fn base(issuer: &Issuer) -> &str {
    let text = issuer.as_str();
    let is_url = text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some() && uri.query().is_none()
    });
    if is_url && !text.contains('#') { text.trim_end_matches('/') } else { "" }
}

pub(super) fn no_such_route(uri: &Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(Code::RouteUnknown, format!("no route {path}"))
}

pub(super) fn no_such_method(method: &Method, uri: &Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(Code::MethodNotAllowed, format!("{path} does not take {method}"))
}

/// A panic is a defect of ours; the connection and the other requests go on.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_absolute_when_the_issuer_is_an_address() {
        let kind = |issuer: &str| {
            let issuer = issuer.parse().expect("an issuer");
            Problem::unavailable().document(base(&issuer)).kind
        };

        assert_eq!(kind("https://tokens.example.com"), "https://tokens.example.com/problems/unavailable");
        assert_eq!(kind("http://127.0.0.1:8080/"), "http://127.0.0.1:8080/problems/unavailable");
        assert_eq!(kind("https://example.com/tenant"), "https://example.com/tenant/problems/unavailable");
        for name in ["mcpgateway", "urn:example:issuer", "https://a.example/?b=c", "https://a.example/#b", "/catalog"] {
            assert_eq!(kind(name), "/problems/unavailable", "{name}");
        }
    }
}
