//! The position file: how far an export came, and of which log.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use catalog_gateway::wire::{Digest, Mark};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{error::ExportError, form::Form};
use crate::app::beside::Beside;

/// It names nothing personal, and whoever can write it can have events left out.
const MODE: u32 = 0o644;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    log_id: Uuid,
    position: i64,
    digest: Digest,
    format: Form,
    /// How much of the output is there; of an export to stdout nobody can tell.
    bytes: Option<u64>,
}

/// What a position file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) mark: Mark,
    pub(super) bytes: Option<u64>,
}

impl Kept {
    /// What the file says; `None` where there is none yet.
    pub(super) fn read(file: &Path, form: Form) -> Result<Option<Self>, ExportError> {
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ExportError::Read { path: file.to_owned(), source }),
        };
        let read = serde_json::from_slice(&text);
        let Wire { log_id, position, digest, format, bytes } =
            read.map_err(|source| ExportError::NotAPlace { path: file.to_owned(), source })?;
        if format != form {
            let (found, asked) = (format.to_string(), form.to_string());
            return Err(ExportError::OtherForm { path: file.to_owned(), found, asked });
        }
        Ok(Some(Self { mark: Mark { log_id, position, digest }, bytes }))
    }
}

/// The position file of an export that is under way.
pub(super) struct PlaceFile {
    pub(super) path: PathBuf,
    pub(super) form: Form,
}

impl PlaceFile {
    /// Replaces what it says, on the disk, in one step.
    pub(super) fn write(&self, kept: Kept) -> Result<(), ExportError> {
        self.try_write(kept).map_err(|source| ExportError::Write { path: self.path.clone(), source })
    }

    fn try_write(&self, Kept { mark, bytes }: Kept) -> io::Result<()> {
        let Mark { log_id, position, digest } = mark;
        let (beside, mut file) = Beside::create(&self.path, MODE)?;
        serde_json::to_writer(&mut file, &Wire { log_id, position, digest, format: self.form, bytes })?;
        file.write_all(b"\n")?;
        beside.into_place(file)
    }
}
