//! `server.log`: what the server says, and its last words for an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::EmbeddedError;
use super::account::Account;
use super::child::last_lines;

/// At a start, a longer log becomes `server.log.1`.
const BYTES_MAX: u64 = 16 << 20;
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 8;

/// The log, from a place in it on.
#[derive(Debug)]
pub(super) struct ServerLog {
    path: PathBuf,
    from: u64,
}

impl ServerLog {
    /// The log as it stands, to quote what is said from now on and to let the server write.
    pub(super) fn open(pg: &Path, account: Option<&Account>) -> Result<(Self, File), EmbeddedError> {
        let path = pg.join("server.log");
        let open = || {
            rotate(&path)?;
            let file = open_to_append(&path)?;
            if let Some(account) = account {
                fchown(&file, Some(account.uid), Some(account.gid))?;
            }
            let from = file.metadata()?.len();
            Ok((from, file))
        };
        let (from, file) = open().map_err(EmbeddedError::io("write", &path))?;
        Ok((Self { path, from }, file))
    }

    /// The log of a server that somebody else started.
    pub(super) fn existing(pg: &Path) -> Self {
        Self { path: pg.join("server.log"), from: 0 }
    }

    /// The last lines, or why there are none: it is quoted in an error, and never one itself.
    pub(super) fn tail(&self) -> String {
        let read = || {
            let mut file = no_follow().read(true).open(&self.path)?;
            let length = file.metadata()?.len();
            let from = self.from.max(length.saturating_sub(TAIL_BYTES));
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let text = read().map(|bytes| last_lines(&String::from_utf8_lossy(&bytes), TAIL_LINES));
        text.unwrap_or_else(|error: io::Error| format!("{}: {error}", self.path.display()))
    }
}

fn rotate(path: &Path) -> io::Result<()> {
    let length = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
    if length > BYTES_MAX {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    Ok(())
}

fn open_to_append(path: &Path) -> io::Result<File> {
    no_follow().create(true).append(true).mode(0o600).open(path)
}

/// The directory is another user's when we are root: a link that they planted must not be followed.
fn no_follow() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}
