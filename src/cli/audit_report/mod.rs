//! `catalog audit report`: what the log says of a time, for people and programs; and whether a report is what the log says.

mod error;
mod target;
mod verify;

use std::{io, path::PathBuf};

use clap::Args;
use indicatif::ProgressBar;

use super::{
    CliError, Outcome, Shell,
    config::Listen,
    operator, progress,
    session::{self, Need, Session, Start},
    values,
    when::Then,
};
use crate::{
    app::report::{self, Asked, AskedError, Format, Saved, StateError},
    domain::{
        AsOf, Malformed, Path, Position,
        audit::Scope,
        text::{Subject, TeamId},
    },
    store::replay::Reading,
};
pub use error::ReportError;
use target::Target;

/// Report what happened in a time: what was issued, past the controls too, is live, was revoked, refused and read
///
/// The same log and range give the same bytes, on every machine and in every time zone. The report names the log, its last
/// position and the SHA-256 over the commitments that were read; --verify makes a report again and compares. That it is made
/// is recorded before any of it is shown, and that record is not a part of it.
///
/// Without --as-of it is told what is live as of the last event that is counted. Personal parts that are erased are missing.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReportArgs {
    /// From here on: a time, a day, a span ago, or a position such as @120 [default: the beginning]
    #[arg(long, value_name = "TIME")]
    from: Option<Then>,
    /// Up to here: before that time, or up to and with that position [default: the end of the log]
    #[arg(long, value_name = "TIME")]
    to: Option<Then>,
    /// Tell what is live as of this time or position [default: the last event that is counted]
    #[arg(long, value_name = "TIME")]
    as_of: Option<Then>,
    /// Only what is about this subject's tokens
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<Subject>,
    /// Only what is about tokens that reach this team
    #[arg(long, value_name = "TEAM")]
    team: Option<TeamId>,
    /// How to write it: html is one file for a browser or paper; json and csv have every row
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = values::one_of::<Format>(Format::ALL.map(Format::as_str)))]
    format: Format,
    /// Write to this file: whole or not at all [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Go on from the state that an earlier report saved at this position, which --state names
    #[arg(long, value_name = "@POSITION", requires = "state")]
    since: Option<Then>,
    /// The file with the state that --since goes on from
    #[arg(long, value_name = "FILE", requires = "since")]
    state: Option<PathBuf>,
    /// Save in this file how far the log was read, for --since
    #[arg(long, value_name = "FILE")]
    save_state: Option<PathBuf>,
    /// Make the report in this file again, and compare: 0 the same bytes, 1 others
    #[arg(long, value_name = "FILE", conflicts_with_all = OTHERS)]
    verify: Option<PathBuf>,
}

const OTHERS: [&str; 10] = ["from", "to", "as_of", "sub", "team", "format", "output", "since", "state", "save_state"];

const EXAMPLES: &str = "\
Examples:
  catalog audit report
  catalog audit report --from 2026-03-01 --to 2026-04-01 --format html -o march.html
  catalog audit report --from 7d --sub alice@example.com --format json | jq .out_of_band.rows
  catalog audit report --verify march.html
  catalog audit report --save-state audit.state                          then, later, only what came since:
  catalog audit report --since @812 --state audit.state --save-state audit.state

Exit codes: 0 nothing was found, 1 the report has findings or is not what the log says, 2 could not.";

pub(super) async fn run(shell: &Shell<'_>, args: ReportArgs) -> Result<Outcome, CliError> {
    if let Some(file) = &args.verify {
        return verify::run(shell, file).await;
    }
    if let Some(path) = args.output.as_ref().filter(|path| Some(*path) == args.save_state.as_ref()) {
        return Err(ReportError::SameFile { path: path.clone() }.into());
    }
    let now = shell.ambient.clock.now();
    let since = args.since.map(|since| since_position(since.as_of(now))).transpose()?;
    let as_of = |then: Option<Then>| then.map(|then| then.as_of(now));
    let (sub, team) = (args.sub.clone(), args.team.clone());
    let asked = Asked { from: as_of(args.from), to: as_of(args.to), as_of: as_of(args.as_of), sub, team };
    let start = Start::with_any_key(shell, Listen::choose(None, shell.variables)?)?;
    let origin = operator::origin(shell, Path::CliAdmin)?;
    session::run(shell, Need::Catalog, async |session| {
        let scope = report::scope(&session.database, &asked, now).await?;
        let saved = match since.zip(args.state.as_ref()) {
            Some((position, file)) => Some(saved(session, file, position, &scope).await?),
            None => None,
        };
        let reading = read(session, &scope, saved).await?;
        let catalog = session.settled_catalog(shell, start).await?;
        let recorded = catalog.record_report(&scope, args.format, origin).await;
        catalog.close().await;
        recorded.map_err(crate::app::CommandError::from)?;
        let state =
            args.save_state.as_deref().map(|file| saved_state(&reading).map(|state| (file, state))).transpose()?;
        let report = report::report(reading);
        target::write(Target::of(args.output.as_deref()), |out| report::write(&report, args.format, out))?;
        if let Some((file, state)) = state {
            target::write(Target::File(file), |out| out.write_all(&state))?;
        }
        Ok(if report.findings.is_empty() { Outcome::Done } else { Outcome::Findings })
    })
    .await
}

fn saved_state(reading: &Reading) -> io::Result<Vec<u8>> {
    let mut state = Vec::new();
    Saved::write(reading, &mut state)?;
    Ok(state)
}

fn since_position(since: AsOf) -> Result<Position, Malformed> {
    match since {
        AsOf::Position(position) => Ok(position),
        AsOf::At(at) => Err(Malformed::NotA {
            value: at.to_rfc3339(),
            expected: "a position, such as @812, at which a state was saved",
        }),
    }
}

async fn saved(
    session: &Session,
    file: &std::path::Path,
    position: Position,
    scope: &Scope,
) -> Result<Reading, CliError> {
    let bytes = tokio::fs::read(file).await.map_err(|source| CliError::File { path: file.to_owned(), source })?;
    let state = async {
        let saved = tokio::task::block_in_place(|| Saved::read(&bytes))?.at(position)?;
        saved.going_on(&session.database, scope).await
    };
    state.await.map_err(|error| match error {
        StateError::Store(error) => error.into(),
        source => ReportError::State { path: file.to_owned(), source }.into(),
    })
}

/// Reads the log for a scope, while a bar tells how far.
async fn read(session: &Session, scope: &Scope, from: Option<Reading>) -> Result<Reading, CliError> {
    let after = from.as_ref().map_or(Position(0), |reading| reading.chain.position());
    let bar = progress::bar("{wide_bar} {pos}/{len} events, {per_sec}, {eta} left");
    bar.set_length((scope.end.0 - after.0).unsigned_abs());
    let reading = report::read(&session.database, scope, from, &mut |position| advance(&bar, after, position)).await;
    bar.finish_and_clear();
    Ok(reading?)
}

fn advance(bar: &ProgressBar, after: Position, position: Position) {
    bar.set_position((position.0 - after.0).unsigned_abs());
}

impl From<AskedError> for CliError {
    fn from(error: AskedError) -> Self {
        match error {
            AskedError::Range(error) => error.into(),
            error => Self::Report(ReportError::Asked(error)),
        }
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        Self::Report(error)
    }
}
