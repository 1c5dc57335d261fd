//! What a command is given on stdin, in place of an argument that other users could read.

use std::io::{BufRead, Read};

use super::CliError;

/// More than any server takes in a header.
const BYTES_MAX: u64 = 65_536;

/// The argument, or stdin when it is `-`, without white space around it.
pub(super) fn argument_or_stdin(argument: String) -> Result<String, CliError> {
    let text = if argument == "-" { stdin()? } else { argument };
    Ok(text.trim().to_owned())
}

fn stdin() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().take(BYTES_MAX + 1).read_to_string(&mut text).map_err(CliError::Input)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(CliError::NotAToken("more than 64 KiB"));
    }
    Ok(text)
}

/// One line of what a person types; nothing at the end of the input.
pub(super) async fn line() -> Result<String, CliError> {
    // A signal must be heard while nobody types.
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().lock().take(BYTES_MAX).read_line(&mut text).map(|_| text)
    });
    read.await?.map_err(CliError::Input)
}
