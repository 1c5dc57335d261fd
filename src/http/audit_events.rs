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
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{body::Parameters, caller::Caller, list_tokens::limit, problem::Problem};
use crate::{
    app::{Catalog, view::EventView},
    domain::{Path, Position, Recorded, authority::RoutePermission, causes::Causes, claims::CanonicalUuid},
    store::{
        Database, StoreError,
        log::{self, Selection},
    },
};

const LIMIT_DEFAULT: u16 = 100;
const LIMIT_MAX: u16 = 1_000;
const NDJSON: &str = "application/x-ndjson";

/// Each stream holds a connection of the database for as long as its reader takes.
const STREAMS_MAX: usize = 8;
static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    #[serde(default)]
    after: u64,
    jti: Option<CanonicalUuid>,
    path: Option<Path>,
    limit: Option<u16>,
}

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    headers: HeaderMap,
    Parameters(range): Parameters<Range>,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::AuditRead)?;
    let head = log::head(catalog.database().reads()).await?;
    let selection = Selection {
        after: Position(i64::try_from(range.after).unwrap_or(i64::MAX)),
        until: Some(head.position),
        jti: range.jti.map(|CanonicalUuid(jti)| jti),
        path: range.path,
    };
    if wants_stream(&headers) {
        return stream(catalog.database(), selection).await;
    }
    let limit = limit(range.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let events = log::page(catalog.database().reads(), &selection, limit).await?;
    let is_full = events.len() == usize::from(limit);
    let next_after = events.last().filter(|_| is_full).map(|event| event.position);
    Ok(Json(json!({ "events": views(&events)?, "next_after": next_after, "head": head })).into_response())
}

/// Events as they are shown.
pub(super) fn views(events: &[Recorded]) -> Result<Vec<EventView<'_>>, Problem> {
    events.iter().map(|event| EventView::new(event).map_err(|_| Problem::internal())).collect()
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|range| range.split(';').next().map(str::trim) == Some(NDJSON))
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
