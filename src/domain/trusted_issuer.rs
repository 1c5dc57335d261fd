//! Identity providers whose access tokens are taken: what each may say of a person, and what that is worth here.

use std::collections::BTreeMap;

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
