//! `catalog clients`: gateways and services that come with a name and a secret. The secret is shown once.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    CliError, Outcome, Shell,
    config::Listen,
    event_line::seconds,
    listing::{ListFormat, Listing},
    operator,
    output::{self, Format, Out},
    rows::NOTHING,
    session::{self, Need, Start},
    values::{List, all},
};
use crate::{
    app::{ClientView, Settled, view},
    domain::{
        Path,
        claims::Teams,
        client::{ChangeClient, Client, ClientAdded, ClientPermission, ClientSecret},
        rotate::Overlap,
        text::{ClientName, TeamId},
    },
    store::log,
};

/// Add, list, rotate and revoke the clients: gateways and services with a secret of their own
#[derive(Subcommand)]
pub(super) enum ClientsCommand {
    Add(AddArgs),
    List(ListArgs),
    Rotate(RotateArgs),
    Revoke(RevokeArgs),
}

/// Add a client and show its secret, once
///
/// A client sends its name and its secret with HTTP Basic to /introspect, /revoke and /revocations. The secret alone is
/// written to stdout, and nothing but its SHA-256 is kept.
#[derive(Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(super) struct AddArgs {
    /// Its name: letters, digits, dots, hyphens and underscores
    name: ClientName,
    /// What it may do: tokens.check, tokens.revoke, tokens.courier
    #[arg(long, value_name = "LIST", required = true, action = clap::ArgAction::Append)]
    permissions: Vec<List<ClientPermission>>,
    /// With tokens.revoke, tokens.courier: it may end, or carry to gateways, tokens that reach these teams and no others
    #[arg(long, value_name = "LIST", conflicts_with = "all_teams", action = clap::ArgAction::Append)]
    teams: Vec<List<TeamId>>,
    /// With tokens.revoke, tokens.courier: it may end, or carry to gateways, every token
    #[arg(long)]
    all_teams: bool,
}

const ADD_EXAMPLES: &str = "\
Examples:
  (umask 077; catalog clients add edge-gateway --permissions tokens.check > edge-gateway.secret)
  catalog clients add portal --permissions tokens.check,tokens.revoke --teams red,blue
  catalog clients add incident-bot --permissions tokens.revoke --all-teams
  (umask 077; catalog clients add bridge --permissions tokens.check,tokens.courier --all-teams > bridge.secret)";

/// List the clients
#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArgs {
    /// How to write them
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

const LIST_EXAMPLES: &str = "\
Examples:
  catalog clients list
  catalog clients list --format json";

/// Give a client another secret and show it, once
#[derive(Args)]
#[command(after_help = ROTATE_EXAMPLES)]
pub(super) struct RotateArgs {
    /// The client
    name: ClientName,
    /// For how long older secrets stay good beside it, 30d at most
    #[arg(long, value_name = "SPAN", default_value = "0s")]
    overlap: Overlap,
}

const ROTATE_EXAMPLES: &str = "\
Examples:
  catalog clients rotate edge-gateway --overlap 1h > edge-gateway.secret
  catalog clients rotate edge-gateway";

