//! `GET /.well-known/oauth-authorization-server` (RFC 8414): where what is, and what really works.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    etag::{self, IfNoneMatch},
    openapi::problems,
    problem::{self, Code, Problem},
};
use crate::{
    app::Catalog,
    domain::{authority::RoutePermission, text::Issuer},
};

/// Where the document is, under an issuer without a path.
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// What there is of an authorization server here: it issues no tokens to OAuth clients, and checks and revokes its own.
/// What it has none of is absent (RFC 8414 section 3.2), `response_types_supported` too.
#[derive(Serialize, ToSchema)]
pub(super) struct Metadata {
    /// `iss` of every token.
    #[schema(value_type = Issuer)]
    issuer: String,
    /// The public keys.
    #[schema(format = "uri")]
    jwks_uri: String,
    /// What routes ask for, as it stands in `scope`.
    #[schema(value_type = Vec<String>)]
    scopes_supported: [&'static str; RoutePermission::ALL.len()],
    /// Where a token is revoked (RFC 7009).
    #[schema(format = "uri")]
    revocation_endpoint: String,
    /// How its callers say who they are; `none` is whoever holds the token.
    #[schema(value_type = Vec<String>)]
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    /// Where a token is checked (RFC 7662).
    #[schema(format = "uri")]
    introspection_endpoint: String,
    /// How its callers say who they are; `Bearer` is a token of the catalog.
    #[schema(value_type = Vec<String>)]
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
}

impl Metadata {
    fn below(base: &str, issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.to_string(),
            jwks_uri: format!("{base}/.well-known/jwks.json"),
            scopes_supported: RoutePermission::ALL.map(RoutePermission::as_str),
            revocation_endpoint: format!("{base}/revoke"),
            revocation_endpoint_auth_methods_supported: ["client_secret_basic", "none"],
            introspection_endpoint: format!("{base}/introspect"),
            introspection_endpoint_auth_methods_supported: ["client_secret_basic", "Bearer"],
        }
    }
}

problems!(Problems = [&[Code::NoMetadata]]);

/// The OAuth metadata
///
/// RFC 8414. Under an issuer with a path the same is found where the path is appended to this one, as section 3 has it.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "server",
    operation_id = "metadata",
    params(IfNoneMatch),
    responses(
        (status = 200, description = "The metadata.", body = Metadata, headers(
            ("etag" = String, description = "Its tag."),
        )),
        (status = 304, description = "It is what the request's tag names.", headers(
            ("etag" = String, description = "Its tag."),
        )),
        Problems,
    ),
)]
pub(super) async fn handle(State(catalog): State<Arc<Catalog>>, headers: HeaderMap) -> Result<Response, Problem> {
    let issuer = catalog.issuer();
    let address = Address::of(issuer).ok_or_else(|| Problem::no_metadata(issuer))?;
    let answer = etag::json(&headers, "application/json", &Metadata::below(address.base, issuer))?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], answer).into_response())
}

/// What no route takes: the document of an issuer with a path (section 3.1), or nothing at all.
pub(super) async fn handle_below_path(
    State(catalog): State<Arc<Catalog>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = uri.path().strip_prefix(WELL_KNOWN);
    let of_issuer = Address::of(catalog.issuer()).map(|address| address.path);
    let is_asked_for = path.is_some() && path == of_issuer.as_deref();
    if is_asked_for && matches!(method, Method::GET | Method::HEAD) {
        return handle(State(catalog), headers).await;
    }
    Err(problem::no_such_route(&uri))
}

/// An issuer that can be asked: `https`, or `http` on loopback.
struct Address<'a> {
    /// Without the slash at its end.
    base: &'a str,
    /// The same of its path.
    path: String,
}

impl<'a> Address<'a> {
    fn of(issuer: &'a Issuer) -> Option<Self> {
        let text = issuer.as_str();
        let uri: Uri = text.parse().ok()?;
        let host = uri.host()?.trim_matches(['[', ']']);
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_safe = match uri.scheme_str()? {
            "https" => true,
            "http" => is_loopback,
            _ => false,
        };
        let is_plain = !text.contains(['?', '#', '@']);
        let path = uri.path().trim_end_matches('/').to_owned();
        (is_safe && is_plain).then(|| Self { base: text.trim_end_matches('/'), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(issuer: &str) -> Option<(String, String)> {
        let issuer = issuer.parse().expect("an issuer");
        Address::of(&issuer).map(|address| (address.base.to_owned(), address.path))
    }

    #[test]
    fn rfc_8414_section_2_an_issuer_is_https_or_loopback_without_query_and_fragment() {
        for (issuer, base, path) in [
            ("https://h.example", "https://h.example", ""),
            ("https://h.example/", "https://h.example", ""),
            ("https://h.example/tenant1", "https://h.example/tenant1", "/tenant1"),
            ("https://h.example/a/b/", "https://h.example/a/b", "/a/b"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ""),
            ("http://[::1]:8080/x", "http://[::1]:8080/x", "/x"),
            ("http://localhost:1", "http://localhost:1", ""),
        ] {
            assert_eq!(address(issuer), Some((base.to_owned(), path.to_owned())), "{issuer}");
        }
        for issuer in [
            "mcpgateway",
            "urn:example:issuer",
            "http://h.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://h.example/?a=b",
            "https://h.example/#a",
            "https://u@h.example",
            "/tenant1",
        ] {
            assert_eq!(address(issuer), None, "{issuer}");
        }
    }
}
