//! What a caller may do here, and what it may grant.

use super::{
    Refusal,
    claims::{Claims, Scopes, Teams},
    restrictions::{IpRestriction, TimeRestrictions, UsageLimits},
    text::{Permission, ServerId, Subject},
};

/// What a caller may do and grant. Built from a verified token, or for a shell by [`Authority::of_shell`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Whom the caller speaks for; a shell speaks for nobody in particular.
    pub subject: Option<Subject>,
    /// The token it presented, which must still be active when the command is decided.
    pub credential: Option<uuid::Uuid>,
    /// Whether it may act for others.
    pub is_admin: bool,
    /// The teams it may grant.
    pub teams: Teams,
    /// The permissions it may use and grant.
    pub permissions: Permissions,
    /// What narrows its own token, and so every token that it may grant.
    pub restrictions: Restrictions,
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

    /// Whether a token with `scopes` would be free of something that holds here. What is restricted here has to be
    /// restricted there in the same words; what is free here may be restricted there.
    #[must_use]
    pub fn are_not_kept_by(&self, scopes: &Scopes) -> bool {
        let free = Self::default();
        let asked = Self::of(scopes);
        (self.server != free.server && self.server != asked.server)
            || (self.addresses != free.addresses && self.addresses != asked.addresses)
            || (self.times != free.times && self.times != asked.times)
            || (self.usage != free.usage && self.usage != asked.usage)
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
            credential: Some(claims.jti),
            is_admin,
            teams: claims.teams.clone(),
            restrictions: Restrictions::of(&claims.scopes),
            permissions: if is_admin && named.is_empty() { Permissions::All } else { Permissions::These(named) },
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
            restrictions: Restrictions::default(),
        }
    }

    /// Lets an administrator or the holder of `permission` pass.
    ///
    /// # Errors
    /// [`Refusal::PermissionMissing`].
    pub fn require(&self, permission: RoutePermission) -> Result<(), Refusal> {
        if self.is_admin || self.names(permission) {
            return Ok(());
        }
        Err(Refusal::PermissionMissing { permission: permission.as_str() })
    }

    fn names(&self, permission: RoutePermission) -> bool {
        match &self.permissions {
            Permissions::All => true,
            Permissions::These(held) => {
                Permission::parse(permission.as_str()).is_ok_and(|asked| held.iter().any(|h| h.covers(&asked)))
            }
        }
    }

    /// Whether things of `subject` are the caller's to see and to change.
    #[must_use]
    pub fn reaches(&self, subject: Option<&Subject>) -> bool {
        self.is_admin || (subject.is_some() && self.subject.as_ref() == subject)
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
    /// `tokens.check`
    TokensCheck,
    /// `audit.read`
    AuditRead,
}

impl RoutePermission {
    /// As it stands in `scopes.permissions`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokensCreate => "tokens.create",
            Self::TokensRead => "tokens.read",
            Self::TokensRevoke => "tokens.revoke",
            Self::TokensCheck => "tokens.check",
            Self::AuditRead => "audit.read",
        }
    }
}
