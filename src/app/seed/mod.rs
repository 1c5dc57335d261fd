//! A catalog to try things on: many tokens with a history, decided, encoded and folded like any other.
//!
//! Its events carry the mark `dev-seed` in their requests' names. No token is signed, so nobody has any of them.

mod chance;
mod history;
mod log;
mod population;
mod year;

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Catalog;
use crate::{
    domain::{Actor, Event, Malformed, Position, Refusal},
    signing::KeyringError,
    store::{AppendError, Appended, Pending, StoreError, schema, tokens},
};
use history::History;
pub use log::{LogPlan, LogSeeding, SeededLog, seed_log};

/// How many commands wait or are being recorded: while one half is, the other half becomes the next batch. Small enough to
/// be decided well within the time for which a session may keep the head.
const AHEAD_MAX: usize = 400;

/// What a catalog is to be seeded with. The same plan makes the same tokens.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many tokens.
    pub tokens: u64,
    /// Which of the possible histories.
    pub seed: u64,
    /// When the history ends; it begins 90 days before.
    pub until: DateTime<Utc>,
}

/// What was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seeded {
    /// How many tokens were issued.
    pub tokens: u64,
    /// How many of them were revoked.
    pub revoked: u64,
    /// The end of the log.
    pub position: Position,
}

/// Why a catalog was not seeded, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Somebody may need what is there.
    #[error("the catalog has tokens; only one without any is seeded")]
    NotEmpty,
    /// A whole log is made only where there is none.
    #[error("the catalog has events; a log is only made where there is none")]
    HasEvents,
    /// A made-up policy is none. A defect of ours.
    #[error("a made-up policy is none: {0}")]
    Policy(String),
    /// Nothing more could be made up. A defect of ours.
    #[error("nothing comes of what is made up after position {position}")]
    Stuck {
        /// The last position.
        position: Position,
    },
    /// The keys cannot be made.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The schema does not fit.
    #[error(transparent)]
    Schema(#[from] schema::SchemaError),
    /// A thread did not come to its end. A defect of ours.
    #[error("a thread did not come to its end")]
    Thread(#[from] tokio::task::JoinError),
    /// What was made up is not well-formed. A defect of ours.
    #[error("a made-up request is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// It was refused, which is a defect of ours, or could not be recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The database could not say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Catalog {
    /// Fills an empty catalog on behalf of `operator`. `progress` is told how many tokens there are.
    ///
    /// # Errors
    /// [`SeedError`]; what was recorded before it stays.
    pub async fn seed(
        &self,
        plan: Plan,
        operator: Actor,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Seeded, SeedError> {
        if tokens::are_there(self.database.reads()).await? {
            return Err(SeedError::NotEmpty);
        }
        let mut seeded = Seeded::default();
        let mut waiting: VecDeque<Pending> = VecDeque::with_capacity(AHEAD_MAX);
        let signer = self.live().settings.active.clone().ok_or(AppendError::Refused(Refusal::NotConfigured))?;
        for command in History::new(plan, signer, operator) {
            if waiting.len() == AHEAD_MAX
                && let Some(first) = waiting.pop_front()
            {
                seeded.count(&first.outcome().await?);
                progress(seeded.tokens);
            }
            waiting.push_back(self.appender.enqueue(command?)?);
        }
        for last in waiting {
            seeded.count(&last.outcome().await?);
            progress(seeded.tokens);
        }
        schema::vacuum(&self.database).await?;
        Ok(seeded)
    }
}

impl Seeded {
    fn count(&mut self, appended: &Appended) {
        self.position = appended.position;
        for recorded in &appended.events {
            match recorded.occurrence.event {
                Event::TokenIssued(_) => self.tokens += 1,
                Event::TokenRevoked(_) => self.revoked += 1,
                _ => {}
            }
        }
    }
}
