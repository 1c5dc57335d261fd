//! `catalog show`: one token's record.

use clap::Args;
use reqwest::Method;
use uuid::Uuid;

use super::{Api, ServerArgs, record::Record};
use crate::cli::{
    CliError, Outcome, Shell,
    output::{self, Format},
    values,
    when::Then,
};

/// Show what the log says of one token
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct ShowArgs {
    /// The token's identifier
    #[arg(value_parser = values::jti)]
    jti: Uuid,
    /// As it was then: an instant, a day, 7d for a week ago, or a position of the log such as @812
    #[arg(long, value_name = "WHEN")]
    as_of: Option<Then>,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

const EXAMPLES: &str = "\
Examples:
  catalog show 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10
  catalog show 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --format json | jq .revocation
  catalog show 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --as-of 7d       as it was a week ago

Exit codes: 0 shown, 1 no such token, or none of yours to see, 2 could not tell.";

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: ShowArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    let as_of = args.as_of.map(|then| then.as_of(shell.ambient.clock.now()).to_string());
    let path = ["tokens", &args.jti.to_string()];
    let answer = api.answer(|| api.request(Method::GET, &path).query(&[("as_of", as_of.as_ref())])).await?;
    let (record, value): (Record, _) = answer.read()?;
    output::object(args.format, &record.lines(), &value)?;
    Ok(Outcome::Done)
}
