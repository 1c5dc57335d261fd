//! `catalog policy replay`: what another policy would have made of the log.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;

use super::{
    CliError, Outcome, Shell, event_line,
    gaps::Gaps,
    output::{self, Format, Out, ascii_harmless},
    policy, progress,
    rows::{NOTHING, Rows},
    session::{self, Need},
    when::Then,
};
use crate::{
    app::{
        range::range,
        view::VerdictView,
        what_if::{Replayed, replay},
    },
    domain::{
        Position, Recorded,
        audit::what_if::{Decided, Outcome as Decision, Verdict},
    },
};

/// Show what another policy would have made of the log: who would have been refused, and who let through
///
/// Every issuance, rotations too, and every recorded refusal of one is decided again, by the function that decided it, with the
/// log's state at its place and its own clock. Listed is exactly what comes to something else, with the rule that says no.
/// Each is judged by itself: what would have followed from it is not. Keys and status lists stay as they were. Nothing is
/// written.
///
/// Some of what decided is not in the log: whether a lifetime was asked for or the usual one given, what a membership source
/// said, a person's groups, and what a refused request said of namespaces, addresses and restrictions. Where that makes the
/// difference the decision is listed as 'untold', with what is missing.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArgs {
    /// The other policy's file
    #[arg(value_name = "NEW.toml")]
    file: PathBuf,
    /// From here on: a time, a day, a span ago, or a position such as @120 [default: the beginning]
    #[arg(long, value_name = "TIME")]
    from: Option<Then>,
    /// Up to here: before that time, or up to and with that position [default: the end of the log]
    #[arg(long, value_name = "TIME")]
    to: Option<Then>,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  catalog policy replay stricter.toml
  catalog policy replay stricter.toml --from 30d
  catalog policy replay stricter.toml --format json | jq -r '.verdicts[] | .now[0].rule'

Exit codes: 0 nothing comes to anything else, 1 something does, or may for all that the log tells, or events are missing, 2 could not run.";

const HEADINGS: &[&str] = &["position", "decided at", "path", "actor", "subject", "jti", "was", "now"];

/// How many events are read between two strokes of the progress bar.
const STROKE: i64 = 256;

pub(super) async fn run(shell: &Shell<'_>, args: ReplayArgs) -> Result<Outcome, CliError> {
    let (_, rules) = policy::read(&args.file)?;
    let now = shell.ambient.clock.now();
    let (from, to) = (args.from.map(|from| from.as_of(now)), args.to.map(|to| to.as_of(now)));
    session::run(shell, Need::Catalog, async |session| {
        let range = range(&session.database, from, to, now).await?;
        let bar = progress::bar("{wide_bar} {pos}/{len} events, {per_sec}, {eta} left");
        bar.set_length(range.until.0.unsigned_abs());
        let (mut sheet, mut gaps) = (Sheet::new(args.format, bar.clone())?, Gaps::after(Position(0)));
        let replayed = replay(&session.database, rules, range, |recorded, verdict| {
            gaps.pass(recorded.position, &bar);
            if recorded.position.0 % STROKE == 0 {
                bar.set_position(recorded.position.0.unsigned_abs());
            }
            verdict.map_or(Ok(()), |verdict| sheet.add(recorded, &verdict))
        })
        .await;
        bar.finish_and_clear();
        let replayed = replayed?;
        gaps.end(range.until, &ProgressBar::hidden());
        sheet.finish(&replayed)?;
        tell(&args.file, &replayed);
        let is_same = replayed.changed == 0 && replayed.untold == 0 && !gaps.is_any();
        Ok(if is_same { Outcome::Done } else { Outcome::Findings })
    })
    .await
}

fn tell(file: &std::path::Path, replayed: &Replayed) {
    let Replayed { issuances, refusals, changed, untold, from, to, .. } = replayed;
    output::say(&format!(
        "replayed {issuances} issuances and {refusals} refusals of the positions {from} to {to} by {}: {changed} come to \
         something else, of {untold} the log does not tell",
        file.display(),
    ));
}

/// What is listed, written as it comes.
struct Sheet {
    bar: ProgressBar,
    form: Form,
}

enum Form {
    Text(Rows),
    Json { out: Out, is_empty: bool },
}

impl Sheet {
    fn new(format: Format, bar: ProgressBar) -> Result<Self, CliError> {
        let form = match format {
            Format::Text => Form::Text(Rows::stdout(HEADINGS)),
            Format::Json => {
                let mut out = Out::stdout();
                out.raw("{\"verdicts\":[")?;
                Form::Json { out, is_empty: true }
            }
        };
        Ok(Self { bar, form })
    }

    fn add(&mut self, recorded: &Recorded, verdict: &Verdict) -> Result<(), CliError> {
        let Some(view) = VerdictView::new(recorded, verdict) else { return Ok(()) };
        let form = &mut self.form;
        // A bar would be torn apart by lines on the same terminal.
        self.bar.suspend(|| match form {
            Form::Text(rows) => Ok(rows.row(cells(recorded, verdict))?),
            Form::Json { out, is_empty } => {
                out.raw(if std::mem::take(is_empty) { "\n" } else { ",\n" })?;
                Ok(out.raw(&ascii_harmless(&serde_json::to_string(&view).map_err(std::io::Error::from)?))?)
            }
        })
    }

    fn finish(self, replayed: &Replayed) -> Result<(), CliError> {
        match self.form {
            Form::Text(rows) => Ok(rows.finish()?),
            Form::Json { mut out, is_empty } => {
                let summary = serde_json::to_string(replayed).map_err(std::io::Error::from)?;
                // Its members go on where the list ends.
                out.raw(if is_empty { "]," } else { "\n]," })?;
                out.line(summary.strip_prefix('{').unwrap_or(&summary))?;
                Ok(out.flush()?)
            }
        }
    }
}

fn cells(recorded: &Recorded, verdict: &Verdict) -> Vec<String> {
    let occurrence = &recorded.occurrence;
    let cell = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let (was, becomes) = match verdict {
        Verdict::Same => (NOTHING.to_owned(), NOTHING.to_owned()),
        Verdict::Changed { was, now } => (of_outcome(was), alternatives(now)),
        Verdict::Untold { was, why, now } if now.is_empty() => {
            (of_outcome(was), format!("untold: {}", why.explained()))
        }
        Verdict::Untold { was, why, now } => {
            (of_outcome(was), format!("untold: {}: {}", why.explained(), alternatives(now)))
        }
    };
    vec![
        recorded.position.to_string(),
        event_line::seconds(occurrence.occurred_at),
        occurrence.origin.path.to_string(),
        cell(occurrence.origin.actor.display()),
        cell(event_line::subject(&occurrence.event)),
        cell(occurrence.event.jti().map(|jti| jti.to_string())),
        was,
        becomes,
    ]
}

fn alternatives(now: &[Decided]) -> String {
    let one = |decided: &Decided| {
        let detail = decided.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{}{detail}", of_outcome(&decided.outcome))
    };
    now.iter().map(one).collect::<Vec<_>>().join(", or ")
}

fn of_outcome(outcome: &Decision) -> String {
    match outcome {
        Decision::Issued { expires_in } => format!("issued for {expires_in} s"),
        Decision::Refused { rule } => format!("refused: {rule}"),
    }
}
