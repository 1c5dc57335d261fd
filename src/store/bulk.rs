//! A whole log at once, into a catalog that has none: events by `COPY`, through the codec and the chain of digests like any
//! other, and their projections by the statements that write them for every batch.

use sqlx::{Connection, Executor, PgConnection};

use super::{
    Database, Head, StoreError, chain, codec,
    copy_in::{Columns, Copied, STATEMENT},
    draft::Draft,
    fill::{self, Step},
    head, schema,
};
use crate::domain::{Position, Recorded, State, ambient::Entropy};

/// How many rows of a rule are filled at once: nobody waits for these.
const FILL_MAX: u16 = 20_000;

/// Of a session that writes much, and for what it holds nobody waits: it may pause between statements, and read whole tables.
pub(super) const UNHURRIED: &str = "set idle_in_transaction_session_timeout to 0; \
                                    set enable_seqscan to on; \
                                    set enable_hashjoin to on";

/// Events that follow each other, and the state that they make: the tokens that they are about as they were before, and all
/// of them applied. A rule is alone.
pub struct Batch {
    /// The events.
    pub events: Vec<Recorded>,
    /// The state.
    pub state: State,
}

/// The one writer of a log that was empty.
pub struct Bulk {
    database: Database,
    connection: PgConnection,
    head: Head,
}

impl Bulk {
    /// Begins a log; `None` where there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(database: &Database) -> Result<Option<Self>, StoreError> {
        let mut connection = database.connect_as_writer().await?;
        connection.execute(UNHURRIED).await?;
        let head = head::read(&mut connection).await?;
        let bulk = Self { database: database.clone(), connection, head };
        Ok((bulk.head.position == Position(0)).then_some(bulk))
    }

    /// Writes the next batch, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; also where somebody else has written.
    pub async fn write(&mut self, batch: Batch, entropy: &dyn Entropy) -> Result<(), StoreError> {
        let (mut end, mut rows) = (self.head.clone(), Copied::new());
        for recorded in &batch.events {
            push(&mut rows, &mut end, recorded, entropy)?;
        }
        let (rows, connection) = (rows.finish(), &mut self.connection);
        connection.execute("begin").await?;
        let mut copy = connection.copy_in_raw(STATEMENT).await?;
        copy.send(rows).await?;
        copy.finish().await?;
        let draft = Draft::replayed(self.head.clone(), &end, batch.state);
        if !draft.write(connection).await? {
            return Err(StoreError::Refused(sqlx::Error::Protocol("somebody else writes into the log".into())));
        }
        draft.write_rest(connection).await?;
        connection.execute("commit").await?;
        self.head = end;
        Ok(())
    }

    /// Fills what rules revoked into rows, and has the tables planned as full. Returns the end of the log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish(self) -> Result<Head, StoreError> {
        while !matches!(fill::fill(&self.database, FILL_MAX).await?, Step::Done) {}
        self.connection.close().await?;
        schema::vacuum(&self.database).await?;
        Ok(self.head)
    }
}

/// Adds an event's row, and goes on to it.
fn push(rows: &mut Copied, end: &mut Head, recorded: &Recorded, entropy: &dyn Entropy) -> Result<(), StoreError> {
    let Recorded { position, recorded_at, occurrence } = recorded;
    let encoded =
        codec::encode(occurrence).map_err(|source| StoreError::UnreadableEvent { position: position.0, source })?;
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let commitment = chain::commitment(&salt, &encoded.personal);
    let digest = chain::link(&end.digest, *position, *recorded_at, &encoded.body, &commitment);
    rows.push(&Columns {
        position: position.0,
        kind: codec::kind(&occurrence.event),
        jti: occurrence.event.jti(),
        recorded_at: *recorded_at,
        path: occurrence.origin.path.as_str(),
        request_id: occurrence.origin.request_id.as_str(),
        body: &encoded.body,
        personal: &encoded.personal,
        salt: &salt,
        commitment: &commitment,
        digest: &digest,
    });
    (end.position, end.digest, end.recorded_at) = (*position, digest, *recorded_at);
    Ok(())
}
