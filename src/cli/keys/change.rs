//! `catalog keys activate` and `catalog keys retire`: which key signs, and which is put away.

use clap::Args;
use serde_json::json;

use super::{
    super::{
        CliError, Outcome, Shell,
        config::Listen,
        operator,
        output::{Format, Out},
        session::{self, Need, Session, Start},
    },
    private_half,
};
use crate::{
    app::{Catalog, OpenError, Settled},
    domain::{
        Origin, Path,
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
    let words = ["signs from here on", "signs already"];
    settle(shell, format, words, async |session, catalog, origin| {
        let (command, live) = (ActivateKey { kid, early }, catalog.live());
        // What the log refuses is refused wherever the private half may be.
        activate_key(&live.settings, &command, shell.ambient.clock.now()).map_err(OpenError::from)?;
        private_half::require(shell, session, &live.settings, &command.kid, elsewhere)?;
        Ok(catalog.activate_key(command, origin).await?)
    })
    .await
}

pub(super) async fn retire(shell: &Shell<'_>, args: RetireArgs) -> Result<Outcome, CliError> {
    let RetireArgs { kid, format } = args;
    let words = ["is put away: delete its private half wherever it is", "signs no more already"];
    settle(shell, format, words, async |_, catalog, origin| Ok(catalog.retire_key(kid, origin).await?)).await
}

/// Carries out what changes a key, and tells in one of these words what holds now.
async fn settle(
    shell: &Shell<'_>,
    format: Format,
    [news, no_news]: [&str; 2],
    work: impl AsyncFnOnce(&Session, &Catalog, Origin) -> Result<Settled<Kid>, CliError>,
) -> Result<Outcome, CliError> {
    let start = Start::with_any_key(shell, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    session::run(shell, Need::Catalog, async |session| {
        let catalog = session.settled_catalog(shell, start).await?;
        let settled = work(session, &catalog, origin).await;
        catalog.close().await;
        let Settled { now: kid, position } = settled?;
        let mut out = Out::stdout();
        match (format, position) {
            (Format::Json, position) => out.json(&json!({ "kid": kid, "position": position }))?,
            (Format::Text, Some(position)) => out.line(&format!("{kid} {news}, recorded at position {position}"))?,
            (Format::Text, None) => out.line(&format!("{kid} {no_news}"))?,
        }
        out.flush()?;
        Ok(Outcome::Done)
    })
    .await
}
