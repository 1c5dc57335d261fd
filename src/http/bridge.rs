//! What a bridge tells about itself: `/healthz`, `/readyz` and `/metrics`. Nothing of it is secret, and nobody needs a credential.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{self, CACHE_CONTROL},
    },
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};
use tower_http::set_header::SetResponseHeaderLayer;

use super::{metrics::rendered, request};
use crate::app::{
    Ambient,
    bridge::{Bridge, BridgeStatus, Standing},
};

/// The routes of a bridge, and what `recorder` has recorded. To be served with the peer's address as connect info.
pub fn router(bridge: Arc<Bridge>, recorder: PrometheusHandle, ambient: Ambient) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(Extension(recorder))
        .layer(from_fn_with_state(ambient, request::name))
        .with_state(bridge)
}

/// It is ready while everybody that it has to do with does what is asked for.
async fn ready(State(bridge): State<Arc<Bridge>>) -> Response {
    let BridgeStatus { sides, position, owed, lag } = bridge.status();
    let is_ready = sides.iter().all(|(_, standing)| *standing == Standing::Well);
    let checks = sides.iter().map(|(side, standing)| (side.as_str().to_owned(), json!(*standing == Standing::Well)));
    let troubles = sides.iter().filter_map(|(side, standing)| match standing {
        Standing::Trouble(why) => Some((side.as_str().to_owned(), json!(why))),
        Standing::Unknown => Some((side.as_str().to_owned(), json!("it was not asked yet"))),
        Standing::Well => None,
    });
    let body = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "checks": checks.collect::<Map<String, Value>>(),
        "troubles": troubles.collect::<Map<String, Value>>(),
        "position": position,
        "owed": owed,
        "lag_ms": u64::try_from(lag.as_millis()).unwrap_or(u64::MAX),
    });
    if is_ready {
        return Json(body).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], Json(body)).into_response()
}

async fn figures(State(bridge): State<Arc<Bridge>>, Extension(recorder): Extension<PrometheusHandle>) -> Response {
    bridge.sample();
    rendered(&recorder)
}
