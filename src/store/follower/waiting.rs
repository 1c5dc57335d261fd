//! Waiting for the memory to come to where somebody needs it.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use tokio::time::timeout;

use super::LiveTokens;
use crate::domain::Position;

/// How long somebody waits who asks for what was appended just now, or has time.
const REACH_TIMEOUT: Duration = Duration::from_secs(1);

impl LiveTokens {
    /// Waits until nothing is answered from before a position that the log has. Whether it came to that in time.
    pub async fn reach(&self, position: Position) -> bool {
        let is_there = || {
            let is_behind = self.is_behind(position);
            if is_behind {
                self.wake.notify_one();
            }
            !is_behind
        };
        self.until(is_there).await
    }

    /// Waits, but not for long, until the memory knows which tokens each rule covers: whoever has time lets it go first.
    pub async fn expanded(&self) {
        let is_expanded = || self.read().as_ref().is_none_or(|memory| memory.index.rule_to_expand().is_none());
        // Where nobody follows, nobody will know.
        if self.is_followed.load(Ordering::Relaxed) {
            self.until(is_expanded).await;
        }
    }

    /// Waits for the memory to move to where something is so. Whether it came to that in time.
    async fn until(&self, is_so: impl Fn() -> bool) -> bool {
        let moved = async {
            loop {
                let mut moved = pin!(self.moved.notified());
                moved.as_mut().enable();
                if is_so() {
                    return;
                }
                moved.await;
            }
        };
        timeout(REACH_TIMEOUT, moved).await.is_ok()
    }
}
