//! `catalog keys`: what the log says of the signing keys, and whether their private halves are on this machine.

use clap::Args;

use super::{
    CliError, Outcome, Shell,
    config::{Listen, signing},
    listing::{ListFormat, Listing},
    operator,
    output::{self, Out},
    rows::NOTHING,
    session::{self, Need, Session, Start},
};
use crate::{
    app::{SigningKey, view},
    domain::{
        Path,
        key::{Algorithm, KeyRecord},
        settings::Settings,
        text::Kid,
    },
    signing::{Keyring, jwks},
    store::log,
};

/// List the keys of the log
#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArgs {
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
pub(super) struct ShowArgs {
    /// The key's name
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(allow_hyphen_values = true)]
    kid: Kid,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  catalog keys show CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk";

/// Make a key for tokens from a shell
///
/// Its public half is never published, so a gateway that knows the catalog by its JWKS refuses what it signs. A policy
/// has 'issue --dev' sign with it: kid in [cli-dev].
#[derive(Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(super) struct AddArgs {
    /// For tokens from a shell alone
    #[arg(long, required = true)]
    dev: bool,
    /// Its algorithm
    #[arg(long, value_name = "ALG", default_value = "EdDSA")]
    alg: Algorithm,
}

const ADD_EXAMPLES: &str = "\
Examples:
  catalog keys add --dev";

const HEADINGS: &[&str] = &["kid", "alg", "signs", "private half", "added", "activated"];

pub(super) async fn list(shell: &Shell<'_>, args: ListArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let settings = log::settings(session.database.reads()).await?;
        let keyring = keyring(shell, session)?;
        let holds = |kid: &Kid| keyring.as_ref().is_some_and(|keyring| keyring.facts(kid).is_some());
        let mut listing = Listing::stdout(args.format, HEADINGS);
        for (key, view) in settings.keys.iter().zip(view::keys(&settings, holds)) {
            listing.member(|| cells(&settings, key, holds(&key.kid)), || Ok::<_, CliError>(view))?;
        }
        listing.finish()?;
        Ok(Outcome::Done)
    })
    .await
}

pub(super) async fn show(shell: &Shell<'_>, args: ShowArgs) -> Result<Outcome, CliError> {
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

pub(super) async fn add(shell: &Shell<'_>, args: AddArgs) -> Result<Outcome, CliError> {
    let start = Start::choose(shell, false, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    session::run(shell, Need::Catalog, async |session| {
        let keyring = Keyring::open(&session.place.keys())?;
        let catalog = session.catalog(shell, start).await?;
        let settled = catalog.add_dev_key(keyring, args.alg, origin).await;
        catalog.close().await;
        let settled = settled?;
        let mut out = Out::stdout();
        out.line(settled.now.as_str())?;
        out.flush()?;
        if let Some(position) = settled.position {
            output::say(&format!("added for tokens from a shell, recorded at position {position}"));
        }
        Ok(Outcome::Done)
    })
    .await
}

/// The keys on this machine; `None` where there never were any. Looking must not make a directory.
fn keyring(shell: &Shell<'_>, session: &Session) -> Result<Option<Keyring>, CliError> {
    let key = signing(&shell.global, shell.variables)?.key;
    let directory = session.place.keys();
    if matches!(key, SigningKey::FromLog(_)) && !directory.exists() {
        return Ok(None);
    }
    let mut keyring = Keyring::open(&directory)?;
    match key {
        SigningKey::FromLog(_) => {}
        SigningKey::Secret(secret) => drop(keyring.add_secret(secret)?),
        SigningKey::File { private, public, alg } => drop(keyring.add_key_file(&private, public.as_deref(), alg)?),
    }
    Ok(Some(keyring))
}

fn cells(settings: &Settings, key: &KeyRecord, is_here: bool) -> Vec<String> {
    let half = match (is_here, key.alg) {
        (true, _) => "here",
        (false, Algorithm::Hs256) => "not given",
        (false, Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256) => "not here",
    };
    vec![
        key.kid.to_string(),
        key.alg.to_string(),
        if settings.active.as_ref() == Some(&key.kid) { "yes" } else { "no" }.to_owned(),
        half.to_owned(),
        key.added.to_string(),
        key.activated.map_or_else(|| NOTHING.to_owned(), |position| position.to_string()),
    ]
}
