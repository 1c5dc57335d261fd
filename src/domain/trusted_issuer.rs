//! Identity providers whose access tokens are taken: what each may say of a person, and what that is worth here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    claims::Teams,
    text::{Audience, ClaimName, EmailDomain, Group, Issuer, Permission, TeamId},
};

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedIssuer {
    /// `iss` of its tokens, to the letter.
    pub issuer: Issuer,
    /// Where its keys are.
    pub keys: KeySource,
    /// What `aud` of its tokens has to name: this catalog, as the provider calls it.
    pub audience: Audience,
    /// The domains of the e-mail addresses that it speaks for; no other provider speaks for them.
    pub email_domains: Vec<EmailDomain>,
    /// Which claims say what.
    #[serde(default, skip_serializing_if = "is_default")]
    pub claims: ClaimNames,
    /// What its tokens may leave out of what RFC 9068 requires.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional_claims: BTreeSet<OptionalClaim>,
    /// What everybody may do whom it vouches for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub permissions: Vec<Permission>,
    /// Its groups, and the team that each of them is here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub teams: BTreeMap<Group, TeamId>,
    /// Its roles, and what each of them may do here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: BTreeMap<Group, Role>,
}

/// Where a provider's keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// An address that answers with a JWK Set.
    JwksUri(String),
    /// A file with one, on every server.
    JwksFile(String),
}

/// Which claims of a provider's access token say what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimNames {
    /// Whom the caller speaks for here.
    pub subject: ClaimName,
    /// The person's address.
    pub email: ClaimName,
    /// A list of groups.
    pub groups: ClaimName,
    /// A list of roles.
    pub roles: ClaimName,
}

impl Default for ClaimNames {
    /// A person is its address; groups and roles are called as in RFC 9068 section 2.2.3.1.
    fn default() -> Self {
        Self {
            subject: ClaimName::email(),
            email: ClaimName::email(),
            groups: ClaimName::groups(),
            roles: ClaimName::roles(),
        }
    }
}

/// A claim that RFC 9068 section 2.2 requires of an access token, and from which nothing follows here: a policy may do
/// without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionalClaim {
    /// `client_id`: the client that had the token issued.
    ClientId,
    /// `jti`: the token's identifier at its provider.
    Jti,
}

impl OptionalClaim {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ClientId, Self::Jti];

    /// The claim's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::Jti => "jti",
        }
    }
}

/// What a role of a provider is worth here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An administrator of every team, with every permission.
    Admin,
    /// These permissions.
    Permissions(Vec<Permission>),
}

/// What a person may do by what a provider says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whether a role of its makes it an administrator.
    pub is_admin: bool,
    /// The teams of its groups; an administrator's are every team.
    pub teams: Teams,
    /// The permissions of everybody and of its roles, sorted.
    pub permissions: Vec<Permission>,
}

impl TrustedIssuer {
    /// Whether it speaks for this domain.
    #[must_use]
    pub fn speaks_for(&self, domain: &EmailDomain) -> bool {
        self.email_domains.contains(domain)
    }

    /// What its tokens have to say of [`OptionalClaim::ALL`].
    pub fn required_claims(&self) -> impl Iterator<Item = OptionalClaim> {
        OptionalClaim::ALL.into_iter().filter(|claim| !self.optional_claims.contains(claim))
    }

    /// Whether its people are known here by something else than their addresses.
    #[must_use]
    pub fn names_by_other_claim(&self) -> bool {
        self.claims.subject != self.claims.email
    }

    /// What a person of these groups and roles may do. A name that maps to nothing is worth nothing.
    #[must_use]
    pub fn grant<'a>(
        &self,
        groups: impl IntoIterator<Item = &'a str>,
        roles: impl IntoIterator<Item = &'a str>,
    ) -> Grant {
        let mut permissions = self.permissions.clone();
        let mut is_admin = false;
        for role in roles {
            match of_name(&self.roles, role) {
                Some(Role::Admin) => is_admin = true,
                Some(Role::Permissions(these)) => permissions.extend_from_slice(these),
                None => {}
            }
        }
        permissions.sort();
        permissions.dedup();
        let mut teams: Vec<TeamId> =
            groups.into_iter().filter_map(|group| of_name(&self.teams, group)).cloned().collect();
        teams.sort();
        teams.dedup();
        let teams = if is_admin { Teams::Every } else { Teams::These(teams) };
        Grant { is_admin, teams, permissions }
    }
}

