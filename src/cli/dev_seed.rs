//! `catalog dev seed`: a catalog with a history, for trying things on and for measuring.

use chrono::{DateTime, Utc};
use clap::Args;

use super::{
    CliError, Outcome, Shell,
    config::{Identity, Listen},
    operator,
    output::{self, Format, Out},
    progress,
    session::{self, Need, Session, Start},
    when,
};
use crate::{
    app::{Catalog, LogPlan, LogSeeding, Plan, SeedError, Seeded, SeededLog, seed_log},
    domain::{Actor, Path},
};

/// Fill an empty catalog with made-up tokens that have a history
///
/// The tokens are decided, recorded and folded like any other, but for their signatures: nobody has them. They were issued
/// over 90 days, through both doors; most have expired, some were revoked. Each event's request is named dev-seed-…, and
/// as the log is append-only it stays: take a --data or --schema of its own. A catalog that has tokens is refused.
///
/// With --events a whole log is written at once, a year long, into a catalog that has no event yet: people, services and
/// operators issue, rotate, hold back, revoke by name and by rule and are refused, under several policies and keys.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SeedArgs {
    /// How many tokens
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    tokens: u64,
    /// A log of so many events instead, over a year
    #[arg(long, value_name = "N", conflicts_with = "tokens", value_parser = clap::value_parser!(u64).range(100..))]
    events: Option<u64>,
    /// Which history: the same number tells the same one
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// When the history ends, such as 2026-03-01T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = when::instant)]
    until: Option<DateTime<Utc>>,
    /// How to write what was done
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  catalog dev seed --data /tmp/try
  catalog dev seed --data /tmp/large --tokens 1000000
  catalog dev seed --data /tmp/year --events 1000000
  catalog dev seed --data /tmp/again --tokens 5000 --seed 7 --until 2026-03-01T12:00:00Z";

/// How many tokens are issued between two strokes of the progress bar.
const STROKE: u64 = 256;

pub(super) async fn run(shell: &Shell<'_>, args: SeedArgs) -> Result<Outcome, CliError> {
    let SeedArgs { tokens, events, seed, until, format } = args;
    let until = until.unwrap_or_else(|| shell.ambient.clock.now());
    let operator = operator::origin(shell, Path::CliDev)?.actor;
    if let Some(events) = events {
        return log(shell, LogPlan { events, seed, until }, operator, format).await;
    }
    let plan = Plan { tokens, seed, until };
    let start = Start::choose(shell, true, Listen::choose(None, shell.variables)?)?;
    session::run(shell, Need::Database, async |session| {
        let catalog = session.catalog(shell, start).await?;
        let seeded = with_progress(&catalog, plan, operator).await;
        catalog.close().await;
        tell(seeded.map_err(|error| refused(error, session))?, format)
    })
    .await
}

fn refused(error: SeedError, session: &Session) -> CliError {
    let place = session.place.name();
    match error {
        SeedError::NotEmpty => CliError::NotEmpty { place, what: "tokens" },
        SeedError::HasEvents => CliError::NotEmpty { place, what: "events" },
        error => error.into(),
    }
}

/// Writes a whole log.
async fn log(shell: &Shell<'_>, plan: LogPlan, operator: Actor, format: Format) -> Result<Outcome, CliError> {
    let listen = Listen::choose(None, shell.variables)?;
    let identity = Identity::choose(&shell.global, listen, shell.variables)?;
    let passphrase = shell.passphrase()?;
    session::run(shell, Need::Database, async |session| {
        let seeding = LogSeeding {
            database: session.database.clone(),
            keys: session.place.keys(),
            passphrase,
            issuer: identity.issuer.clone().unwrap_or_else(|| identity.issuer_default.clone()),
            audience: identity.audience.clone().unwrap_or_else(|| identity.audience_default.clone()),
            env: identity.env.clone(),
            plan,
            operator,
        };
        let bar = progress::bar("{wide_bar} {pos}/{len} events, {per_sec}, {eta} left");
        bar.set_length(plan.events);
        let seeded = seed_log(seeding, &mut |events| bar.set_position(events)).await;
        bar.finish_and_clear();
        let seeded = seeded.map_err(|error| refused(error, session))?;
        let SeededLog { events, head } = &seeded;
        let line = format!("seeded {events} events of a year; the log ends at {}", head.position);
        output::outcome(format, &line, &seeded)?;
        Ok(Outcome::Done)
    })
    .await
}

async fn with_progress(catalog: &Catalog, plan: Plan, operator: Actor) -> Result<Seeded, SeedError> {
    let bar = progress::bar("{wide_bar} {pos}/{len} tokens, {per_sec}, {eta} left");
    bar.set_length(plan.tokens);
    let seeded = catalog
        .seed(plan, operator, &mut |tokens| {
            if tokens.is_multiple_of(STROKE) {
                bar.set_position(tokens);
            }
        })
        .await;
    bar.finish_and_clear();
    seeded
}

fn tell(seeded: Seeded, format: Format) -> Result<Outcome, CliError> {
    let mut out = Out::stdout();
    let Seeded { tokens, revoked, position } = seeded;
    match format {
        Format::Text => {
            out.line(&format!("seeded {tokens} tokens, {revoked} of them revoked; the log ends at {position}"))?;
        }
        Format::Json => out.json(&seeded)?,
    }
    out.flush()?;
    Ok(Outcome::Done)
}
