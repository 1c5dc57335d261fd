//! `catalog issue`: its flags, and the command that they make. It is the very command that `POST /tokens` makes.

use clap::Args;

use super::{
    client::ServerArgs,
    output::Format,
    values::{self, List, ScopesArg, TeamsArg, Ttl, all},
};
use crate::domain::{
    IssueToken, Malformed,
    claims::Scopes,
    text::{Audience, Description, Email, FullName, IdempotencyKey, Name, Namespace, Note, Permission, Subject},
};

/// Issue a token: by the API, or with --dev past it
///
/// The token alone goes to stdout, everything else to stderr. Flags mean what the members of POST /tokens mean. With
/// --dev no server and no credential is needed: the token is for development, and the log says how it came about.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct IssueArgs {
    /// Issue past the API, on the authority of whoever can read the signing key; the log says so
    #[arg(long, conflicts_with = "server")]
    pub(super) dev: bool,
    #[command(flatten)]
    pub(super) request: RequestArgs,
    /// How the token is written: alone, or in the API's answer
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// The request's name: under the same one the same token is answered for 24 hours [default: a fresh one]
    #[arg(long, value_name = "KEY", conflicts_with = "dev", value_parser = values::header_word)]
    pub(super) idempotency_key: Option<IdempotencyKey>,
    /// With --dev: refuse a schema that is older than this program instead of migrating it
    #[arg(long, requires = "dev")]
    pub(super) no_migrate: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// What is asked for.
#[derive(Args)]
pub(super) struct RequestArgs {
    /// Whom the token speaks for
    #[arg(long)]
    sub: Subject,
    /// Its name, unique among the subject's active tokens
    #[arg(long)]
    name: Option<Name>,
    /// What it is for
    #[arg(long)]
    description: Option<Description>,
    /// Whom it is meant for; may be repeated [default: the catalog's audience]
    #[arg(long, value_name = "A,B")]
    aud: Vec<List<Audience>>,
    /// How long it lives, such as 20m, 8h, 7d, or plain seconds [default: the policy's]
    #[arg(long)]
    ttl: Option<Ttl>,
    /// Claim an administrator
    #[arg(long)]
    admin: bool,
    /// The teams it reaches: a list, [] for public things only, null for every team (with --admin)
    #[arg(long, value_name = "A,B")]
    teams: Option<TeamsArg>,
    /// What it may be used for; none means everything the subject may do
    #[arg(long, value_name = "A,B", conflicts_with = "scopes")]
    permissions: Vec<List<Permission>>,
    /// The scopes object, as in POST /tokens
    #[arg(long, value_name = "JSON")]
    scopes: Option<ScopesArg>,
    /// The namespaces it reaches
    #[arg(long, value_name = "A,B")]
    namespaces: Vec<List<Namespace>>,
    /// The name of the person or service
    #[arg(long)]
    full_name: Option<FullName>,
    /// The e-mail address, when --sub is none
    #[arg(long)]
    email: Option<Email>,
    /// Why it is needed, for the log
    #[arg(long)]
    reason: Option<Note>,
}

const EXAMPLES: &str = r#"Examples:
  catalog issue --sub ci@example.com --name deploy --teams red --permissions tools.read
  catalog issue --sub ci --ttl 7d --idempotency-key "deploy-$BUILD_ID"      run again, it is the same token
  catalog issue --dev --sub alice@example.com
  catalog issue --dev --sub ci --scopes '{"ip_restrictions":["10.0.0.0/8"]}'
  export CATALOG_TOKEN=$(catalog issue --dev --admin --aud catalog --sub root@localhost)"#;

impl RequestArgs {
    /// Whether the scopes object was given, in which permissions may be left out.
    pub(super) fn has_scopes(&self) -> bool {
        self.scopes.is_some()
    }

    /// The command that both doors build.
    pub(super) fn command(self) -> Result<IssueToken, Malformed> {
        let permissions = all(self.permissions);
        let scopes = self.scopes.map_or_else(|| Scopes { permissions, ..Scopes::default() }, |scopes| scopes.0);
        IssueToken {
            sub: self.sub,
            name: self.name,
            description: self.description,
            aud: all(self.aud),
            ttl_seconds: self.ttl.map(|ttl| ttl.0),
            is_admin: self.admin,
            email: self.email,
            full_name: self.full_name,
            teams: self.teams.map(|teams| teams.0),
            namespaces: all(self.namespaces),
            scopes,
            reason: self.reason,
        }
        .checked()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        issue: IssueArgs,
    }

    fn command(arguments: &[&str]) -> IssueToken {
        let line = ["issue", "--dev", "--sub", "alice@example.com"].iter().chain(arguments);
        Line::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).issue.request.command().unwrap()
    }

    fn wire(members: &str) -> IssueToken {
        serde_json::from_str(&format!(r#"{{"sub":"alice@example.com"{members}}}"#)).unwrap()
    }

    #[test]
    fn flags_and_members_make_the_same_command() {
        for (arguments, members) in [
            (vec![], ""),
            (vec!["--ttl", "1h"], r#","expires_in":3600"#),
            (vec!["--admin", "--teams", "null"], r#","is_admin":true,"teams":null"#),
            (vec!["--teams", "[]"], r#","teams":[]"#),
            (vec!["--teams", "red,blue"], r#","teams":["red","blue"]"#),
            (vec!["--aud", "a,b", "--aud", "c"], r#","aud":["a","b","c"]"#),
            (vec!["--permissions", "tools.read,*"], r#","scopes":{"permissions":["tools.read","*"]}"#),
            (vec!["--scopes", r#"{"server_id":"s"}"#], r#","scopes":{"server_id":"s"}"#),
            (
                vec![
                    "--name",
                    "ci x",
                    "--description",
                    "d",
                    "--full-name",
                    "Al",
                    "--email",
                    "alice@example.com",
                    "--reason",
                    "r",
                ],
                r#","name":"ci x","description":"d","full_name":"Al","email":"alice@example.com","reason":"r""#,
            ),
            (vec!["--namespaces", "n,n"], r#","namespaces":["n"]"#),
        ] {
            assert_eq!(command(&arguments), wire(members), "{arguments:?}");
        }
    }

    #[test]
    fn permissions_are_given_in_one_way_only() {
        let both = ["issue", "--sub", "a", "--permissions", "tools.read", "--scopes", "{}"];

        assert!(Line::try_parse_from(both).is_err());
    }
}
