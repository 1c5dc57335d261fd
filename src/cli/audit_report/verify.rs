//! `catalog audit report --verify FILE`: whether a report is what the log says.

use std::path::Path;

use super::{CliError, Outcome, ReportError, Shell, read};
use crate::{
    app::report::{self, Source},
    cli::{
        output::{Out, printable},
        session::{self, Need},
    },
    store::log,
};

/// How much of a line is shown before and behind the first difference.
const BEFORE: usize = 60;
const BEHIND: usize = 100;

pub(super) async fn run(shell: &Shell<'_>, file: &Path) -> Result<Outcome, CliError> {
    let path = || file.to_owned();
    let bytes = tokio::fs::read(file).await.map_err(|source| CliError::File { path: path(), source })?;
    let source = Source::of(&bytes).map_err(|source| ReportError::NotAReport { path: path(), source })?;
    session::run(shell, Need::Catalog, async |session| {
        let head = log::head(session.database.reads()).await?;
        let scope = &source.scope;
        if scope.log_id != head.log_id {
            return tell(&[format!("DIFFERS   it is of the log {}, and this one is {}", scope.log_id, head.log_id)]);
        }
        if scope.end > head.position {
            return tell(&[format!(
                "DIFFERS   it was read up to @{}, and the log ends at @{}",
                scope.end, head.position
            )]);
        }
        let reading = read(session, scope, None).await?;
        let digest = hex::encode(reading.chain.digest());
        let again = tokio::task::block_in_place(|| {
            let mut again = Vec::with_capacity(bytes.len());
            report::write(&report::report(reading), source.format, &mut again).map(|()| again)
        })?;
        if let Some(difference) = difference(&bytes, &again) {
            return tell(&difference.told());
        }
        let mut out = Out::stdout();
        out.line(&format!("verified  the log gives the same {} bytes as {}", bytes.len(), source.format))?;
        out.line(&format!("counted   positions {} to {}, as of {}", scope.first, scope.last, scope.end))?;
        out.line(&format!("digest    {digest}"))?;
        out.flush()?;
        Ok(Outcome::Done)
    })
    .await
}

fn tell(lines: &[String]) -> Result<Outcome, CliError> {
    let mut out = Out::stdout();
    for line in lines {
        out.line(line)?;
    }
    out.flush()?;
    Ok(Outcome::Findings)
}

/// The first line that differs.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    /// Its number, from 1.
    line: usize,
    found: String,
    expected: String,
}

impl Difference {
    fn told(&self) -> [String; 3] {
        [
            format!("DIFFERS   line {} is the first that is not what the log gives", self.line),
            format!("  file    {}", printable(&self.found)),
            format!("  log     {}", printable(&self.expected)),
        ]
    }
}

fn difference(found: &[u8], expected: &[u8]) -> Option<Difference> {
    if found == expected {
        return None;
    }
    let at = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = at.unwrap_or_else(|| found.len().min(expected.len()));
    let begins = found[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = found[..begins].split(|byte| *byte == b'\n').count();
    let around = |bytes: &[u8]| {
        let ends = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| at + newline);
        let shown = &bytes[begins.max(at.saturating_sub(BEFORE))..ends.min(at + BEHIND)];
        if begins == bytes.len() {
            "(nothing)".to_owned()
        } else {
            String::from_utf8_lossy(shown).trim_end().to_owned()
        }
    };
    Some(Difference { line, found: around(found), expected: around(expected) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told_from_both() {
        let told = |found: &str, expected: &str| {
            difference(found.as_bytes(), expected.as_bytes()).map(|told| (told.line, told.found, told.expected))
        };
        let line = |line, found: &str, expected: &str| Some((line, found.to_owned(), expected.to_owned()));

        assert_eq!(told("a\nb\n", "a\nb\n"), None);
        assert_eq!(told("a\nb\nc\n", "a\nx\nc\n"), line(2, "b", "x"));
        assert_eq!(told("a\n", "a\nb\n"), line(2, "(nothing)", "b"));
        assert_eq!(told("a\nb\n", "a\n"), line(2, "b", "(nothing)"));
        assert_eq!(told("", "a"), line(1, "(nothing)", "a"));
    }
}
