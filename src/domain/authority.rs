//! What a caller may do here, and what it may grant.

use uuid::Uuid;

use super::{
    Refusal, Token,
    claims::{Claims, Scopes, Teams},
    client::{Client, SecretDigest},
    person,
    policy::Audiences,
    restrictions::{self, IpRestriction, TimeRestrictions, UsageLimits},
    text::{ClientName, Email, FullName, Issuer, Namespace, Permission, ServerId, Subject, TeamId},
};

/// What a caller may do and grant. Built from a verified token, or for a shell by [`Authority::of_shell`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Whom the caller speaks for; a shell speaks for nobody in particular.
    pub subject: Option<Subject>,
    /// What it presented, which must still be good when the command is decided.
    pub credential: Option<Credential>,
    /// Whether it may act for others. One that names teams or permissions in its own token is held to them all the same.
    pub is_admin: bool,
    /// The teams it may grant.
    pub teams: Teams,
    /// The permissions it may use and grant.
    pub permissions: Permissions,
    /// Whom the tokens that it grants may be meant for, besides the configured audience.
    pub audiences: Audiences,
    /// What narrows its own token, and so every token that it may grant.
    pub restrictions: Restrictions,
    /// When its own token expires, in seconds since 1970; a shell has none.
    pub exp: Option<i64>,
    /// The namespaces that it may grant; empty = any for an administrator, none for anybody else.
    pub namespaces: Vec<Namespace>,
    /// The address and the name that its own token has.
    pub email: Option<Email>,
    /// See `email`.
    pub full_name: Option<FullName>,
}

/// What a caller presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token of the catalog, by its `jti`.
    Token(Uuid),
    /// An access token of an identity provider.
    Login {
        /// The provider.
        issuer: Issuer,
    },
    /// The name and the secret of a client.
    Client {
        /// The name.
        name: ClientName,
        /// SHA-256 of the secret.
        secret: SecretDigest,
    },
}

/// Which tokens a caller may know of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sight {
    /// All of them.
    #[default]
    All,
    /// Those of its subject, and those that name one of its teams.
    Of {
        /// The subject.
        subject: Subject,
        /// The teams.
        teams: Vec<TeamId>,
    },
}

/// What narrows a token besides its teams and permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restrictions {
    server: Option<ServerId>,
    addresses: Vec<IpRestriction>,
    times: TimeRestrictions,
    usage: UsageLimits,
}

impl Restrictions {
    /// Those of a token.
    #[must_use]
    pub fn of(scopes: &Scopes) -> Self {
        let Scopes { server_id, ip_restrictions, time_restrictions, usage_limits, .. } = scopes.clone();
        Self { server: server_id, addresses: ip_restrictions, times: time_restrictions, usage: usage_limits }
    }

    /// Scopes that are narrowed so, and by nothing else.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        let Self { server, addresses, times, usage } = self.clone();
        Scopes {
            server_id: server,
            permissions: Vec::new(),
            ip_restrictions: addresses,
            time_restrictions: times,
            usage_limits: usage,
        }
    }

    /// Whether a token with `scopes` can do nothing that is held back here: what is free here may be restricted there,
    /// and what is restricted here is restricted there as much or more.
    #[must_use]
    pub fn are_kept_by(&self, scopes: &Scopes) -> bool {
        let asked = Self::of(scopes);
        (self.server.is_none() || self.server == asked.server)
            && restrictions::addresses_within(&asked.addresses, &self.addresses)
            && asked.times.is_within(&self.times)
            && asked.usage.is_within(&self.usage)
    }
}

/// The permissions of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissions {
    /// All of them: an admin token that names none, or a shell.
    All,
    /// These and what they cover. Empty for a token that leaves its permissions to the gateway's roles:
    /// the catalog cannot know those, so here they grant nothing.
    These(Vec<Permission>),
}

impl Permissions {
    /// Whether `permission` is held, itself or under a wildcard.
    #[must_use]
    pub fn cover(&self, permission: &Permission) -> bool {
        match self {
            Self::All => true,
            Self::These(held) => held.iter().any(|h| h.covers(permission)),
        }
    }

