//! Reports: which part of the log somebody means, what is read for it, and how it is written. The bytes follow from the log
//! alone: nothing here asks for the time of day, a zone or a locale.

mod asked;
mod csv;
mod format;
mod html;
mod json;
mod rows;
mod sections;
mod source;
mod state;
mod text;

use std::io::{self, Write};

use super::Catalog;
use crate::{
    domain::{
        Act, Origin, Position,
        audit::{AuditRead, Fold, Handed, LogPart, Report, Scope},
    },
    store::{
        AppendError, Database, StoreError,
        replay::{self, Reading},
    },
};

pub use asked::{Asked, AskedError, scope};
pub use format::Format;
pub use source::{Source, SourceError};
pub use state::{Saved, StateError};

impl Catalog {
    /// Records that a report is handed out. It is to be recorded before anybody sees any of it.
    ///
    /// # Errors
    /// [`AppendError`]: then nothing may be handed out.
    pub async fn record_report(&self, scope: &Scope, format: Format, origin: Origin) -> Result<(), AppendError> {
        let Scope { first, last, end, sub, team, .. } = scope.clone();
        let format = format.as_str().to_owned();
        let read = AuditRead { what: Handed::Report, format, first, last, end, sub, team };
        self.append_note(Act::RecordRead(read), origin).await
    }
}

/// Reads the log for a report, from its beginning or from where a reading came to. `progress` is told up to where it has
/// come.
///
/// # Errors
/// [`StoreError`].
pub async fn read(
    database: &Database,
    scope: &Scope,
    from: Option<Reading>,
    progress: &mut (dyn FnMut(Position) + Send),
) -> Result<Reading, StoreError> {
    let reading = from.unwrap_or_else(|| Reading::new(Fold::new(scope.clone())));
    replay::replay(database, reading, progress).await
}

/// The report of a reading.
#[must_use]
pub fn report(reading: Reading) -> Report {
    let Reading { fold, chain, ends } = reading;
    let (log_id, position, digest) = (fold.scope().log_id, chain.position(), hex::encode(chain.digest()));
    fold.report(LogPart { log_id, position, digest }, &ends)
}

/// Writes a report.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text::write(report, out),
        Format::Json => json::write(report, out),
        Format::Csv => csv::write(report, out),
        Format::Html => html::write(report, out),
    }
}
