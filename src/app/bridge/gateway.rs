//! `ContextForge` as it is told: `POST /auth/logout` with a courier, whose identifier it then refuses.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::causes::Causes;

/// How long the way to it may take to open.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// More than any answer of it has.
const BYTES_MAX: usize = 64 * 1024;

/// What it says of a token that it refuses for being revoked.
const REVOKED: &str = "Token has been revoked";
/// What it says of whom it does not know or let in.
const OF_THE_USER: [&str; 3] = ["User not found in database", "User not found", "Account disabled"];

/// A gateway.
pub(super) struct Gateway {
    http: Client,
    logout: Url,
}

/// It refuses the token from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has it in its database now.
    Now,
    /// It did so before: it was told already, or has the key in its Redis.
    Before,
}

/// Why a gateway was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Objection {
    /// No answer.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(String),
    /// It cannot at the moment.
    #[error("the gateway answers {status}")]
    Busy {
        status: StatusCode,
        /// After how long to ask again, if it said so.
        retry_after: Option<Duration>,
    },
    /// There is no such route.
    #[error("the gateway answers {0} to POST /auth/logout: there is no ContextForge at this URL")]
    NoRoute(StatusCode),
    /// It is another program.
    #[error("the answer to POST /auth/logout {0}: there is no ContextForge at this URL")]
    Strange(&'static str),
    /// It does not let in whom the token speaks for.
    #[error("the gateway does not let in whom a revoked token speaks for; it is told of it again and again")]
    User,
    /// It does not believe the courier.
    #[error(
        "the gateway refuses the catalog's couriers ({0}): secret, issuer, audience or environment are not the catalog's"
    )]
    Refused(StatusCode),
}

impl Objection {
    /// Whether it is about one token, and says nothing of others.
    pub(super) fn is_of_one(&self) -> bool {
        matches!(self, Self::User)
    }

    /// Whether a courier that came back so may be carried again.
    pub(super) fn leaves_courier(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

#[derive(Deserialize)]
struct LoggedOut {
    revoked_token: Uuid,
}

#[derive(Deserialize)]
struct Detail {
    detail: String,
}

impl Gateway {
    /// The gateway at a URL. Redirects are not followed, and no proxy of the environment is used.
    pub(super) fn new(url: &Url) -> Result<Self, reqwest::Error> {
        let mut logout = url.clone();
        if let Ok(mut path) = logout.path_segments_mut() {
            path.pop_if_empty().extend(["auth", "logout"]);
        }
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(ANSWER_TIME_MAX)
            .user_agent(concat!("catalog-bridge/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, logout })
    }

    /// Has a token ended by its courier.
    pub(super) async fn end(&self, jti: Uuid, courier: &SecretString) -> Result<Ended, Objection> {
        let response = self.ask(Some(courier)).await?;
        let status = response.status();
        let body = body(response).await?;
        match status {
            StatusCode::OK => match serde_json::from_slice::<LoggedOut>(&body) {
                Ok(LoggedOut { revoked_token }) if revoked_token == jti => Ok(Ended::Now),
                _ => Err(Objection::Strange("names no token that was revoked")),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                match serde_json::from_slice::<Detail>(&body) {
                    Ok(Detail { detail }) if detail == REVOKED => Ok(Ended::Before),
                    Ok(Detail { detail }) if OF_THE_USER.contains(&detail.as_str()) => Err(Objection::User),
                    _ => Err(Objection::Refused(status)),
                }
            }
            _ => Err(Objection::Strange("is none of a ContextForge")),
        }
    }

    /// Whether there is such a gateway: without a courier it refuses.
    pub(super) async fn look(&self) -> Result<(), Objection> {
        let status = self.ask(None).await?.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(()),
            _ => Err(Objection::Strange("without a credential is no refusal")),
        }
    }

    async fn ask(&self, courier: Option<&SecretString>) -> Result<Response, Objection> {
        let request = self.http.post(self.logout.clone()).header(header::ACCEPT, "application/json");
        let request = match courier {
            Some(courier) => request.bearer_auth(courier.expose_secret()),
            None => request,
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Objection::Busy { status, retry_after: retry_after(&response) });
        }
        match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => {
                Err(Objection::NoRoute(status))
            }
            status if status.is_redirection() => Err(Objection::Strange("is a redirect")),
            _ => Ok(response),
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn body(mut response: Response) -> Result<Vec<u8>, Objection> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BYTES_MAX {
            return Err(Objection::Strange("is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unreachable(error: reqwest::Error) -> Objection {
    Objection::Unreachable(Causes(&error.without_url()).to_string())
}
