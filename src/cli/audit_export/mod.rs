//! `catalog audit export`: the log for other programs, once or as it grows.

mod error;
mod form;
mod place;
mod sink;

use std::{path::PathBuf, time::Duration};

use catalog_gateway::wire::{Digest, Mark};
use clap::Args;
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use tokio::{task::block_in_place, time::sleep};

use super::{
    CliError, Outcome, Shell,
    gaps::Gaps,
    output, progress,
    session::{self, Need},
    when::Then,
};
use crate::{
    app::range::{Range, RangeError, range},
    domain::{Malformed, Position, causes::Causes},
    store::{
        Database,
        feed::{self, Elsewhere, FeedError},
        part,
    },
};
pub use error::ExportError;
use form::{Form, Writer};
use sink::{Kept, Sink};

/// Write the log out for other programs: once, or with --follow as it grows
///
/// One event a line, oldest first, read in one snapshot: ndjson and csv as 'audit events' shows them, cloudevents in the JSON
/// format of CloudEvents 1.0, ocsf as Entity Management (class 3004, OCSF 1.3.0). A cell of CSV that a spreadsheet would take
/// for a formula begins with an apostrophe.
///
/// With --position-file an export goes on where the one before it ended: FILE is cut to what the position file says and
/// written on, so that nothing is lost or there twice, even after 'kill -9'. What went to stdout is told after it was written:
/// then what was written last may come again. The position file names the log, the position and the digest there; another
/// log, or one that was rewritten, is refused. --from counts for the first start only.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// How to write the events
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Form,
    /// From here on: a time, a day, a span ago, or a position such as @120 [default: the beginning]
    #[arg(long, value_name = "TIME")]
    from: Option<Then>,
    /// Up to here: before that time, or up to and with that position [default: the end of the log]
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    to: Option<Then>,
    /// Go on for ever: what is recorded is written within half a second
    #[arg(long)]
    follow: bool,
    /// Write to this file: whole or not at all, or with --position-file at its end [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep in this file how far the export came, and go on from there
    #[arg(long, value_name = "FILE")]
    position_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  catalog audit export > log.ndjson
  catalog audit export --format csv --from 2026-03-01 --to 2026-04-01 -o march.csv
  catalog audit export --format ocsf --from @120 --to @240
  catalog audit export --format cloudevents --follow -o /var/log/catalog.ndjson --position-file /var/lib/catalog.position

Exit codes: 0 exported, 1 exported, and events are missing in the log, 2 could not.";

/// How soon the log is looked at again.
const POLL_PERIOD: Duration = Duration::from_millis(250);
/// After a failure that passes.
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// What is written at once: so many events, or few more bytes than these.
const EVENTS_AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 1 << 20;

pub(super) async fn run(shell: &Shell<'_>, args: ExportArgs) -> Result<Outcome, CliError> {
    if args.follow && args.output.is_some() && args.position_file.is_none() {
        return Err(Malformed::Contradiction("--follow and --output without --position-file could not go on").into());
    }
    let now = shell.ambient.clock.now();
    let as_of = |then: Option<Then>| then.map(|then| then.as_of(now));
    let (from, to) = (as_of(args.from), as_of(args.to));
    session::run(shell, Need::Catalog, async |session| {
        let database = &session.database;
        let kept = args.position_file.as_deref().map(|file| Kept::read(file, args.format)).transpose()?.flatten();
        let Range { after, until } = match kept {
            Some(kept) => {
                feed::require(database.reads(), &kept.mark).await.map_err(|error| elsewhere(error, &args))?;
                let until = range(database, None, to, now).await?.until;
                Range { after: Position(kept.mark.position), until }
            }
            None => range(database, from, to, now).await?,
        };
        let mark = feed::mark_at(database.reads(), after).await.map_err(|error| elsewhere(error, &args))?;
        let sink = Sink::open(args.output.as_deref(), args.position_file.as_deref(), kept, (args.format, mark))?;
        let mut export = Export { database, form: args.format, bar: bar(&sink), sink, gaps: Gaps::after(after) };
        export.advance(Some(until)).await?;
        export.bar.finish_and_clear();
        export.bar = ProgressBar::hidden();
        if args.follow {
            export.follow().await?;
        }
        let outcome = if export.gaps.is_any() { Outcome::Findings } else { Outcome::Done };
        export.sink.finish()?;
        Ok(outcome)
    })
    .await
}

