//! `catalog audit verify`: that the log is whole in itself, and what that does and does not prove.

use std::{io, path::PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{
    CliError, Outcome, Shell,
    output::{self, Format, Out},
    progress,
    session::{self, Need},
};
use crate::store::{
    Database, StoreError,
    schema::Warning,
    verify::{Finding, Kept, Rule, Verification, verify},
};

/// Check that nothing in the log was changed or is missing
///
/// Checks density, digests, commitments, order, form, and that every projection is the fold of the log. Exits with 1 when
/// something does not hold.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct VerifyArgs {
    /// A head that was kept outside, the JSON object that an earlier run wrote, or a file of such lines; may be repeated
    #[arg(long, value_name = "HEAD|@FILE", value_parser = against)]
    against: Vec<Against>,
    /// How to write what was found
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  catalog audit verify
  catalog audit verify --format json | jq -c .head >> /somewhere/else/heads.ndjson
  catalog audit verify --against @/somewhere/else/heads.ndjson       nothing up to there was rewritten";

const ONLY_FROM_OUTSIDE: &str = "\
note: this shows that the log is whole in itself. Whoever owns the database could rewrite all of it, and that shows only
      against an earlier head line that was kept outside: keep this one.";

const ONLY_IN_ROWS: &str = "what they cover stands only in their rows, and in the rows of the tokens that they ended";

#[derive(Serialize)]
struct View<'a> {
    holds: bool,
    #[serde(flatten)]
    verification: &'a Verification,
}

pub(super) async fn run(shell: &Shell<'_>, args: VerifyArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let kept = heads(&args.against).await?;
        let verification = match with_progress(&session.database, &kept).await {
            Err(StoreError::Headless) => return headless(args.format),
            verification => verification?,
        };
        let mut out = Out::stdout();
        match args.format {
            Format::Text => text(&mut out, &verification, &kept)?,
            Format::Json => {
                out.json(&View { holds: verification.findings.is_empty(), verification: &verification })?;
            }
        }
        out.flush()?;
        if verification.findings.is_empty() && kept.is_empty() {
            output::say(ONLY_FROM_OUTSIDE);
        }
        for warning in session.warnings().await?.iter().filter(|warning| matches!(warning, Warning::TriggersOff(_))) {
            output::say(&format!("warning: {warning}"));
        }
        Ok(if verification.findings.is_empty() { Outcome::Done } else { Outcome::Findings })
    })
    .await
}

/// A log whose end nobody knows cannot be held against it, and is broken for that.
fn headless(format: Format) -> Result<Outcome, CliError> {
    let finding = Finding { position: None, rule: Rule::Density, detail: StoreError::Headless.to_string() };
    let mut out = Out::stdout();
    match format {
        Format::Text => {
            fails(&mut out, &[finding], 0)?;
            out.line("  nothing else was looked at")?;
        }
        Format::Json => out.json(&json!({"holds": false, "head": null, "events": 0, "findings": [finding]}))?,
    }
    out.flush()?;
    Ok(Outcome::Findings)
}

/// One head, or where there are several.
#[derive(Debug, Clone)]
enum Against {
    Head(Kept),
    File(PathBuf),
}

fn against(text: &str) -> Result<Against, String> {
    match text.strip_prefix('@') {
        Some(path) => Ok(Against::File(path.into())),
        None => head(text).map(Against::Head),
    }
}

/// A head as it was written.
fn head(text: &str) -> Result<Kept, String> {
    serde_json::from_str(text).map_err(|error| format!("not a head line: {error}"))
}

async fn heads(against: &[Against]) -> Result<Vec<Kept>, CliError> {
    let mut heads = Vec::new();
    for against in against {
        match against {
            Against::Head(kept) => heads.push(kept.clone()),
            Against::File(path) => {
                let failed = |source| CliError::File { path: path.clone(), source };
                let text = tokio::fs::read_to_string(path).await.map_err(failed)?;
                let invalid = |error: String| failed(io::Error::new(io::ErrorKind::InvalidData, error));
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                let told: Vec<Kept> = lines.map(head).collect::<Result<_, _>>().map_err(invalid)?;
                if told.is_empty() {
                    return Err(invalid("it holds no head".to_owned()));
                }
                heads.extend(told);
            }
        }
    }
    Ok(heads)
}

async fn with_progress(database: &Database, kept: &[Kept]) -> Result<Verification, StoreError> {
    let bar = progress::bar("{wide_bar} {pos}/{len} events, {per_sec}, {eta} left");
    let verification = verify(database, kept, &mut |events, head| {
        bar.set_length(head.position.0.unsigned_abs());
        bar.set_position(events);
    })
    .await;
    bar.finish_and_clear();
    verification
}

fn text(out: &mut Out, verification: &Verification, kept: &[Kept]) -> Result<(), CliError> {
    match verification.findings.as_slice() {
        [] => holds(out, verification, kept)?,
        findings => fails(out, findings, verification.more)?,
    }
    let Verification { events, tokens, erased, erased_rules, head, .. } = verification;
    out.line(&format!("read      {events} events, {tokens} tokens; the personal part of {erased} events is erased"))?;
    if !erased_rules.is_empty() {
        let places: Vec<String> = erased_rules.iter().map(ToString::to_string).collect();
        out.line(&format!("erased rules  {}: {ONLY_IN_ROWS}", places.join(", ")))?;
    }
    out.line(&format!("head      {}", serde_json::to_string(head).map_err(std::io::Error::from)?))?;
    Ok(())
}

fn holds(out: &mut Out, verification: &Verification, kept: &[Kept]) -> std::io::Result<()> {
    out.line("verified  the log is whole in itself")?;
    out.line(&match verification.head.position.0 {
        0 => "  density       there is no event yet".to_owned(),
        last => format!("  density       positions 1 to {last}, none missing, none twice"),
    })?;
    out.line("  digest chain  each digest follows from its event and the digest before, up to the head")?;
    out.line("  commitments   each personal part is the one that was committed to, or erased")?;
    out.line("  form, order   each event is of a known kind, its columns say the same, times never go back")?;
    out.line("  projections   every row is the fold of the log, and none is missing")?;
    if let Some(last) = kept.iter().map(|kept| kept.position).max() {
        out.line(&format!("  kept heads    nothing up to position {last} was rewritten"))?;
    }
    Ok(())
}

fn fails(out: &mut Out, findings: &[Finding], more: u64) -> std::io::Result<()> {
    let place =
        |finding: &Finding| finding.position.map_or_else(|| "no position".to_owned(), |p| format!("position {p}"));
    if let Some(first) = findings.first() {
        out.line(&format!("BROKEN    the first finding is at {}", place(first)))?;
    }
    for finding in findings {
        out.line(&format!("  {}: {}: {}", place(finding), finding.rule.as_str(), finding.detail))?;
    }
    if more > 0 {
        out.line(&format!("  and {more} more"))?;
    }
    Ok(())
}
