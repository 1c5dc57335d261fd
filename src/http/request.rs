//! What every request gets: a name in the diagnostics, and an end.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use catalog_gateway::admission::TrustedProxies;
use tracing::{Instrument, field};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    authorize,
    basic::{self, NameAndSecret},
    caller,
    connections::Connection,
    metrics,
    problem::{ANSWER_TIMEOUT, Code, Problem},
};
use crate::{
    app::Ambient,
    domain::{ambient::uuid_v7, claims::parse_jti, client::ClientSecret, text::RequestId},
};

/// How every part of a token but its signature begins: `{"` in base64url.
const TOKEN_PART: &str = "eyJ";
/// How many characters in a row make a piece of a credential out of a text.
const PIECE_LENGTH: usize = 16;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names the request, by its own `x-request-id` if that is a plain word, and says the name in the answer.
pub(super) async fn name(State(ambient): State<Ambient>, mut request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| fresh(&ambient));
    request.extensions_mut().insert(id.clone());
    let (route, method) = (route(&request).to_owned(), request.method().clone());
    // What is presented to a gateway is what the request is about.
    let actor = if route == authorize::PATH { None } else { known_actor(&request) };
    let jti = plain_jti(request.extensions(), request.uri());
    // Of the highest level, so that it is there wherever a line is.
    let span = tracing::error_span!(
        "request",
        request_id = id.as_str(),
        method = metrics::name(&method),
        route,
        // Both here, if they are known, where it costs the least: to record them later takes longer.
        actor = actor.map(field::display),
        jti = jti.map(field::display)
    );
    let begun = tokio::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status(), begun.elapsed());
    metrics::answered(&route, &method, status, elapsed);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (status, code) = (status.as_u16(), response.extensions().get::<Code>().map(|code| code.as_str()));
    span.in_scope(|| tracing::info!(status, code, elapsed_ms, "a request was answered"));
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}

/// Answers in time, whatever the database does. A write that was queued runs to its end all the same.
pub(super) async fn bound(request: Request, next: Next) -> Response {
    let may_write = may_write(&request);
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) if may_write => Problem::outcome_unknown().into_response(),
        Err(_) => Problem::unavailable().into_response(),
    }
}

/// Whether the route appends to the log.
fn may_write(request: &Request) -> bool {
    let is_of_a_write = matches!(*request.method(), Method::DELETE | Method::POST);
    is_of_a_write && !matches!(route(request), "/introspect" | "/revocations/check" | authorize::PATH)
}

/// The pattern that the request's path met. The path itself may hold anything, a token too.
fn route(request: &Request) -> &str {
    let of_a_proxy = if authorize::is_below(request.uri()) { authorize::PATH } else { "unmatched" };
    request.extensions().get::<MatchedPath>().map_or(of_a_proxy, MatchedPath::as_str)
}

/// The token that the request presents, if it is the one that was last found well signed over its connection.
fn known_actor(request: &Request) -> Option<Uuid> {
    let connection = request.extensions().get::<Connection>()?;
    connection.presented.jti(caller::token_of(request.headers()).ok()?)
}

/// The token that the path names, unless it is percent-encoded.
pub(super) fn plain_jti(extensions: &Extensions, uri: &Uri) -> Option<Uuid> {
    let route = extensions.get::<MatchedPath>()?.as_str();
    // No route has another parameter before it, so that it begins in the path where it does in the route.
    let place = route.find('{').filter(|place| route[*place..].starts_with("{jti}"))?;
    let (jti, rest) = uri.path().get(place..)?.split_at_checked(Hyphenated::LENGTH)?;
    if rest.is_empty() || rest.starts_with('/') { parse_jti(jti) } else { None }
}

fn given(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get(&X_REQUEST_ID)?.to_str().ok()?;
    // The name is shown and recorded, which a token must not be.
    RequestId::parse(text).ok().filter(|_| !betrays(text, headers))
}

/// A text of the request without the words that betray a token.
pub(super) fn discreet(text: &str, headers: &HeaderMap) -> String {
    let shown = |word| if betrays(word, headers) { "***" } else { word };
    text.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

/// Whether a text contains a token, or a piece of the credential that the request presents.
fn betrays(text: &str, headers: &HeaderMap) -> bool {
    let presented = || headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    let is_of_client = presented().filter_map(|whole| basic::read(whole.split_once(' ')?.1)).any(
        |NameAndSecret { secret, .. }| {
            secret.len() >= PIECE_LENGTH && text.as_bytes().windows(PIECE_LENGTH).any(|piece| contains(&secret, piece))
        },
    );
    let is_of_header =
        text.as_bytes().windows(PIECE_LENGTH).any(|piece| presented().any(|whole| contains(whole, piece)));
    text.contains(TOKEN_PART) || text.contains(ClientSecret::PREFIX) || is_of_client || is_of_header
}

fn contains(whole: &str, piece: &[u8]) -> bool {
    whole.as_bytes().windows(piece.len()).any(|part| part == piece)
}

fn fresh(ambient: &Ambient) -> RequestId {
    RequestId::of_uuid(uuid_v7(ambient.clock.now(), &*ambient.entropy))
}

/// From where the request comes: from its peer, or from where a trusted proxy says. `None` when nobody knows.
pub(super) fn client(parts: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let Some(proxies) = parts.extensions.get::<Arc<TrustedProxies>>() else { return Some(peer.ip()) };
    let forwarded = parts.headers.get_all(&X_FORWARDED_FOR).into_iter().map(HeaderValue::as_bytes);
    proxies.client(peer.ip(), forwarded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appends_nothing_has_no_outcome_that_nobody_knows() {
        let asked = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path);
            may_write(&request.body(axum::body::Body::empty()).expect("a request"))
        };

        for path in ["/authorize/", "/authorize/admin/tools", "/authorize/tokens?x=y"] {
            assert!(!asked(Method::POST, path) && !asked(Method::DELETE, path), "{path}");
        }
        assert!(asked(Method::POST, "/authorized"));
        assert!(!asked(Method::GET, "/authorized"));
    }

    #[test]
    fn a_text_betrays_a_credential_from_sixteen_characters_in_a_row_on() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer head.0123456789abcdefghij.tail"));

        assert!(betrays("0123456789abcdef", &headers));
        assert!(betrays("Bearer.456789abcdefghij", &headers));
        assert!(!betrays("0123456789abcde-", &headers));
        assert!(!betrays("build-7", &headers));
        assert!(betrays("x.eyJhbGciOiJFZERTQSJ9", &HeaderMap::new()));
        assert!(betrays("catsec_AAECAwQFBgc", &HeaderMap::new()));
        let secret = HeaderValue::from_static("Basic ZWRnZTowMTIzNDU2Nzg5YWJjZGVmZ2hpag==");
        headers.insert(AUTHORIZATION, secret);
        assert!(betrays("x-456789abcdefghij", &headers));
        assert!(!betrays("edge", &headers));
        assert_eq!(discreet("curl/8.5 (0123456789abcdef) x", &headers), "curl/8.5 *** x");
    }
}
