//! A file that is there whole or not at all: written beside its place, and moved there at the end.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file that is being written. Dropped before it is [moved](Self::into_place), it leaves nothing behind.
pub(crate) struct Beside {
    place: PathBuf,
    written: PathBuf,
    is_placed: bool,
}

impl Beside {
    /// A file for that place, with these permissions as far as the process's mask lets them be.
    pub(crate) fn create(place: &Path, mode: u32) -> io::Result<(Self, BufWriter<File>)> {
        let Some(name) = place.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let written = place.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&written)?;
        Ok((Self { place: place.to_owned(), written, is_placed: false }, BufWriter::new(file)))
    }

    /// Moves what was written to its place, where it takes that of an older file.
    pub(crate) fn into_place(mut self, file: BufWriter<File>) -> io::Result<()> {
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.written, &self.place)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_placed {
            // Whatever keeps it from going, nobody takes it for the file.
            let _ = fs::remove_file(&self.written);
        }
    }
}
