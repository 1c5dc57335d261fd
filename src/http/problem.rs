//! Every error as a problem document (RFC 9457). The one place that knows which status means what.

use std::{any::Any, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    app::{CheckError, CommandError},
    domain::{Position, Refusal, causes::Causes},
    store::{AppendError, StoreError},
};

/// After how many seconds it makes sense to ask again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// A problem document.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    challenge: Option<String>,
}

/// The code of the problem that an answer is, for the diagnostics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code(pub(super) &'static str);

/// Where in the request something is wrong: a JSON pointer into the body, or the name of a parameter.
#[derive(Debug, Serialize)]
struct FieldError {
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            challenge: None,
        }
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
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request is malformed", detail)
    }

    /// The body is larger than any request needs to be.
    pub(super) fn body_too_large() -> Self {
        let detail = format!("the body exceeds {} bytes", super::BODY_BYTES_MAX);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large", detail)
    }

    /// The body did not arrive in time.
    pub(super) fn body_too_slow() -> Self {
        let detail = "the body did not arrive in time; nothing was done";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body is too slow", detail)
    }

    /// The body is of another media type.
    pub(super) fn not_json() -> Self {
        let detail = "the body must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "The media type is not supported", detail)
    }

    /// No credential was presented (RFC 6750 section 3: then the challenge names no error).
    pub(super) fn no_credential() -> Self {
        let detail = "present a token of the catalog with the audience 'catalog': Authorization: Bearer …";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "credential_missing", "A credential is needed", detail);
        problem.with_challenge("Bearer realm=\"catalog\"")
    }

    /// The presented credential is not good here. Why is not said.
    pub(super) fn bad_credential() -> Self {
        let detail = "the presented token is not an active token of this catalog with the audience 'catalog'";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "credential_invalid", "The credential is not good", detail);
        problem.with_challenge("Bearer realm=\"catalog\", error=\"invalid_token\"")
    }

    /// Nothing is known under that name, or nothing that the caller may know of.
    pub(super) fn unknown_token(jti: uuid::Uuid) -> Self {
        Refusal::TokenUnknown { jti }.into()
    }

    /// The database could not say. That is not a no.
    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The log cannot be reached",
            "the log cannot be reached at the moment; try again",
        )
    }

    /// What became of a write is not known.
    pub(super) fn outcome_unknown() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "outcome_unknown",
            "The outcome is unknown",
            "it may have been recorded: look at the log before asking again",
        )
    }

    /// The log is not yet as long as the request wants its answer to include.
    pub(super) fn position_ahead(asked: u64, head: Position) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "position_ahead",
            "The log is not that long yet",
            format!("position {asked} was asked for, the log ends at {head}"),
        )
    }

    /// There is more to do than may wait. Nothing was recorded.
    pub(super) fn busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "There is too much to do", detail)
    }

    /// A defect of ours. The cause is in the diagnostics, under the request's id.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here",
            "the cause is in the server's diagnostics under this answer's x-request-id",
        )
    }

    fn with_challenge(mut self, challenge: &str) -> Self {
        self.challenge = Some(challenge.to_owned());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = Code(self.code);
        let challenge = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = standing(&refusal);
        let problem = Self::new(status, refusal.code(), title, refusal.to_string());
        match &refusal {
            Refusal::CredentialInactive => Self::bad_credential(),
            // RFC 6750 section 3.1.
            Refusal::PermissionMissing { permission } => problem.with_challenge(&format!(
                "Bearer realm=\"catalog\", error=\"insufficient_scope\", scope=\"{permission}\""
            )),
            _ => problem,
        }
    }
}

fn standing(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::CredentialInactive => (StatusCode::UNAUTHORIZED, "The credential is not good"),
        Refusal::PermissionMissing { .. }
        | Refusal::SubjectNotYours { .. }
        | Refusal::AdminNotYours
        | Refusal::EmailNotYours
        | Refusal::RestrictionsNotKept
        | Refusal::TeamsNotYours { .. }
        | Refusal::TeamsRequired { .. }
        | Refusal::PermissionsNotYours { .. }
        | Refusal::PermissionsRequired { .. }
        | Refusal::AudiencesNotYours { .. }
        | Refusal::SubjectNotInTeams { .. }
        | Refusal::MembershipUnknown { .. }
        | Refusal::OutlivesParent { .. } => (StatusCode::FORBIDDEN, "The caller's authority does not reach so far"),
        Refusal::TtlTooLong { .. }
        | Refusal::OutOfBandDenied
        | Refusal::ElevatedDenied { .. }
        | Refusal::ReasonRequired
        | Refusal::PermissionsNotGrantable { .. }
        | Refusal::AudiencesNotAllowed { .. }
        | Refusal::CatalogNotGrantable
        | Refusal::TooManyActive { .. }
        | Refusal::NotADevKey { .. } => (StatusCode::FORBIDDEN, "The policy does not allow it"),
        Refusal::IdempotencyKeyReused { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "The idempotency key was used for another request")
        }
        Refusal::RepeatOver { .. } => (StatusCode::CONFLICT, "The request was answered, and its token is over"),
        Refusal::NameInUse { .. } => (StatusCode::CONFLICT, "The name is in use"),
        Refusal::TokenTooLarge { .. } => (StatusCode::BAD_REQUEST, "The token would be too large"),
        Refusal::TokenUnknown { .. } => (StatusCode::NOT_FOUND, "There is no such token"),
        Refusal::KeyNotHere { .. } | Refusal::NotConfigured | Refusal::SettingDiffers { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "This server is not ready to issue")
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Append(AppendError::Refused(refusal)) => refusal.into(),
            CommandError::Append(AppendError::QueueFull) => {
                Self::busy("too many commands are waiting to be recorded; nothing was recorded")
            }
            CommandError::Append(AppendError::Unavailable(_) | AppendError::Ended) => Self::unavailable(),
            CommandError::Append(AppendError::OutcomeUnknown) => Self::outcome_unknown(),
            CommandError::Append(AppendError::Rejected(_)) => Self::internal(),
            error @ (CommandError::Signing(_) | CommandError::Incomplete) => {
                tracing::error!(error = %Causes(&error), "a command did not come to its end");
                Self::internal()
            }
        }
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Store(error) => error.into(),
            error @ CheckError::SecretMissing { .. } => {
                tracing::error!(error = %Causes(&error), "a token could not be checked");
                Self::unavailable()
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) | StoreError::TimedOut(_) | StoreError::Unable { .. } => {
                tracing::warn!(error = %Causes(&error), "a read could not be answered");
                Self::unavailable()
            }
            StoreError::Refused(_) | StoreError::UnreadableEvent { .. } | StoreError::UnreadableRow { .. } => {
                tracing::error!(error = %Causes(&error), "a read failed");
                Self::internal()
            }
        }
    }
}

pub(super) async fn no_such_route(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(StatusCode::NOT_FOUND, "route_unknown", "There is nothing here", format!("no route {path}"))
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!("{path} does not take {method}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed", detail)
}

/// A panic is a defect of ours; the connection and the other requests go on.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}

/// The longest that any request may take before its answer is that the log could not say.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_millis(4_800);
