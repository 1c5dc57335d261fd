//! `GET /metrics` of an edge, in the text format of Prometheus.

use std::sync::Arc;

use axum::{Extension, extract::State, response::Response};
use catalog_gateway::follow::{Connection, Following};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusHandle;

use super::health::name;
use crate::{app::edge::Edge, http::metrics::rendered};

const FRESH: &str = "catalog_edge_fresh";
const FEED: &str = "catalog_edge_feed";
const RELOADS: &str = "catalog_edge_reloads_total";
const REVOKED: &str = "catalog_edge_tokens";
const KEYS: &str = "catalog_edge_keys_compromised";
const POSITION: &str = "catalog_followed_position";
const STALENESS: &str = "catalog_staleness_seconds";

const CONNECTIONS: [Connection; 4] =
    [Connection::None, Connection::Loading, Connection::Streaming, Connection::Polling];

/// Describes the metrics to the recorder.
pub fn describe() {
    describe_gauge!(FRESH, Unit::Count, "1 while tokens can be told to be good, else 0.");
    describe_gauge!(FEED, Unit::Count, "1 for the way by which the catalog is heard.");
    describe_counter!(RELOADS, Unit::Count, "Times that everything was loaded anew because what came did not fit.");
    describe_gauge!(REVOKED, Unit::Count, "Tokens of which it is known that they are revoked, suspended or spared.");
    describe_gauge!(KEYS, Unit::Count, "Keys of which it is known that they are compromised.");
    describe_gauge!(POSITION, Unit::Count, "The position up to which the log is known.");
    describe_gauge!(STALENESS, Unit::Seconds, "For how long the end of the log has not been seen.");
    counter!(RELOADS).increment(0);
}

pub(super) async fn handle(
    State(edge): State<Arc<Edge>>,
    Extension(recorder): Extension<PrometheusHandle>,
) -> Response {
    sample(&edge);
    rendered(&recorder)
}

fn sample(edge: &Edge) {
    let Following { set, connection, reloads } = edge.following();
    gauge!(FRESH).set(u8::from(set.is_fresh));
    for way in CONNECTIONS {
        gauge!(FEED, "connection" => name(way)).set(u8::from(way == connection));
    }
    counter!(RELOADS).absolute(reloads);
    gauge!(REVOKED).set(figure(set.tokens));
    gauge!(KEYS).set(figure(set.keys));
    if let Some(mark) = set.mark {
        gauge!(POSITION).set(position(mark.position));
    }
    if let Some(staleness) = set.staleness {
        gauge!(STALENESS).set(staleness.as_secs_f64());
    }
}

fn figure(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers, and 2^53 events are not reached")]
fn position(position: i64) -> f64 {
    position as f64
}
