//! `catalog keys add`: a key made here, or one that is here already, made known to every process of the catalog.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    super::{
        CliError, Outcome, Shell, config,
        output::{self, Format},
    },
    on_catalog,
};
use crate::{
    app::Settled,
    domain::{
        event::KeyAdded,
        key::{Algorithm, JWKS_MAX_AGE_SECONDS},
        text::Kid,
    },
    signing::Keyring,
};

/// Make a key, or take one that is here, and make its public half known
///
/// It is published at once and signs nothing yet: see 'catalog keys activate'. Its private half stays on this machine;
/// bring the file to every other server before it is activated. A key that is known already stays as it is.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub(in crate::cli) struct AddArgs {
    /// Take the key of this name from the keys directory of this machine
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["file", "alg"])]
    kid: Option<Kid>,
    /// Take the private key in this file, which stays where it is
    #[arg(long, value_name = "FILE", conflicts_with = "alg")]
    file: Option<PathBuf>,
    /// Make a key of this algorithm; HS256 takes the secret in JWT_SECRET_KEY [default: EdDSA]
    #[arg(long, value_name = "ALG")]
    alg: Option<Algorithm>,
    /// For tokens from a shell alone: it is never published, so gateways refuse what it signs. A policy has 'issue --dev'
    /// sign with it: kid in [cli-dev]
    #[arg(long)]
    dev: bool,
    /// How to write what became of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  catalog keys add                        make the key that is to sign next
  catalog keys add --alg RS256
  catalog keys add --file /etc/catalog/next.pem
  catalog keys add --dev                  make a key for tokens from a shell";

pub(super) async fn run(shell: &Shell<'_>, args: AddArgs) -> Result<Outcome, CliError> {
    let (dev, format) = (args.dev, args.format);
    let settled = on_catalog(shell, async |session, catalog, origin| {
        let key = tokio::task::block_in_place(|| key(shell, &args, &session.place.keys()))?;
        Ok(catalog.add_key(key, origin).await?)
    });
    let Settled { now: kid, position } = settled.await?;
    output::outcome(format, kid.as_str(), &json!({ "kid": kid, "position": position }))?;
    match position {
        Some(position) => output::say(&format!("added, recorded at position {position}")),
        None => output::say("note: the log has it already"),
    }
    if position.is_some() && !dev {
        output::say(&format!(
            "note: it can be activated once everybody had time to read the JWK Set again, {JWKS_MAX_AGE_SECONDS} s; \
             bring its file to every other server by then"
        ));
    }
    Ok(Outcome::Done)
}

/// The key that was asked for, made or found. It waits for files, and for RS256 up to seconds.
fn key(shell: &Shell<'_>, args: &AddArgs, directory: &Path) -> Result<KeyAdded, CliError> {
    // Another file that cannot be used is no reason to have no next key: it is when one is out that there has to be one.
    let mut keyring = Keyring::open_usable(directory, shell.passphrase()?)?;
    let kid = match (&args.kid, &args.file, args.alg) {
        (Some(kid), ..) => kid.clone(),
        (None, Some(file), _) => keyring.add_key_file(file, None, None)?,
        (None, None, Some(Algorithm::Hs256)) => keyring.add_secret(config::secret(&shell.global, shell.variables)?)?,
        (None, None, alg) => keyring.add_generated(alg.unwrap_or(Algorithm::EdDsa))?,
    };
    let Some(facts) = keyring.facts(&kid) else { return Err(keyring.why_not(&kid, directory).into()) };
    Ok(KeyAdded { kid: facts.kid, alg: facts.alg, jwk: facts.jwk, dev: args.dev })
}
