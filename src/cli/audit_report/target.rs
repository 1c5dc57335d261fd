//! Where a report goes: stdout, or a file that is there whole or not at all.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use super::{CliError, ReportError};
use crate::app::beside::Beside;

/// The log names people.
const PRIVATE: u32 = 0o600;

/// Where a report goes.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Stdout,
    File(&'a Path),
}

impl<'a> Target<'a> {
    pub(super) fn of(output: Option<&'a Path>) -> Self {
        output.map_or(Self::Stdout, Self::File)
    }
}

/// Has it written there.
pub(super) fn write(target: Target<'_>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    tokio::task::block_in_place(|| match target {
        Target::Stdout => {
            let mut out = BufWriter::new(io::stdout().lock());
            Ok(write(&mut out).and_then(|()| out.flush())?)
        }
        Target::File(path) => {
            let placed = Beside::create(path, PRIVATE).and_then(|(beside, mut file)| {
                write(&mut file)?;
                beside.into_place(file)
            });
            Ok(placed.map_err(|source| ReportError::Write { path: path.to_owned(), source })?)
        }
    })
}
