//! `catalog keys`: what the log says of the signing keys, whether their private halves are on this machine, and what
//! becomes of them.

pub(super) mod add;
pub(super) mod change;
pub(super) mod compromise;
pub(super) mod history;
mod private_half;

use clap::{Args, Subcommand};

use super::{
    CliError, Outcome, Shell,
    config::Listen,
    listing::{ListFormat, Listing},
    operator,
    output::{self, Out},
    rows::NOTHING,
    session::{self, Need, Session, Start},
};
use private_half::PrivateHalves;

use crate::{
    app::{Catalog, view},
    domain::{
        Origin, Path,
        key::{Algorithm, KeyRecord},
        settings::Settings,
        text::Kid,
    },
    signing::{PrivateHalf, jwks},
    store::log,
};

/// Show the signing keys that the log knows, and change which one signs
///
/// A key is added, and so published; after some minutes it is activated and signs; when another has taken its place and
/// the last token that it signed is over, it is retired. It never leaves the log.
#[derive(Subcommand)]
pub(super) enum KeysCommand {
    List(ListArgs),
    Show(ShowArgs),
    History(history::HistoryArgs),
    Add(add::AddArgs),
    Activate(change::ActivateArgs),
    Retire(change::RetireArgs),
    Compromise(compromise::CompromiseArgs),
}

pub(super) async fn run(shell: &Shell<'_>, command: KeysCommand) -> Result<Outcome, CliError> {
    match command {
        KeysCommand::List(args) => list(shell, args).await,
        KeysCommand::Show(args) => show(shell, args).await,
        KeysCommand::History(args) => history::run(shell, args).await,
        KeysCommand::Add(args) => add::run(shell, args).await,
        KeysCommand::Activate(args) => change::activate(shell, args).await,
        KeysCommand::Retire(args) => change::retire(shell, args).await,
        KeysCommand::Compromise(args) => compromise::run(shell, args).await,
    }
}

/// List the keys of the log
#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(in crate::cli) struct ListArgs {
    /// How to write them
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

const LIST_EXAMPLES: &str = "\
Examples:
  catalog keys list
  catalog keys list --format json";

/// Show the public half of a key as a JWK
#[derive(Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(in crate::cli) struct ShowArgs {
    /// The key's name
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(allow_hyphen_values = true)]
    kid: Kid,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  catalog keys show CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk";

const HEADINGS: &[&str] = &["kid", "alg", "state", "private half", "added", "activated"];

async fn list(shell: &Shell<'_>, args: ListArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let settings = log::settings(session.database.reads()).await?;
        let halves = PrivateHalves::look(shell, session)?;
        let mut listing = Listing::stdout(args.format, HEADINGS);
        for key in &settings.keys {
            let half = halves.of(key);
            listing.member(
                || cells(&settings, key, half),
                || Ok::<_, CliError>(view::KeyView::new(&settings, key, half)),
            )?;
        }
        listing.finish()?;
        for fault in halves.faults() {
            output::say(&format!("note: {fault}"));
        }
        Ok(Outcome::Done)
    })
    .await
}

async fn show(shell: &Shell<'_>, args: ShowArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let settings = log::settings(session.database.reads()).await?;
        let key = settings.key(&args.kid).ok_or_else(|| CliError::KeyUnknown { kid: args.kid.clone() })?;
        let jwks = jwks(std::slice::from_ref(key));
        let jwk = jwks.keys.first().ok_or_else(|| CliError::KeyShared { kid: args.kid.clone() })?;
        let mut out = Out::stdout();
        out.json(jwk)?;
        out.flush()?;
        Ok(Outcome::Done)
    })
    .await
}

/// Runs a command about keys on a catalog that has its settings, and lets go of that however the command ends.
async fn on_catalog<T>(
    shell: &Shell<'_>,
    work: impl AsyncFnOnce(&Session, &Catalog, Origin) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let start = Start::with_any_key(shell, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    session::run(shell, Need::Catalog, async |session| {
        let catalog = session.settled_catalog(shell, start).await?;
        let outcome = work(session, &catalog, origin).await;
        catalog.close().await;
        outcome
    })
    .await
}

fn cells(settings: &Settings, key: &KeyRecord, half: PrivateHalf<'_>) -> Vec<String> {
    let half = match (half, key.alg) {
        (PrivateHalf::Missing, Algorithm::Hs256) => "not given",
        (PrivateHalf::Missing, Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256) => "not here",
        (PrivateHalf::Here | PrivateHalf::Unusable(_), _) => half.as_str(),
    };
    vec![
        key.kid.to_string(),
        key.alg.to_string(),
        view::key_state(settings, key).to_owned(),
        half.to_owned(),
        key.added.to_string(),
        key.activated.map_or_else(|| NOTHING.to_owned(), |position| position.to_string()),
    ]
}
