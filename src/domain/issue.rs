//! `IssueToken`: the one command that both doors build, and the one function that decides it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Authority, Claims, Event, Header, Malformed, Path, Refusal, State, TokenIssued,
    claims::{AuthProvider, CLIENT_ID, Scopes, TOKEN_BYTES_MAX, TYP, Teams, TokenUse, User, signing_input},
    contain::{Evidence, contain},
    event::Elevation,
    membership::Answer,
    object::object,
    permit::Permit,
    positive::positive,
    restrictions::{IpRestriction, TimeRestrictions, UsageLimits},
    rotate::Grounds,
    settings::Shape,
    status_list::{Draw, StatusListBegun, enter},
    text::{
        Audience, Description, Email, FullName, Kid, Name, Namespace, Note, Permission, ServerId, Subject, is_email,
    },
};

/// The longest lists that one token carries.
pub const LIST_MAX: usize = 256;
/// The longest signature there is, in base64url: RSA with 4,096 bits, and the dot before it.
const SIGNATURE_BYTES_MAX: usize = 684;

/// A token is asked for. Both doors build this and nothing else.
///
/// The wire form of `POST /tokens`: every member but `sub` is optional, unknown members are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "IssueWire")]
pub struct IssueToken {
    /// Whom it speaks for.
    pub sub: Subject,
    /// Its name, unique among the subject's active tokens.
    pub name: Option<Name>,
    /// What it is for.
    pub description: Option<Description>,
    /// Whom it is meant for; empty = the configured audience.
    pub aud: Vec<Audience>,
    /// `expires_in`, RFC 6749 section 5.1: whole seconds from `iat`; `None` = the policy's default.
    pub ttl_seconds: Option<u32>,
    /// Whether it claims an administrator.
    pub is_admin: bool,
    /// The address of its subject, when `sub` is none.
    pub email: Option<Email>,
    /// The name of its subject.
    pub full_name: Option<FullName>,
    /// The teams it reaches; `None` = not said.
    pub teams: Option<Teams>,
    /// The namespaces it reaches.
    pub namespaces: Vec<Namespace>,
    /// What narrows it.
    pub scopes: Scopes,
    /// Why it is needed.
    pub reason: Option<Note>,
}

impl IssueToken {
    /// The plainest request: a token for `sub`, everything else as the policy has it.
    #[must_use]
    pub fn plain(sub: Subject) -> Self {
        Self {
            sub,
            name: None,
            description: None,
            aud: Vec::new(),
            ttl_seconds: None,
            is_admin: false,
            email: None,
            full_name: None,
            teams: None,
            namespaces: Vec::new(),
            scopes: Scopes::default(),
            reason: None,
        }
    }

    /// Checks what one field alone cannot show, and takes repeated list members once.
    ///
    /// # Errors
    /// [`Malformed`]: a list is too long, or members contradict each other.
    pub fn checked(mut self) -> Result<Self, Malformed> {
        if self.teams == Some(Teams::Every) && !self.is_admin {
            return Err(Malformed::Contradiction("teams null means every team, which only an is_admin token reaches"));
        }
        if let Some(email) = &self.email {
            check_email(email, &self.sub)?;
        }
        if let Some(Teams::These(teams)) = &mut self.teams {
            once_each(teams)?;
        }
        once_each(&mut self.aud)?;
        once_each(&mut self.namespaces)?;
        once_each(&mut self.scopes.permissions)?;
        once_each(&mut self.scopes.ip_restrictions)?;
        Ok(self)
    }

    /// Whether it asks for another address than its subject's own.
    #[must_use]
    pub fn names_another_address(&self) -> bool {
        self.email.as_ref().is_some_and(|email| *email != Email::of_subject(&self.sub))
    }

    /// Whom gateways will take the bearer for, whose teams have to be asked about: the address before the subject.
    #[must_use]
    pub fn bearer(&self) -> Subject {
        let address = self.email.as_ref().filter(|_| self.names_another_address());
        address.and_then(|email| Subject::parse(email.as_str()).ok()).unwrap_or_else(|| self.sub.clone())
    }

    /// The claims that make the token more than its bearer's own public-only one.
    #[must_use]
    pub fn elevations(&self) -> Vec<Elevation> {
        let names_teams = match &self.teams {
            Some(Teams::These(teams)) => !teams.is_empty(),
            Some(Teams::Every) => true,
            None => false,
        };
        [
            (self.is_admin, Elevation::Admin),
            (names_teams, Elevation::Teams),
            (!self.scopes.permissions.is_empty(), Elevation::Permissions),
            (self.names_another_address(), Elevation::Email),
        ]
        .into_iter()
        .filter_map(|(is_elevated, elevation)| is_elevated.then_some(elevation))
        .collect()
    }
}

