//! `catalog check`: whether a token may be used, by the token itself or by its identifier.

use clap::Args;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Api, Failed, ServerArgs, record::way, text::Line};
use crate::{
    cli::{
        CliError, Outcome, Shell, event_line, input,
        output::{Format, Out},
        values,
    },
    domain::token::instant,
};

/// Check whether a token is active: signature, claims and log for a token, the log alone for an identifier
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct CheckArgs {
    /// A token, its identifier, or - to read either from stdin. Prefer - for a token: other users can read arguments
    #[arg(value_name = "TOKEN|JTI|-")]
    what: String,
    /// How to write the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

const EXAMPLES: &str = "\
Examples:
  catalog check - < token.txt
  catalog check 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10
  catalog check - --format json < token.txt | jq .sub

Exit codes: 0 active, 1 not active, 2 could not tell, for whatever reason: that is not a no.";

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: CheckArgs) -> Result<Outcome, CliError> {
    let what = input::argument_or_stdin(args.what)?;
    let api = Api::open(shell, args.server)?;
    let (verdict, value) = if what.contains('.') { of_token(&api, &what).await? } else { of_jti(&api, &what).await? };
    let mut out = Out::stdout();
    match args.format {
        Format::Text => out.line(&verdict.line)?,
        Format::Json => out.json(&value)?,
    }
    out.flush()?;
    Ok(if verdict.is_active { Outcome::Done } else { Outcome::Findings })
}

struct Verdict {
    is_active: bool,
    line: String,
}

/// `POST /introspect`. What is not active gets no other member.
#[derive(Deserialize)]
struct Introspection {
    active: bool,
    #[serde(flatten)]
    token: Option<ActiveToken>,
}

#[derive(Deserialize)]
struct ActiveToken {
    jti: Line,
    sub: Line,
    exp: i64,
    path: Line,
    out_of_band: bool,
}

async fn of_token(api: &Api, token: &str) -> Result<(Verdict, Value), CliError> {
    let answer = api.answer(|| api.request(Method::POST, &["introspect"]).form(&[("token", token)])).await;
    let (Introspection { active, token }, value) = answer.map_err(could_not_tell)?.read()?;
    let line = match token.filter(|_| active) {
        Some(ActiveToken { jti, sub, exp, path, out_of_band }) => {
            let (expires, way) = (event_line::seconds(instant(exp)), way(&path, out_of_band));
            format!("active  {jti} for {sub}, expires {expires}, path {way}")
        }
        None => if active { "active" } else { "inactive" }.to_owned(),
    };
    Ok((Verdict { is_active: active, line }, value))
}

/// `GET /revocations/{jti}`.
#[derive(Deserialize)]
struct Standing {
    jti: Uuid,
    status: Line,
}

async fn of_jti(api: &Api, text: &str) -> Result<(Verdict, Value), CliError> {
    let jti =
        values::jti(text).map_err(|_| CliError::NotAToken("it has no dots, and is no identifier in lower case"))?;
    let answer = api.answer(|| api.request(Method::GET, &["revocations", &jti.to_string()])).await;
    let (Standing { jti, status }, value) = answer.map_err(could_not_tell)?.read()?;
    Ok((Verdict { is_active: status.0 == "active", line: format!("{status}  {jti}") }, value))
}

/// Here 1 is a verdict: whatever kept the server from one is 2.
fn could_not_tell(failed: Failed) -> CliError {
    CliError::NotChecked(failed.error)
}
