//! The tokens that checks ask for, by identifier: what is asked for while statements are under way shares the next
//! statement. Nothing lingers, and nothing is remembered: each answer was read after it was asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use super::{
    Connections, Database, StoreError,
    kept::Kept,
    metrics,
    postgres::{bounded, count},
    tokens,
};
use crate::domain::Token;

/// How many statements are under way at once: one that does not answer holds up nobody but those who share it.
const TURNS: usize = 2;
/// The most identifiers in one statement.
const BATCH_MAX: usize = 500;
/// The most that wait for a turn.
const QUEUE_MAX: usize = 8_192;

/// Where checks ask.
#[derive(Debug, Clone)]
pub struct Lookups {
    queue: mpsc::Sender<Asked>,
    idle: Idle,
}

/// The connections that nobody asks by at the moment, of those that only checks ask by.
#[derive(Debug, Clone)]
struct Idle(Arc<Mutex<Vec<Kept>>>);

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for a token.
#[derive(Debug)]
struct Asked {
    jti: Uuid,
    reply: oneshot::Sender<Result<Option<Token>, StoreError>>,
}

impl Lookups {
    /// Starts the task that asks the database. It ends when the last entrance is dropped.
    #[must_use]
    pub fn start(database: &Database) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let idle = Idle(Arc::new(Mutex::new((0..TURNS).map(|_| Kept::new(database)).collect())));
        tokio::spawn(serve(asked, database.clone(), idle.clone()));
        Self { queue, idle }
    }

    /// The connections that checks ask by, now.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let waiting = self.idle.lock();
        let (in_use, idle) = (TURNS - waiting.len(), waiting.iter().filter(|kept| kept.is_connected()).count());
        Connections { pool: "checks", in_use: count(in_use), idle: count(idle), max: count(TURNS) }
    }

    /// How many wait for a statement.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// One token, as it is now.
    ///
    /// # Errors
    /// [`StoreError`]; a token that is not there is `None`.
    pub async fn get(&self, jti: Uuid) -> Result<Option<Token>, StoreError> {
        bounded(async {
            let (reply, answer) = oneshot::channel();
            self.queue.send(Asked { jti, reply }).await.map_err(|_| ended())?;
            answer.await.unwrap_or_else(|_| Err(ended()))
        })
        .await
    }
}

/// A turn comes first: whoever asks while it is waited for comes along.
async fn serve(mut asked: mpsc::Receiver<Asked>, database: Database, idle: Idle) {
    let turns = Arc::new(Semaphore::new(TURNS));
    while let Ok(turn) = turns.clone().acquire_owned().await {
        let mut batch = Vec::new();
        if asked.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        // There is one for each turn.
        let mut kept = idle.lock().pop().unwrap_or_else(|| Kept::new(&database));
        let idle = idle.clone();
        tokio::spawn(async move {
            answer(&mut kept, batch).await;
            idle.lock().push(kept);
            drop(turn);
        });
    }
}

/// Whoever gave up has been told so. A row that cannot be read fails alone.
async fn answer(kept: &mut Kept, mut batch: Vec<Asked>) {
    batch.retain(|asked| !asked.reply.is_closed());
    if batch.is_empty() {
        return;
    }
    metrics::lookup(batch.len());
    let ids: Vec<Uuid> = batch.iter().map(|asked| asked.jti).collect();
    match kept.read(async move |connection| tokens::each_by_jti(connection, ids.clone()).await).await {
        Ok(found) => {
            let found: HashMap<Uuid, Result<Token, Arc<StoreError>>> =
                found.into_iter().map(|(jti, token)| (jti, token.map_err(Arc::new))).collect();
            for asked in batch {
                let token = found.get(&asked.jti).cloned().transpose();
                asked.answer(token.map_err(StoreError::Shared));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for asked in batch {
                asked.answer(Err(StoreError::Shared(error.clone())));
            }
        }
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable(sqlx::Error::PoolClosed)
}

impl Asked {
    fn answer(self, answer: Result<Option<Token>, StoreError>) {
        // Whoever asked may have left.
        let _ = self.reply.send(answer);
    }
}