    /// Whether everything is held, so that an unrestricted token can be granted.
    #[must_use]
    pub fn are_all(&self) -> bool {
        match self {
            Self::All => true,
            Self::These(held) => held.iter().any(|h| h.as_str() == "*"),
        }
    }
}

impl Authority {
    /// The authority of the bearer of a verified, active token.
    #[must_use]
    pub fn of_token(claims: &Claims) -> Self {
        let is_admin = claims.user.is_admin;
        let named = claims.scopes.permissions.clone();
        Self {
            subject: Some(claims.sub.clone()),
            credential: Some(Credential::Token(claims.jti)),
            is_admin,
            teams: claims.teams.clone(),
            permissions: if is_admin && named.is_empty() { Permissions::All } else { Permissions::These(named) },
            audiences: if is_admin { Audiences::Any } else { Audiences::These(claims.aud.clone()) },
            restrictions: Restrictions::of(&claims.scopes),
            exp: Some(claims.exp),
            namespaces: claims.namespaces.clone(),
            email: Some(claims.user.email.clone()),
            full_name: Some(claims.user.full_name.clone()),
        }
    }

    /// The same of the bearer of a token as the log tells it. Whom one speaks for that was erased nobody can say: it speaks
    /// for nobody here, and may be looked at, never acted on.
    #[must_use]
    pub fn of_record(token: &Token) -> Self {
        let (is_admin, named) = (token.is_admin, token.scopes.permissions.clone());
        Self {
            subject: token.sub.clone(),
            credential: Some(Credential::Token(token.jti)),
            is_admin,
            teams: token.teams.clone(),
            permissions: if is_admin && named.is_empty() { Permissions::All } else { Permissions::These(named) },
            audiences: if is_admin { Audiences::Any } else { Audiences::These(token.aud.clone()) },
            restrictions: Restrictions::of(&token.scopes),
            exp: Some(token.expires_at.timestamp()),
            namespaces: token.namespaces.clone(),
            email: token.email.clone(),
            full_name: token.full_name.clone(),
        }
    }

    /// The authority of a client that presented this secret. It speaks for nobody: what it may do, it does like an
    /// administrator of its teams.
    #[must_use]
    pub fn of_client(client: &Client, secret: SecretDigest) -> Self {
        let held = client.permissions.iter().map(|permission| Permission::of_route(permission.of_route())).collect();
        Self {
            credential: Some(Credential::Client { name: client.name.clone(), secret }),
            is_admin: true,
            teams: client.teams.clone(),
            permissions: Permissions::These(held),
            ..Self::of_nobody()
        }
    }

    /// The token it presented, if it was one.
    #[must_use]
    pub fn token(&self) -> Option<Uuid> {
        match self.credential {
            Some(Credential::Token(jti)) => Some(jti),
            Some(Credential::Login { .. } | Credential::Client { .. }) | None => None,
        }
    }

    /// What its idempotency keys belong to: its token, or the person at its provider. No route that takes clients takes keys.
    #[must_use]
    pub fn holder(&self) -> Option<Uuid> {
        match (&self.credential, &self.subject) {
            (Some(Credential::Token(jti)), _) => Some(*jti),
            (Some(Credential::Login { issuer }), Some(subject)) => Some(person::holder(issuer, subject)),
            (Some(Credential::Login { .. }), None) | (Some(Credential::Client { .. }) | None, _) => None,
        }
    }

    /// The authority of someone who can read the signing key: everything, within the policy of that door.
    #[must_use]
    pub fn of_shell() -> Self {
        Self {
            subject: None,
            credential: None,
            is_admin: true,
            teams: Teams::Every,
            permissions: Permissions::All,
            audiences: Audiences::Any,
            restrictions: Restrictions::default(),
            exp: None,
            namespaces: Vec::new(),
            email: None,
            full_name: None,
        }
    }

    /// The authority of the program when it notes what happened: to do nothing and to grant nothing.
    #[must_use]
    pub fn of_nobody() -> Self {
        let none = Permissions::These(Vec::new());
        let audiences = Audiences::These(Vec::new());
        let teams = Teams::These(Vec::new());
        Self { is_admin: false, teams, permissions: none, audiences, ..Self::of_shell() }
    }

