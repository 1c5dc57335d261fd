//! `catalog rotate`: a successor takes a token's place. A lost answer never makes a second one.

use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Api, ServerArgs,
    issue::{Wish, obtain},
};
use crate::{
    cli::{
        CliError, Outcome, Shell,
        output::Format,
        values::{self, Ttl},
    },
    domain::{rotate::Overlap, text::IdempotencyKey},
};

/// Rotate a token: a successor with the same claims takes its place
///
/// The successor alone goes to stdout, everything else to stderr. The token itself stays good for the overlap, and is
/// inactive from that instant on. With its own permission tokens.rotate_self the credential may rotate itself.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct RotateArgs {
    /// The token's identifier
    #[arg(value_parser = values::jti)]
    jti: Uuid,
    /// For how long both are good, such as 10m, 1h or 7d; 0s ends the token at once
    #[arg(long)]
    overlap: Overlap,
    /// How long the successor lives, such as 20m, 8h, 7d, or plain seconds [default: as long as the token itself, within the
    /// policy]
    #[arg(long, value_name = "TTL")]
    expires_in: Option<Ttl>,
    /// How the successor is written: alone, or in the API's answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The request's name: under the same one the same successor is answered for 24 hours [default: a fresh one]
    #[arg(long, value_name = "KEY", value_parser = values::header_word)]
    idempotency_key: Option<IdempotencyKey>,
    #[command(flatten)]
    server: ServerArgs,
}

const EXAMPLES: &str = "\
Examples:
  catalog rotate 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --overlap 1h > token.new
  catalog rotate 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --overlap 0s --expires-in 30d

Exit codes: 0 rotated, 1 refused, unknown, over or rotated before, 2 could not tell.";

/// The body of `POST /tokens/{jti}/rotate`.
#[derive(Serialize)]
struct Body {
    overlap: Overlap,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u32>,
}

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: RotateArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    let (jti, body) =
        (args.jti.to_string(), Body { overlap: args.overlap, expires_in: args.expires_in.map(|ttl| ttl.0) });
    let wish = Wish { route: &["tokens", &jti, "rotate"], body: &body, key: args.idempotency_key };
    obtain(shell, &api, wish, args.format).await
}
