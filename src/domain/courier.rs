//! `IssueCourier`: a token with the `jti` of one that is revoked here, for a gateway that knows revocations only from a token's
//! own bearer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Authority, Refusal, State, Status, Token,
    authority::RoutePermission,
    claims::{
        AuthProvider, CLIENT_ID, Claims, Header, Scopes, TYP, Teams, TokenUse, User, signing_input,
        signing_input_digest,
    },
    issue::within_bounds,
    key::Algorithm,
    origin::Path,
    settings::Shape,
    text::{Audience, FullName, Kid},
};

/// `user.full_name` of every courier, so that a gateway's own records tell it from the token.
const FULL_NAME: &str = "Courier";

/// Has a courier made of a token that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssueCourier {
    /// Whose `jti` it has.
    pub jti: Uuid,
    /// The gateway's audience, which the courier alone is for; `None` = all that the token is for.
    pub aud: Option<Audience>,
}

/// `courier.issued.v1`. It is no token of the catalog: its `jti` is revoked, and its claims are not those that were issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourierIssued {
    /// The `jti` of the token that it is a courier of, and its own.
    pub jti: Uuid,
    /// `iat`, seconds since 1970.
    pub iat: i64,
    /// `exp`, the token's own, seconds since 1970.
    pub exp: i64,
    /// The key that signs it.
    pub kid: Kid,
    /// The key's algorithm.
    pub alg: Algorithm,
    /// Whom it is meant for.
    pub aud: Vec<Audience>,
    /// SHA-256 over its `header.payload`, in hex: by this it is known when it is presented here.
    pub claims_digest: String,
    /// Personal: the exact `header.payload` that is signed; `None` once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_input: Option<String>,
}

/// Decides a courier. Only administrators and clients have one made, and only of a token in their reach that is revoked
/// and has not expired. It reaches what is public and names nobody an administrator.
///
/// # Errors
/// [`Refusal`], naming the rule.
pub fn issue_courier(
    state: &State,
    command: &IssueCourier,
    authority: &Authority,
    signer: &Kid,
    path: Path,
    now: DateTime<Utc>,
) -> Result<CourierIssued, Refusal> {
    let shape = state.settings.shape(path)?;
    if shape.kid != signer {
        return Err(Refusal::KeyNotHere { kid: shape.kid.clone() });
    }
    state.require_credential(authority, now)?;
    if state.is_of_shell_key(authority.token()) {
        return Err(Refusal::CredentialOfShellKey);
    }
    require(authority)?;
    let token = state.token(command.jti).filter(|token| authority.reaches(token));
    let token = token.ok_or(Refusal::TokenUnknown { jti: command.jti })?;
    require_over_and_not_forgotten(token, now)?;
    record(shape, claims(token, command.aud.as_ref(), shape, now)?)
}

/// Whoever is no administrator is refused whatever its token names: a courier speaks for somebody else.
fn require(authority: &Authority) -> Result<(), Refusal> {
    authority.require(RoutePermission::TokensCourier)?;
    let permission = RoutePermission::TokensCourier.as_str();
    if authority.is_admin { Ok(()) } else { Err(Refusal::PermissionMissing { permission }) }
}

fn require_over_and_not_forgotten(token: &Token, now: DateTime<Utc>) -> Result<(), Refusal> {
    let is_revoked = token.revocation.as_ref().is_some_and(|revocation| revocation.holds(now));
    let status = if now >= token.expires_at { Status::Expired } else { token.status(now) };
    if is_revoked && status == Status::Revoked {
        return Ok(());
    }
    Err(Refusal::NothingToCarry { jti: token.jti, status })
}

fn claims(token: &Token, aud: Option<&Audience>, shape: Shape<'_>, now: DateTime<Utc>) -> Result<Claims, Refusal> {
    let (jti, erased) = (token.jti, Refusal::TokenErased { jti: token.jti });
    let (Some(sub), Some(email)) = (token.sub.clone(), token.email.clone()) else { return Err(erased) };
    if let Some(aud) = aud.filter(|aud| !token.aud.contains(aud)) {
        return Err(Refusal::NotMeantFor { jti, aud: aud.clone() });
    }
    let full_name = FullName::parse(FULL_NAME).map_err(|_| erased)?;
    Ok(Claims {
        iss: shape.issuer.clone(),
        aud: aud.map_or_else(|| token.aud.clone(), |aud| vec![aud.clone()]),
        sub,
        client_id: CLIENT_ID.to_owned(),
        jti,
        iat: now.timestamp(),
        exp: token.expires_at.timestamp(),
        scope: None,
        token_use: TokenUse::Api,
        env: shape.env.cloned(),
        user: User { email, full_name, is_admin: false, auth_provider: AuthProvider::ApiToken },
        teams: Teams::These(Vec::new()),
        namespaces: Vec::new(),
        // A gateway lets a token that names permissions use the routes of those alone, and its end is none of them.
        scopes: Scopes::default(),
        status: None,
    })
}

fn record(shape: Shape<'_>, claims: Claims) -> Result<CourierIssued, Refusal> {
    let header = Header { typ: TYP.to_owned(), alg: shape.alg, kid: shape.kid.clone() };
    let input = within_bounds(signing_input(&header, &claims).ok())?;
    Ok(CourierIssued {
        jti: claims.jti,
        iat: claims.iat,
        exp: claims.exp,
        kid: header.kid,
        alg: header.alg,
        aud: claims.aud,
        claims_digest: hex::encode(signing_input_digest(&input)),
        signing_input: Some(input),
    })
}
