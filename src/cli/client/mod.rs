//! The commands that ask a server over HTTP: the same objects and exit codes as the API, on nobody's authority but the
//! credential's own.

mod answer;
mod api;
mod cause;
pub(super) mod check;
mod credential;
mod error;
pub(super) mod issue;
pub(super) mod list;
mod problem;
mod record;
pub(super) mod revoke;
mod revoke_rule;
pub(super) mod rotate;
pub(super) mod show;
pub(super) mod suspend;
pub(super) mod text;
pub(super) mod whoami;

use std::path::PathBuf;

use clap::{Args, ValueHint};

pub use error::ClientError;

use super::{CliError, config::ServerUrl, when::Patience};
use api::Api;

const URL_HELP: &str = "The catalog's URL [env: CATALOG_URL] [default: http://127.0.0.1:8080]";

/// Which server is asked, and as whom.
#[derive(Debug, Args)]
#[group(id = "server")]
#[command(next_help_heading = "Server options")]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub(super) struct ServerArgs {
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help = URL_HELP)]
    url: Option<ServerUrl>,
    /// Take the credential from this file instead of from CATALOG_TOKEN. It is a token with the audience catalog; there
    /// is no flag for it, because other users can read a command's arguments
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    token_file: Option<PathBuf>,
    /// How long to wait for an answer, such as 10s. A lost answer is asked for again, twice at most
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: Patience,
}

/// Why a request has no answer.
struct Failed {
    error: ClientError,
    /// Whether it may have been carried out all the same.
    may_be_done: bool,
}

impl From<Failed> for CliError {
    fn from(failed: Failed) -> Self {
        failed.error.into()
    }
}
