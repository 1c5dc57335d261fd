//! `GET /revocations`: what changed for checks after a place in the log, as a JSON page or, by `Accept`, as an event stream
//! that goes on.

mod event;
mod reader;
pub(super) mod snapshot;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension, Json,
    body::Body,
    extract::{FromRequestParts, State},
    http::{
        HeaderMap, HeaderName,
        header::{CACHE_CONTROL, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use catalog_gateway::wire::Cursor;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::{
    IntoParams,
    openapi::{
        path::{Parameter, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

use self::reader::Reader;
use super::{
    accept,
    body::position,
    caller::{ASKER, Asker},
    connections::{Connection, Ending},
    list_tokens::limit,
    openapi::{parameter, problems},
    problem::{Code, Problem},
    query::Parameters,
};
use crate::{
    app::{Catalog, schema::RevocationPage},
    domain::{Position, authority::RoutePermission},
    store::feed::{self, FeedError},
};

const LIMIT_DEFAULT: u16 = 1_000;
const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: &str = "last-event-id";

/// An `id`, or a position, or nothing.
const ID: &str = r"^([0-9]{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,18}\.[0-9a-f]{64}(\.[0-9]{1,9}\.[0-9]{1,18})?)?$";

/// Each reader of the stream costs a task and a connection, and is written to every second.
const READERS_MAX: usize = 10_000;
static READERS: Semaphore = Semaphore::const_new(READERS_MAX);

/// What a reader of the feed can be told.
pub(super) const FEED: &[Code] = &[Code::Malformed, Code::Busy, Code::FeedReload];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// After this place: `next` of a page, the `id` of an event, or a position alone, of which cannot be seen whether it is
    /// of this log. When absent, a page begins before the first event and a stream at the end of the log.
    #[param(
        nullable = false,
        pattern = "^([0-9]{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.[0-9]{1,18}\\.[0-9a-f]{64}(\\.[0-9]{1,9}\\.[0-9]{1,18})?)$"
    )]
    after: Option<String>,
    /// How many changes a page has at most, or few more; 1,000 when absent. A stream goes without.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 5000, nullable = false)]
    limit: Option<String>,
}

/// `Last-Event-ID`, if there is one: where a stream broke off.
#[derive(Debug)]
pub(super) struct LastEventId(Option<String>);

impl IntoParams for LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `id` of the last event that a stream told before it broke off; wins over `after`.";
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(ID));
        vec![parameter(LAST_EVENT_ID, ParameterIn::Header, schema.into(), description)]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.headers.get(LAST_EVENT_ID).map(|value| value.to_str().map(str::to_owned)).transpose();
        let text = text.map_err(|_| Problem::malformed_parameter(LAST_EVENT_ID, "is not plain text"))?;
        Ok(Self(text.filter(|text| !text.is_empty())))
    }
}

/// Where a reader goes on.
enum After {
    Cursor(Cursor),
    Position(Position),
}

impl After {
    fn read(parameter: &str, text: &str) -> Result<Self, Problem> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return position(parameter, text).map(Self::Position);
        }
        text.parse().map(Self::Cursor).map_err(|error| Problem::malformed_parameter(parameter, format!("{error}")))
    }

    async fn cursor(self, catalog: &Catalog) -> Result<Cursor, FeedError> {
        match self {
            Self::Cursor(cursor) => Ok(cursor),
            Self::Position(position) => Ok(feed::mark_at(catalog.database().reads(), position).await?.into()),
        }
    }
}

problems!(Problems = [ASKER, FEED]);

/// Follow the revocations
///
/// What changed after a place in the log: tokens that are revoked, held back and let go, and compromised keys; of a rule the
/// tokens that it covers. A page tells where it begins (`after`) and up to where all is known once it is applied. What one
/// event does to very many tokens comes in pieces, the last of which alone counts (`is_partial`).
///
/// With `Accept: text/event-stream` the answer goes on: `revocations` with a page whenever something changes, and a
/// `heartbeat`, a page without changes, every second. An event has an `id` when everything up to it was told. `reload`, with
/// a problem document, is the last event when the log is another one. A reader that is too slow is cut off, and goes on by
/// `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/revocations",
    tag = "checks",
    operation_id = "followRevocations",
    params(Range, LastEventId),
    responses(
        (status = 200, description = "What changed.", content(
            (RevocationPage = "application/json"),
            (String = "text/event-stream"),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.check"]), ("basic" = ["tokens.check"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    asker: Asker,
    Parameters(range): Parameters<Range>,
    LastEventId(last): LastEventId,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    asker.require(RoutePermission::TokensCheck)?;
    let limit = limit(range.limit.as_deref(), LIMIT_DEFAULT, feed::ITEMS_MAX)?;
    let after = range.after.map(|text| After::read("after", &text)).transpose()?;
    let last = last.map(|text| After::read(LAST_EVENT_ID, &text)).transpose()?;
    if accept::names(&headers, EVENT_STREAM) {
        let ending = connection.map(|Extension(connection)| connection.ending).unwrap_or_default();
        return stream(catalog, asker, last.or(after), ending).await;
    }
    let cursor = after.unwrap_or(After::Position(Position(0))).cursor(&catalog).await?;
    let now = catalog.ambient().clock.now();
    Ok(Json(feed::page(catalog.database(), &cursor, None, limit, now).await?).into_response())
}

async fn stream(
    catalog: Arc<Catalog>,
    asker: Asker,
    after: Option<After>,
    ending: Ending,
) -> Result<Response, Problem> {
    let place = READERS.try_acquire().map_err(|_| Problem::busy("too many event streams are open"))?;
    let end = catalog.feed().mark();
    let at = match after {
        Some(after) => {
            let at = after.cursor(&catalog).await?;
            if Some(at.mark) != end {
                feed::require(catalog.database().reads(), &at.mark).await?;
            }
            at
        }
        // Without a feed there would be no heartbeat either.
        None => end.ok_or_else(Problem::unavailable)?.into(),
    };
    let reader = Reader::new(catalog, asker.authority, at, place);
    let events = stream::unfold((reader, ending), async |(mut reader, ending)| {
        let event = ending.before(reader.next()).await??;
        Some((Ok::<_, Infallible>(event), (reader, ending)))
    });
    let headers = [
        (CONTENT_TYPE, EVENT_STREAM),
        (CACHE_CONTROL, "no-store"),
        // A proxy that collects an answer first would never pass it on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}