/// A gateway takes `user.email` for who the bearer is, before `sub`: the two never name different people.
fn check_email(email: &Email, sub: &Subject) -> Result<(), Malformed> {
    if !is_email(email.as_str()) {
        return Err(Malformed::NotA { value: email.to_string(), expected: "an e-mail address" });
    }
    if is_email(sub.as_str()) && email.as_str() != sub.as_str() {
        return Err(Malformed::Contradiction("sub is an e-mail address, and email is another one"));
    }
    Ok(())
}

fn once_each<T: PartialEq>(list: &mut Vec<T>) -> Result<(), Malformed> {
    if list.len() > LIST_MAX {
        return Err(Malformed::TooMany { length: list.len(), max: LIST_MAX });
    }
    let mut seen = Vec::with_capacity(list.len());
    for item in list.drain(..) {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    *list = seen;
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueWire {
    sub: Subject,
    name: Option<Name>,
    description: Option<Description>,
    #[serde(default)]
    aud: Vec<Audience>,
    #[serde(default, deserialize_with = "positive")]
    expires_in: Option<std::num::NonZeroU32>,
    #[serde(default)]
    is_admin: bool,
    email: Option<Email>,
    full_name: Option<FullName>,
    #[serde(default, deserialize_with = "Teams::deserialize_said")]
    teams: Option<Teams>,
    #[serde(default)]
    namespaces: Vec<Namespace>,
    #[serde(default, deserialize_with = "object")]
    scopes: ScopesWire,
    reason: Option<Note>,
}

/// `scopes` of a request, in which every member may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopesWire {
    server_id: Option<ServerId>,
    permissions: Vec<Permission>,
    ip_restrictions: Vec<IpRestriction>,
    #[serde(deserialize_with = "object")]
    time_restrictions: TimeRestrictions,
    #[serde(deserialize_with = "object")]
    usage_limits: UsageLimits,
}

impl From<ScopesWire> for Scopes {
    fn from(wire: ScopesWire) -> Self {
        let ScopesWire { server_id, permissions, ip_restrictions, time_restrictions, usage_limits } = wire;
        Self { server_id, permissions, ip_restrictions, time_restrictions, usage_limits }
    }
}

impl TryFrom<IssueWire> for IssueToken {
    type Error = Malformed;

    fn try_from(wire: IssueWire) -> Result<Self, Malformed> {
        Self {
            sub: wire.sub,
            name: wire.name,
            description: wire.description,
            aud: wire.aud,
            ttl_seconds: wire.expires_in.map(Into::into),
            is_admin: wire.is_admin,
            email: wire.email,
            full_name: wire.full_name,
            teams: wire.teams,
            namespaces: wire.namespaces,
            scopes: wire.scopes.into(),
            reason: wire.reason,
        }
        .checked()
    }
}

/// What besides the caller and its wish decides one issuance: the door, chance, time, and what others say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances<'a> {
    /// The door.
    pub path: Path,
    /// The new token's identifier.
    pub jti: Uuid,
    /// The key that the asking process will sign with.
    pub signer: &'a Kid,
    /// Which teams its subject is in, if anybody was asked.
    pub membership: Option<&'a Answer>,
    /// Its entry in a status list, and the list, if there is to be one.
    pub draw: Draw,
    /// The instant of the decision.
    pub now: DateTime<Utc>,
}

/// What an issuance comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// The status list that begins with it.
    pub begun: Option<StatusListBegun>,
    /// The token.
    pub issued: TokenIssued,
}

impl Issuance {
    /// Both, in their order.
    pub fn into_events(self) -> impl Iterator<Item = Event> {
        let begun = self.begun.map(Event::StatusListBegun);
        begun.into_iter().chain([Event::TokenIssued(Box::new(self.issued))])
    }
}

/// Decides an issuance: the event, with the exact header and payload that will be signed once it is durable.
///
/// # Errors
/// [`Refusal`], naming the rule.
pub fn issue(
    state: &State,
    command: &IssueToken,
    authority: &Authority,
    circumstances: Circumstances<'_>,
) -> Result<Issuance, Refusal> {
    issue_on(state, command, authority, circumstances, Grounds::Wish)
}

