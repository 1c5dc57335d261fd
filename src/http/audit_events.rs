//! `GET /audit/events`: the log from a position, as a JSON page or, by `Accept`, as an NDJSON stream to its end.

use std::sync::Arc;

use axum::{
    BoxError, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use super::{
    accept,
    body::position,
    caller::{Caller, PERMITTED},
    fresh::{FRESH, Fresh},
    list_tokens::limit,
    openapi::problems,
    problem::{Code, Problem},
};
use crate::{
    app::{Catalog, view::EventView},
    domain::{Path, Position, Recorded, authority::RoutePermission, causes::Causes, claims::CanonicalUuid},
    store::{
        Database, Head, StoreError,
        log::{self, Selection},
    },
};

const LIMIT_DEFAULT: u16 = 100;
const LIMIT_MAX: u16 = 1_000;
const NDJSON: &str = "application/x-ndjson";

/// Each stream holds a connection of the database for as long as its reader takes.
const STREAMS_MAX: usize = 8;
static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// After this position; from the beginning when absent.
    #[param(value_type = Option<Position>, nullable = false)]
    after: Option<String>,
    /// That speak of this token.
    #[param(nullable = false)]
    jti: Option<CanonicalUuid>,
    /// That came through this door.
    #[param(nullable = false)]
    path: Option<Path>,
    /// How many events of a page at most; 100 when absent.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, nullable = false)]
    limit: Option<String>,
}

/// A page of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(super) struct EventPage<'a> {
    /// The events, in order.
    events: Vec<EventView<'a>>,
    /// `after` of the next page; `null` on the last.
    #[schema(required)]
    next_after: Option<Position>,
    /// The end of the log.
    head: Head,
}

problems!(Problems = [PERMITTED, FRESH, &[Code::Busy]]);

/// Read the log
///
/// From a position, in order: a page, or with `Accept: application/x-ndjson` all of it up to its end at the time, an
/// event a line. A stream that breaks off for an error breaks its response off, so that a part is never taken for the
/// whole.
#[utoipa::path(
    get,
    path = "/audit/events",
    tag = "audit",
    operation_id = "readLog",
    params(Range, Fresh),
    responses(
        (status = 200, description = "The events.", content(
            (EventPage = "application/json"),
            (String = "application/x-ndjson"),
        )),
        Problems,
    ),
    security(("bearer" = ["audit.read"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    Fresh(range): Fresh<Range>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::AuditRead)?;
    let head = log::head(catalog.database().reads()).await?;
    let after = range.after.map_or(Ok(Position(0)), |after| position("after", &after))?;
    if after > head.position {
        return Err(Problem::position_ahead(after, head.position));
    }
    let selection = Selection {
        after,
        until: Some(head.position),
        jti: range.jti.map(|CanonicalUuid(jti)| jti),
        path: range.path,
        of_its_life: false,
    };
    if accept::names(&headers, NDJSON) {
        return stream(catalog.database(), selection).await;
    }
    let limit = limit(range.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let events = log::page(catalog.database().reads(), &selection, limit).await.map_err(Problem::of_reading)?;
    let is_full = events.len() == usize::from(limit);
    let next_after = events.last().filter(|_| is_full).map(|event| event.position);
    Ok(Json(EventPage { events: views(&events)?, next_after, head }).into_response())
}

/// Events as they are shown.
pub(super) fn views(events: &[Recorded]) -> Result<Vec<EventView<'_>>, Problem> {
    events.iter().map(|event| EventView::new(event).map_err(|_| Problem::internal())).collect()
}

/// A stream that breaks off for an error breaks the response off too: a truncated log never looks whole.
async fn stream(database: &Database, selection: Selection) -> Result<Response, Problem> {
    let place = STREAMS.try_acquire().map_err(|_| Problem::busy("too many event streams are open"))?;
    let span = tracing::Span::current();
    let broken = move |error: &StoreError| {
        span.in_scope(|| tracing::warn!(error = %Causes(error), "a stream of events broke off"));
    };
    let events = log::stream(database, selection).await?.inspect_err(broken);
    let lines = stream::unfold((Box::pin(events), place), async |(mut events, place)| {
        let event = events.next().await?;
        Some((event.map_err(BoxError::from).and_then(|event| line(&event)), (events, place)))
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

fn line(recorded: &Recorded) -> Result<Bytes, BoxError> {
    let mut line = serde_json::to_vec(&EventView::new(recorded)?)?;
    line.push(b'\n');
    Ok(line.into())
}
