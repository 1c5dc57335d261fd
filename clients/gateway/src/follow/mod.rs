//! Follows the feed of a catalog: the snapshot, then its event stream; pages where a proxy holds the stream back; and a file
//! that remembers what was known.

pub mod changes;
mod events;
mod file;
mod keep;
mod page;
mod pause;
mod run;
mod snapshot;
mod stream;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

pub use pause::Pauses;

use crate::{
    client::{AskError, Catalog},
    error::ApplyError,
    now::Now,
    set::{RevocationSet, Status},
};

/// How a feed is followed. The defaults fit a catalog as it comes, and a longest staleness of 5 s.
#[derive(Debug, Clone)]
pub struct Settings {
    /// After how long without a page or a heartbeat the stream is given up: three heartbeats.
    pub silence_max: Duration,
    /// How long a page, or the beginning of a stream, may take to come.
    pub answer_time_max: Duration,
    /// How long the beginning of a snapshot may take to come.
    pub snapshot_time_max: Duration,
    /// How often pages are asked for where the stream is held back.
    pub poll_interval: Duration,
    /// After how long there the stream is tried again.
    pub stream_again_after: Duration,
    /// The first pause after a failure. Each further one is twice as long, and all are cut short by chance.
    pub pause_min: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// The longest page.
    pub page_bytes_max: usize,
    /// The longest snapshot: about 110 bytes for each token. The file, too.
    pub snapshot_bytes_max: u64,
    /// Where what is known is kept across restarts. In a directory where nobody else may write.
    pub file: Option<PathBuf>,
    /// How often the file is written at most.
    pub file_interval: Duration,
    /// The clocks.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            silence_max: Duration::from_secs(3),
            answer_time_max: Duration::from_millis(1_500),
            snapshot_time_max: Duration::from_secs(30),
            poll_interval: Duration::from_millis(500),
            stream_again_after: Duration::from_mins(1),
            pause_min: Duration::from_millis(100),
            pause_max: Duration::from_secs(2),
            page_bytes_max: 8 * 1024 * 1024,
            snapshot_bytes_max: 2 * 1024 * 1024 * 1024,
            file: None,
            file_interval: Duration::from_mins(1),
            clock: Clock::machine(),
        }
    }
}

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// This machine's clocks.
    #[must_use]
    pub fn machine() -> Self {
        Self::of(Now::read)
    }

    /// Other ones, for tests.
    #[must_use]
    pub fn of(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}

/// How a follower is in touch with the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connection {
    /// Not at all: it has just begun, or waits before it asks again.
    #[default]
    None,
    /// It loads a snapshot.
    Loading,
    /// By the event stream.
    Streaming,
    /// By pages, because the stream is held back on its way.
    Polling,
}

/// What a follower knows of the log, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// What is known, and since when.
    pub set: Status,
    /// How it hears of more.
    pub connection: Connection,
    /// How often a snapshot had to be loaded because what came did not fit what was known.
    pub reloads: u64,
}

/// Follows a catalog's feed in the background until it is dropped.
///
/// ```no_run
/// use std::time::Duration;
/// use catalog_gateway::{Now, RevocationSet, client::{Catalog, Credential}, follow::{Follower, Settings}};
///
/// # async fn example(secret: secrecy::SecretString, token: uuid::Uuid) -> Result<(), Box<dyn std::error::Error>> {
/// let catalog = Catalog::new("https://tokens.example.com", Credential::client("edge-gateway", secret))?;
/// let set = RevocationSet::new(Duration::from_secs(5));
/// let follower = Follower::start(catalog, set.clone(), Settings::default());
/// follower.loaded().await;
///
/// let verdict = set.check(token, "the kid of its header", Now::read());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Follower {
    set: RevocationSet,
    clock: Clock,
    progress: watch::Receiver<Progress>,
    tasks: JoinSet<()>,
    keeper: Option<keep::Keeper>,
}

/// What the tasks tell.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    connection: Connection,
    is_loaded: bool,
    reloads: u64,
}

impl Follower {
    /// Begins to follow. It needs a tokio runtime with its timer and its I/O.
    #[must_use]
    pub fn start(catalog: Catalog, set: RevocationSet, settings: Settings) -> Self {
        let (tell, progress) = watch::channel(Progress::default());
        let clock = settings.clock.clone();
        let keeper = settings.file.clone().map(|path| keep::Keeper::new(path, set.clone(), &settings));
        let mut tasks = JoinSet::new();
        if let Some(keeper) = keeper.clone() {
            tasks.spawn(keeper.keep(progress.clone()));
        }
        tasks.spawn(run::Run::new(catalog, set.clone(), settings, tell, keeper.clone()).forever());
        Self { set, clock, progress, tasks, keeper }
    }

    /// What is followed.
    #[must_use]
    pub fn set(&self) -> &RevocationSet {
        &self.set
    }

    /// What is known, and how.
    #[must_use]
    pub fn status(&self) -> Following {
        let Progress { connection, reloads, .. } = *self.progress.borrow();
        Following { set: self.set.status(self.clock.now()), connection, reloads }
    }

    /// Returns once the catalog was heard for the first time.
    pub async fn loaded(&self) {
        // An error would mean that the task is gone, and then nothing will ever be loaded.
        if self.progress.clone().wait_for(|progress| progress.is_loaded).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends, and writes the file once more if there is one.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        if let Some(keeper) = self.keeper.take() {
            keeper.write().await;
        }
    }
}

/// Why a round of following ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The catalog could not be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The stream said nothing for too long. It may never have said anything, as where a proxy holds it back.
    #[error("the stream was silent for {silent_ms} ms")]
    Silent {
        /// For how long.
        silent_ms: u128,
        /// Whether it had said anything.
        has_spoken: bool,
    },
    /// What the stream says comes too late to be of any use.
    #[error("what the stream says comes too late")]
    Late,
    /// The stream came to its end.
    #[error("the stream ended")]
    Over,
    /// The catalog says that its log is not the one that is known.
    #[error("the catalog asks for a reload")]
    Reload,
    /// A page does not fit.
    #[error(transparent)]
    Misfit(#[from] ApplyError),
    /// Work beside the async threads was ended with the runtime.
    #[error("the runtime ends")]
    Aborted(#[from] JoinError),
}