/// A bar would be torn apart by lines on the same terminal.
fn bar(sink: &Sink) -> ProgressBar {
    if sink.is_terminal() {
        return ProgressBar::hidden();
    }
    progress::bar("{wide_bar} {pos}/{len} events, {per_sec}, {eta} left")
}

fn elsewhere(error: FeedError, args: &ExportArgs) -> CliError {
    match (error, &args.position_file) {
        (FeedError::Store(error), _) => error.into(),
        (FeedError::Elsewhere(source), Some(path)) => ExportError::OtherLog { path: path.clone(), source }.into(),
        (FeedError::Elsewhere(source), None) => ExportError::LogChanged { source }.into(),
    }
}

struct Export<'a> {
    database: &'a Database,
    form: Form,
    bar: ProgressBar,
    sink: Sink,
    gaps: Gaps,
}

impl Export<'_> {
    /// Writes what is there behind the place, up to `until` or else the end of the log.
    async fn advance(&mut self, until: Option<Position>) -> Result<(), CliError> {
        let mark = self.sink.mark();
        let after = Position(mark.position);
        if until.is_some_and(|until| until <= after) {
            return Ok(());
        }
        let (head, events) = part::read(self.database, after, until).await?;
        if head.log_id != mark.log_id {
            return Err(ExportError::LogChanged { source: Elsewhere::AnotherLog }.into());
        }
        let until = until.unwrap_or(head.position);
        self.bar.set_length((until.0 - after.0).unsigned_abs());
        let writer = Writer { form: self.form, log_id: head.log_id };
        let mut events = std::pin::pin!(events);
        let (mut lines, mut count, mut last) = (Vec::new(), 0, mark);
        while let Some(event) = events.try_next().await? {
            let position = event.recorded.position;
            self.gaps.pass(position, &self.bar);
            writer.write(&event.recorded, &mut lines)?;
            count += 1;
            last = Mark { log_id: head.log_id, position: position.0, digest: Digest(event.digest) };
            if count == EVENTS_AT_ONCE || lines.len() >= BYTES_AT_ONCE {
                self.commit(&mut lines, last, std::mem::take(&mut count))?;
            }
        }
        self.gaps.end(until, &self.bar);
        self.commit(&mut lines, last, count)
    }

    fn commit(&mut self, lines: &mut Vec<u8>, mark: Mark, events: usize) -> Result<(), CliError> {
        if events > 0 {
            block_in_place(|| self.sink.commit(lines, mark))?;
            lines.clear();
            self.bar.inc(events as u64);
        }
        Ok(())
    }

    /// Writes what comes for as long as it is polled. What passes is waited for; another log is not.
    async fn follow(&mut self) -> Result<(), CliError> {
        let mut is_told = false;
        loop {
            match self.look().await {
                Ok(()) => {
                    is_told = false;
                    sleep(POLL_PERIOD).await;
                }
                Err(CliError::Store(error)) if error.is_passing() => {
                    if !is_told {
                        output::say(&format!("warning: the log cannot be read, trying again: {}", Causes(&error)));
                    }
                    is_told = true;
                    sleep(RETRY_PERIOD).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn look(&mut self) -> Result<(), CliError> {
        let mark = self.sink.mark();
        let head = feed::require(self.database.reads(), &mark).await.map_err(|error| match error {
            FeedError::Store(error) => CliError::from(error),
            FeedError::Elsewhere(source) => ExportError::LogChanged { source }.into(),
        })?;
        if head.position == mark.position { Ok(()) } else { self.advance(None).await }
    }
}

impl From<RangeError> for CliError {
    fn from(error: RangeError) -> Self {
        match error {
            RangeError::Store(error) => Self::Store(error),
            error => Self::Range(error),
        }
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            // A reader that had enough is told like anywhere else.
            ExportError::Stdout(error) => Self::Output(error),
            error => Self::Export(error),
        }
    }
}
