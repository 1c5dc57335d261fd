//! `catalog policy`: what may be issued through which door. Shown, checked, applied.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    CliError, Outcome, Shell,
    config::{Identity, Listen},
    operator,
    output::{self, Format, Out},
    session::{self, Need, Start},
};
use crate::{
    app::{OpenError, Settled, named_files, policy_file},
    domain::{
        Path, Refusal,
        configure::ApplyPolicy,
        policy::{Policy, Rules},
    },
    store::log,
};

/// More than any policy needs.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Show the policy in force as a file, every key with its value
#[derive(Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(super) struct ShowArgs {
    /// The file as it was applied, comments included
    #[arg(long)]
    applied: bool,
    /// How to write it
    #[arg(long, value_enum, default_value = "text", conflicts_with = "applied")]
    format: Format,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  catalog policy show > policy.toml
  catalog policy show --applied
  catalog policy show --format json | jq .api";

/// Check a policy file, without a catalog
///
/// What the log alone can tell is left to 'apply': whether kid in [cli-dev] is such a key, and, where no --issuer is given,
/// whether a trusted issuer is the catalog itself.
#[derive(Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(super) struct CheckArgs {
    /// The file
    file: PathBuf,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  catalog policy check policy.toml";

/// Apply a policy file: from here on, on every server and shell of this catalog
///
/// The whole text goes into the log, and every token names the version that allowed it. Tokens that were issued before are
/// not touched.
#[derive(Args)]
#[command(after_help = APPLY_EXAMPLES)]
pub(super) struct ApplyArgs {
    /// The file
    file: PathBuf,
    /// How to write what became of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const APPLY_EXAMPLES: &str = "\
Examples:
  catalog policy show > policy.toml && ${EDITOR:-vi} policy.toml && catalog policy apply policy.toml";

pub(super) async fn show(shell: &Shell<'_>, args: ShowArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let policy = log::settings(session.database.reads()).await?.policy.unwrap_or_else(Policy::initial);
        let mut out = Out::stdout();
        match (args.format, policy.text.as_ref().filter(|_| args.applied)) {
            (Format::Json, _) => out.json(&policy)?,
            (Format::Text, Some(text)) => out.raw(text)?,
            (Format::Text, None) => {
                out.line(&format!("# version {}", policy.version))?;
                out.raw(&policy_file::render(&policy.rules))?;
            }
        }
        out.flush()?;
        Ok(Outcome::Done)
    })
    .await
}

pub(super) async fn check(shell: &Shell<'_>, args: &CheckArgs) -> Result<Outcome, CliError> {
    let (_, rules) = read(&args.file)?;
    let identity = Identity::choose(&shell.global, Listen::choose(None, shell.variables)?, shell.variables)?;
    if let Some(own) = identity.issuer.and_then(|issuer| rules.trusted_like(&issuer).cloned()) {
        return Err(OpenError::from(Refusal::OwnIssuer { issuer: own.issuer }).into());
    }
    warn_of_files(&rules).await;
    output::say(&format!("{} is a policy", args.file.display()));
    Ok(Outcome::Done)
}

pub(super) async fn apply(shell: &Shell<'_>, args: ApplyArgs) -> Result<Outcome, CliError> {
    let (text, rules) = read(&args.file)?;
    let start = Start::choose(shell, false, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    warn_of_files(&rules).await;
    session::run(shell, Need::Catalog, async |session| {
        let catalog = session.catalog(shell, start).await?;
        let settled = catalog.apply_policy(ApplyPolicy { rules, text }, origin).await;
        catalog.close().await;
        let Settled { now: Policy { version, .. }, position } = settled?;
        let line = match position {
            Some(position) => format!("policy version {version} is in force, recorded at position {position}"),
            None => format!("policy version {version} was in force already"),
        };
        output::outcome(args.format, &line, &json!({ "version": version, "position": position }))?;
        Ok(Outcome::Done)
    })
    .await
}

/// Tells of files that the policy names and that are of no use here. On the servers they may be.
async fn warn_of_files(rules: &Rules) {
    let faults = named_files::faults(rules).await;
    for fault in &faults {
        output::say(&format!("warning: {fault}"));
    }
    if !faults.is_empty() {
        output::say("note: that is so on this machine; each server reads the files that a policy names for itself");
    }
}

/// A policy's file: its text, and what it says.
pub(super) fn read(file: &std::path::Path) -> Result<(String, Rules), CliError> {
    let failed = |source| CliError::File { path: file.to_owned(), source };
    let length = fs::metadata(file).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(CliError::FileTooLarge { path: file.to_owned(), length, max: FILE_BYTES_MAX });
    }
    let text = fs::read_to_string(file).map_err(failed)?;
    let rules = policy_file::parse(&text).map_err(|fault| CliError::Policy { path: file.to_owned(), fault })?;
    Ok((text, rules))
}
