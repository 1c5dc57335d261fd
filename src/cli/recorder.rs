//! The recorder of a server's metrics: the one place that installs it.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    app::{self, bridge},
    http, store,
};

/// How often samples are gathered into their histograms, so that they do not pile up where nobody scrapes.
const GATHER_PERIOD: Duration = Duration::from_secs(5);

/// Installs the recorder of a server, which began at `now`.
pub(super) fn install(now: DateTime<Utc>) -> Result<PrometheusHandle, BuildError> {
    let recorder = begin(now)?;
    store::metrics::describe();
    app::metrics::describe();
    http::metrics::describe();
    Ok(recorder)
}

/// Installs the recorder of an edge, which began at `now`.
pub(super) fn install_at_edge(now: DateTime<Utc>) -> Result<PrometheusHandle, BuildError> {
    let recorder = begin(now)?;
    app::metrics::describe_checks();
    http::metrics::describe_requests();
    http::edge::metrics::describe();
    Ok(recorder)
}

/// Installs the recorder of a bridge, which began at `now`.
pub(super) fn install_at_bridge(now: DateTime<Utc>) -> Result<PrometheusHandle, BuildError> {
    let recorder = begin(now)?;
    http::metrics::describe_requests();
    bridge::metrics::describe();
    Ok(recorder)
}

fn begin(now: DateTime<Utc>) -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    let ours = store::metrics::BUCKETS.into_iter().chain(http::metrics::BUCKETS).chain([bridge::metrics::BUCKETS]);
    for (name, bounds) in ours {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
    }
    let recorder = builder.install_recorder()?;
    describe_process(now);
    Ok(recorder)
}

/// Gathers samples, for as long as it is polled.
pub(super) async fn gather(recorder: &PrometheusHandle) -> Infallible {
    let mut period = interval(GATHER_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        recorder.run_upkeep();
    }
}

fn describe_process(now: DateTime<Utc>) {
    const BUILD: &str = "catalog_build_info";
    const START: &str = "process_start_time_seconds";
    describe_gauge!(BUILD, Unit::Count, "Always 1; its label is the program's version.");
    describe_gauge!(START, Unit::Seconds, "When the process started, in seconds since 1970.");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
    gauge!(START).set(u32::try_from(now.timestamp()).unwrap_or_default());
}
