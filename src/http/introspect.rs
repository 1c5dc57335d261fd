//! `POST /introspect` (RFC 7662): signature, claims *and* log. Every inactive token gets the same bytes.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::schema::{Object, ObjectBuilder, Type},
};
use uuid::Uuid;

use super::{
    caller::{self, Asker},
    fresh::Fresh,
    oauth::{FORM_BODY, OAuthError, TokenForm, bad_request, token, unauthorized},
    openapi::problems,
    problem::{Code, Problem},
};
use crate::{
    app::{Catalog, Verdict, edge::Introspected, view::TokenType},
    domain::{
        Path, Position,
        authority::RoutePermission,
        claims::{CanonicalUuid, Claims, Scopes, Teams, TokenUse, User},
        index::LiveToken,
        status_list::StatusClaim,
        text::{Audience, Environment, FullName, Issuer, Namespace, Subject},
    },
    signing::Verified,
};

/// What is said of a token.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Introspection<'a> {
    Active(ActiveToken<'a>),
    Inactive(InactiveToken),
}

/// An active token: what it says, and what the log says of it.
#[derive(Serialize, ToSchema)]
pub(super) struct ActiveToken<'a> {
    #[schema(schema_with = yes)]
    active: bool,
    /// How it is presented.
    token_type: TokenType,
    /// Always `catalog`.
    client_id: &'a str,
    /// The name to show.
    username: &'a FullName,
    /// The issuer.
    iss: &'a Issuer,
    /// Whom it is meant for.
    aud: &'a [Audience],
    /// Whom it speaks for.
    sub: &'a Subject,
    /// Its identifier.
    #[schema(value_type = CanonicalUuid)]
    jti: Uuid,
    /// When it was issued, in seconds since 1970.
    iat: i64,
    /// The first second at which it is no longer accepted.
    exp: i64,
    /// `scopes.permissions` joined by spaces; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<&'a str>,
    /// Always `api`.
    token_use: TokenUse,
    /// The deployment environment, only where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    env: Option<&'a Environment>,
    /// The person or service behind `sub`.
    user: &'a User,
    /// The teams it reaches.
    teams: &'a Teams,
    /// The namespaces it reaches.
    namespaces: &'a [Namespace],
    /// What narrows it.
    scopes: &'a Scopes,
    /// Where in a status list its status stands, only where the policy has lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<&'a StatusClaim>,
    /// The door it was issued through.
    path: Path,
    /// Whether it came past the API's controls.
    out_of_band: bool,
    /// Where in the log it was issued.
    position: Position,
}

/// Any other token. Why is not said, and there is never another member.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InactiveToken {
    #[schema(schema_with = no)]
    active: bool,
}

problems!(Problems = [FORM_BODY, &[Code::PositionAhead]]);

/// Check a token
///
/// RFC 7662: signature, claims and log. Every token that is not active gets the same bytes, whatever is the matter with
/// it.
#[utoipa::path(
    post,
    path = "/introspect",
    tag = "oauth",
    operation_id = "introspect",
    params(Fresh),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What is said of it.", body = Introspection),
        (status = 400, description = "There is no token in the form, or a second credential is, or a parameter of the query is wrong.", body = OAuthError),
        (status = 401, description = "The caller may not ask.", body = OAuthError, headers(
            ("www-authenticate" = String, description = "What the caller lacks (RFC 6750 section 3, RFC 7617 section 2)."),
        )),
        Problems,
    ),
    security(("bearer" = ["tokens.check"]), ("basic" = ["tokens.check"])),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    answer(&catalog, request).await.unwrap_or_else(|refused| refused)
}

async fn answer(catalog: &Arc<Catalog>, request: Request) -> Result<Response, Response> {
    let (mut parts, body) = request.into_parts();
    let asker = Asker::from_request_parts(&mut parts, catalog).await.map_err(unauthorized)?;
    // RFC 7662 section 2.3 knows one answer to a caller that may not ask: 401.
    asker.require(RoutePermission::TokensCheck).map_err(unauthorized)?;
    <Fresh>::from_request_parts(&mut parts, catalog).await.map_err(bad_request)?;
    let token = token(&parts, body).await?;
    let origin = || caller::origin(Some(&asker.authority), &parts, catalog);
    match catalog.check(&token, &origin).await.map_err(|error| Problem::from(error).into_response())? {
        Verdict::Active { verified, token } => active(&verified, &token).map_err(IntoResponse::into_response),
        Verdict::Invalid(_) | Verdict::Shadow | Verdict::Inactive(_) => {
            Ok(Json(Introspection::inactive()).into_response())
        }
    }
}

/// What is said of an active token never changes while it is one.
fn active(verified: &Verified, token: &LiveToken) -> Result<Response, Problem> {
    let (path, out_of_band, issued) = (token.path, token.out_of_band, token.issued);
    let words = || serde_json::to_vec(&Introspection::active(&verified.claims, path, out_of_band, issued));
    let said = verified.said(issued, words).map_err(|_| Problem::internal())?;
    Ok(([(CONTENT_TYPE, "application/json")], said).into_response())
}

impl<'a> Introspection<'a> {
    /// Any token that is not active.
    pub(super) fn inactive() -> Self {
        Self::Inactive(InactiveToken { active: false })
    }

    fn active(claims: &'a Claims, path: Path, out_of_band: bool, position: Position) -> Self {
        Self::Active(ActiveToken {
            active: true,
            token_type: TokenType::Bearer,
            client_id: &claims.client_id,
            username: &claims.user.full_name,
            iss: &claims.iss,
            aud: &claims.aud,
            sub: &claims.sub,
            jti: claims.jti,
            iat: claims.iat,
            exp: claims.exp,
            scope: claims.scope.as_deref(),
            token_use: claims.token_use,
            env: claims.env.as_ref(),
            user: &claims.user,
            teams: &claims.teams,
            namespaces: &claims.namespaces,
            scopes: &claims.scopes,
            status: claims.status.as_ref(),
            path,
            out_of_band,
            position,
        })
    }
}

impl<'a> From<&'a Introspected> for Introspection<'a> {
    fn from(token: &'a Introspected) -> Self {
        Self::active(&token.claims, token.path, token.out_of_band, token.position)
    }
}

fn yes() -> Object {
    always(true)
}

fn no() -> Object {
    always(false)
}

fn always(value: bool) -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([value])).build()
}
