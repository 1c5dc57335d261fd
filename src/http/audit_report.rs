//! `GET /audit/report`: what the log says of a time, in the bytes that `catalog audit report` has, as they are made.

use std::{
    io::{self, BufWriter, Write},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc},
    time::timeout,
};
use utoipa::IntoParams;

use super::{
    caller::{Caller, PERMITTED, WRITE},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::Problem,
};
use crate::{
    app::{
        Catalog, CommandError,
        range::RangeError,
        report::{self, Asked, AskedError, Format},
    },
    domain::{
        AsOf, Malformed,
        audit::{Report, Scope},
        authority::RoutePermission,
        causes::Causes,
        text::{Subject, TeamId},
    },
    store::{Database, StoreError},
};

/// Each report holds a connection of the database and a thread for as long as the log is read.
const REPORTS_MAX: usize = 2;
static REPORTS: Semaphore = Semaphore::const_new(REPORTS_MAX);
/// How much of a report is sent at once, in bytes, and how many such pieces wait for a slow reader.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_WAITING: usize = 8;
/// For so long nothing is answered before there is a first piece: what cannot be read by then is told as a problem, and later
/// breaks the answer off.
const FIRST_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Query {
    /// From here on: a time, or a position such as `@120`, both of which count; from the beginning when absent.
    #[param(value_type = Option<String>, nullable = false)]
    from: Option<String>,
    /// Up to here: before a time, or up to and with a position; up to the end when absent.
    #[param(value_type = Option<String>, nullable = false)]
    to: Option<String>,
    /// What is live is told as of this time or position; as of the last event that is counted when absent.
    #[param(value_type = Option<String>, nullable = false)]
    as_of: Option<String>,
    /// Only what is about this subject's tokens.
    #[param(nullable = false)]
    sub: Option<Subject>,
    /// Only what is about tokens that reach this team.
    #[param(nullable = false)]
    team: Option<TeamId>,
    /// How it is written; `json` when absent.
    #[param(nullable = false)]
    format: Option<Format>,
}

problems!(Problems = [PERMITTED, WRITE, FRESH]);

/// Report what happened in a time
///
/// What was issued, past the API's controls too, what is live, was revoked, refused and read, and what somebody should look
/// into. The same log and range give the same bytes, here and from `catalog audit report`; the report names the log, its last
/// position and the SHA-256 over the commitments that were read. That it is made is recorded before any of it is sent
/// (`audit.read.v1`), and is not a part of it. It is sent as it is made; what breaks off for an error breaks the response off,
/// so that a part is never taken for the whole. `Accept` is not looked at.
#[utoipa::path(
    get,
    path = "/audit/report",
    tag = "audit",
    operation_id = "reportLog",
    params(Query, Fresh),
    responses(
        (status = 200, description = "The report.", content(
            (Report = "application/json"),
            (String = "text/plain"),
            (String = "text/csv"),
            (String = "text/html"),
        )),
        Problems,
    ),
    security(("bearer" = ["audit.read"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    Fresh(query): Fresh<Query>,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::AuditRead)?;
    let place = REPORTS.try_acquire().map_err(|_| Problem::busy("too many reports are being made"))?;
    let format = query.format.unwrap_or(Format::Json);
    let scope = report::scope(catalog.database(), &query.asked()?, catalog.ambient().clock.now()).await?;
    catalog.record_report(&scope, format, caller.origin).await.map_err(CommandError::from)?;
    let (pieces, mut reader) = mpsc::channel(PIECES_WAITING);
    let database = catalog.database().clone();
    let span = tracing::Span::current();
    tokio::spawn(async move {
        if let Err(error) = make(&database, scope, format, (pieces.clone(), place)).await {
            span.in_scope(|| tracing::warn!(error = %Causes(&error), "a report could not be made"));
            // Whoever reads may be gone already.
            let _ = pieces.send(Err(error)).await;
        }
    });
    let first = match timeout(FIRST_WITHIN, reader.recv()).await {
        Ok(Some(Err(error))) => return Err(Problem::of_reading(error)),
        Ok(None) => return Err(Problem::internal()),
        Ok(first) => first,
        Err(_) => None,
    };
    let rest = stream::unfold(reader, async |mut reader| reader.recv().await.map(|piece| (piece, reader)));
    let pieces = stream::iter(first).chain(rest);
    Ok(([(header::CONTENT_TYPE, format.media_type())], Body::from_stream(pieces)).into_response())
}

impl Query {
    fn asked(self) -> Result<Asked, Problem> {
        let place = |name: &str, text: Option<String>| {
            let place = text.map(|text| text.parse::<AsOf>()).transpose();
            place.map_err(|error: Malformed| Problem::malformed_parameter(name, error.to_string()))
        };
        let (from, to, as_of) = (place("from", self.from)?, place("to", self.to)?, place("as_of", self.as_of)?);
        Ok(Asked { from, to, as_of, sub: self.sub, team: self.team })
    }
}

impl From<AskedError> for Problem {
    fn from(error: AskedError) -> Self {
        match error {
            AskedError::Range(RangeError::Store(error)) => Self::of_reading(error),
            error => Self::malformed(error.to_string()),
        }
    }
}

type Pieces = mpsc::Sender<Result<Bytes, StoreError>>;

/// Reads the log and sends the report, unless its reader goes away before.
async fn make(
    database: &Database,
    scope: Scope,
    format: Format,
    (pieces, place): (Pieces, SemaphorePermit<'static>),
) -> Result<(), StoreError> {
    let mut unseen = |_| ();
    let reading = tokio::select! {
        () = pieces.closed() => return Ok(()),
        reading = report::read(database, &scope, None, &mut unseen) => reading?,
    };
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE_BYTES, Sender(pieces));
        // It only fails when its reader is gone.
        let _ = report::write(&report::report(reading), format, &mut out).and_then(|()| out.flush());
        drop(place);
    });
    Ok(())
}

/// Sends what is written to whoever reads the response. Never to be used where others wait for the thread.
struct Sender(Pieces);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
