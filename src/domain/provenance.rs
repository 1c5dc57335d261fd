//! Where a token's permissions came from: each traced to the permission of whoever asked, and to the entries of the policy
//! that let it be granted.

use super::{
    Authority, Path,
    authority::{Credential, Permissions},
    claims::Teams,
    event::TokenIssued,
    policy::{Grantable, Policy},
    text::{Permission, TeamId},
};

/// Where everything that a token may be used for came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Each permission that it names. One that names none has what everything takes, `*`.
    pub permissions: Vec<Traced<Permission>>,
    /// Each team that it names.
    pub teams: Vec<Traced<TeamId>>,
    /// How it came to reach every team, if it does.
    pub every_team: Option<Held<TeamId>>,
}

/// Something that a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced<T> {
    /// What.
    pub what: T,
    /// By what the asker could grant it; `None` = by nothing that the log tells.
    pub held: Option<Held<T>>,
    /// The entries of the policy that let it be granted; every one of the tables that bind the token has one.
    pub allowed: Vec<Allowed>,
}

/// By what an asker can grant something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held<T> {
    /// A shell: whoever can read the signing key may grant all that the policy lets through.
    Shell,
    /// An administrator's credential, which names none and so has all.
    All,
    /// This, which the asker's credential names.
    This(T),
}

/// An entry of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The table of the policy file that it stands in: `api`, `teams.red.cli-dev`.
    pub table: String,
    /// The entry, which covers the permission.
    pub entry: Permission,
}

/// Traces a token that came through a door, by what the asker could grant and what the policy was.
#[must_use]
pub fn trace(issued: &TokenIssued, path: Path, asker: Option<&Authority>, policy: Option<&Policy>) -> Provenance {
    let everything = [Permission::everything()];
    let named = if issued.permissions.is_empty() { &everything[..] } else { &issued.permissions };
    let tables = policy.map(|policy| tables(policy, path, &issued.teams)).unwrap_or_default();
    let permissions = named.iter().map(|permission| Traced {
        what: permission.clone(),
        held: asker.and_then(|asker| held_permission(asker, permission)),
        allowed: tables.iter().filter_map(|(table, grantable)| allowed(table, grantable, permission)).collect(),
    });
    let team = |team: &TeamId| Traced {
        what: team.clone(),
        held: asker.and_then(|asker| held_team(asker, Some(team))),
        allowed: Vec::new(),
    };
    let (teams, every_team) = match &issued.teams {
        Teams::Every => (Vec::new(), asker.and_then(|asker| held_team(asker, None))),
        Teams::These(teams) => (teams.iter().map(team).collect(), None),
    };
    Provenance { permissions: permissions.collect(), teams, every_team }
}

fn all<T>(asker: &Authority) -> Held<T> {
    match asker.credential {
        None => Held::Shell,
        Some(Credential::Token(_) | Credential::Login { .. } | Credential::Client { .. }) => Held::All,
    }
}

fn held_permission(asker: &Authority, permission: &Permission) -> Option<Held<Permission>> {
    match &asker.permissions {
        Permissions::All => Some(all(asker)),
        Permissions::These(held) => held.iter().find(|held| held.covers(permission)).cloned().map(Held::This),
    }
}

fn held_team(asker: &Authority, team: Option<&TeamId>) -> Option<Held<TeamId>> {
    match (&asker.teams, team) {
        (Teams::Every, _) => Some(all(asker)),
        (Teams::These(own), Some(team)) => own.contains(team).then(|| Held::This(team.clone())),
        (Teams::These(_), None) => None,
    }
}

/// The tables of the policy that say what a token that reaches these teams may be granted, by their names in a file.
fn tables<'a>(policy: &'a Policy, path: Path, teams: &'a Teams) -> Vec<(String, &'a Grantable)> {
    let rules = &policy.rules;
    let door = match path {
        Path::Api => "api",
        Path::CliDev | Path::CliAdmin | Path::System => "cli-dev",
    };
    let of_teams = rules.narrowings(path, teams).filter_map(|(team, narrowing)| {
        narrowing.permissions.as_ref().map(|grantable| (format!("teams.{team}.{door}"), grantable))
    });
    std::iter::once((door.to_owned(), &rules.of(path).permissions)).chain(of_teams).collect()
}

