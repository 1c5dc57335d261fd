//! Who is asking: a bearer token of the catalog, or of a trusted issuer, becomes an authority and an origin; so does, where
//! tokens are checked and revoked, a client's name and secret.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{
    basic::{self, NameAndSecret},
    problem::{Code, Problem},
    request,
};
use crate::{
    app::{Catalog, Requester},
    domain::{
        Actor, Authority, Origin, Path,
        authority::{Credential, RoutePermission},
        text::{IdempotencyKey, RequestId, harmless},
    },
    store::metrics,
};

const USER_AGENT_LENGTH_MAX: usize = 200;

/// What a caller can be told before anything is looked at.
pub(super) const CALLER: &[Code] = &[
    Code::CredentialMissing,
    Code::CredentialInvalid,
    Code::BasicNotTaken,
    Code::ProviderUnavailable,
    Code::Unavailable,
];
/// The same, where the route asks for a permission.
pub(super) const PERMITTED: &[Code] = &[
    Code::CredentialMissing,
    Code::CredentialInvalid,
    Code::BasicNotTaken,
    Code::PermissionMissing,
    Code::ProviderUnavailable,
    Code::Unavailable,
];
/// The same, where the route takes clients, too.
pub(super) const ASKER: &[Code] = &[
    Code::CredentialMissing,
    Code::CredentialInvalid,
    Code::ClientInvalid,
    Code::PermissionMissing,
    Code::ProviderUnavailable,
    Code::Unavailable,
];
/// What a write can be told besides.
pub(super) const WRITE: &[Code] = &[Code::Unavailable, Code::OutcomeUnknown, Code::Busy];

/// The sender of a request, authenticated.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// What it may do.
    pub(super) authority: Authority,
    /// What the log says of it.
    pub(super) origin: Origin,
}

impl Caller {
    /// Lets a caller pass that may do `permission`.
    pub(super) fn require(&self, permission: RoutePermission) -> Result<(), Problem> {
        self.authority.require(permission).map_err(|refusal| {
            metrics::refused(&refusal, self.origin.path);
            self.challenged(refusal.into())
        })
    }

    /// A no, with the challenge of the way by which the caller came.
    pub(super) fn challenged(&self, problem: Problem) -> Problem {
        match self.authority.credential {
            Some(Credential::Client { .. }) => problem.for_client(),
            Some(Credential::Token(_) | Credential::Login { .. }) | None => problem,
        }
    }

    /// The caller as the requester of a command, under the name that the request gave itself.
    pub(super) fn requester(self, key: Option<IdempotencyKey>) -> Requester {
        Requester { authority: self.authority, origin: self.origin, key }
    }
}

impl FromRequestParts<Arc<Catalog>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        match presented(&parts.headers)? {
            Presented::Bearer(token) => bearer(token, parts, catalog).await,
            Presented::Basic(_) => Err(Problem::basic_not_taken()),
        }
    }
}

/// The sender of a request where tokens are checked and revoked: a caller as anywhere, or a client.
#[derive(Debug, Clone)]
pub(super) struct Asker(pub(super) Caller);

impl FromRequestParts<Arc<Catalog>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        match presented(&parts.headers)? {
            Presented::Bearer(token) => bearer(token, parts, catalog).await.map(Self),
            Presented::Basic(credentials) => client(credentials, parts, catalog).await.map(Self),
        }
    }
}

async fn bearer(token: &str, parts: &Parts, catalog: &Arc<Catalog>) -> Result<Caller, Problem> {
    let origin = anonymous(parts, catalog);
    let authority = catalog.authenticate(token, &origin).await??;
    bearer_of(authority, origin)
}

async fn client(credentials: &str, parts: &Parts, catalog: &Arc<Catalog>) -> Result<Caller, Problem> {
    let NameAndSecret { name, secret } = basic::read(credentials).ok_or_else(Problem::bad_client)?;
    let authority = catalog.authenticate_client(&name, &secret).await?.ok_or_else(Problem::bad_client)?;
    bearer_of(authority, anonymous(parts, catalog))
}

/// The bearer of a credential that was found good.
pub(super) fn bearer_of(authority: Authority, origin: Origin) -> Result<Caller, Problem> {
    let sub = authority.subject.as_ref().map(ToString::to_string);
    let actor = match &authority.credential {
        Some(Credential::Token(jti)) => Actor::Token { jti: *jti, sub },
        Some(Credential::Login { issuer }) => Actor::Person { issuer: issuer.clone(), sub },
        Some(Credential::Client { name, .. }) => Actor::Client { name: name.clone() },
        None => return Err(Problem::internal()),
    };
    Ok(Caller { authority, origin: Origin { actor, ..origin } })
}

/// The token that a request bears (RFC 6750 section 2.1), and nothing else that a request might present.
pub(super) fn token_of(headers: &HeaderMap) -> Result<&str, Problem> {
    match presented(headers)? {
        Presented::Bearer(token) => Ok(token),
        Presented::Basic(_) => Err(Problem::no_credential()),
    }
}

/// What a request presents.
pub(super) enum Presented<'a> {
    /// A token (RFC 6750 section 2.1).
    Bearer(&'a str),
    /// A name and a secret (RFC 7617 section 2).
    Basic(&'a str),
}

/// The one credential of a request. Several are as bad as a wrong one.
pub(super) fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(Problem::no_credential)?;
    let (Ok(text), None) = (value.to_str(), values.next()) else { return Err(Problem::bad_credential()) };
    let (scheme, credentials) = text.split_once(' ').ok_or_else(Problem::no_credential)?;
    let credentials = credentials.trim_matches(' ');
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(Presented::Bearer(credentials)),
        "basic" => Ok(Presented::Basic(credentials)),
        _ => Err(Problem::no_credential()),
    }
}

/// Where a request comes from, before anybody is believed to have sent it.
pub(super) fn anonymous(parts: &Parts, catalog: &Catalog) -> Origin {
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        path: Path::Api,
        actor: Actor::Anonymous,
        request_id: parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .unwrap_or_else(|| RequestId::of_uuid(catalog.new_id())),
        address: request::client(parts),
        user_agent: user_agent.map(|text| request::discreet(&harmless(text, USER_AGENT_LENGTH_MAX), &parts.headers)),
    }
}
