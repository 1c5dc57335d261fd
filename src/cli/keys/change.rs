//! `catalog keys activate` and `catalog keys retire`: which key signs, and which is put away.

use clap::Args;
use serde_json::json;

use super::{
    super::{
        CliError, Outcome, Shell,
        output::{self, Format},
    },
    on_catalog, private_half,
};
use crate::{
    app::{OpenError, Settled},
    domain::{
        key_life::{ActivateKey, activate_key},
        text::Kid,
    },
};

/// Have a key sign from here on, on every server of this catalog
///
/// Refused until everybody had time to read its public half in the JWK Set, and where its private half is not here. The key
/// before stays published, and verifies what it signed.
#[derive(Args)]
#[command(after_help = ACTIVATE_EXAMPLES)]
pub(in crate::cli) struct ActivateArgs {
    /// The key's name
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(allow_hyphen_values = true)]
    kid: Kid,
    /// Its private half is on the servers alone, and not here
    #[arg(long)]
    elsewhere: bool,
    /// Do not wait: gateways that have not read the JWK Set again refuse the new key's tokens until they do
    #[arg(long)]
    now: bool,
    /// How to write what became of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const ACTIVATE_EXAMPLES: &str = "\
Examples:
  catalog keys activate CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk

Exit codes: 0 it signs, 1 it may not yet or never again, 2 it cannot sign here, or could not tell.";

/// Put a key away of which every token is over
///
/// It leaves the JWK Set, never the log. Refused while a token that it signed may still be used, and while it signs.
#[derive(Args)]
#[command(after_help = RETIRE_EXAMPLES)]
pub(in crate::cli) struct RetireArgs {
    /// The key's name
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(allow_hyphen_values = true)]
    kid: Kid,
    /// How to write what became of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const RETIRE_EXAMPLES: &str = "\
Examples:
  catalog keys retire CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk

Exit codes: 0 it is put away, 1 its tokens may still be used, 2 could not tell.";

pub(super) async fn activate(shell: &Shell<'_>, args: ActivateArgs) -> Result<Outcome, CliError> {
    let ActivateArgs { kid, elsewhere, now: early, format } = args;
    let settled = on_catalog(shell, async |session, catalog, origin| {
        let (command, live) = (ActivateKey { kid, early }, catalog.live());
        // What the log refuses is refused wherever the private half may be.
        activate_key(&live.settings, &command, shell.ambient.clock.now()).map_err(OpenError::from)?;
        private_half::require(shell, session, &live.settings, &command.kid, elsewhere)?;
        Ok(catalog.activate_key(command, origin).await?)
    });
    tell(&settled.await?, ["signs from here on", "signs already"], format)
}

pub(super) async fn retire(shell: &Shell<'_>, args: RetireArgs) -> Result<Outcome, CliError> {
    let RetireArgs { kid, format } = args;
    let settled = on_catalog(shell, async |_, catalog, origin| Ok(catalog.retire_key(kid, origin).await?));
    tell(&settled.await?, ["is put away: delete its private half wherever it is", "signs no more already"], format)
}

/// Tells in one of these words what holds now.
fn tell(settled: &Settled<Kid>, [news, no_news]: [&str; 2], format: Format) -> Result<Outcome, CliError> {
    let Settled { now: kid, position } = settled;
    let line = match position {
        Some(position) => format!("{kid} {news}, recorded at position {position}"),
        None => format!("{kid} {no_news}"),
    };
    output::outcome(format, &line, &json!({ "kid": kid, "position": position }))?;
    Ok(Outcome::Done)
}