/// Decides an issuance on these grounds.
pub(super) fn issue_on(
    state: &State,
    command: &IssueToken,
    authority: &Authority,
    circumstances: Circumstances<'_>,
    grounds: Grounds<'_>,
) -> Result<Issuance, Refusal> {
    let Circumstances { path, jti, signer, membership, draw, now } = circumstances;
    let shape = state.settings.shape(path)?;
    if shape.kid != signer {
        return Err(Refusal::KeyNotHere { kid: shape.kid.clone() });
    }
    state.require_credential(authority, now)?;
    if state.is_of_shell_key(authority.token()) {
        return Err(Refusal::CredentialOfShellKey);
    }
    grounds.require(authority)?;
    let login = state.person(&command.bearer()).filter(|seen| state.settings.trusts(&seen.issuer));
    let teams = contain(command, authority, Evidence { membership, login }, shape)?;
    let ttl = Permit { command, authority, grounds, teams: &teams, path, now }.check(shape, state)?;
    if let Some(name) = &command.name
        && let Some(jti) = state.rival_for_name(&command.sub, name, grounds.family(), now)
    {
        let is_seen = state.token(jti).is_some_and(|token| authority.sight().includes(token));
        return Err(Refusal::NameInUse { name: name.clone(), jti: is_seen.then_some(jti) });
    }
    let header = Header { typ: TYP.to_owned(), alg: shape.alg, kid: shape.kid.clone() };
    let entered = enter(state, &draw);
    let status = entered.as_ref().map(|entered| entered.claim.clone());
    let claims = Claims { status, ..claims(command, shape, teams, Validity { jti, now, ttl }) };
    let issued = record(command, path, shape.policy.version, &header, claims)?;
    let status_list = entered.as_ref().map(|entered| entered.entry);
    Ok(Issuance { begun: entered.and_then(|entered| entered.begun), issued: TokenIssued { status_list, ..issued } })
}

/// What one token has that no other of the same request would have.
#[derive(Clone, Copy)]
struct Validity {
    jti: Uuid,
    now: DateTime<Utc>,
    ttl: u32,
}

fn claims(command: &IssueToken, shape: Shape<'_>, teams: Teams, validity: Validity) -> Claims {
    let permissions: Vec<&str> = command.scopes.permissions.iter().map(Permission::as_str).collect();
    Claims {
        iss: shape.issuer.clone(),
        aud: if command.aud.is_empty() { vec![shape.audience.clone()] } else { command.aud.clone() },
        sub: command.sub.clone(),
        client_id: CLIENT_ID.to_owned(),
        jti: validity.jti,
        iat: validity.now.timestamp(),
        exp: (validity.now + TimeDelta::seconds(i64::from(validity.ttl))).timestamp(),
        scope: (!permissions.is_empty()).then(|| permissions.join(" ")),
        token_use: TokenUse::Api,
        env: shape.env.cloned(),
        user: user(command),
        teams,
        namespaces: command.namespaces.clone(),
        scopes: command.scopes.clone(),
        status: None,
    }
}

fn user(command: &IssueToken) -> User {
    User {
        email: command.email.clone().unwrap_or_else(|| Email::of_subject(&command.sub)),
        full_name: command.full_name.clone().unwrap_or_else(|| FullName::of_subject(&command.sub)),
        is_admin: command.is_admin,
        auth_provider: AuthProvider::ApiToken,
    }
}

/// A signing input whose token checkers will look at; `None` = none could be made.
pub(super) fn within_bounds(input: Option<String>) -> Result<String, Refusal> {
    let bytes = input.as_ref().map_or(usize::MAX, |input| input.len() + SIGNATURE_BYTES_MAX);
    let fits = input.filter(|_| bytes <= TOKEN_BYTES_MAX);
    fits.ok_or(Refusal::TokenTooLarge { bytes, max: TOKEN_BYTES_MAX })
}

fn record(
    command: &IssueToken,
    path: Path,
    policy_version: u32,
    header: &Header,
    claims: Claims,
) -> Result<TokenIssued, Refusal> {
    let input = within_bounds(signing_input(header, &claims).ok())?;
    Ok(TokenIssued {
        jti: claims.jti,
        iat: claims.iat,
        exp: claims.exp,
        kid: header.kid.clone(),
        alg: header.alg,
        aud: claims.aud,
        is_admin: claims.user.is_admin,
        teams: claims.teams,
        permissions: claims.scopes.permissions,
        out_of_band: path.is_out_of_band(),
        elevated: command.elevations(),
        policy_version,
        name: command.name.clone(),
        description: command.description.clone(),
        reason: command.reason.clone(),
        family: None,
        predecessor: None,
        first: None,
        status_list: None,
        signing_input: Some(input),
    })
}
