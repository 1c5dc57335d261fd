//! `catalog keys compromise`: what it would revoke is shown before, and nothing is done without a word for it.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{
    super::{
        CliError, Outcome, Shell,
        listing::ListFormat,
        output::{self, Format, Out},
        preview::{self, Preview, tokens},
        when::Ago,
    },
    on_catalog, private_half,
};
use crate::{
    app::{
        CompromisePreview, OpenError, Settled,
        view::{RulePreview, instant},
    },
    domain::{
        Malformed, Position,
        key_life::CompromiseKey,
        text::{Kid, Note},
    },
};

/// Say that others may have a key: it signs no more, and what it signed is revoked
///
/// Within a second on every server, whatever the number of tokens; those of other keys are not touched. With --since only tokens
/// that the log knows to have been issued then or later: a forger can write any iat, but no place in the log. Tokens that
/// are forged with the key were never issued, and were never good. On a terminal you see first what would be revoked, and
/// are asked.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct CompromiseArgs {
    /// The key's name
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(allow_hyphen_values = true)]
    kid: Kid,
    /// Only tokens that were issued at this time or later, such as 2026-11-01T08:00:00Z, 2026-11-01 or 3h (ago)
    #[arg(long, value_name = "TIME")]
    since: Option<Ago>,
    /// The key that signs from here on, at once; needed where it was the compromised one
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    activate: Option<Kid>,
    /// The private half of that key is on the servers alone, and not here
    #[arg(long, requires = "activate")]
    elsewhere: bool,
    /// How it came about, in your own words, for the log
    #[arg(long)]
    note: Option<Note>,
    /// Only tell what would be revoked
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it without a question
    #[arg(long)]
    yes: bool,
    /// How to write what became of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  catalog keys compromise CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk --dry-run
  catalog keys compromise CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk --since 2026-11-01 --note 'it was in a backup' --yes
  catalog keys compromise CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk --yes \
    --activate mV8fFOi5XbjkTQwPt1kZ7BeXmyEWqDGbAzVhaCG1X7o

Exit codes: 0 it is done, 1 refused, or you declined, 2 its successor cannot sign here, or could not tell.";

pub(super) async fn run(shell: &Shell<'_>, args: CompromiseArgs) -> Result<Outcome, CliError> {
    let now = shell.ambient.clock.now();
    let since = args.since.map(|since| since.at(now));
    if let Some(since) = since.filter(|since| *since > now) {
        let expected = "a time that has been";
        return Err(Malformed::NotA { value: instant(since), expected }.into());
    }
    on_catalog(shell, async |session, catalog, origin| {
        let from = match since {
            Some(since) => catalog.position_since(since).await?,
            None => Position(1),
        };
        let CompromiseArgs { kid, activate: successor, elsewhere, note, dry_run, yes, format, .. } = args;
        let command = CompromiseKey { kid, from, since, note, successor };
        let preview = catalog.preview_compromise(&command).await?;
        match preview.missing.clone().map(OpenError::from) {
            Some(missing) if dry_run => output::say(&format!("note: {missing} (--activate)")),
            Some(missing) => return Err(missing.into()),
            None => {}
        }
        if let Some(successor) = &command.successor {
            private_half::require(shell, session, &catalog.live().settings, successor, elsewhere)?;
        }
        let prospect = Prospect::of(&command, &preview)?;
        match (dry_run, yes) {
            (true, _) => return prospect.show(format),
            (false, true) => prospect.tell(),
            (false, false) => prospect.agree().await?,
        }
        let settled = catalog.compromise_key(command.clone(), origin).await?;
        tell(&settled, &preview, format)
    })
    .await?;
    Ok(Outcome::Done)
}

/// What would come of it, for programs.
#[derive(Serialize)]
struct View<'a> {
    kid: &'a Kid,
    #[serde(flatten)]
    revoked: RulePreview<'a>,
    kept: u64,
}

/// What would come of it, told before it is done.
struct Prospect<'a> {
    view: View<'a>,
    figures: Preview,
    since: Option<DateTime<Utc>>,
}

impl<'a> Prospect<'a> {
    fn of(command: &'a CompromiseKey, preview: &'a CompromisePreview) -> Result<Self, CliError> {
        let view = View { kid: &command.kid, revoked: (&preview.revoked).into(), kept: preview.kept };
        Ok(Self { figures: Preview::of(&view.revoked)?, view, since: command.since })
    }

    /// Writes it to stdout, for whoever only wants to know.
    fn show(&self, format: Format) -> Result<(), CliError> {
        match format {
            Format::Text => self.figures.show(&self.view, ListFormat::Table)?,
            Format::Json => {
                let mut out = Out::stdout();
                out.json(&self.view)?;
                out.flush()?;
            }
        }
        self.tell_of_others();
        Ok(())
    }

    /// Tells whoever has agreed before, or is asked next.
    fn tell(&self) {
        self.figures.say();
        self.tell_of_others();
    }

    /// Shows it to a person, and asks.
    async fn agree(&self) -> Result<(), CliError> {
        preview::require_person()?;
        self.tell();
        preview::agree(&format!("Give up the key {} and revoke these tokens?", self.view.kid)).await
    }

    /// Tells which tokens stay that one might think of.
    fn tell_of_others(&self) {
        let View { kid, kept, .. } = &self.view;
        let conditions = match self.since {
            // By iat, which counts whole seconds.
            Some(since) => format!("'kid={kid} and issued_after={}'", since.format("%FT%TZ")),
            None => format!("kid={kid}"),
        };
        self.figures.tell_of_successors(&format!("catalog revoke --where {conditions} --successors ends"));
        if *kept > 0 {
            output::say(&format!(
                "note: {} of the key were issued before, and stay good here; gateways that go by the JWK Set alone refuse them",
                tokens(*kept)
            ));
        }
    }
}

fn tell(settled: &Settled<Kid>, preview: &CompromisePreview, format: Format) -> Result<(), CliError> {
    let (Settled { now: kid, position }, counts) = (settled, preview.revoked.counts);
    let revoked = counts.active + counts.suspended;
    let line = match position {
        Some(position) => format!("{kid} is compromised, recorded at position {position}; {} revoked", tokens(revoked)),
        None => format!("{kid} was compromised already"),
    };
    let value = json!({ "kid": kid, "position": position, "revoked": revoked, "kept": preview.kept });
    Ok(output::outcome(format, &line, &value)?)
}
