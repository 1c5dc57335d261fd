//! Where an export goes: stdout, a file that is there whole or not at all, or the end of one that an earlier export began.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use catalog_gateway::wire::Mark;

pub(super) use super::place::Kept;
use super::{error::ExportError, form::Form, place::PlaceFile};
use crate::app::beside::Beside;

/// The log names people.
const PRIVATE: u32 = 0o600;

/// Where an export goes, and how far it came.
pub(super) struct Sink {
    target: Target,
    place: Option<PlaceFile>,
    mark: Mark,
}

enum Target {
    Stdout(io::Stdout),
    Whole { path: PathBuf, beside: Beside, file: BufWriter<File> },
    GoesOn { path: PathBuf, file: File, bytes: u64 },
}

impl Sink {
    /// Opens an output for what follows the mark. One that goes on is cut to what was kept of it; a new one begins as its
    /// format does.
    pub(super) fn open(
        output: Option<&Path>,
        position_file: Option<&Path>,
        kept: Option<Kept>,
        (form, mark): (Form, Mark),
    ) -> Result<Self, ExportError> {
        let place = position_file.map(|path| PlaceFile { path: path.to_owned(), form });
        if let (Some(file), Some(kept)) = (position_file, kept) {
            require_same_target(file, kept, output.is_some())?;
        }
        let target = match (output, position_file) {
            (None, _) => Target::Stdout(io::stdout()),
            (Some(path), None) => whole(path)?,
            (Some(path), Some(_)) => goes_on(path, kept)?,
        };
        let mut sink = Self { target, place, mark };
        // One that was killed before it had written anything begins again.
        if kept.is_none_or(|kept| kept.bytes == Some(0)) {
            // The place is told before anything is there: what a killed export leaves is never taken for something else.
            sink.note()?;
            sink.commit(form.beginning().as_bytes(), mark)?;
        }
        Ok(sink)
    }

    /// All up to here is written.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Whether a person reads what is written.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(&self.target, Target::Stdout(stdout) if stdout.is_terminal())
    }

    /// Writes lines that go up to the mark: to the disk where somebody will go on from there, and only then the place.
    pub(super) fn commit(&mut self, lines: &[u8], mark: Mark) -> Result<(), ExportError> {
        match &mut self.target {
            Target::Stdout(stdout) => {
                stdout.write_all(lines).and_then(|()| stdout.flush()).map_err(ExportError::Stdout)?;
            }
            Target::Whole { path, file, .. } => file.write_all(lines).map_err(|error| unwritten(path, error))?,
            Target::GoesOn { path, file, bytes } => {
                file.write_all(lines).and_then(|()| file.sync_data()).map_err(|error| unwritten(path, error))?;
                *bytes += lines.len() as u64;
            }
        }
        self.mark = mark;
        self.note()
    }

    fn note(&self) -> Result<(), ExportError> {
        let bytes = match &self.target {
            Target::Stdout(_) | Target::Whole { .. } => None,
            Target::GoesOn { bytes, .. } => Some(*bytes),
        };
        self.place.as_ref().map_or(Ok(()), |place| place.write(Kept { mark: self.mark, bytes }))
    }

    /// Puts a whole file in its place.
    pub(super) fn finish(self) -> Result<(), ExportError> {
        match self.target {
            Target::Stdout(_) | Target::GoesOn { .. } => Ok(()),
            Target::Whole { path, beside, file } => beside.into_place(file).map_err(|error| unwritten(&path, error)),
        }
    }
}

fn unwritten(path: &Path, source: io::Error) -> ExportError {
    ExportError::Write { path: path.to_owned(), source }
}

fn whole(path: &Path) -> Result<Target, ExportError> {
    let (beside, file) = Beside::create(path, PRIVATE).map_err(|error| unwritten(path, error))?;
    Ok(Target::Whole { path: path.to_owned(), beside, file })
}

fn goes_on(path: &Path, kept: Option<Kept>) -> Result<Target, ExportError> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path);
    let mut file = opened.map_err(|error| unwritten(path, error))?;
    if file.try_lock().is_err() {
        return Err(ExportError::InUse { path: path.to_owned() });
    }
    let found = file.metadata().map_err(|error| unwritten(path, error))?;
    // Another process may have put a file in its place just before the lock.
    if path.metadata().map_err(|error| unwritten(path, error))?.ino() != found.ino() {
        return Err(ExportError::InUse { path: path.to_owned() });
    }
    let found = found.len();
    let bytes = kept.and_then(|kept| kept.bytes).unwrap_or(0);
    if kept.is_none() && found > 0 {
        return Err(ExportError::Unplaced { path: path.to_owned() });
    }
    if found < bytes {
        return Err(ExportError::Shorter { path: path.to_owned(), found, expected: bytes });
    }
    let cut = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes)));
    cut.and_then(|_| file.sync_all()).map_err(|error| unwritten(path, error))?;
    Ok(Target::GoesOn { path: path.to_owned(), file, bytes })
}

fn require_same_target(file: &Path, kept: Kept, is_to_file: bool) -> Result<(), ExportError> {
    let found = match (kept.bytes, is_to_file) {
        (Some(_), false) => "a file",
        (None, true) => "stdout",
        _ => return Ok(()),
    };
    Err(ExportError::OtherTarget { path: file.to_owned(), found })
}
