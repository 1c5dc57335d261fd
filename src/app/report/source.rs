//! A report that was written before: which one it is, so that it can be made again.

use serde::Deserialize;

use super::{Format, csv, html, text};
use crate::domain::audit::{REPORT_VERSION, Scope};

/// A report that was written before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How it is written.
    pub format: Format,
    /// What it is of.
    pub scope: Scope,
}

/// Why something is not a report that can be made again.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not begin like one, or does not say of what it is.
    #[error("it is no report of a catalog")]
    NoReport,
    /// It is of another program's version.
    #[error("it is a report of version {found}, and this program makes those of version {REPORT_VERSION}")]
    OtherVersion {
        /// Its version.
        found: u32,
    },
}

#[derive(Deserialize)]
struct Whole {
    scope: serde_json::Value,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Source {
    /// What a report says of itself.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn of(bytes: &[u8]) -> Result<Self, SourceError> {
        let report = std::str::from_utf8(bytes).map_err(|_| SourceError::NoReport)?;
        let (format, scope) = if report.starts_with('{') {
            let whole: Whole = serde_json::from_str(report).map_err(|_| SourceError::NoReport)?;
            (Format::Json, Some(whole.scope.to_string()))
        } else if report.starts_with(text::TITLE) {
            (Format::Text, after(report, text::SCOPE).map(str::to_owned))
        } else if report.starts_with(csv::BEGINNING) {
            (Format::Csv, after(report, csv::SCOPE).map(unquoted))
        } else if report.starts_with(html::BEGINNING) {
            (Format::Html, between(report, html::SCOPE).map(unescaped))
        } else {
            return Err(SourceError::NoReport);
        };
        let scope = scope.ok_or(SourceError::NoReport)?;
        let Versioned { version } = serde_json::from_str(&scope).map_err(|_| SourceError::NoReport)?;
        if version != REPORT_VERSION {
            return Err(SourceError::OtherVersion { found: version });
        }
        let scope = serde_json::from_str(&scope).map_err(|_| SourceError::NoReport)?;
        Ok(Self { format, scope })
    }
}

/// What stands behind the first line's beginning that is this.
fn after<'a>(report: &'a str, beginning: &str) -> Option<&'a str> {
    report.lines().find_map(|line| line.strip_prefix(beginning))
}

fn between<'a>(report: &'a str, (before, behind): (&str, &str)) -> Option<&'a str> {
    Some(report.split_once(before)?.1.split_once(behind)?.0)
}

/// The last cell of a line of which the others are empty.
fn unquoted(cells: &str) -> String {
    let cell = cells.trim_start_matches(',');
    let cell = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell);
    cell.replace("\"\"", "\"")
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
