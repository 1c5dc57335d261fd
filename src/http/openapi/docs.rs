//! `GET /docs`: the document in a browser, from the binary alone.

use std::{
    borrow::Cow,
    io::Read,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use flate2::read::GzDecoder;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::Config;

use crate::http::{
    accept::takes_gzip,
    etag,
    problem::{Problem, no_such_route},
};

/// Nothing is loaded from anywhere else and nothing is sent anywhere else; styles are set from scripts, so they may be
/// inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("../openapi.json").validator_url("none").try_it_out_enabled(false).use_base_layout();
    Arc::new(config)
});

/// The pages below `/docs`. They are no part of the API, and so of no document.
pub(in crate::http) fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", get(file))
        .route("/docs/{*name}", get(file))
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
}

/// A file of the pages, compressed for whoever takes that. The tag is of the bytes that are sent.
async fn file(name: Option<Path<String>>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let name = name.as_ref().map_or("", |Path(name)| name.as_str());
    let file = utoipa_swagger_ui::serve(name, CONFIG.clone()).map_err(|_| Problem::internal())?;
    let Some(file) = file else { return Err(no_such_route(&uri)) };
    let is_compressed = file.gzpipped && takes_gzip(&headers);
    let bytes = if file.gzpipped && !is_compressed { unpacked(&file.bytes)? } else { packed(file.bytes) };
    let mut answer = etag::bytes(&headers, &file.content_type, bytes)?;
    let told = answer.headers_mut();
    told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    told.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        told.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(answer.into_response())
}

/// The bytes as the binary has them.
fn packed(bytes: Cow<'static, [u8]>) -> Bytes {
    match bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

fn unpacked(bytes: &[u8]) -> Result<Bytes, Problem> {
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unpacked).map_err(|_| Problem::internal())?;
    Ok(unpacked.into())
}
