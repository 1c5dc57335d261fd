//! Who may pass, as headers for whoever stands behind the proxy.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use uuid::Uuid;

static X_AUTH_SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
static X_AUTH_TEAMS: HeaderName = HeaderName::from_static("x-auth-teams");
static X_AUTH_PERMISSIONS: HeaderName = HeaderName::from_static("x-auth-permissions");
static X_AUTH_JTI: HeaderName = HeaderName::from_static("x-auth-jti");
static X_AUTH_PATH: HeaderName = HeaderName::from_static("x-auth-path");

/// What stands for every team. A team of that name would be written `%2A`.
const EVERY_TEAM: &str = "*";

/// Encoded is whatever could end a value, part a list, or be read in another charset; mail addresses stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':')
    .remove(b'+')
    .remove(b'/')
    .remove(b'=');

/// The bearer of a token.
pub(in crate::http) struct Identity {
    subject: String,
    teams: String,
    permissions: String,
    jti: Uuid,
    path: String,
}

impl Identity {
    /// The bearer of a token with these claims that was issued through this door. `None` is every team; permissions are harmless
    /// by their type.
    pub(in crate::http) fn new<'a>(
        sub: &str,
        teams: Option<impl Iterator<Item = &'a str>>,
        permissions: impl Iterator<Item = &'a str>,
        jti: Uuid,
        path: &str,
    ) -> Self {
        Self {
            subject: encoded(sub).to_string(),
            teams: teams.map_or_else(|| EVERY_TEAM.to_owned(), |teams| listed(teams.map(encoded))),
            permissions: listed(permissions),
            jti,
            path: encoded(path).to_string(),
        }
    }
}

impl IntoResponse for Identity {
    fn into_response(self) -> Response {
        let mut response = StatusCode::OK.into_response();
        for (name, value) in [
            (&X_AUTH_SUBJECT, self.subject),
            (&X_AUTH_TEAMS, self.teams),
            (&X_AUTH_PERMISSIONS, self.permissions),
            (&X_AUTH_JTI, self.jti.to_string()),
            (&X_AUTH_PATH, self.path),
        ] {
            // What is encoded is visible ASCII, which every value may hold.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ENCODED)
}

/// With commas between them.
fn listed(parts: impl Iterator<Item: std::fmt::Display>) -> String {
    let mut list = String::new();
    for part in parts {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&part.to_string());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_otherwise_is_encoded() {
        for (text, header) in [
            ("alice+ci@example.com", "alice+ci@example.com"),
            ("urn:svc/a=b~c_d-e.f", "urn:svc/a=b~c_d-e.f"),
            ("jos\u{e9}@example.com", "jos%C3%A9@example.com"),
            ("a,b", "a%2Cb"),
            ("*", "%2A"),
            ("100%", "100%25"),
            ("\"a\";b", "%22a%22%3Bb"),
            ("\u{1f600}", "%F0%9F%98%80"),
        ] {
            assert_eq!(encoded(text).to_string(), header);
        }
        assert_eq!(listed(["a,b", "c"].into_iter().map(encoded)), "a%2Cb,c");
        assert_eq!(listed([""; 0].into_iter()), "");
    }
}
