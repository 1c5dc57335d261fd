//! `GET /audit/events`: the log from a position, as a JSON page or, by `Accept`, as an NDJSON stream to its end.

use std::{pin::pin, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::{TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use sqlx::Connection;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{body::Parameters, caller::Caller, list_tokens::limit, problem::Problem};
use crate::{
    app::{Catalog, view::EventView},
    domain::{Path, Position, Recorded, authority::RoutePermission},
    store::{
        Database, StoreError,
        log::{self, Selection},
    },
};

const LIMIT_DEFAULT: u16 = 100;
const LIMIT_MAX: u16 = 1_000;
const NDJSON: &str = "application/x-ndjson";
/// How many events wait for a slow reader before the database does.
const STREAM_BUFFER: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    #[serde(default)]
    after: u32,
    jti: Option<Uuid>,
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
    let selection =
        Selection { after: Position(range.after.into()), until: Some(head.position), jti: range.jti, path: range.path };
    if wants_stream(&headers) {
        return stream(catalog.database().clone(), selection).await;
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
async fn stream(database: Database, selection: Selection) -> Result<Response, Problem> {
    let connection = database.connect_as_writer().await.map_err(StoreError::from)?;
    let (lines, reader) = mpsc::channel::<Result<Bytes, StoreError>>(STREAM_BUFFER);
    tokio::spawn(async move {
        if let Err(error) = send(connection, selection, &lines).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an event stream broke off");
            let _ = lines.send(Err(error)).await;
        }
    });
    let body = stream::unfold(reader, async |mut reader| reader.recv().await.map(|line| (line, reader)));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(body)).into_response())
}

async fn send(
    mut connection: sqlx::PgConnection,
    selection: Selection,
    lines: &mpsc::Sender<Result<Bytes, StoreError>>,
) -> Result<(), StoreError> {
    {
        let mut query = log::select(&selection);
        let mut rows = pin!(log::rows(&mut connection, &mut query));
        while let Some(row) = rows.try_next().await? {
            if lines.send(Ok(line(&row)?)).await.is_err() {
                break;
            }
        }
    }
    connection.close().await.map_err(StoreError::from)
}

fn line(row: &log::EventRow) -> Result<Bytes, StoreError> {
    let recorded = row.decode()?;
    let unreadable = |source| StoreError::UnreadableEvent { position: row.position, source };
    let view = EventView::new(&recorded).map_err(unreadable)?;
    let mut line = serde_json::to_vec(&view).map_err(|error| unreadable(error.into()))?;
    line.push(b'\n');
    Ok(line.into())
}
