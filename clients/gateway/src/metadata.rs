//! What a catalog says of itself (RFC 8414).

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::client::{self, AskError, Catalog};

/// How long the catalog may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// The longest answer.
const BYTES_MAX: usize = 64 * 1024;

/// What is read of it.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
}

/// `iss` of a catalog's tokens, as it says itself. `None` from one that says nothing of itself, as where its issuer is no address.
///
/// # Errors
/// [`AskError`].
pub async fn issuer(catalog: &Catalog) -> Result<Option<String>, AskError> {
    let request = catalog.public(".well-known/oauth-authorization-server")?;
    let response = catalog.send(request, ANSWER_TIME_MAX).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if let Some(refusal) = client::refusal(&response) {
        return Err(refusal);
    }
    let body = client::body(response, BYTES_MAX, ANSWER_TIME_MAX).await?;
    let Metadata { issuer } = serde_json::from_slice(&body).map_err(AskError::Json)?;
    Ok(Some(issuer))
}
