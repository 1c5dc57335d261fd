//! `catalog audit events`: the log, straight from the log, one event at a time.

use clap::{Args, ValueEnum};
use futures_util::TryStreamExt;
use uuid::Uuid;

use super::{
    CliError, Outcome, Shell, event_line,
    output::{JsonArray, Out},
    rows::Rows,
    session::{self, Need, Session},
    values,
};
use crate::{
    app::view::EventView,
    domain::{Path, Position, Recorded},
    store::log::{self, Selection},
};

/// Show the events of the log, oldest first
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EventsArgs {
    /// Only events after this position
    #[arg(long, value_name = "POSITION", value_parser = values::position, default_value = "0", allow_negative_numbers = true)]
    after: Position,
    /// Only events of this token
    #[arg(long, value_name = "UUID", value_parser = values::jti)]
    jti: Option<Uuid>,
    /// Only events that came this way: api, cli-dev, cli-admin or system
    #[arg(long)]
    path: Option<Path>,
    /// How to write them
    #[arg(long, value_enum, default_value = "text")]
    format: EventsFormat,
}

const EXAMPLES: &str = "\
Examples:
  catalog audit events --path cli-dev             every token that was issued past the API
  catalog audit events --after 120 --format ndjson
  catalog audit events --jti 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --format json";

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventsFormat {
    /// A table on a terminal, plain lines with tabs in a pipe
    Text,
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
}

pub(super) async fn run(shell: &Shell<'_>, args: EventsArgs) -> Result<Outcome, CliError> {
    let selection = Selection { after: args.after, jti: args.jti, path: args.path, ..Selection::default() };
    session::run(shell, Need::Catalog, async |session| {
        match args.format {
            EventsFormat::Text => text(session, selection).await?,
            EventsFormat::Json => json(session, selection).await?,
            EventsFormat::Ndjson => ndjson(session, selection).await?,
        }
        Ok(Outcome::Done)
    })
    .await
}

async fn text(session: &Session, selection: Selection) -> Result<(), CliError> {
    let mut rows = Rows::stdout(event_line::HEADINGS);
    each(session, selection, |recorded| Ok(rows.row(event_line::cells(recorded))?)).await?;
    Ok(rows.finish()?)
}

async fn json(session: &Session, selection: Selection) -> Result<(), CliError> {
    let mut array = JsonArray::new(Out::stdout());
    each(session, selection, |recorded| Ok(array.member(&EventView::new(recorded)?)?)).await?;
    Ok(array.finish()?)
}

async fn ndjson(session: &Session, selection: Selection) -> Result<(), CliError> {
    let mut out = Out::stdout();
    each(session, selection, |recorded| Ok(out.json_line(&EventView::new(recorded)?)?)).await?;
    Ok(out.flush()?)
}

/// Reads the selection in one snapshot, and keeps none of it.
async fn each(
    session: &Session,
    selection: Selection,
    mut show: impl FnMut(&Recorded) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut events = std::pin::pin!(log::stream(&session.database, selection).await?);
    while let Some(recorded) = events.try_next().await? {
        show(&recorded)?;
    }
    Ok(())
}
