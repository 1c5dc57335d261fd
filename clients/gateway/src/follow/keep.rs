//! Keeps the file: read once at the beginning, written when something new is known.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::spawn_blocking};

use super::{Clock, Progress, Settings, file};
use crate::{set::RevocationSet, wire::Mark};

#[derive(Debug, Clone)]
pub(super) struct Keeper {
    path: PathBuf,
    set: RevocationSet,
    bytes_max: u64,
    interval: Duration,
    clock: Clock,
    /// Held by the one that writes, in whichever thread that is.
    writing: Arc<Mutex<()>>,
}

impl Keeper {
    pub(super) fn new(path: PathBuf, set: RevocationSet, settings: &Settings) -> Self {
        let Settings { snapshot_bytes_max, file_interval, clock, .. } = settings;
        let (bytes_max, interval, clock) = (*snapshot_bytes_max, *file_interval, clock.clone());
        Self { path, set, bytes_max, interval, clock, writing: Arc::default() }
    }

    /// Learns what the file says, if there is one that can be used.
    pub(super) async fn read(&self) {
        let (keeper, now) = (self.clone(), self.clock.now());
        let read = move || -> Result<Option<Mark>, Box<dyn std::error::Error + Send + Sync>> {
            let Some((loader, head)) = file::read(&keeper.path, keeper.bytes_max, now)? else { return Ok(None) };
            keeper.set.restore(loader, &head)?;
            Ok(Some(head.mark))
        };
        let path = self.path.display();
        match spawn_blocking(read).await {
            Ok(Ok(Some(mark))) => tracing::info!(%path, position = mark.position, "the snapshot file was read"),
            Ok(Ok(None)) => tracing::info!(%path, "there is no snapshot file yet"),
            Ok(Err(error)) => tracing::warn!(%path, %error, "the snapshot file is not used"),
            // The runtime ends.
            Err(_) => {}
        }
    }

    /// Writes the file once something was loaded, and from then on whenever more is known.
    pub(super) async fn keep(self, mut progress: watch::Receiver<Progress>) {
        if progress.wait_for(|progress| progress.is_loaded).await.is_err() {
            return;
        }
        let mut written = None;
        loop {
            let mark = self.set.status(self.clock.now()).mark;
            if mark != written && self.write().await {
                written = mark;
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Whether that could be done.
    pub(super) async fn write(&self) -> bool {
        let keeper = self.clone();
        let write = move || {
            let _turn = keeper.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let time = keeper.set.latest(keeper.clock.now());
            file::write(&keeper.path, keeper.bytes_max, &keeper.set, time)
        };
        let written = spawn_blocking(write).await;
        if let Ok(Err(error)) = &written {
            tracing::warn!(path = %self.path.display(), %error, "the snapshot file cannot be written");
        }
        matches!(written, Ok(Ok(())))
    }
}
