//! The formats of an export: each event becomes a line.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::{CliError, event_line, output::ascii_harmless};
use crate::{
    app::view::{self, CloudEvent, EventView, OcsfEvent, csv},
    domain::Recorded,
    store::codec,
};

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Form {
    /// One JSON object a line, as the API has it
    Ndjson,
    /// Comma-separated values with a line of headings
    Csv,
    /// One CloudEvents 1.0 JSON object a line
    Cloudevents,
    /// One OCSF Entity Management JSON object a line
    Ocsf,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Cloudevents => "cloudevents",
            Self::Ocsf => "ocsf",
        })
    }
}

const COLUMNS: [&str; 11] = [
    "position",
    "recorded_at",
    "occurred_at",
    "kind",
    "path",
    "actor",
    "subject",
    "jti",
    "request_id",
    "address",
    "event",
];

impl Form {
    /// What stands before the first event.
    pub(super) fn beginning(self) -> String {
        match self {
            Self::Csv => csv::line(COLUMNS),
            Self::Ndjson | Self::Cloudevents | Self::Ocsf => String::new(),
        }
    }
}

/// Writes the events of a log.
pub(super) struct Writer {
    pub(super) form: Form,
    pub(super) log_id: Uuid,
}

impl Writer {
    /// Appends the line of an event.
    pub(super) fn write(&self, recorded: &Recorded, lines: &mut Vec<u8>) -> Result<(), CliError> {
        let line = match self.form {
            Form::Ndjson => json(&EventView::new(recorded)?)?,
            Form::Cloudevents => json(&CloudEvent::new(self.log_id, recorded)?)?,
            Form::Ocsf => json(&OcsfEvent::new(self.log_id, recorded)?)?,
            Form::Csv => {
                let cells = cells(recorded)?;
                csv::line(cells.iter().map(String::as_str))
            }
        };
        lines.extend_from_slice(line.as_bytes());
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
    Ok(ascii_harmless(&text) + "\n")
}

fn cells(recorded: &Recorded) -> Result<[String; COLUMNS.len()], CliError> {
    let occurrence = &recorded.occurrence;
    let (event, origin) = (&occurrence.event, &occurrence.origin);
    let whole = serde_json::to_string(&EventView::new(recorded)?).map_err(std::io::Error::from)?;
    Ok([
        recorded.position.to_string(),
        view::instant(recorded.recorded_at),
        view::instant(occurrence.occurred_at),
        codec::kind(event).to_owned(),
        origin.path.to_string(),
        origin.actor.display().unwrap_or_default(),
        event_line::subject(event).unwrap_or_default(),
        event.jti().map(|jti| jti.to_string()).unwrap_or_default(),
        origin.request_id.as_str().to_owned(),
        origin.address.map(|address| address.to_string()).unwrap_or_default(),
        ascii_harmless(&whole),
    ])
}
