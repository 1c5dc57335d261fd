//! Who is asking: a bearer token of the catalog, or of a trusted issuer, becomes an authority and an origin.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{
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
pub(super) const CALLER: &[Code] =
    &[Code::CredentialMissing, Code::CredentialInvalid, Code::ProviderUnavailable, Code::Unavailable];
/// The same, where the route asks for a permission.
pub(super) const PERMITTED: &[Code] = &[
    Code::CredentialMissing,
    Code::CredentialInvalid,
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
        self.authority.require(permission).inspect_err(|refusal| metrics::refused(refusal, self.origin.path))?;
        Ok(())
    }

    /// The caller as the requester of a command, under the name that the request gave itself.
    pub(super) fn requester(self, key: Option<IdempotencyKey>) -> Requester {
        Requester { authority: self.authority, origin: self.origin, key }
    }
}

impl FromRequestParts<Arc<Catalog>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        let presented = bearer(&parts.headers)?.ok_or_else(Problem::no_credential)?;
        let origin = anonymous(parts, catalog);
        let authority = catalog.authenticate(presented, &origin).await?.ok_or_else(Problem::bad_credential)?;
        bearer_of(authority, origin)
    }
}

/// The bearer of a token that was found good.
pub(super) fn bearer_of(authority: Authority, origin: Origin) -> Result<Caller, Problem> {
    let sub = authority.subject.as_ref().map(ToString::to_string);
    let actor = match &authority.credential {
        Some(Credential::Token(jti)) => Actor::Token { jti: *jti, sub },
        Some(Credential::Login { issuer }) => Actor::Person { issuer: issuer.clone(), sub },
        None => return Err(Problem::internal()),
    };
    Ok(Caller { authority, origin: Origin { actor, ..origin } })
}

/// The one bearer token of a request (RFC 6750 section 2.1). Several are as bad as a wrong one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (Ok(text), None) = (value.to_str(), values.next()) else { return Err(Problem::bad_credential()) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim_matches(' '))),
        _ => Ok(None),
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
        address: request::peer(&parts.extensions).map(|address| address.ip()),
        user_agent: user_agent.map(|text| request::discreet(&harmless(text, USER_AGENT_LENGTH_MAX), &parts.headers)),
    }
}
