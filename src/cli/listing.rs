//! A listing in the format that was asked for, written member by member.

use std::io::{self, BufWriter, Stdout};

use clap::ValueEnum;
use serde::Serialize;

use super::{
    output::{JsonArray, Out},
    rows::Rows,
};

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    /// A table on a terminal, plain lines with tabs in a pipe
    #[value(alias = "text")]
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
}

/// A listing on stdout.
pub(super) enum Listing {
    Table(Rows),
    Json(JsonArray),
    Ndjson(Out<BufWriter<Stdout>>),
}

impl Listing {
    pub(super) fn stdout(format: ListFormat, headings: &'static [&'static str]) -> Self {
        match format {
            ListFormat::Table => Self::Table(Rows::stdout(headings)),
            ListFormat::Json => Self::Json(JsonArray::new(Out::stdout())),
            ListFormat::Ndjson => Self::Ndjson(Out::stdout()),
        }
    }

    /// Writes one member: its cells for people, its value for programs. Only what is needed is made.
    pub(super) fn member<V: Serialize, E: From<io::Error>>(
        &mut self,
        cells: impl FnOnce() -> Vec<String>,
        value: impl FnOnce() -> Result<V, E>,
    ) -> Result<(), E> {
        match self {
            Self::Table(rows) => rows.row(cells())?,
            Self::Json(array) => array.member(&value()?)?,
            Self::Ndjson(out) => out.json_line(&value()?)?,
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Table(rows) => rows.finish(),
            Self::Json(array) => array.finish(),
            Self::Ndjson(mut out) => out.flush(),
        }
    }
}
