//! Reading from addresses and files that an operator trusts: `https` or loopback, no redirects, bounded in time and size.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, StatusCode, Url, redirect};

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// It is no address that anything is read from.
    #[error("an address must be https, or http on loopback, and carry no password: the policy is in the log for ever")]
    Address,
    /// It could not be reached, or did not answer in time.
    #[error("the address did not answer")]
    Unreachable(#[source] reqwest::Error),
    /// It answered something else than 200.
    #[error("the address answered {0}")]
    Status(u16),
    /// The answer is larger than any that is expected.
    #[error("the answer exceeds {0} bytes")]
    TooLarge(usize),
}

/// Why no file was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The system refused.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// A pipe, a directory or a device.
    #[error("it is no regular file")]
    NoFile,
    /// It took too long.
    #[error("the file could not be read in time")]
    Slow,
    /// It is larger than any that is expected.
    #[error("the file has {bytes} bytes, the maximum is {max}")]
    TooLarge {
        /// How many it has.
        bytes: u64,
        /// The most that are read.
        max: usize,
    },
}

/// Whether anything is read from this address.
///
/// # Errors
/// [`FetchError::Address`].
pub(super) fn checked(url: &str) -> Result<Url, FetchError> {
    let url: Url = url.parse().map_err(|_| FetchError::Address)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let has_password = !url.username().is_empty() || url.password().is_some();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if is_safe && !has_password { Ok(url) } else { Err(FetchError::Address) }
}

/// The body of a 200 answer.
///
/// # Errors
/// [`FetchError`].
pub(super) async fn get(url: &str, bytes_max: usize, time_max: Duration) -> Result<Vec<u8>, FetchError> {
    let url = checked(url)?;
    let client = Client::builder().redirect(redirect::Policy::none()).timeout(time_max).no_proxy().build();
    let mut response =
        client.map_err(FetchError::Unreachable)?.get(url).send().await.map_err(FetchError::Unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Unreachable)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(FetchError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The content of a file. A pipe, or a file system that is gone, would never end.
///
/// # Errors
/// [`ReadError`].
pub(super) async fn read(path: &str, bytes_max: usize, time_max: Duration) -> Result<Vec<u8>, ReadError> {
    let reading = async {
        let metadata = tokio::fs::metadata(path).await.map_err(ReadError::File)?;
        if !metadata.is_file() {
            return Err(ReadError::NoFile);
        }
        if metadata.len() > bytes_max as u64 {
            return Err(ReadError::TooLarge { bytes: metadata.len(), max: bytes_max });
        }
        tokio::fs::read(path).await.map_err(ReadError::File)
    };
    tokio::time::timeout(time_max, reading).await.unwrap_or(Err(ReadError::Slow))
}
