//! What a request is answered that is not let pass: problem documents (RFC 9457) with challenges (RFC 6750).

use http::{HeaderValue, Response, StatusCode, header};

use crate::admission::Denied;

/// Why a request is not let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It bears no token.
    TokenMissing,
    /// Its token is not good. Why is not said.
    TokenInvalid,
    /// Its token is good, and may not be used for it.
    Denied(Denied),
    /// Nobody can tell whether its token is good. That is not a no.
    CouldNotTell,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::TokenInvalid => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::CouldNotTell => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `code` of the problem, as the catalog calls it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "credential_missing",
            Self::TokenInvalid => "credential_invalid",
            Self::Denied(denied) => denied.code(),
            Self::CouldNotTell => "unavailable",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::TokenMissing => "A credential is needed",
            Self::TokenInvalid => "The credential is not good",
            Self::Denied(denied) => denied.title(),
            Self::CouldNotTell => "Whether the credential is good cannot be told",
        }
    }

    fn detail(self) -> String {
        match self {
            Self::TokenMissing => "present a token: Authorization: Bearer …".to_owned(),
            Self::TokenInvalid => "the presented token is not an active token for this service".to_owned(),
            Self::Denied(denied) => denied.to_string(),
            Self::CouldNotTell => "the catalog of tokens could not say; try again".to_owned(),
        }
    }

    pub(super) fn answer<Body: From<String>>(self, realm: &str, scope: &str) -> Response<Body> {
        let document = serde_json::json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status().as_u16(),
            "code": self.code(),
            "detail": self.detail(),
        });
        let mut response = Response::new(Body::from(document.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.challenge(realm, scope) {
            Some(challenge) => {
                // Both are plain text. A challenge without its parameters is one all the same.
                let value = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"));
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
            None => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
        }
        response
    }

    /// RFC 6750 section 3. Where nobody can tell, another token would be of no help.
    fn challenge(self, realm: &str, scope: &str) -> Option<String> {
        let bearer = format!("Bearer realm=\"{realm}\"");
        match self {
            Self::TokenMissing => Some(bearer),
            Self::TokenInvalid => Some(format!("{bearer}, error=\"invalid_token\"")),
            Self::Denied(Denied::Permission) => {
                Some(format!("{bearer}, error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            Self::Denied(_) => Some(format!("{bearer}, error=\"insufficient_scope\"")),
            Self::CouldNotTell => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_status_its_challenge_and_a_problem_document() {
        for (refusal, status, challenge) in [
            (Refusal::TokenMissing, 401, Some("Bearer realm=\"r\"")),
            (Refusal::TokenInvalid, 401, Some("Bearer realm=\"r\", error=\"invalid_token\"")),
            (
                Refusal::Denied(Denied::Permission),
                403,
                Some("Bearer realm=\"r\", error=\"insufficient_scope\", scope=\"tools.read\""),
            ),
            (Refusal::Denied(Denied::Address), 403, Some("Bearer realm=\"r\", error=\"insufficient_scope\"")),
            (Refusal::CouldNotTell, 503, None),
        ] {
            let response: Response<String> = refusal.answer("r", "tools.read");

            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!((response.status().as_u16(), header(header::WWW_AUTHENTICATE)), (status, challenge));
            assert_eq!(header(header::CONTENT_TYPE), Some("application/problem+json"));
            assert_eq!(header(header::RETRY_AFTER).is_some(), status == 503);
            let document: serde_json::Value = serde_json::from_str(response.body()).unwrap_or_default();
            assert_eq!((&document["status"], &document["code"]), (&status.into(), &refusal.code().into()));
        }
    }
}
