//! `catalog whoami`: as whom the credential asks, and what it may do.

use clap::Args;
use reqwest::Method;
use serde::Deserialize;

use super::{
    Api, ServerArgs,
    record::{self, Record},
    text::{Line, listed},
};
use crate::cli::{
    CliError, Outcome, Shell, event_line,
    output::{self, Format},
};

/// Show as whom the credential asks, and what it may do
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct WhoamiArgs {
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

const EXAMPLES: &str = "\
Examples:
  catalog whoami
  catalog whoami --token-file /run/secrets/catalog --url https://catalog.example.com";

/// The caller, as `GET /whoami` tells it.
#[derive(Deserialize)]
struct Caller {
    sub: Option<Line>,
    is_admin: bool,
    /// `null` is every team.
    #[serde(deserialize_with = "record::said")]
    teams: Option<Vec<Line>>,
    /// `null` is all of them.
    #[serde(deserialize_with = "record::said")]
    permissions: Option<Vec<Line>>,
    /// The identity provider that vouches for a person.
    issuer: Option<Line>,
    credential: Option<Record>,
}

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: WhoamiArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    let answer = api.answer(|| api.request(Method::GET, &["whoami"])).await?;
    let (caller, value): (Caller, _) = answer.read()?;
    output::object(args.format, &caller.lines(), &value)?;
    Ok(Outcome::Done)
}

impl Caller {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let credential = match (&self.credential, &self.issuer) {
            (Some(credential), _) => {
                let expires = event_line::seconds(credential.expires_at);
                format!("{}, expires {expires}, path {}", credential.jti, credential.way())
            }
            (None, Some(issuer)) => format!("an access token of {issuer}"),
            (None, None) => String::new(),
        };
        vec![
            ("subject", self.sub.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("admin", if self.is_admin { "yes" } else { "no" }.to_owned()),
            ("teams", record::teams(self.teams.as_deref())),
            ("permissions", permissions(self.permissions.as_deref())),
            ("credential", credential),
        ]
    }
}

/// The catalog cannot know what a gateway lets the subject do: an empty list is nothing here.
fn permissions(permissions: Option<&[Line]>) -> String {
    match permissions {
        None => "all".to_owned(),
        Some([]) => "none at the catalog".to_owned(),
        Some(permissions) => listed(permissions),
    }
}
