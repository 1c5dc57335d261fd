//! A catalog's no, and its could-not-tell: a problem document (RFC 9457), or the OAuth form of one.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{HeaderMap, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use serde_json::Value;

use super::text::{Line, line};

/// What a catalog answered in place of what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{detail} ({code})")]
pub struct Problem {
    status: u16,
    code: String,
    detail: String,
    /// Its name in the server's diagnostics.
    request_id: Option<String>,
    /// When the server wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    /// Why the credential may not have been taken, for a 401.
    credential: Option<String>,
    /// The document itself.
    pub(super) document: Value,
}

#[derive(Deserialize)]
struct Document {
    code: Line,
    detail: Line,
    /// RFC 9457 section 3.1.2: the status once more. With `code` it tells our problems from other services'.
    status: u16,
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct OauthError {
    error: Line,
    error_description: Line,
}

impl Problem {
    /// The problem in an answer, if it is one of ours.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(body).ok()?;
        let (code, detail) = match Document::deserialize(&document) {
            Ok(problem) if problem.status == status.as_u16() => (problem.code, problem.detail),
            Ok(_) => return None,
            Err(_) => {
                let OauthError { error, error_description } = OauthError::deserialize(&document).ok()?;
                (error, error_description)
            }
        };
        Some(Self {
            status: status.as_u16(),
            code: lacking_permission(headers).map_or(code.0, |()| "permission_missing".to_owned()),
            detail: detail.0,
            request_id: headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(line),
            retry_after: retry_after(headers),
            credential: None,
            document,
        })
    }

    /// The problem with what can be said of the credential that was not taken.
    pub(super) fn about_credential(mut self, why: impl FnOnce() -> String) -> Self {
        if self.status == 401 && self.code != "permission_missing" {
            self.credential = Some(why());
        }
        self
    }

    /// What it says of this case.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the catalog could tell, and said no.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.status, 403 | 409 | 422) || self.is_unknown_token()
    }

    /// Whether the token is unknown, or not the caller's to know. A route that is not there has the same status.
    pub(super) fn is_unknown_token(&self) -> bool {
        self.code == "token_unknown"
    }

    pub(super) fn exit_code(&self) -> u8 {
        if self.is_refusal() { 1 } else { 2 }
    }

    pub(super) fn leaves_doubt(&self) -> bool {
        self.code == "outcome_unknown" || self.status == 500
    }

    pub(super) fn may_pass(&self) -> bool {
        matches!(self.code.as_str(), "unavailable" | "busy" | "outcome_unknown") || self.status == 429
    }

    /// What the reader can do.
    pub(super) fn hint(&self) -> Option<String> {
        if let Some(why) = &self.credential {
            return Some(why.clone());
        }
        if let (500, Some(id)) = (self.status, &self.request_id) {
            return Some(format!("whoever runs the server finds the cause in its diagnostics under {id}"));
        }
        hint_of(&self.code).map(str::to_owned)
    }
}

/// RFC 6750 section 3.1. The OAuth routes answer with 401 to whoever lacks the permission, and say so only there.
fn lacking_permission(headers: &HeaderMap) -> Option<()> {
    let challenge = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    challenge.contains("insufficient_scope").then_some(())
}

/// `Retry-After` in seconds, as a catalog writes it (RFC 9110 section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn hint_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "permission_missing" | "subject_not_yours" | "admin_not_yours" | "email_not_yours" => {
            "'catalog whoami' shows what the credential may do"
        }
        "teams_required" => "name them with --teams; --teams '[]' reaches public things only",
        "permissions_required" => "name them with --permissions",
        "restrictions_not_kept" => "'catalog whoami --format json' shows them; repeat them in --scopes",
        "ttl_too_long" => "ask for less with --ttl, or --expires-in of a rotation",
        "name_in_use" => "take another --name, or revoke that token first",
        "already_rotated" => {
            "go on with the successor; 'catalog rotate' with its identifier issues another while it is active, \
             'catalog issue' when it is over"
        }
        "overlap_too_long" => "ask for a shorter --overlap",
        "token_unknown" => {
            "see 'catalog list'; a token that is not yours to see is answered like one that is not there"
        }
        "idempotency_key_reused" => "take another --idempotency-key; the same one is for the same command",
        "repeat_over" => "for a new token take another --idempotency-key",
        "busy" | "unavailable" => "try again in a moment",
        "outcome_unknown" => "see 'catalog list' or 'catalog show' for what became of it",
        "provider_unavailable" => {
            "try again in a moment; if it stays so, the server's diagnostics say why: see jwks_uri in its policy"
        }
        "not_configured" | "key_not_here" | "setting_differs" => {
            "this server cannot issue: whoever runs it sees why at /readyz"
        }
        "route_unknown" | "method_not_allowed" => {
            "the server is older than this program, or the path in --url (CATALOG_URL) is not its own"
        }
        _ => return None,
    })
}
