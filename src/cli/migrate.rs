//! `catalog migrate`: the schema brought up to date by its owner, for those who keep owner and writer apart.

use clap::Args;

use super::{
    CliError, Outcome, Shell,
    output::{self, Out},
    session::{self, Need},
};
use crate::store::schema;

/// Create the schema, or bring it up to date; run again it changes nothing
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateArgs {}

const EXAMPLES: &str = "\
Examples:
  catalog migrate
  CATALOG_DATABASE_URL=postgres://owner@db.example.com/gateway catalog migrate --schema catalog";

pub(super) async fn run(shell: &Shell<'_>) -> Result<Outcome, CliError> {
    session::run(shell, Need::Database, async |session| {
        let before = schema::migrate(&session.database).await?;
        for warning in session.warnings().await? {
            output::say(&format!("warning: {warning}"));
        }
        let (schema, now) = (session.database.schema().as_str(), schema::version_needed());
        let mut out = Out::stdout();
        out.line(&if before == now {
            format!("the schema {schema} is at version {now}, as before")
        } else {
            format!("the schema {schema} went from version {before} to version {now}")
        })?;
        out.flush()?;
        Ok(Outcome::Done)
    })
    .await
}
