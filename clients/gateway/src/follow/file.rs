//! The file in which a follower keeps what it knows across restarts.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::snapshot;
use crate::{loader::Loader, now::Now, set::RevocationSet, wire::Page};

/// Reads what was known. `None` when there is no file.
///
/// What it says is believed, and whoever can write it can have a revocation forgotten: so one that others can open is refused.
pub(super) fn read(path: &Path, bytes_max: u64, now: Now) -> io::Result<Option<(Loader, Page)>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let facts = file.metadata()?;
    if !facts.is_file() || is_open_to_others(&facts) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the snapshot file is open to others, or no file"));
    }
    let mut loader = Loader::new(now);
    let head = snapshot::read(file, bytes_max, &mut |item| loader.push(item))?;
    Ok(Some((loader, head)))
}

/// Writes what is known, so that the file is at any time the old one or the new one as a whole.
pub(super) fn write(path: &Path, bytes_max: u64, set: &RevocationSet, time: DateTime<Utc>) -> io::Result<()> {
    let beside = beside(path)?;
    let written = set.with_items(|mark, items| {
        // What a process left behind that ended while it wrote.
        let _ = fs::remove_file(&beside);
        let to = Bounded { to: BufWriter::new(create(&beside)?), left: bytes_max };
        snapshot::write(to, mark, time, items)?;
        File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)?;
        sync_directory(path)
    });
    match written {
        Some(Err(error)) => {
            let _ = fs::remove_file(&beside);
            Err(error)
        }
        Some(Ok(())) | None => Ok(()),
    }
}

/// A name of this process's own in the same directory.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    Ok(path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id())))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn is_open_to_others(facts: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

/// The new name is durable only once its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Fails where more would be written than may be read again.
struct Bounded<W> {
    to: W,
    left: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.left = self.left.checked_sub(written as u64).ok_or_else(|| io::Error::other("it would be too long"))?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::{
        Verdict,
        wire::{Digest, Item, Mark},
    };

    const BYTES_MAX: u64 = 100_000;

    fn now() -> Now {
        Now::new(DateTime::UNIX_EPOCH, Duration::ZERO)
    }

    fn set(position: i64) -> RevocationSet {
        let set = RevocationSet::new(Duration::from_secs(5));
        let mut loader = Loader::new(now());
        loader.push(&Item::Revoked { jti: Uuid::from_u128(1), exp: 4_000_000_000, effective_from: None });
        let mark = Mark { log_id: Uuid::nil(), position, digest: Digest([1; 32]) };
        set.restore(loader, &head(mark)).unwrap();
        set
    }

    fn head(mark: Mark) -> Page {
        let time = DateTime::UNIX_EPOCH;
        let (items, next) = (Vec::new(), None);
        Page { mark, after: None, piece: 0, is_partial: false, time, staleness_ms: 0, next, has_more: false, items }
    }

    #[test]
    fn what_is_written_is_known_after_a_restart_and_nobody_else_can_read_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("revocations.json");
        assert!(read(&path, BYTES_MAX, now()).unwrap().is_none());
        fs::write(home.path().join(format!(".revocations.json.{}", std::process::id())), "left behind").unwrap();

        for position in [3, 4] {
            write(&path, BYTES_MAX, &set(position), DateTime::UNIX_EPOCH).unwrap();

            let (loader, head) = read(&path, BYTES_MAX, now()).unwrap().unwrap();
            let after = RevocationSet::new(Duration::from_secs(5));
            after.restore(loader, &head).unwrap();
            assert_eq!(head.mark.position, position);
            assert_eq!(after.check(Uuid::from_u128(1), "", now()), Verdict::Revoked);
            assert_eq!(after.check(Uuid::from_u128(2), "", now()), Verdict::Stale);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing else is left");
        assert!(!is_open_to_others(&fs::metadata(&path).unwrap()));
    }

    #[test]
    fn a_file_that_would_be_too_long_is_not_written_and_the_old_one_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("revocations.json");
        write(&path, BYTES_MAX, &set(3), DateTime::UNIX_EPOCH).unwrap();

        assert!(write(&path, 10, &set(4), DateTime::UNIX_EPOCH).is_err());

        assert_eq!(read(&path, BYTES_MAX, now()).unwrap().unwrap().1.mark.position, 3);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing else is left");
        assert!(read(&path, 10, now()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_open_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("revocations.json");
        write(&path, BYTES_MAX, &set(3), DateTime::UNIX_EPOCH).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();

            assert!(read(&path, BYTES_MAX, now()).is_err(), "{mode:o}");
        }
        assert!(read(home.path(), BYTES_MAX, now()).is_err(), "a directory");
    }
}