fn allowed(table: &str, grantable: &Grantable, permission: &Permission) -> Option<Allowed> {
    let entry = grantable.0.iter().find(|entry| entry.covers(permission))?;
    Some(Allowed { table: table.to_owned(), entry: entry.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{Narrowing, TeamRules};

    fn permission(text: &str) -> Permission {
        text.parse().unwrap()
    }

    fn token(permissions: &[&str], teams: &[&str]) -> TokenIssued {
        let json = serde_json::json!({
            "jti": "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10", "iat": 1, "exp": 2, "kid": "k", "alg": "EdDSA",
            "aud": ["gateway"], "is_admin": false, "teams": teams, "permissions": permissions, "out_of_band": false,
            "elevated": [], "policy_version": 2,
        });
        serde_json::from_value(json).unwrap()
    }

    fn asker(permissions: &[&str], teams: &[&str]) -> Authority {
        Authority {
            credential: Some(Credential::Token(uuid::Uuid::nil())),
            permissions: Permissions::These(permissions.iter().copied().map(permission).collect()),
            teams: Teams::These(teams.iter().map(|team| team.parse().unwrap()).collect()),
            ..Authority::of_nobody()
        }
    }

    fn policy() -> Policy {
        let mut policy = Policy::initial();
        policy.rules.api.permissions = Grantable(vec![permission("servers.use"), permission("tools.*")]);
        let narrowing =
            Narrowing { permissions: Some(Grantable(vec![permission("tools.read")])), ..Narrowing::default() };
        policy.rules.teams.insert("red".parse().unwrap(), TeamRules { api: narrowing, ..TeamRules::default() });
        policy
    }

    #[test]
    fn a_permission_is_traced_to_what_was_held_and_to_every_table_that_let_it_through() {
        let traced = trace(
            &token(&["tools.read"], &["red"]),
            Path::Api,
            Some(&asker(&["audit.read", "tools.*"], &["red", "blue"])),
            Some(&policy()),
        );

        let entry = |table: &str, entry: &str| Allowed { table: table.to_owned(), entry: permission(entry) };
        assert_eq!(traced.permissions[0].held, Some(Held::This(permission("tools.*"))));
        assert_eq!(traced.permissions[0].allowed, [entry("api", "tools.*"), entry("teams.red.api", "tools.read")]);
        assert_eq!(traced.teams[0].held, Some(Held::This("red".parse().unwrap())));
        assert_eq!(traced.every_team, None);
    }

    #[test]
    fn what_nothing_grants_is_traced_to_nothing() {
        let traced =
            trace(&token(&["tools.write"], &["blue"]), Path::Api, Some(&asker(&["tools.read"], &[])), Some(&policy()));

        assert_eq!((&traced.permissions[0].held, &traced.teams[0].held), (&None, &None));
        let traced = trace(&token(&["tools.write"], &["blue"]), Path::Api, None, None);
        assert_eq!((traced.permissions[0].held.clone(), traced.permissions[0].allowed.len()), (None, 0));
    }

    #[test]
    fn a_token_that_names_nothing_takes_everything_and_a_shell_or_an_administrator_has_it() {
        let issued = TokenIssued { teams: Teams::Every, ..token(&[], &[]) };
        let shell = Authority::of_shell();
        let administrator = Authority { credential: Some(Credential::Token(uuid::Uuid::nil())), ..shell.clone() };

        for (asker, held, team) in [(shell, Held::Shell, Held::Shell), (administrator, Held::All, Held::All)] {
            let traced = trace(&issued, Path::CliDev, Some(&asker), Some(&policy()));

            assert_eq!(traced.permissions[0].what, Permission::everything());
            assert_eq!((&traced.permissions[0].held, &traced.every_team), (&Some(held), &Some(team)));
            assert_eq!(traced.permissions[0].allowed[0].table, "cli-dev");
        }
    }
}
