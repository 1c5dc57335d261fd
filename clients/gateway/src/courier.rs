//! Couriers: a token with the identifier of a revoked one, for a gateway that revokes a token when its own bearer ends it.

use std::{fmt, time::Duration};

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::{self, AskError, Catalog};

/// The longest answer that is read: more than any token has.
const BYTES_MAX: usize = 64 * 1024;

/// Why there is no courier.
#[derive(Debug, thiserror::Error)]
pub enum NoCourier {
    /// The catalog did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// There is none of this token.
    #[error("the catalog makes no courier: {0}")]
    Refused(Why),
}

/// Why the catalog makes none of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is not revoked (not yet, perhaps), or it is expired.
    NothingToCarry,
    /// It is not for that audience.
    NotMeantFor,
    /// Whom it spoke for is erased.
    Erased,
    /// It is out of the asker's reach, or there is no such token.
    Unknown,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingToCarry => "the token is not revoked yet, or expired",
            Self::NotMeantFor => "the token is not meant for that audience",
            Self::Erased => "whom the token spoke for is erased",
            Self::Unknown => "the token is out of reach",
        })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    aud: &'a str,
}

#[derive(Deserialize)]
struct Made {
    access_token: String,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

impl Catalog {
    /// Has a courier made of a revoked token, for the gateway of this audience. The credential needs `tokens.courier`.
    ///
    /// # Errors
    /// [`NoCourier`].
    pub async fn courier(&self, jti: Uuid, aud: &str, within: Duration) -> Result<SecretString, NoCourier> {
        let body = serde_json::to_vec(&Request { aud }).map_err(AskError::Json)?;
        let request = self.request(Method::POST, &format!("tokens/{jti}/courier"))?;
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body);
        let response = self.send(request, within).await?;
        match response.status() {
            StatusCode::CREATED => {
                let body = client::body(response, BYTES_MAX, within).await?;
                let made: Made = serde_json::from_slice(&body).map_err(AskError::Json)?;
                Ok(made.access_token.into())
            }
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => {
                Err(why(&client::body(response, BYTES_MAX, within).await?)?)
            }
            _ => Err(client::refusal(&response).unwrap_or(AskError::Answer("is no courier")).into()),
        }
    }
}

fn why(body: &[u8]) -> Result<NoCourier, AskError> {
    let problem: Problem = serde_json::from_slice(body).map_err(AskError::Json)?;
    Ok(NoCourier::Refused(match problem.code.as_str() {
        "nothing_to_carry" => Why::NothingToCarry,
        "not_meant_for" => Why::NotMeantFor,
        "token_erased" => Why::Erased,
        "token_unknown" => Why::Unknown,
        _ => return Err(AskError::Answer("is a problem of an unknown kind")),
    }))
}
