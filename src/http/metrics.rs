//! `GET /metrics`: what this process counted and measured, in the text format of Prometheus. It says how much and how
//! fast, never who: no label is taken from a request, a token or a person.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::timeout;

use super::openapi::problems;
use crate::{
    app::{self, Catalog},
    domain::{Position, origin::Path},
    store::{
        Connections, StoreError,
        appender::QUEUE_MAX,
        follower::Followed,
        log,
        tally::{self, Tally},
    },
};

const REQUESTS: &str = "catalog_http_requests_total";
const DURATION: &str = "catalog_http_request_duration_seconds";
const QUEUE: &str = "catalog_append_queue_commands";
const QUEUE_SIZE: &str = "catalog_append_queue_commands_max";
const WAITING: &str = "catalog_check_queue_tokens";
const LIVE: &str = "catalog_live_tokens";
const FOLLOWED: &str = "catalog_followed_position";
const STALENESS: &str = "catalog_staleness_seconds";
const CONNECTIONS: &str = "catalog_database_connections";
const CONNECTIONS_MAX: &str = "catalog_database_connections_max";
const UP: &str = "catalog_database_up";
const POSITION: &str = "catalog_log_position";
const ISSUED: &str = "catalog_tokens_issued_total";
const REVOKED: &str = "catalog_tokens_revoked_total";
const RULES: &str = "catalog_revocation_rules_total";

/// The upper bounds of the histogram.
pub const BUCKETS: [(&str, &[f64]); 1] =
    [(DURATION, &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])];

/// How long the database may take: who scrapes does not wait for long, and wants to know of a database that is gone.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
/// The most events that one scrape counts. What is beyond them is left to the next.
const EVENTS_MAX: i64 = 200_000;

/// The recorder's contents, and how far into the log they reach.
#[derive(Clone)]
pub(super) struct Metrics {
    recorded: PrometheusHandle,
    counted: Arc<AtomicI64>,
}

impl Metrics {
    /// What happened up to `begin` is not counted.
    pub(super) fn new(recorded: PrometheusHandle, begin: Position) -> Self {
        Self { recorded, counted: Arc::new(AtomicI64::new(begin.0)) }
    }

    /// Counts the log on to its end. Two that scrape at once count nothing twice.
    async fn count(&self, catalog: &Catalog) -> Result<(), StoreError> {
        let pool = catalog.database().reads();
        let head = log::head(pool).await?.position;
        let begin = self.counted.load(Ordering::Relaxed);
        let end = head.0.min(begin.saturating_add(EVENTS_MAX));
        let tallies = tally::between(pool, Position(begin), Position(end)).await?;
        if self.counted.compare_exchange(begin, end, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            for tally in tallies {
                happened(&tally);
            }
        }
        gauge!(POSITION).set(figure(head.0));
        Ok(())
    }
}

problems!(Problems = []);

/// Figures for Prometheus
///
/// In its text format, version 0.0.4. The manual says what each means. No figure names a person, a token or a path.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    operation_id = "metrics",
    responses((status = 200, description = "The figures.", body = String, content_type = "text/plain"), Problems),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, Extension(metrics): Extension<Metrics>) -> Response {
    sample(&catalog);
    let is_up = matches!(timeout(READ_TIMEOUT, metrics.count(&catalog)).await, Ok(Ok(())));
    gauge!(UP).set(u8::from(is_up));
    rendered(&metrics.recorded)
}

/// All that the recorder has.
pub(super) fn rendered(recorder: &PrometheusHandle) -> Response {
    app::metrics::tell();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render()).into_response()
}

/// Describes what an edge counts, too.
pub fn describe_requests() {
    describe_counter!(REQUESTS, Unit::Count, "Requests that were answered.");
    describe_histogram!(DURATION, Unit::Seconds, "From a request's head to the head of its answer.");
}

/// Describes the metrics to the recorder, and begins each series whose labels are known at nought.
pub fn describe() {
    describe_requests();
    describe_gauge!(QUEUE, Unit::Count, "Commands that wait for the appender.");
    describe_gauge!(QUEUE_SIZE, Unit::Count, "The most commands that may wait for the appender.");
    describe_gauge!(WAITING, Unit::Count, "Tokens that checks ask for and that no statement reads yet.");
    describe_gauge!(LIVE, Unit::Count, "Tokens that checks are answered about from memory.");
    describe_gauge!(FOLLOWED, Unit::Count, "The position up to which the log is in memory.");
    describe_gauge!(STALENESS, Unit::Seconds, "For how long the end of the log has not been seen.");
    describe_gauge!(CONNECTIONS, Unit::Count, "Connections to the database that reads go through.");
    describe_gauge!(CONNECTIONS_MAX, Unit::Count, "The most connections to the database that reads go through.");
    describe_gauge!(UP, Unit::Count, "1 if the log could be read for this scrape, else 0.");
    describe_gauge!(POSITION, Unit::Count, "The end of the log when it could last be read.");
    describe_counter!(ISSUED, Unit::Count, "Tokens in the log that were issued since this process started.");
    describe_counter!(REVOKED, Unit::Count, "Tokens in the log that were revoked by name since this process started.");
    describe_counter!(RULES, Unit::Count, "Rules in the log that revoked tokens since this process started.");
    for path in Path::ALL {
        happened(&Tally { path, issued: 0, revoked: 0, rules: 0 });
    }
}

/// A request was answered.
pub(super) fn answered(route: &str, method: &Method, status: StatusCode, elapsed: Duration) {
    let (route, method) = (route.to_owned(), name(method));
    histogram!(DURATION, "route" => route.clone(), "method" => method).record(elapsed);
    counter!(REQUESTS, "route" => route, "method" => method, "status" => status.as_str().to_owned()).increment(1);
}

/// A method's name. Clients can make up any word for one, so those of no route of ours are one.
pub(super) fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn happened(tally: &Tally) {
    let path = tally.path.as_str();
    counter!(ISSUED, "path" => path).increment(tally.issued);
    counter!(REVOKED, "path" => path).increment(tally.revoked);
    counter!(RULES, "path" => path).increment(tally.rules);
}

/// What has a value at any time, as it is now.
fn sample(catalog: &Catalog) {
    for Connections { pool, in_use, idle, max } in catalog.connections() {
        gauge!(CONNECTIONS, "pool" => pool, "state" => "in_use").set(in_use);
        gauge!(CONNECTIONS, "pool" => pool, "state" => "idle").set(idle);
        gauge!(CONNECTIONS_MAX, "pool" => pool).set(max);
    }
    gauge!(QUEUE).set(u32::try_from(catalog.commands_waiting()).unwrap_or(u32::MAX));
    gauge!(WAITING).set(u32::try_from(catalog.checks_waiting()).unwrap_or(u32::MAX));
    if let Some(Followed { tokens, position, staleness }) = catalog.followed() {
        gauge!(LIVE).set(u32::try_from(tokens).unwrap_or(u32::MAX));
        gauge!(FOLLOWED).set(figure(position.0));
        gauge!(STALENESS).set(staleness.as_secs_f64());
    }
    gauge!(QUEUE_SIZE).set(u32::try_from(QUEUE_MAX).unwrap_or(u32::MAX));
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers, and 2^53 events are not reached")]
fn figure(count: i64) -> f64 {
    count as f64
}
