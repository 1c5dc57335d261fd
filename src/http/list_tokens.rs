//! `GET /tokens`: a filtered listing, newest first, a page at a time.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    body::Parameters,
    caller::Caller,
    cursor::{self, Cursor},
    problem::Problem,
};
use crate::{
    app::{Catalog, view::TokenView},
    domain::{
        Path, Status,
        authority::{RoutePermission, Sight},
        text::{Name, Permission, Subject, TeamId},
    },
    store::tokens::{self, Filter},
};

/// How many tokens a page has when nobody says.
const LIMIT_DEFAULT: u16 = 50;
/// How many tokens a page has at most.
const LIMIT_MAX: u16 = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    sub: Option<Subject>,
    status: Option<Status>,
    path: Option<Path>,
    name: Option<Name>,
    team: Option<TeamId>,
    permission: Option<Permission>,
    issued_after: Option<DateTime<Utc>>,
    issued_before: Option<DateTime<Utc>>,
    expires_before: Option<DateTime<Utc>>,
    cursor: Option<String>,
    limit: Option<u16>,
}

pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    Parameters(listing): Parameters<Listing>,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::TokensRead)?;
    let limit = limit(listing.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let (filter, cursor) = listing.split();
    let before = cursor.map(|text| cursor::read(&text, catalog.log_id(), &filter)).transpose()?;
    let now = catalog.ambient().clock.now();
    let confined = Filter { sight: caller.authority.sight(), ..filter.clone() };
    let page =
        tokens::list(catalog.database().reads(), &confined, before.map(|cursor| cursor.before), limit, now).await?;
    let next = page.next.map(|before| cursor::write(Cursor { before }, catalog.log_id(), &filter));
    let tokens: Vec<_> = page.tokens.iter().map(|token| TokenView::new(token, now)).collect();
    Ok(Json(json!({ "tokens": tokens, "next_cursor": next })).into_response())
}

impl Listing {
    fn split(self) -> (Filter, Option<String>) {
        let Self { sub, status, path, name, team, permission, issued_after, issued_before, expires_before, .. } = self;
        let sight = Sight::All;
        let filter =
            Filter { sight, sub, status, path, name, team, permission, issued_after, issued_before, expires_before };
        (filter, self.cursor)
    }
}

/// A page's size between 1 and `max`.
pub(super) fn limit(asked: Option<u16>, default: u16, max: u16) -> Result<u16, Problem> {
    match asked.unwrap_or(default) {
        limit if (1..=max).contains(&limit) => Ok(limit),
        limit => Err(Problem::malformed_parameter("limit", format!("{limit} is not between 1 and {max}"))),
    }
}
