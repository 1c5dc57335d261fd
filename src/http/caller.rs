//! Who is asking: a bearer token of the catalog, or of a trusted issuer, becomes an authority and an origin; so does, where
//! tokens are checked and revoked, a client's name and secret.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{
    basic::{self, NameAndSecret},
    connections::Connection,
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
    pub(super) authority: Arc<Authority>,
    /// What the log says of it.
    pub(super) origin: Origin,
}

impl Caller {
    /// Lets a caller pass that may do `permission`.
    pub(super) fn require(&self, permission: RoutePermission) -> Result<(), Problem> {
        require(&self.authority, permission)
    }

    /// A no, with the challenge of the way by which the caller came.
    pub(super) fn challenged(&self, problem: Problem) -> Problem {
        challenged(&self.authority, problem)
    }

    /// The caller as the requester of a command, under the name that the request gave itself.
    pub(super) fn requester(self, key: Option<IdempotencyKey>) -> Requester {
        Requester { authority: Arc::unwrap_or_clone(self.authority), origin: self.origin, key }
    }
}

impl FromRequestParts<Arc<Catalog>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        match presented(&parts.headers)? {
            Presented::Bearer(token) => {
                let authority = bearer(token, parts, catalog).await?;
                Ok(Self { origin: origin(Some(&authority), parts, catalog), authority })
            }
            Presented::Basic(_) => Err(Problem::basic_not_taken()),
        }
    }
}

/// The sender of a request where tokens are checked and revoked: a caller as anywhere, or a client. What the log says of it is
/// put together where there is something to say.
#[derive(Debug)]
pub(super) struct Asker {
    /// What it may do.
    pub(super) authority: Arc<Authority>,
}

impl Asker {
    /// Lets one pass that may do `permission`.
    pub(super) fn require(&self, permission: RoutePermission) -> Result<(), Problem> {
        require(&self.authority, permission)
    }
}

impl FromRequestParts<Arc<Catalog>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        let authority = match presented(&parts.headers)? {
            Presented::Bearer(token) => bearer(token, parts, catalog).await?,
            Presented::Basic(credentials) => client(credentials, catalog).await?,
        };
        Ok(Self { authority })
    }
}

/// The sender of a command that clients may give, too.
#[derive(Debug)]
pub(super) struct AnyCaller(pub(super) Caller);

impl FromRequestParts<Arc<Catalog>> for AnyCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        let Asker { authority } = Asker::from_request_parts(parts, catalog).await?;
        Ok(Self(Caller { origin: origin(Some(&authority), parts, catalog), authority }))
    }
}

fn require(authority: &Authority, permission: RoutePermission) -> Result<(), Problem> {
    authority.require(permission).map_err(|refusal| {
        metrics::refused(&refusal, Path::Api);
        challenged(authority, refusal.into())
    })
}

fn challenged(authority: &Authority, problem: Problem) -> Problem {
    match authority.credential {
        Some(Credential::Client { .. }) => problem.for_client(),
        Some(Credential::Token(_) | Credential::Login { .. }) | None => problem,
    }
}

async fn bearer(token: &str, parts: &Parts, catalog: &Arc<Catalog>) -> Result<Arc<Authority>, Problem> {
    let connection = parts.extensions.get::<Connection>();
    let presented = connection.map_or_else(|| token.into(), |connection| connection.presented.now(token));
    Ok(catalog.authenticate(presented, &|| origin(None, parts, catalog)).await??)
}

async fn client(credentials: &str, catalog: &Arc<Catalog>) -> Result<Arc<Authority>, Problem> {
    let NameAndSecret { name, secret } = basic::read(credentials).ok_or_else(Problem::bad_client)?;
    catalog.authenticate_client(&name, &secret).await?.ok_or_else(Problem::bad_client)
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
    let value = values.next().ok_or_else(Problem::no_credential)?.as_bytes();
    // The same as `to_str`, which looks at one byte after the other, since no header has a character that commands anything.
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii());
    let (Some(text), None) = (text, values.next()) else { return Err(Problem::bad_credential()) };
    let (scheme, credentials) = text.split_once(' ').ok_or_else(Problem::no_credential)?;
    let credentials = credentials.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Presented::Bearer(credentials))
    } else if scheme.eq_ignore_ascii_case("basic") {
        Ok(Presented::Basic(credentials))
    } else {
        Err(Problem::no_credential())
    }
}

/// Where a request comes from, and from whom, if anybody is believed to have sent it.
pub(super) fn origin(sender: Option<&Authority>, parts: &Parts, catalog: &Catalog) -> Origin {
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        path: Path::Api,
        actor: sender.map_or(Actor::Anonymous, actor),
        request_id: parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .unwrap_or_else(|| RequestId::of_uuid(catalog.new_id())),
        address: request::client(parts),
        user_agent: user_agent.map(|text| request::discreet(&harmless(text, USER_AGENT_LENGTH_MAX), &parts.headers)),
    }
}

/// The bearer of a credential that was found good.
fn actor(authority: &Authority) -> Actor {
    let sub = authority.subject.as_ref().map(ToString::to_string);
    match &authority.credential {
        Some(Credential::Token(jti)) => Actor::Token { jti: *jti, sub },
        Some(Credential::Login { issuer }) => Actor::Person { issuer: issuer.clone(), sub },
        Some(Credential::Client { name, .. }) => Actor::Client { name: name.clone() },
        // Nobody comes in over HTTP without one.
        None => Actor::Anonymous,
    }
}