/// Whether two names lead to one place: scheme and host are the same in any case, the scheme's own port may be said, and
/// a slash may end either (RFC 3986 section 6.2). Only `iss` itself is compared to the letter.
#[must_use]
pub fn are_alike(one: &Issuer, other: &Issuer) -> bool {
    normalized(one) == normalized(other)
}

fn normalized(issuer: &Issuer) -> String {
    let text = issuer.as_str().trim_end_matches('/');
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let host = host.strip_suffix(port).unwrap_or(&host).trim_end_matches([':', '.']);
    format!("{scheme}://{host}{path}")
}

fn of_name<'a, T>(table: &'a BTreeMap<Group, T>, name: &str) -> Option<&'a T> {
    // A name that no table can have is none that maps to anything.
    table.get(&Group::parse(name).ok()?)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> TrustedIssuer {
        TrustedIssuer {
            issuer: "https://login.example.com".parse().unwrap(),
            keys: KeySource::JwksFile("/etc/jwks.json".to_owned()),
            audience: "https://catalog.example.com".parse().unwrap(),
            email_domains: vec!["example.com".parse().unwrap()],
            claims: ClaimNames::default(),
            optional_claims: BTreeSet::new(),
            permissions: vec!["tokens.create".parse().unwrap()],
            teams: [("engineers".parse().unwrap(), "red".parse().unwrap())].into(),
            roles: [
                ("ops".parse().unwrap(), Role::Admin),
                ("auditor".parse().unwrap(), Role::Permissions(vec!["audit.read".parse().unwrap()])),
            ]
            .into(),
        }
    }

    fn these(teams: &[&str]) -> Teams {
        Teams::These(teams.iter().map(|team| team.parse().unwrap()).collect())
    }

    #[test]
    fn an_issuer_is_the_same_place_in_another_spelling_and_no_other_place() {
        let alike = |one: &str, other: &str| are_alike(&one.parse().unwrap(), &other.parse().unwrap());

        for spelling in [
            "https://catalog.example.com",
            "https://catalog.example.com/",
            "https://catalog.example.com//",
            "HTTPS://Catalog.Example.COM",
            "https://catalog.example.com:443",
            "https://catalog.example.com:443/",
            "https://catalog.example.com:",
            "https://catalog.example.com.",
        ] {
            assert!(alike(spelling, "https://catalog.example.com"), "{spelling}");
        }
        assert!(alike("http://127.0.0.1:80/a/", "http://127.0.0.1/a"));
        for other in [
            "http://catalog.example.com",
            "https://catalog.example.com:8443",
            "https://catalog.example.com:80",
            "https://catalog.example.com/A",
            "https://catalog.example.com/a",
            "https://catalog.example.org",
            "catalog.example.com",
        ] {
            assert!(!alike(other, "https://catalog.example.com"), "{other}");
        }
        assert!(!alike("https://catalog.example.com/A", "https://catalog.example.com/a"), "a path has its case");
        assert!(alike("mcpgateway", "mcpgateway") && !alike("mcpgateway", "McpGateway"), "a name that is no address");
    }

    #[test]
    fn groups_and_roles_that_map_to_nothing_are_worth_nothing() {
        let grant = provider().grant(["marketing", "", "a\u{202e}b"], ["Ops", "auditors"]);

        assert_eq!((grant.is_admin, grant.teams), (false, these(&[])));
        assert_eq!(grant.permissions, provider().permissions);
    }

    #[test]
    fn a_person_has_the_teams_of_its_groups_and_the_permissions_of_everybody_and_of_its_roles() {
        let grant = provider().grant(["engineers", "engineers"], ["auditor"]);

        assert_eq!((grant.is_admin, grant.teams), (false, these(&["red"])));
        let named: Vec<&str> = grant.permissions.iter().map(Permission::as_str).collect();
        assert_eq!(named, ["audit.read", "tokens.create"]);
    }

    #[test]
    fn only_a_role_that_says_so_makes_an_administrator_who_is_one_of_every_team() {
        let grant = provider().grant(["engineers"], ["ops"]);

        assert_eq!((grant.is_admin, grant.teams), (true, Teams::Every));
        assert!(!provider().grant(["ops"], []).is_admin, "a group is no role");
    }
}
