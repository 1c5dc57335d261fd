//! A connection that is kept from one read to the next, where a pool would ask before and after each whether it still lives.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{Instant, timeout};

use super::{Database, StoreError, Trouble, postgres::bounded};

/// How long a kept connection may take to answer: past it, it is taken for dead. With the time between two looks at the
/// log that is less than the second within which every server knows of what another has appended.
const KEPT_TIMEOUT: Duration = Duration::from_millis(500);
/// After so long without a read something between here and there may have forgotten the connection.
const UNUSED_MAX: Duration = Duration::from_mins(10);

/// A session of its own, made when it is first needed and again once it is of no use.
#[derive(Debug)]
pub(super) struct Kept {
    database: Database,
    connection: Option<(PgConnection, Instant)>,
}

impl Kept {
    /// Nothing is connected yet.
    pub(super) fn new(database: &Database) -> Self {
        Self { database: database.clone(), connection: None }
    }

    /// Whether there is a connection, as far as anybody knows.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Reads within a read's time. A connection that was good at the last read may have died since: then the same is read
    /// once more on a new one. When nobody waits any more it is not kept.
    pub(super) async fn read<T>(
        &mut self,
        read: impl AsyncFn(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let kept = self.connection.take().filter(|(_, used)| used.elapsed() < UNUSED_MAX);
        if self.database.is_closed() {
            return Err(sqlx::Error::PoolClosed.into());
        }
        bounded(async {
            if let Some((mut connection, _)) = kept
                && let Ok(said) = timeout(KEPT_TIMEOUT, read(&mut connection)).await
                && !said.as_ref().is_err_and(is_of_session)
            {
                self.connection = Some((connection, Instant::now()));
                return said;
            }
            let mut connection = self.database.connect_as_writer().await?;
            let said = read(&mut connection).await?;
            self.connection = Some((connection, Instant::now()));
            Ok(said)
        })
        .await
    }
}

/// Whether another session may answer what this one did not.
fn is_of_session(error: &StoreError) -> bool {
    let is_stopping = |trouble: &Trouble| *trouble == Trouble::StartingOrStopping;
    matches!(error, StoreError::Unavailable(_))
        || matches!(error, StoreError::Unable { trouble, .. } if is_stopping(trouble))
}
