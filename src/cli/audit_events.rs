//! `catalog audit events`: the log, straight from the log, one event at a time.

use clap::Args;
use futures_util::TryStreamExt;
use uuid::Uuid;

use super::{
    CliError, Outcome, Shell, event_line,
    listing::{ListFormat, Listing},
    session::{self, Need, Session},
    values,
};
use crate::{
    app::{range::after, view::EventView},
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
    /// Only events that came this way
    #[arg(long, value_parser = values::one_of::<Path>(Path::ALL.map(Path::as_str)))]
    path: Option<Path>,
    /// How to write them
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  catalog audit events --path cli-dev             every token that was issued past the API
  catalog audit events --after 120 --format ndjson
  catalog audit events --jti 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --format json";

pub(super) async fn run(shell: &Shell<'_>, args: EventsArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let head = log::head(session.database.reads()).await?;
        let after = after(args.after, &head)?;
        let selection = Selection { after, jti: args.jti, path: args.path, ..Selection::default() };
        let mut listing = Listing::stdout(args.format, event_line::HEADINGS);
        each(session, selection, |recorded| {
            listing.member(|| event_line::cells(recorded), || Ok::<_, CliError>(EventView::new(recorded)?))
        })
        .await?;
        listing.finish()?;
        Ok(Outcome::Done)
    })
    .await
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
