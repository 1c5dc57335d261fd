//! A file that is there whole or not at all: written beside its place, and moved there at the end.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file that is being written. Dropped before it is [moved](Self::into_place), it leaves nothing behind.
pub(crate) struct Beside {
    place: PathBuf,
    /// Beside its place; `None` where the place is no file and is written into as it comes, such as a pipe.
    written: Option<PathBuf>,
    is_placed: bool,
}

impl Beside {
    /// A file for that place, with these permissions as far as the process's mask lets them be. A link is followed, and stays
    /// one. A file that another process holds locked is not taken from it.
    pub(crate) fn create(place: &Path, mode: u32) -> io::Result<(Self, BufWriter<File>)> {
        let place = match fs::metadata(place) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(place)?;
                let beside = Self { place: place.to_owned(), written: None, is_placed: false };
                return Ok((beside, BufWriter::new(file)));
            }
            Ok(_) => fs::canonicalize(place)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !place.is_symlink() => place.to_owned(),
            Err(error) => return Err(error),
        };
        held(&place)?;
        let Some(name) = place.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let written = place.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&written)?;
        Ok((Self { place, written: Some(written), is_placed: false }, BufWriter::new(file)))
    }

    /// Moves what was written to its place, where it takes that of an older file.
    pub(crate) fn into_place(mut self, file: BufWriter<File>) -> io::Result<()> {
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(written) = &self.written {
            file.sync_all()?;
            let _replaced = held(&self.place)?;
            fs::rename(written, &self.place)?;
            self.is_placed = true;
        }
        Ok(())
    }
}

/// Whoever goes on with a file holds it locked, and would write on into one that is nowhere any more. The file, if there is one, on
/// which nobody can begin meanwhile.
fn held(place: &Path) -> io::Result<Option<File>> {
    // That it cannot be read or locked is no reason not to replace it.
    let Ok(file) = File::open(place) else { return Ok(None) };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process is writing it"))
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(written) = self.written.as_ref().filter(|_| !self.is_placed) {
            // Whatever keeps it from going, nobody takes it for the file.
            let _ = fs::remove_file(written);
        }
    }
}
