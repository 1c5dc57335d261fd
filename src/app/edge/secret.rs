//! A secret that may be replaced where it is kept while the program runs.

use std::{
    error::Error,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;

use crate::domain::causes::Causes;

/// Reads the secret where it is kept. It may block.
pub type ReadSecret = Box<dyn Fn() -> Result<SecretString, Box<dyn Error + Send + Sync>> + Send + Sync>;

/// A secret, as it was when it was last looked at. Cheap to clone: all clones have the same.
#[derive(Clone)]
pub struct KeptSecret(Arc<Kept>);

struct Kept {
    current: RwLock<SecretString>,
    read: Option<ReadSecret>,
    is_reading: AtomicBool,
}

impl KeptSecret {
    /// One that stays as it is.
    #[must_use]
    pub fn fixed(secret: SecretString) -> Self {
        Self::make(secret, None)
    }

    /// One that was read so, and can be read again.
    #[must_use]
    pub fn read_by(secret: SecretString, read: ReadSecret) -> Self {
        Self::make(secret, Some(read))
    }

    fn make(secret: SecretString, read: Option<ReadSecret>) -> Self {
        Self(Arc::new(Kept { current: RwLock::new(secret), read, is_reading: AtomicBool::new(false) }))
    }

    /// What it is.
    #[must_use]
    pub fn current(&self) -> SecretString {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has it read again beside the async threads, unless somebody does already. Nobody waits for that. It needs a tokio runtime.
    pub fn look_again(&self) {
        if self.0.read.is_some() && !self.0.is_reading.swap(true, SeqCst) {
            let kept = self.0.clone();
            spawn_blocking(move || {
                kept.look();
                kept.is_reading.store(false, SeqCst);
            });
        }
    }
}

impl Kept {
    fn look(&self) {
        let Some(read) = &self.read else { return };
        match read() {
            Ok(secret) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                if current.expose_secret() != secret.expose_secret() {
                    *current = secret;
                    tracing::info!("the client's secret was read again, and is another one");
                }
            }
            Err(error) => tracing::warn!(error = %Causes(&*error), "the client's secret cannot be read again"),
        }
    }
}
