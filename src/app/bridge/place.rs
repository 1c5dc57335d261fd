//! The position file: up to where in which log a gateway was told everything.

use std::{
    convert::Infallible,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use catalog_gateway::wire::{Digest, Mark};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{
    ledger::Place,
    shared::{Shared, Side},
};
use crate::{app::beside::Beside, domain::causes::Causes};

/// It names nothing personal, and whoever can write it can have a gateway told too little.
const MODE: u32 = 0o644;
const VERSION: u32 = 1;
/// How soon it is written after something was told.
const SETTLE_TIME: Duration = Duration::from_millis(100);
/// How often it is written while nothing is told and the log grows.
const IDLE_PERIOD: Duration = Duration::from_secs(2);

/// Why the position file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It cannot be read.
    #[error("the position file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is no position file of a bridge", path.display())]
    NotAPlace {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It says what another gateway was told.
    #[error("{} says what {found} was told, not {asked}", path.display())]
    OtherGateway {
        /// The file.
        path: PathBuf,
        /// The gateway that it is of.
        found: String,
        /// The one that is to be told.
        asked: String,
    },
    /// Nothing can be written there.
    #[error("the position file {} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PlaceError {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Write { .. } => "name a file in a directory that this user may write",
            Self::NotAPlace { .. } => "name another file, or remove it: then everything that is in force is told again",
            Self::OtherGateway { .. } => "name another file: each gateway has its own",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    gateway: String,
    log_id: Uuid,
    position: i64,
    digest: Digest,
    deadlines_to: DateTime<Utc>,
}

/// The position file of a gateway.
#[derive(Debug, Clone)]
pub(super) struct PlaceFile {
    path: PathBuf,
    gateway: String,
}

impl PlaceFile {
    /// The file and what it says; `None` where there is none yet. That it can be written is tried.
    pub(super) fn open(path: &Path, gateway: &str) -> Result<(Self, Option<Place>), PlaceError> {
        let file = Self { path: path.to_owned(), gateway: gateway.to_owned() };
        let place = file.read()?;
        Beside::create(path, MODE).map_err(|source| file.unwritten(source))?;
        Ok((file, place))
    }

    fn read(&self) -> Result<Option<Place>, PlaceError> {
        let path = || self.path.clone();
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| PlaceError::Read { path: path(), source })?,
        };
        let wire = serde_json::from_slice::<Wire>(&text).and_then(|wire| match wire.version {
            VERSION => Ok(wire),
            _ => Err(serde::de::Error::custom("it is of another version")),
        });
        let Wire { gateway, log_id, position, digest, deadlines_to, .. } =
            wire.map_err(|source| PlaceError::NotAPlace { path: path(), source })?;
        if gateway != self.gateway {
            return Err(PlaceError::OtherGateway { path: path(), found: gateway, asked: self.gateway.clone() });
        }
        Ok(Some(Place { mark: Mark { log_id, position, digest }, deadlines_to }))
    }

    /// Replaces what it says, on the disk, in one step.
    fn write(&self, Place { mark, deadlines_to }: Place) -> Result<(), PlaceError> {
        let Mark { log_id, position, digest } = mark;
        let wire = Wire { version: VERSION, gateway: self.gateway.clone(), log_id, position, digest, deadlines_to };
        let write = || {
            let (beside, mut file) = Beside::create(&self.path, MODE)?;
            serde_json::to_writer(&mut file, &wire)?;
            file.write_all(b"\n")?;
            beside.into_place(file)
        };
        write().map_err(|source| self.unwritten(source))
    }

    fn unwritten(&self, source: io::Error) -> PlaceError {
        PlaceError::Write { path: self.path.clone(), source }
    }
}

/// Writes the file while a bridge is at work.
pub(super) struct Writer {
    shared: Arc<Shared>,
    file: PlaceFile,
    written: Option<Mark>,
    /// Whether something was told that the file may not say.
    is_stale: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, file: PlaceFile) -> Self {
        Self { shared, file, written: None, is_stale: false }
    }

    /// Writes whenever something was told, and now and then when only the log has grown.
    pub(super) async fn forever(&mut self) -> Infallible {
        let mut written_at = Instant::now();
        loop {
            if timeout(IDLE_PERIOD, self.shared.told.notified()).await.is_ok() {
                sleep(SETTLE_TIME).await;
            }
            self.is_stale |= self.shared.ledger().take_settled();
            if self.is_stale || written_at.elapsed() >= IDLE_PERIOD {
                self.write().await;
                written_at = Instant::now();
            }
        }
    }

    /// Writes what is told by now, if that is more than before.
    pub(super) async fn write(&mut self) {
        self.is_stale |= self.shared.ledger().take_settled();
        let place = self.shared.ledger().place(self.shared.now());
        let Some(place) = place.filter(|place| self.is_stale || self.written != Some(place.mark)) else { return };
        let file = self.file.clone();
        match spawn_blocking(move || file.write(place)).await {
            Ok(Ok(())) => {
                (self.written, self.is_stale) = (Some(place.mark), false);
                self.shared.well(Side::Place);
            }
            Ok(Err(error)) => self.shared.trouble(Side::Place, &Causes(&error).to_string()),
            // The runtime ends.
            Err(_) => {}
        }
    }
}
