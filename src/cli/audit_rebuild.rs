//! `catalog audit rebuild`: projections made anew from the log.

use clap::Args;

use super::{
    CliError, Outcome, Shell,
    output::{self, Out},
    progress,
    session::{self, Need},
    values,
};
use crate::store::rebuild::{Projection, RebuildError, Rebuilt, rebuild};

/// Make what is served anew from the log, while others go on, and put it in the old one's place
///
/// The log is replayed beside the projections in use and verified on the way. What came of it must be the fold of the
/// log, row by row; else nothing is replaced. Needs the login of the schema's owner. Privileges that somebody granted on
/// the replaced tables by hand have to be granted again.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RebuildArgs {
    /// Only this projection; may be repeated
    #[arg(long, value_name = "NAME", value_parser = values::one_of::<Projection>(Projection::ALL.map(Projection::as_str)))]
    projection: Vec<Projection>,
}

const EXAMPLES: &str = "\
Examples:
  catalog audit rebuild
  catalog audit rebuild --projection tokens
  CATALOG_DATABASE_URL=postgres://owner@db.example.com/gateway catalog audit rebuild

Exit codes: 0 replaced, 1 the log does not hold, or what was made is not its fold: nothing was replaced, 2 could not.";

pub(super) async fn run(shell: &Shell<'_>, args: RebuildArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let bar = progress::bar("{wide_bar} {pos}/{len} events, {per_sec}, {eta} left");
        let projections = if args.projection.is_empty() { Projection::ALL.to_vec() } else { args.projection.clone() };
        let rebuilt = rebuild(&session.database, &projections, &mut |events, head| {
            bar.set_length(head.position.0.unsigned_abs());
            bar.set_position(events);
        })
        .await;
        bar.finish_and_clear();
        match rebuilt {
            Ok(rebuilt) => tell(&projections, &rebuilt),
            Err(error @ (RebuildError::Broken(_) | RebuildError::Erased(_) | RebuildError::Different(_))) => {
                output::say(&format!("catalog: error: {error}; nothing was replaced"));
                Ok(Outcome::Findings)
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

fn tell(projections: &[Projection], rebuilt: &Rebuilt) -> Result<Outcome, CliError> {
    let Rebuilt { head, events, tokens, differed, rows_differed } = rebuilt;
    let names: Vec<&str> = projections.iter().map(|projection| projection.as_str()).collect();
    let mut out = Out::stdout();
    out.line(&format!("rebuilt   {} from {events} events, {tokens} tokens", names.join(", ")))?;
    match differed.first() {
        None => out.line("before    every row was what the log says")?,
        Some((position, detail)) => {
            let place = position.map_or_else(|| "no position".to_owned(), |position| format!("position {position}"));
            out.line(&format!("before    {rows_differed} rows differed, the first at {place}: {detail}"))?;
        }
    }
    out.line(&format!("head      {}", serde_json::to_string(head).map_err(std::io::Error::from)?))?;
    out.flush()?;
    Ok(Outcome::Done)
}
