//! A good answer of a server, read within bounds and taken apart.

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ClientError, problem, text::line};
use crate::cli::config::ServerUrl;

/// The longest answer that is read, in bytes: 500 tokens with all that a token can carry have less.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// An answer with a status that says that it was done.
pub(super) struct Answer {
    pub(super) server: ServerUrl,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The body up to the limit; `None` when it is longer.
pub(super) async fn body(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

impl Answer {
    /// What is expected of the body.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| self.foreign())
    }

    /// What is expected of the body, and all that is in it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<(T, Value), ClientError> {
        Ok((self.parse()?, self.parse()?))
    }

    /// Where in the log a write stands.
    pub(super) fn position(&self) -> Result<i64, ClientError> {
        let position = self.headers.get("catalog-position").and_then(|value| value.to_str().ok()?.parse().ok());
        position.ok_or_else(|| self.foreign())
    }

    /// The error that this is no answer of a catalog.
    pub(super) fn foreign(&self) -> ClientError {
        foreign(&self.server, self.status, &self.headers)
    }
}

/// The error that something else than a catalog answered.
pub(super) fn foreign(server: &ServerUrl, status: StatusCode, headers: &HeaderMap) -> ClientError {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|text| text.split(';').next()).map_or_else(String::new, line);
    let what = match media_type.as_str() {
        "" => "without a media type".to_owned(),
        json if json.ends_with("json") => format!("{json} with other members"),
        other => format!("a document of the type {other}"),
    };
    let retry_after = problem::retry_after(headers);
    ClientError::Foreign { server: server.clone(), status: status.as_u16(), what, retry_after }
}