/// Revoke a client: its secrets are good no longer, and its name is not given again
#[derive(Args)]
#[command(after_help = REVOKE_EXAMPLES)]
pub(super) struct RevokeArgs {
    /// The client
    name: ClientName,
    /// How to write what became of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const REVOKE_EXAMPLES: &str = "\
Examples:
  catalog clients revoke edge-gateway";

const HEADINGS: &[&str] = &["name", "status", "added", "rotated", "older secrets until", "permissions", "teams"];

pub(super) async fn run(shell: &Shell<'_>, command: ClientsCommand) -> Result<Outcome, CliError> {
    match command {
        ClientsCommand::Add(args) => add(shell, args).await,
        ClientsCommand::List(args) => list(shell, args).await,
        ClientsCommand::Rotate(args) => rotate(shell, args).await,
        ClientsCommand::Revoke(args) => revoke(shell, args).await,
    }
}

async fn add(shell: &Shell<'_>, args: AddArgs) -> Result<Outcome, CliError> {
    output::require_stdout()?;
    let AddArgs { name, permissions, teams, all_teams } = args;
    let teams = match teams {
        _ if all_teams => Some(Teams::Every),
        teams if teams.is_empty() => None,
        teams => Some(Teams::These(all(teams))),
    };
    let secret = ClientSecret::generate(&*shell.ambient.entropy);
    let added = ClientAdded::new(name, all(permissions), teams, secret.digest())?;
    let settled = change(shell, ChangeClient::Add(added)).await?;
    show(&settled.now, &secret)?;
    note(&settled, "added");
    Ok(Outcome::Done)
}

async fn rotate(shell: &Shell<'_>, args: RotateArgs) -> Result<Outcome, CliError> {
    output::require_stdout()?;
    let RotateArgs { name, overlap } = args;
    let secret = ClientSecret::generate(&*shell.ambient.entropy);
    let settled = change(shell, ChangeClient::Rotate { name, secret_sha256: secret.digest(), overlap }).await?;
    show(&settled.now, &secret)?;
    note(&settled, "has another secret");
    match settled.now.old_until(shell.ambient.clock.now()) {
        Some(until) => output::say(&format!("older secrets are good until {}", view::instant(until))),
        None => output::say("no older secret is good any more"),
    }
    Ok(Outcome::Done)
}

async fn revoke(shell: &Shell<'_>, args: RevokeArgs) -> Result<Outcome, CliError> {
    let settled = change(shell, ChangeClient::Revoke { name: args.name }).await?;
    let Settled { now: Client { name, .. }, position } = &settled;
    let line = match position {
        Some(position) => format!("client {name} is revoked, recorded at position {position}"),
        None => format!("client {name} was revoked already"),
    };
    output::outcome(args.format, &line, &json!({ "name": name, "position": position }))?;
    Ok(Outcome::Done)
}

async fn list(shell: &Shell<'_>, args: ListArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let (settings, now) = (log::settings(session.database.reads()).await?, shell.ambient.clock.now());
        let mut listing = Listing::stdout(args.format, HEADINGS);
        for client in &settings.clients {
            let view = ClientView::new(client, now);
            listing.member(|| cells(client, &view, now), || Ok::<_, CliError>(&view))?;
        }
        listing.finish()?;
        Ok(Outcome::Done)
    })
    .await
}

async fn change(shell: &Shell<'_>, change: ChangeClient) -> Result<Settled<Client>, CliError> {
    let start = Start::choose(shell, false, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    session::run(shell, Need::Catalog, async |session| {
        let catalog = session.catalog(shell, start).await?;
        let settled = catalog.change_client(change, origin).await;
        catalog.close().await;
        Ok(settled?)
    })
    .await
}

/// The one moment at which a secret is written out.
fn show(client: &Client, secret: &ClientSecret) -> Result<(), CliError> {
    let mut out = Out::stdout();
    out.line(secret.expose()).and_then(|()| out.flush()).map_err(|source| CliError::NotShown {
        made: "the client has a new secret",
        remedy: format!("'catalog clients rotate {}' shows another; nobody will ever see this one", client.name),
        source,
    })
}

fn note(settled: &Settled<Client>, what: &str) {
    let recorded = settled.position.map(|position| format!(", recorded at position {position}")).unwrap_or_default();
    output::say(&format!("client {} {what}{recorded}; its secret is shown now and never again", settled.now.name));
}

fn cells(client: &Client, view: &ClientView<'_>, now: DateTime<Utc>) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let listed = |items: Vec<String>| or_nothing((!items.is_empty()).then(|| items.join(",")));
    vec![
        client.name.to_string(),
        view.status().to_owned(),
        seconds(client.added.0),
        or_nothing(client.rotated.map(seconds)),
        or_nothing(client.old_until(now).map(seconds)),
        listed(client.permissions.iter().map(ToString::to_string).collect()),
        match &client.teams {
            Teams::Every => "every team".to_owned(),
            Teams::These(teams) => listed(teams.iter().map(ToString::to_string).collect()),
        },
    ]
}
