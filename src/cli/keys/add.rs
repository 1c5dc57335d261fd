//! `catalog keys add`: a key made here, or one that is here already, made known to every process of the catalog.

use std::path::{Path as FilePath, PathBuf};

use clap::Args;

use super::super::{
    CliError, Outcome, Shell,
    config::{self, Listen},
    operator,
    output::{self, Format, Out},
    session::{self, Need, Start},
};
use crate::{
    domain::{
        Path,
        event::KeyAdded,
        key::{Algorithm, JWKS_MAX_AGE_SECONDS},
        text::Kid,
    },
    signing::{Keyring, KeyringError},
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
    let start = Start::with_any_key(shell, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    session::run(shell, Need::Catalog, async |session| {
        let catalog = session.settled_catalog(shell, start).await?;
        let (dev, format) = (args.dev, args.format);
        let outcome = match tokio::task::block_in_place(|| key(shell, &args, &session.place.keys())) {
            Ok(key) => catalog.add_key(key, origin).await.map_err(CliError::from),
            Err(error) => Err(error),
        };
        catalog.close().await;
        let settled = outcome?;
        tell(&settled.now, settled.position.map(|position| position.0), format)?;
        match settled.position {
            Some(_) if dev => {}
            Some(_) => output::say(&format!(
                "note: it can be activated once everybody had time to read the JWK Set again, {JWKS_MAX_AGE_SECONDS} s; \
                 bring its file to every other server by then"
            )),
            None => output::say("note: the log has it already"),
        }
        Ok(Outcome::Done)
    })
    .await
}

fn tell(kid: &Kid, position: Option<i64>, format: Format) -> Result<(), CliError> {
    let mut out = Out::stdout();
    match format {
        Format::Text => out.line(kid.as_str())?,
        Format::Json => out.json(&serde_json::json!({ "kid": kid, "position": position }))?,
    }
    out.flush()?;
    if let Some(position) = position {
        output::say(&format!("added, recorded at position {position}"));
    }
    Ok(())
}

/// The key that was asked for, made or found. It waits for files, and for RS256 up to seconds.
fn key(shell: &Shell<'_>, args: &AddArgs, directory: &FilePath) -> Result<KeyAdded, CliError> {
    let mut keyring = Keyring::open_locked(directory, shell.passphrase()?)?;
    let kid = match (&args.kid, &args.file, args.alg) {
        (Some(kid), ..) => kid.clone(),
        (None, Some(file), _) => keyring.add_key_file(file, None, None)?,
        (None, None, Some(Algorithm::Hs256)) => keyring.add_secret(config::secret(&shell.global, shell.variables)?)?,
        (None, None, alg) => keyring.add_generated(alg.unwrap_or(Algorithm::EdDsa))?,
    };
    let facts = keyring
        .facts(&kid)
        .ok_or_else(|| KeyringError::NoSuchKey { kid: kid.clone(), directory: directory.to_owned() })?;
    Ok(KeyAdded { kid: facts.kid, alg: facts.alg, jwk: facts.jwk, dev: args.dev })
}
