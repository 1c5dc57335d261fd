//! A part of the log with the digests that bind it, read in one snapshot: whoever keeps a place can prove later that it was
//! this log, and that nothing before the place was changed since.

use std::pin::pin;

use futures_util::{Stream, TryStreamExt, stream};
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::mpsc;

use super::{
    Database, Head, StoreError,
    chain::Sha256Digest,
    head,
    log::{self, STREAM_BUFFER, Selection},
    postgres::SNAPSHOT,
};
use crate::domain::{Position, Recorded};

/// An event and the digest of all up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The event.
    pub recorded: Recorded,
    /// The digest.
    pub digest: Sha256Digest,
}

/// The end of the log, and every event behind `after` up to and with `until`, or else that end, in order, all of one
/// snapshot. At most [`STREAM_BUFFER`] events wait for their reader; the stream ends with the error that broke it off.
///
/// # Errors
/// [`StoreError`], when the connection cannot be had or the end cannot be read.
pub async fn read(
    database: &Database,
    after: Position,
    until: Option<Position>,
) -> Result<(Head, impl Stream<Item = Result<Bound, StoreError>> + Send + use<>), StoreError> {
    let mut connection = database.connect_as_writer().await?;
    // A reader that pauses, such as a full pipe, leaves the server unable to send. Nothing waits for a read.
    connection.execute("set tcp_user_timeout to 0").await?;
    connection.execute(SNAPSHOT).await?;
    let head = head::read(&mut connection).await?;
    let until = Some(until.unwrap_or(head.position));
    let selection = Selection { after, until, ..Selection::default() };
    let (events, reader) = mpsc::channel(STREAM_BUFFER);
    tokio::spawn(async move {
        if let Err(error) = send(&mut connection, &selection, &events).await {
            // Whoever reads may be gone already.
            let _ = events.send(Err(error)).await;
        }
        connection.close().await
    });
    Ok((head, stream::unfold(reader, async |mut reader| reader.recv().await.map(|event| (event, reader)))))
}

async fn send(
    connection: &mut PgConnection,
    selection: &Selection,
    events: &mpsc::Sender<Result<Bound, StoreError>>,
) -> Result<(), StoreError> {
    let mut query = log::select(selection);
    let mut rows = pin!(log::rows(connection, &mut query));
    while let Some(row) = rows.try_next().await? {
        let bound = Bound { recorded: row.decode()?, digest: row.digest()? };
        if events.send(Ok(bound)).await.is_err() {
            break;
        }
    }
    Ok(())
}
