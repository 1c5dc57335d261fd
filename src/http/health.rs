//! `GET /healthz` and `GET /readyz`: whether the process lives, and whether it can do its work.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::problems;
use crate::{
    app::Catalog,
    store::{
        follower::{Stale, Staleness},
        postgres::bounded,
        schema,
    },
};

/// That the process lives.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: Alive,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Alive {
    Ok,
}

/// Whether the process can do its work.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether every check is a yes.
    status: Ready,
    /// What it takes, each by itself.
    checks: Checks,
    /// For how long the end of the log has not been seen; `null` unless and until it is followed.
    #[schema(required)]
    staleness_ms: Option<u64>,
    /// Past how many of them the live tokens are too old.
    max_staleness_ms: u64,
    /// What is done then: `deny`, the log is asked, and who asks gets 503 if it cannot be; `allow`, checks go on from what is
    /// known.
    stale: StaleWay,
}

#[derive(Serialize, ToSchema)]
enum Ready {
    #[serde(rename = "ready")]
    Yes,
    #[serde(rename = "not ready")]
    No,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StaleWay {
    Deny,
    Allow,
}

/// What it takes to be ready.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each check is a yes or a no")]
struct Checks {
    /// The database is reachable.
    database: bool,
    /// Its schema is this program's.
    schema: bool,
    /// The key that signs is here.
    signing_key: bool,
    /// What is told to this process is recorded.
    appender: bool,
    /// The live tokens are in memory, and the end of the log was seen within the last seconds.
    live_tokens: bool,
}

problems!(Problems = []);

/// Whether the process lives
///
/// It says nothing of the database; see `/readyz`.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "server",
    operation_id = "alive",
    responses((status = 200, description = "It lives.", body = Health), Problems),
)]
pub(super) async fn alive() -> Response {
    Json(Health { status: Alive::Ok }).into_response()
}

/// Whether the process can do its work
///
/// The database is reachable, its schema is this program's, the signing key is here, and the log is followed.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "server",
    operation_id = "ready",
    responses(
        (status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "It cannot; `checks` says why.", body = Readiness, headers(
            ("retry-after" = u64, description = "After how many seconds to ask again."),
        )),
        Problems,
    ),
)]
pub(super) async fn ready(State(catalog): State<Arc<Catalog>>) -> Response {
    let (database, schema) = match bounded(async { Ok(schema::check(catalog.database()).await) }).await {
        Ok(Ok(())) => (true, true),
        Ok(Err(schema::SchemaError::Outdated { .. } | schema::SchemaError::TooNew { .. })) => (true, false),
        Ok(Err(_)) | Err(_) => (false, false),
    };
    let signing_key = catalog.can_sign();
    let appender = catalog.can_record();
    let live_tokens = !catalog.is_late();
    let is_ready = database && schema && signing_key && appender && live_tokens;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = Checks { database, schema, signing_key, appender, live_tokens };
    let Staleness { max, then } = catalog.staleness_limit();
    let body = Readiness {
        status: if is_ready { Ready::Yes } else { Ready::No },
        checks,
        staleness_ms: catalog.staleness().map(milliseconds),
        max_staleness_ms: milliseconds(max),
        stale: if then == Stale::Allow { StaleWay::Allow } else { StaleWay::Deny },
    };
    let mut response = (status, Json(body)).into_response();
    if !is_ready {
        response.headers_mut().insert(header::RETRY_AFTER, 1.into());
    }
    response
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
