//! Reading what a request carries, with an error that names the member or the parameter.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use chrono::{DateTime, Utc};
use http_body_util::LengthLimitError;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_path_to_error::Segment;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};
use uuid::Uuid;

use super::{
    BODY_BYTES_MAX,
    openapi::parameter,
    problem::{Code, Problem},
    request::plain_jti,
};
use crate::{
    app::schema::of,
    domain::{Position, claims::CanonicalUuid, object::Object, text::IdempotencyKey},
};

/// What can be wrong with a JSON body.
pub(super) const JSON_BODY: &[Code] = &[Code::Malformed, Code::BodyTooSlow, Code::BodyTooLarge, Code::NotJson];
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How long a body may take to arrive. Nothing is done before it is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(4);

/// A JSON body.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Problem::not_json());
        }
        parse(&bytes(&parts.headers, body).await?).map(Self)
    }
}

/// A JSON body that may be left out.
#[derive(Debug)]
pub(super) struct OptionalJsonBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let is_json = is_json(&parts.headers);
        let bytes = bytes(&parts.headers, body).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&bytes).map(Self),
            (false, false) => Err(Problem::not_json()),
        }
    }
}

/// The bytes of a body, up to the limit.
pub(super) async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    // Whoever says how much is to come need not send it first.
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > BODY_BYTES_MAX as u64) {
        return Err(Problem::body_too_large());
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES_MAX));
    read.await.map_err(|_| Problem::body_too_slow())?.map_err(|error| {
        if std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
            Problem::body_too_large()
        } else {
            Problem::malformed("the body could not be read")
        }
    })
}

/// Whether the body is said to be of a media type, whatever its parameters.
pub(super) fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|text| text.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(media_type))
}

/// As it is: in an encoding, or in another alphabet, its bytes would mean something else than they seem to.
fn is_json(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let charset =
        value.and_then(|text| text.to_ascii_lowercase().split_once("charset=").map(|(_, name)| name.to_owned()));
    let is_utf_8 = charset.is_none_or(|name| name.trim_matches([' ', '"']).starts_with("utf-8"));
    is_utf_8 && is_of(headers, "application/json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(parsed) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::malformed_body(&pointer, error.into_inner().to_string())
    })?;
    deserializer.end().map_err(|error| Problem::malformed_body("", error.to_string()))?;
    Ok(parsed)
}

/// A path inside a JSON document as a pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

/// An instant as RFC 3339 writes it, its zone included, and so of a year that the database knows. For members and
/// parameters that may be left out.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match DateTime::parse_from_rfc3339(&text) {
        Ok(at) => Ok(Some(at.to_utc())),
        Err(_) => Err(serde::de::Error::custom(format!(
            "'{text}' is no time with a zone (RFC 3339), such as 2026-03-01T12:00:00Z"
        ))),
    }
}

/// A position of the log that a parameter names.
pub(super) fn position(parameter: &str, text: &str) -> Result<Position, Problem> {
    match text.parse() {
        Ok(position) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Position(position)),
        _ => Err(Problem::malformed_parameter(parameter, "is not a position of the log")),
    }
}

/// `Idempotency-Key`, if there is one: one word, with or without the quotes of a structured field.
#[derive(Debug)]
pub(super) struct RequestName(pub(super) Option<IdempotencyKey>);

impl IntoParams for RequestName {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Names the request among those of its credential. For 24 hours the same request gets the same \
                           answer and makes no second event.";
        vec![parameter(IDEMPOTENCY_KEY, ParameterIn::Header, of::<IdempotencyKey>(), description)]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let malformed = |detail: String| Problem::malformed_parameter(IDEMPOTENCY_KEY, detail);
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => {
                let text = value.to_str().map_err(|_| malformed("is not plain text".to_owned()))?;
                let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
                if text.contains('"') {
                    return Err(malformed("has a quote inside".to_owned()));
                }
                IdempotencyKey::parse(text).map(|key| Self(Some(key))).map_err(|error| malformed(error.to_string()))
            }
            (Some(_), Some(_)) => Err(malformed("is given more than once".to_owned())),
        }
    }
}

/// The token that a path names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jti(pub(super) Uuid);

impl IntoParams for Jti {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("jti", ParameterIn::Path, of::<CanonicalUuid>(), "The identifier of the token.")]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Jti {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // The diagnostics have named this one.
        if let Some(jti) = plain_jti(&parts.extensions, &parts.uri) {
            return Ok(Self(jti));
        }
        let malformed = || Problem::malformed_parameter("jti", "is not a UUID in lower case");
        let jti = Path::<CanonicalUuid>::from_request_parts(parts, state).await;
        let Path(CanonicalUuid(jti)) = jti.map_err(|_| malformed())?;
        tracing::Span::current().record("jti", tracing::field::display(jti));
        Ok(Self(jti))
    }
}
