//! `GET /revocations/snapshot`: all that is in force, to begin from.

use std::{future::ready, sync::Arc};

use axum::{
    BoxError,
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use catalog_gateway::wire::{Cursor, Item, Page};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::{
    app::{Catalog, schema::RevocationPage},
    domain::{authority::RoutePermission, causes::Causes},
    http::{
        caller::{ASKER, Asker},
        openapi::problems,
        problem::{Code, Problem},
        query::Parameters,
    },
    store::feed::snapshot::{self, Broken},
};

/// Each holds a connection of the database for as long as its reader takes.
const SNAPSHOTS_MAX: usize = 8;
static SNAPSHOTS: Semaphore = Semaphore::const_new(SNAPSHOTS_MAX);

/// How a page ends whose items follow.
const END: &str = "]}";

problems!(Problems = [ASKER, &[Code::Malformed, Code::Busy]]);

/// Load the revocations
///
/// Everything that is in force for tokens that are not expired: revocations, also those of rules and those that begin at an
/// instant to come, suspensions, and compromised keys with the tokens that are spared. `next` is where `GET /revocations`
/// goes on. An answer that breaks off for an error is broken off, so that a part is never taken for the whole.
#[utoipa::path(
    get,
    path = "/revocations/snapshot",
    tag = "checks",
    operation_id = "loadRevocations",
    responses((status = 200, description = "What is in force.", body = RevocationPage), Problems),
    security(("bearer" = ["tokens.check"]), ("basic" = ["tokens.check"])),
)]
pub(in crate::http) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    asker: Asker,
    _: Parameters,
) -> Result<Response, Problem> {
    asker.require(RoutePermission::TokensCheck)?;
    let place = SNAPSHOTS.try_acquire().map_err(|_| Problem::busy("too many snapshots are being loaded"))?;
    let span = tracing::Span::current();
    let broken = move |error: &Broken| {
        span.in_scope(|| tracing::warn!(error = %Causes(error), "a snapshot broke off"));
    };
    let now = catalog.ambient().clock.now();
    let (mark, items) = snapshot::read(catalog.database(), now, place).await?;
    let empty = Page {
        mark,
        after: None,
        piece: 0,
        is_partial: false,
        time: now,
        staleness_ms: 0,
        next: Some(Cursor::from(mark).to_string()),
        has_more: false,
        items: Vec::new(),
    };
    let items = items.inspect_err(broken).enumerate().map(|(number, portion)| written(number == 0, &portion?));
    let begin = stream::once(ready(begin(&empty)));
    let end = stream::once(ready(Ok(Bytes::from_static(END.as_bytes()))));
    let body = Body::from_stream(begin.chain(items).chain(end));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// A page up to its items, which are its last member.
fn begin(empty: &Page) -> Result<Bytes, BoxError> {
    let text = serde_json::to_string(empty)?;
    let begin = text.strip_suffix(END).ok_or("a page does not end with its items")?;
    Ok(begin.to_owned().into())
}

/// Items between commas.
fn written(is_first: bool, items: &[Item]) -> Result<Bytes, BoxError> {
    let list = serde_json::to_string(items)?;
    let list = list.trim_start_matches('[').trim_end_matches(']');
    Ok(if is_first { list.to_owned() } else { format!(",{list}") }.into())
}
