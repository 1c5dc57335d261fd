//! Diagnostics: to stderr, never to stdout, and never what the log says.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::{CliError, ConfigError, Shell, output};
use crate::domain::Malformed;

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        <Self as ValueEnum>::from_str(text, false)
            .map_err(|_| Malformed::NotA { value: text.to_owned(), expected: "one of text and json" })
    }
}

impl LogFormat {
    /// Tells people something while a command is at work. In JSON it is one more line of the diagnostics.
    pub(super) fn say(self, text: &str) {
        match self {
            Self::Text => output::say(text),
            Self::Json => tracing::info!("{text}"),
        }
    }

    /// As [`Self::say`], of what should not be so.
    pub(super) fn warn(self, text: &str) {
        match self {
            Self::Text => output::say(&format!("warning: {text}")),
            Self::Json => tracing::warn!("{text}"),
        }
    }

    /// Tells why a command did not come to its end, and returns its exit code.
    pub(super) fn report(self, error: &CliError) -> u8 {
        match self {
            Self::Text => output::report(error),
            Self::Json => {
                tracing::error!(hint = error.hint(), "{}", output::told(error));
                error.exit_code()
            }
        }
    }
}

/// Starts diagnostics; `quiet` is the level without `-v` and `CATALOG_LOG`.
pub(super) fn start(shell: &Shell<'_>, quiet: &str) -> Result<(), ConfigError> {
    let directives = match (shell.variables.text("CATALOG_LOG")?, shell.global.verbose) {
        (_, 2..) => "debug".to_owned(),
        (_, 1) => "info,catalog=debug".to_owned(),
        (Some(directives), 0) => directives.to_owned(),
        // What a migration or a slow statement has to say is of no use to whoever only runs the program.
        (None, 0) => format!("{quiet},sqlx=error"),
    };
    let filter = EnvFilter::builder().parse(directives).map_err(ConfigError::Filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // It fails only when somebody else in this process was first, and then theirs stand.
    let _ = match shell.log_format()? {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
    };
    Ok(())
}
