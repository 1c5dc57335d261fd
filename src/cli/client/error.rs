//! Why a server gave no answer that can be used, what the reader can do, and the exit code.

use std::{io, path::PathBuf, time::Duration};

use super::{
    cause::{Cause, PROXY_LOGIN},
    credential::CredentialPlace,
    problem::Problem,
};
use crate::cli::config::ServerUrl;

/// Why a client command did not come to its end. What a server said is one harmless line in it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody said as whom to ask.
    #[error("there is no credential: CATALOG_TOKEN is not set, and no --token-file is named")]
    NoCredential,
    /// What was found is no token.
    #[error("{place} does not hold a token")]
    NotACredential {
        /// Where it was found.
        place: CredentialPlace,
    },
    /// The file of the credential cannot be read.
    #[error("the token file {} cannot be read", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no client: with `https`, for want of certificates to trust.
    #[error("no connection can be made")]
    Setup(#[source] reqwest::Error),
    /// There was no connection: nothing was asked.
    #[error("{server} cannot be reached: {cause}")]
    Unreachable {
        /// The server.
        server: ServerUrl,
        /// Why.
        cause: Cause,
    },
    /// It was asked, and the answer did not come in time.
    #[error("{server} gave no answer within {}", humantime::format_duration(*.after))]
    TimedOut {
        /// The server.
        server: ServerUrl,
        /// How long was waited.
        after: Duration,
    },
    /// It was asked, and the connection ended before the whole answer was there.
    #[error("the answer of {server} was lost: {cause}")]
    Lost {
        /// The server.
        server: ServerUrl,
        /// Why.
        cause: Cause,
    },
    /// The answer is longer than any of a catalog's.
    #[error("the answer of {server} is longer than any of a catalog's ({max} bytes)")]
    TooLong {
        /// The server.
        server: ServerUrl,
        /// The longest that is read.
        max: usize,
    },
    /// It says to ask elsewhere.
    #[error("{server} redirects to {location} (status {status})")]
    Redirected {
        /// The server.
        server: ServerUrl,
        /// The status.
        status: u16,
        /// Where to, as it says.
        location: String,
    },
    /// Something else than a catalog answered.
    #[error("{server} did not answer as a catalog does: status {status}, {what}")]
    Foreign {
        /// The server.
        server: ServerUrl,
        /// The status.
        status: u16,
        /// What was answered.
        what: String,
        /// When it wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// The catalog said no, or that it could not.
    #[error(transparent)]
    Problem(Box<Problem>),
}

impl ClientError {
    /// 1 for what the catalog refused or does not know, 2 for what could not run.
    pub(in crate::cli) fn exit_code(&self) -> u8 {
        match self {
            Self::Problem(problem) => problem.exit_code(),
            _ => 2,
        }
    }

    /// What the reader can do.
    pub(in crate::cli) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoCredential => {
                "put a token with the audience catalog into CATALOG_TOKEN; beside the server, the first one is made \
                 with 'catalog issue --dev --admin --aud catalog --sub NAME', which needs none"
            }
            Self::NotACredential { .. } => "a token is one word with two dots in it, and nothing before or after it",
            Self::TokenFile { .. } => return None,
            Self::Setup(_) => "install your system's CA certificates, or name a file of them in SSL_CERT_FILE",
            Self::Unreachable { server, cause } => return Some(cause.hint(server)),
            Self::TimedOut { .. } => "try again, or wait longer with --timeout",
            Self::Lost { .. } => {
                "see that the server still runs, and that scheme and port of --url (CATALOG_URL) are its own"
            }
            Self::Redirected { .. } => {
                "redirects are not followed, for the token would go along: if you trust it, name it in --url \
                 (CATALOG_URL)"
            }
            Self::Foreign { status: 407, .. } => PROXY_LOGIN,
            Self::Foreign { status: 502..=504, .. } => {
                "a proxy answers there, and cannot reach the catalog behind it: try again, or see that it runs"
            }
            Self::TooLong { .. } | Self::Foreign { .. } => NOT_OURS,
            Self::Problem(problem) => return problem.hint(),
        };
        Some(hint.to_owned())
    }

    /// Whether the request may have been carried out although there is no answer to show for it.
    pub(super) fn leaves_doubt(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Lost { .. } | Self::TooLong { .. } => true,
            Self::Foreign { status, .. } => *status < 300 || *status >= 500,
            Self::Problem(problem) => problem.leaves_doubt(),
            _ => false,
        }
    }

    /// Whether the same request may have another answer in a moment.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Lost { .. } => true,
            Self::Foreign { status, .. } => matches!(status, 429 | 502..=504),
            Self::Problem(problem) => problem.may_pass(),
            _ => false,
        }
    }

    /// How long the server wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Foreign { retry_after, .. } => *retry_after,
            Self::Problem(problem) => problem.retry_after,
            _ => None,
        }
    }
}

const NOT_OURS: &str =
    "another service or a proxy answers there: name the catalog's own address in --url (CATALOG_URL)";
