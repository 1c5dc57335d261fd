//! `catalog issue --dev`: the same command as `POST /tokens`, from a shell, on the authority of the signing key.

use std::io;

use chrono::{DateTime, Utc};

use super::{
    CliError, Outcome, Shell,
    config::Listen,
    issue_args::IssueArgs,
    operator,
    output::{self, Format, Out, TOKEN_MADE},
    session::{self, Need, Start},
};
use crate::{
    app::{IssuedToken, Requester, view},
    domain::{Authority, Origin, Path, Token, claims::Teams, event::Elevation},
};

pub(super) async fn run(shell: &Shell<'_>, args: IssueArgs) -> Result<Outcome, CliError> {
    output::require_stdout()?;
    let start = Start::choose(shell, !args.no_migrate, Listen::choose(None, shell.variables)?)?;
    let (format, has_scopes) = (args.format, args.request.has_scopes());
    let command = args.request.command()?;
    let origin = operator::origin(shell, Path::CliDev)?;
    session::run(shell, Need::Database, async |session| {
        let catalog = session.catalog(shell, start).await?;
        session.warn_of_broken_keys(&catalog);
        let issued = catalog.issue(command, Requester::new(Authority::of_shell(), origin.clone())).await;
        catalog.close().await;
        let issued = issued?;
        tell(&issued.token, &origin, has_scopes);
        match hand_over(&issued, format, shell.ambient.clock.now()) {
            Ok(()) => Ok(Outcome::Done),
            Err(source) => {
                let remedy = format!("issue another; 'catalog revoke {}' ends this one", issued.token.jti);
                Err(CliError::NotShown { made: TOKEN_MADE, remedy, source })
            }
        }
    })
    .await
}

/// The one place of the command line where a token is shown.
fn hand_over(issued: &IssuedToken, format: Format, now: DateTime<Utc>) -> io::Result<()> {
    let mut out = Out::stdout();
    match format {
        Format::Text => out.line(issued.signed.expose())?,
        Format::Json => out.json(&view::issued(issued, now))?,
    }
    out.flush()
}

fn tell(token: &Token, origin: &Origin, has_scopes: bool) {
    let who = origin.actor.display().unwrap_or_default();
    let sub = token.sub.as_ref().map(ToString::to_string).unwrap_or_default();
    let (jti, expires, position, path) = (token.jti, view::instant(token.expires_at), token.issued, token.path);
    output::say(&format!(
        "issued {jti} for {sub}, expires {expires}, recorded at position {position} (path {path}, as {who})"
    ));
    if let Some(elevated) = elevated(token, has_scopes) {
        output::say(&warning(&elevated, &position.to_string(), &who));
    }
}

fn warning(elevated: &str, position: &str, who: &str) -> String {
    format!(
        "SECURITY WARNING: this token has elevated claims: {elevated}\n\
         \x20 It is for development and testing only. No request was checked: whoever can read the signing key can have it.\n\
         \x20 Production tokens belong to the API (POST /tokens).\n\
         \x20 It was recorded at position {position} as issued by {who}, out of band."
    )
}

/// What was elevated, in words; `None` when nothing was.
fn elevated(token: &Token, has_scopes: bool) -> Option<String> {
    let mut what: Vec<String> = token.elevated.iter().map(|elevation| in_words(*elevation, token)).collect();
    if has_scopes && !token.elevated.contains(&Elevation::Permissions) {
        what.push("scopes without permissions (everything the subject may do)".to_owned());
    }
    (!what.is_empty()).then(|| what.join("; "))
}

fn in_words(elevation: Elevation, token: &Token) -> String {
    match (elevation, &token.teams) {
        (Elevation::Admin, Teams::Every) => "administrator, every team".to_owned(),
        (Elevation::Admin, Teams::These(_)) => "administrator".to_owned(),
        (Elevation::Teams, Teams::Every) => "every team".to_owned(),
        (Elevation::Teams, Teams::These(teams)) => format!("teams {}", listed(teams)),
        (Elevation::Email, _) => format!("the address {}", token.email.as_ref().map_or("", |email| email.as_str())),
        (Elevation::Permissions, _) => format!("permissions {}", listed(&token.scopes.permissions)),
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
