//! Forgetting: the names of requests are remembered for a day, and then a server removes them.

use std::{convert::Infallible, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::Catalog;
use crate::{
    domain::{causes::Causes, idempotency::remembered_for},
    store::{
        StoreError,
        idempotency::{self, SWEEP_MAX},
    },
};

/// How often names are swept. Until then they only take room: one that ran out is not recognised any more.
const SWEEP_PERIOD: Duration = Duration::from_hours(1);

impl Catalog {
    /// Forgets the names of requests that were answered too long ago to be repeated, and tells how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let until = self.ambient.clock.now() - remembered_for();
        let mut swept = 0;
        loop {
            let some = idempotency::sweep(&self.database, until).await?;
            swept += some;
            if some < SWEEP_MAX {
                return Ok(swept);
            }
        }
    }

    /// Sweeps now and then again and again, for as long as it is polled. What goes wrong is told, and tried again.
    pub async fn keep_swept(&self) -> Infallible {
        let mut period = interval(SWEEP_PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            period.tick().await;
            match self.sweep().await {
                Ok(swept) => tracing::debug!(swept, "names of requests were swept"),
                Err(error) => tracing::warn!(error = %Causes(&error), "names of requests could not be swept"),
            }
        }
    }
}
