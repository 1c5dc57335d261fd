//! `GET /tokens`: a filtered listing, newest first, a page at a time.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    as_of,
    body::instant,
    caller::{Caller, PERMITTED},
    cursor::{self, Cursor},
    fresh::{FRESH, Fresh},
    openapi::problems,
    problem::Problem,
};
use crate::{
    app::{
        Catalog,
        view::{PastView, TokenView},
    },
    domain::{
        Path, Status,
        authority::{RoutePermission, Sight},
        rule::kept,
        text::{Kid, Name, Permission, Subject, TeamId},
    },
    store::tokens::{self, Filter},
};

/// How many tokens a page has when nobody says.
const LIMIT_DEFAULT: u16 = 50;
/// How many tokens a page has at most.
const LIMIT_MAX: u16 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Of this subject.
    #[param(nullable = false)]
    sub: Option<Subject>,
    /// In this status now.
    #[param(nullable = false)]
    status: Option<Status>,
    /// Issued through this door.
    #[param(nullable = false)]
    path: Option<Path>,
    /// Of this name.
    #[param(nullable = false)]
    name: Option<Name>,
    /// That reach this team: they name it, or reach every team.
    #[param(nullable = false)]
    team: Option<TeamId>,
    /// That may use this permission: they name it or a wildcard over it, or name none.
    #[param(nullable = false)]
    permission: Option<Permission>,
    /// Signed by this key.
    #[param(nullable = false)]
    kid: Option<Kid>,
    /// Issued at this instant or later.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    issued_after: Option<DateTime<Utc>>,
    /// Issued before this instant.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    issued_before: Option<DateTime<Utc>>,
    /// Expired before this instant, then or by now.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_before: Option<DateTime<Utc>>,
    /// As they were then: a time in the past, or a position of the log such as `@812`.
    #[param(value_type = Option<String>, nullable = false)]
    as_of: Option<String>,
    /// `next_cursor` of the page before, with the same filters.
    #[param(format = "cursor", nullable = false)]
    cursor: Option<String>,
    /// How many tokens at most; 50 when absent.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, nullable = false)]
    limit: Option<String>,
}

/// A page of a listing, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPage)]
pub(super) struct TokenPage<'a> {
    /// The tokens.
    tokens: Vec<TokenView<'a>>,
    /// Where the next page begins; `null` on the last.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Which past it is of, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<PastView>,
}

problems!(Problems = [PERMITTED, FRESH]);

/// List tokens
///
/// Newest first, those that meet every filter. Somebody who is no administrator sees their own subject's and those that
/// name one of their teams. The status is judged at the time of each page; with `as_of` all is as it was then.
#[utoipa::path(
    get,
    path = "/tokens",
    tag = "tokens",
    operation_id = "listTokens",
    params(Listing, Fresh),
    responses((status = 200, description = "A page.", body = TokenPage), Problems),
    security(("bearer" = ["tokens.read"])),
)]
pub(super) async fn handle(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    Fresh(listing): Fresh<Listing>,
) -> Result<Response, Problem> {
    caller.require(RoutePermission::TokensRead)?;
    let limit = limit(listing.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let past = as_of::read(&catalog, listing.as_of.as_deref()).await?;
    let (filter, cursor) = listing.split();
    let filter = Filter { as_of: past.map(|past| past.position), ..filter };
    let before = cursor.map(|text| cursor::read(&text, catalog.log_id(), &filter)).transpose()?;
    let now = past.map_or_else(|| catalog.ambient().clock.now(), |past| past.at);
    let confined = Filter { sight: caller.authority.sight(), ..filter.clone() };
    let page =
        tokens::list(catalog.database().reads(), &confined, before.map(|cursor| cursor.before), limit, now).await?;
    let next_cursor = page.next.map(|before| cursor::write(Cursor { before }, catalog.log_id(), &filter));
    let tokens = page.tokens.iter().map(|token| TokenView::new(token, now)).collect();
    Ok(Json(TokenPage { tokens, next_cursor, as_of: past.map(PastView::from) }).into_response())
}

impl Listing {
    fn split(self) -> (Filter, Option<String>) {
        let Self { sub, status, path, name, team, permission, kid, .. } = self;
        let [issued_after, issued_before, expires_before] =
            [self.issued_after, self.issued_before, self.expires_before].map(|bound| bound.map(kept));
        let sight = Sight::All;
        let filter = Filter {
            sight,
            sub,
            status,
            path,
            name,
            team,
            permission,
            kid,
            issued_after,
            issued_before,
            expires_before,
            family: None,
            issued_from: None,
            successors: false,
            as_of: None,
        };
        (filter, self.cursor)
    }
}

/// A page's size between 1 and `max`.
pub(super) fn limit(asked: Option<&str>, default: u16, max: u16) -> Result<u16, Problem> {
    let Some(text) = asked else { return Ok(default) };
    let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit) && text.bytes().all(|b| b.is_ascii_digit()));
    limit.ok_or_else(|| Problem::malformed_parameter("limit", format!("'{text}' is no number from 1 to {max}")))
}
