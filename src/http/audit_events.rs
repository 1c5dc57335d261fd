//! `GET /audit/events`: the log from a position, as a JSON page or, by `Accept`, as an NDJSON stream to its end.

use std::sync::Arc;

use axum::{
    BoxError, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{body::Parameters, caller::Caller, list_tokens::limit, problem::Problem};
use crate::{
    app::{Catalog, view::EventView},
    domain::{Path, Position, Recorded, authority::RoutePermission},
    store::{
        Database,
        log::{self, Selection},
    },
};

const LIMIT_DEFAULT: u16 = 100;
const LIMIT_MAX: u16 = 1_000;
const NDJSON: &str = "application/x-ndjson";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    #[serde(default)]
    after: u64,
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
    let selection = Selection {
        after: Position(i64::try_from(range.after).unwrap_or(i64::MAX)),
        until: Some(head.position),
        jti: range.jti,
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
    let lines = log::stream(database, selection).await?.map(|event| line(&event?));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

fn line(recorded: &Recorded) -> Result<Bytes, BoxError> {
    let mut line = serde_json::to_vec(&EventView::new(recorded)?)?;
    line.push(b'\n');
    Ok(line.into())
}