    /// Lets the holder of `permission` pass: an administrator whose token names no permissions holds all.
    ///
    /// # Errors
    /// [`Refusal::PermissionMissing`].
    pub fn require(&self, permission: RoutePermission) -> Result<(), Refusal> {
        let is_held = match &self.permissions {
            Permissions::All => permission != RoutePermission::AuditRead || self.oversees(),
            Permissions::These(held) => held.iter().any(|h| h.covers_name(permission.as_str())),
        };
        if is_held { Ok(()) } else { Err(Refusal::PermissionMissing { permission: permission.as_str() }) }
    }

    /// Whether the whole log is the caller's to read: an administrator's of every team, and theirs whose token names the
    /// permission.
    #[must_use]
    pub fn oversees(&self) -> bool {
        match &self.permissions {
            Permissions::All => self.teams == Teams::Every,
            Permissions::These(held) => held.iter().any(|h| h.covers_name(RoutePermission::AuditRead.as_str())),
        }
    }

    /// Whether it is an administrator's that nothing narrows: of every team, with every permission. A shell's is.
    #[must_use]
    pub fn is_full_admin(&self) -> bool {
        self.is_admin && self.teams == Teams::Every && self.permissions.are_all()
    }

    /// Which tokens the caller may know of, once it may read any: an administrator of every team all of them, anybody
    /// else those of its subject and of its teams.
    #[must_use]
    pub fn sight(&self) -> Sight {
        match (&self.subject, &self.teams) {
            (None, _) => Sight::All,
            (Some(_), Teams::Every) if self.is_admin => Sight::All,
            (Some(subject), Teams::Every) => Sight::Of { subject: subject.clone(), teams: Vec::new() },
            (Some(subject), Teams::These(teams)) => Sight::Of { subject: subject.clone(), teams: teams.clone() },
        }
    }

    /// Whether it [reaches](Self::reaches) a token whatever it is like.
    #[must_use]
    pub fn reaches_every_token(&self) -> bool {
        self.is_admin && self.teams == Teams::Every
    }

    /// Whether a token is the caller's to end: its subject's own, and for an administrator those of whoever is in its
    /// teams and in no others. Never more than [`Self::sight`].
    #[must_use]
    pub fn reaches(&self, token: &Token) -> bool {
        let is_own = token.sub.is_some() && self.subject == token.sub;
        let is_within = match (&self.teams, &token.teams) {
            (Teams::Every, _) => true,
            (Teams::These(_), Teams::Every) => false,
            (Teams::These(own), Teams::These(teams)) => {
                !teams.is_empty() && teams.iter().all(|team| own.contains(team))
            }
        };
        is_own || (self.is_admin && is_within)
    }
}

impl Sight {
    /// Whether it takes in this token.
    #[must_use]
    pub fn includes(&self, token: &Token) -> bool {
        match self {
            Self::All => true,
            Self::Of { subject, teams } => {
                token.sub.as_ref() == Some(subject)
                    || matches!(&token.teams, Teams::These(named) if named.iter().any(|team| teams.contains(team)))
            }
        }
    }
}

/// What a route of the catalog's own API asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutePermission {
    /// `tokens.create`
    TokensCreate,
    /// `tokens.read`
    TokensRead,
    /// `tokens.revoke`
    TokensRevoke,
    /// `tokens.rotate_self`
    TokensRotateSelf,
    /// `tokens.check`
    TokensCheck,
    /// `tokens.courier`
    TokensCourier,
    /// `audit.read`
    AuditRead,
}

impl RoutePermission {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::TokensCreate,
        Self::TokensRead,
        Self::TokensRevoke,
        Self::TokensRotateSelf,
        Self::TokensCheck,
        Self::TokensCourier,
        Self::AuditRead,
    ];

    /// As it stands in `scopes.permissions`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokensCreate => "tokens.create",
            Self::TokensRead => "tokens.read",
            Self::TokensRevoke => "tokens.revoke",
            Self::TokensRotateSelf => "tokens.rotate_self",
            Self::TokensCheck => "tokens.check",
            Self::TokensCourier => "tokens.courier",
            Self::AuditRead => "audit.read",
        }
    }
}
