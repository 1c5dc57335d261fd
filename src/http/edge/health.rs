//! `GET /healthz` and `GET /readyz` of an edge: whether the process lives, and whether it can tell which tokens are good.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use catalog_gateway::follow::{Connection, Following};
use serde_json::json;

use crate::app::edge::Edge;

pub(super) async fn alive() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// It is ready while the log's end was seen within the bound, unless the catalog says that its issuer is another one.
pub(super) async fn ready(State(edge): State<Arc<Edge>>) -> Response {
    let Following { set, connection, reloads } = edge.following();
    let has_issuer = !edge.has_other_issuer();
    let is_ready = set.is_fresh && has_issuer;
    let body = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "checks": { "feed": set.is_fresh, "issuer": has_issuer },
        "connection": name(connection),
        "log_id": set.mark.as_ref().map(|mark| mark.log_id),
        "position": set.mark.as_ref().map(|mark| mark.position),
        "staleness_ms": set.staleness.map(milliseconds),
        "max_staleness_ms": milliseconds(edge.max_staleness()),
        "reloads": reloads,
    });
    if is_ready {
        return Json(body).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], Json(body)).into_response()
}

/// Its name, here and among the metrics.
pub(super) fn name(connection: Connection) -> &'static str {
    match connection {
        Connection::None => "none",
        Connection::Loading => "loading",
        Connection::Streaming => "streaming",
        Connection::Polling => "polling",
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
