//! Advisory locks on files: who uses the cluster, and who is starting or stopping it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::EmbeddedError;

/// A start can take minutes while Postgres recovers; whoever waits for it waits a little longer.
const WAIT_MAX: Duration = Duration::from_secs(330);
const POLL: Duration = Duration::from_millis(10);
const ANNOUNCE_AFTER: Duration = Duration::from_secs(2);

/// A lock that is held until it is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the exclusive lock on `path`, not for ever.
    pub(super) fn exclusive(path: &Path, announce: &mut dyn FnMut(&str)) -> Result<Self, EmbeddedError> {
        let lock = Self::open(path)?;
        let from = Instant::now();
        let mut announced = false;
        while !lock.try_exclusive()? {
            if from.elapsed() >= WAIT_MAX {
                return Err(lock.locked(WAIT_MAX));
            }
            if !announced && from.elapsed() >= ANNOUNCE_AFTER {
                announce("waiting for another process that is starting or stopping PostgreSQL");
                announced = true;
            }
            thread::sleep(POLL);
        }
        Ok(lock)
    }

    /// Takes the shared lock on `path`. Nobody holds it exclusively but under a lock that the caller has.
    pub(super) fn shared(path: &Path) -> Result<Self, EmbeddedError> {
        let lock = Self::open(path)?;
        match lock.file.try_lock_shared() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(lock.locked(Duration::ZERO)),
            Err(TryLockError::Error(error)) => Err(EmbeddedError::io("lock", path)(error)),
        }
    }

    /// Whether the lock is now held exclusively. A shared one may be lost when it is not.
    pub(super) fn try_exclusive(&self) -> Result<bool, EmbeddedError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(EmbeddedError::io("lock", &self.path)(error)),
        }
    }

    fn open(path: &Path) -> Result<Self, EmbeddedError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(EmbeddedError::io("open", path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    fn locked(&self, waited: Duration) -> EmbeddedError {
        EmbeddedError::Locked { path: self.path.clone(), seconds: waited.as_secs() }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, were it not for a child between fork and exec: it shares the open file for an instant, and
        // the last holder would take that for another user of the cluster.
        let _ = self.file.unlock();
    }
}
