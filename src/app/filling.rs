//! Filling: what rules have revoked comes to stand in the rows of the tokens, by whichever server is at it.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::Catalog;
use crate::{
    domain::causes::Causes,
    store::{
        StoreError,
        fill::{self, FILL_MAX, Step},
    },
};

/// How often a server looks for rules that another process has added, or has left to be filled.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

impl Catalog {
    /// Fills what there is to fill, unless another process is at it, and tells how many rows there were.
    ///
    /// # Errors
    /// [`StoreError`]: what was filled stays so.
    pub async fn fill_rules(&self) -> Result<u64, StoreError> {
        let mut filled = 0;
        loop {
            // Two who read all that a rule covers would leave no processor to others where there are two.
            self.live_tokens.expanded().await;
            let begun = Instant::now();
            match fill::fill(&self.database, FILL_MAX).await? {
                Step::Done | Step::Elsewhere => return Ok(filled),
                Step::More { rows } => filled += rows,
            }
            // Half of the time the disk and the processors are somebody else's: nobody waits for this.
            sleep(begun.elapsed()).await;
        }
    }

    /// Fills whenever there is anything to fill, for as long as it is polled.
    pub(super) async fn keep_filled(&self) -> Infallible {
        let mut is_told = false;
        loop {
            match Box::pin(self.fill_rules()).await {
                Ok(rows) => {
                    is_told = false;
                    if rows > 0 {
                        tracing::info!(rows, "rows say now what rules have revoked");
                    }
                }
                // Once is enough: while the database is away every request says so.
                Err(_) if is_told => {}
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "rules cannot be filled into rows; they hold all the same");
                    is_told = true;
                }
            }
            // Nobody need have added one for there to be more.
            let _ = timeout(LOOK_PERIOD, self.rules_added.notified()).await;
        }
    }
}
