//! Ctrl-C and SIGTERM: the first asks a command to come to its end, the second ends the process at once.

use std::sync::{Arc, OnceLock};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::CliError;

/// Exit code of an interrupted command, as shells count it: 128 and the number of SIGINT.
pub(super) const INTERRUPTED: u8 = 130;

/// Whether and since when the process is asked to end.
#[derive(Clone)]
pub(super) struct Interrupt {
    asked: CancellationToken,
    at: Arc<OnceLock<Instant>>,
}

impl Interrupt {
    /// Takes over both signals for the rest of the process.
    pub(super) fn install() -> Result<Self, CliError> {
        let mut signals = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let interrupt = Self { asked: CancellationToken::new(), at: Arc::default() };
        let ours = interrupt.clone();
        tokio::spawn(async move {
            next(&mut signals).await;
            ours.at.get_or_init(Instant::now);
            ours.asked.cancel();
            next(&mut signals).await;
            // What is left behind is what a crash would leave, and the next start takes it up.
            std::process::exit(INTERRUPTED.into());
        });
        Ok(interrupt)
    }

    /// Waits until the process is asked to end, and returns when that was.
    pub(super) async fn asked(&self) -> Instant {
        self.asked.cancelled().await;
        *self.at.get_or_init(Instant::now)
    }

    /// Since when the process is asked to end, if it is.
    pub(super) fn since(&self) -> Option<Instant> {
        self.at.get().copied()
    }

    /// The work's outcome, unless the process is asked to end before it is there.
    pub(super) async fn or<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        tokio::select! {
            biased;
            _ = self.asked() => Err(CliError::Interrupted),
            outcome = work => outcome,
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(CliError::Signals)
}

async fn next((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
