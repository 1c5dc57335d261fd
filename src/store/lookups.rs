//! The tokens that checks ask for, by identifier: what is asked for while every connection is busy shares the next
//! statement. Nothing lingers, and nothing is remembered: each answer was read after it was asked for.

use std::{collections::HashMap, sync::Arc};

use sqlx::{PgPool, Postgres, pool::PoolConnection};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Database, StoreError, postgres::bounded, tokens};
use crate::domain::Token;

/// The most identifiers in one statement.
const BATCH_MAX: usize = 500;
/// The most that wait for a connection.
const QUEUE_MAX: usize = 8_192;

/// Where checks ask.
#[derive(Debug, Clone)]
pub struct Lookups {
    queue: mpsc::Sender<Asked>,
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
        tokio::spawn(serve(asked, database.checks().clone()));
        Self { queue }
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

/// The connection comes first: whoever asks while it is waited for comes along.
async fn serve(mut asked: mpsc::Receiver<Asked>, pool: PgPool) {
    while let Some(first) = asked.recv().await {
        let connection = pool.acquire().await;
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = asked.try_recv()
        {
            batch.push(next);
        }
        match connection {
            Ok(connection) => drop(tokio::spawn(answer(connection, batch))),
            Err(error) => refuse(batch, error.into()),
        }
    }
}

/// A row that cannot be read fails alone.
async fn answer(mut connection: PoolConnection<Postgres>, batch: Vec<Asked>) {
    let ids: Vec<Uuid> = batch.iter().map(|asked| asked.jti).collect();
    match bounded(tokens::by_jti(&mut *connection, &ids)).await {
        Ok(found) => {
            let found: HashMap<Uuid, Token> = found.into_iter().map(|token| (token.jti, token)).collect();
            for asked in batch {
                let token = found.get(&asked.jti).cloned();
                asked.answer(Ok(token));
            }
        }
        Err(error) if error.is_passing() || batch.len() == 1 => refuse(batch, error),
        Err(_) => {
            for asked in batch {
                let found = bounded(tokens::by_jti(&mut *connection, &[asked.jti])).await;
                asked.answer(found.map(|mut found| found.pop()));
            }
        }
    }
}

fn refuse(batch: Vec<Asked>, error: StoreError) {
    let error = Arc::new(error);
    for asked in batch {
        asked.answer(Err(StoreError::Shared(error.clone())));
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
