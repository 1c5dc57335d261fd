//! `catalog revoke`: the end of one token or several, with a verdict for each.

use clap::Args;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Api, ClientError, ServerArgs, problem::Problem};
use crate::{
    cli::{
        CliError, Outcome, Shell,
        listing::{ListFormat, Listing},
        output, values,
    },
    domain::{revoke::RevocationReason, text::Note},
};

/// Revoke tokens, at once and for good
///
/// A token that is revoked already stays as it is, and counts as revoked.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct RevokeArgs {
    /// The tokens' identifiers
    #[arg(value_name = "JTI", required = true, value_parser = values::jti)]
    jtis: Vec<Uuid>,
    /// Why
    #[arg(long, value_parser = values::one_of::<RevocationReason>(RevocationReason::ALL.map(RevocationReason::as_str)))]
    reason: RevocationReason,
    /// Why, in your own words, for the log
    #[arg(long)]
    note: Option<Note>,
    /// How to write the verdicts
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
    #[command(flatten)]
    server: ServerArgs,
}

const EXAMPLES: &str = "\
Examples:
  catalog revoke 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --reason key_compromise --note 'it was in a build log'
  catalog list --all --sub bob --status active | cut -f1 | xargs -r catalog revoke --reason superseded

Exit codes: 0 all are revoked, 1 some are unknown or not yours to revoke, 2 could not tell.";

const HEADINGS: &[&str] = &["jti", "outcome", "detail"];

/// The body of `DELETE /tokens/{jti}`.
#[derive(Serialize)]
struct Why {
    reason: RevocationReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Note>,
}

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: RevokeArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    let why = Why { reason: args.reason, note: args.note };
    let mut listing = Listing::stdout(args.format, HEADINGS);
    let mut outcome = Outcome::Done;
    for (asked, jti) in args.jtis.iter().enumerate() {
        let verdict = match revoke(&api, *jti, &why).await {
            Ok(verdict) => verdict,
            Err(error) => {
                listing.finish()?;
                tell_rest(&args.jtis[asked..]);
                return Err(error.into());
            }
        };
        if !matches!(verdict, Verdict::Revoked { .. }) {
            outcome = Outcome::Findings;
        }
        listing.member(|| verdict.cells(*jti), || Ok::<_, CliError>(verdict.value(*jti)))?;
    }
    listing.finish()?;
    Ok(outcome)
}

/// What became of one token.
enum Verdict {
    Revoked { position: i64 },
    Not { outcome: &'static str, problem: Box<Problem> },
}

/// A refusal is a verdict on this token; whatever else goes wrong would go wrong with the next one, too.
async fn revoke(api: &Api, jti: Uuid, why: &Why) -> Result<Verdict, ClientError> {
    let request = || api.request(Method::DELETE, &["tokens", &jti.to_string()]).json(why);
    match api.answer(request).await.map_err(|failed| failed.error) {
        Ok(answer) if answer.status == StatusCode::NO_CONTENT => Ok(Verdict::Revoked { position: answer.position()? }),
        Ok(answer) => Err(answer.foreign()),
        Err(ClientError::Problem(problem)) if problem.is_refusal() => {
            Ok(Verdict::Not { outcome: if problem.is_unknown_token() { "unknown" } else { "refused" }, problem })
        }
        Err(error) => Err(error),
    }
}

impl Verdict {
    fn cells(&self, jti: Uuid) -> Vec<String> {
        let (outcome, detail) = match self {
            Self::Revoked { position } => ("revoked", format!("position {position}")),
            Self::Not { outcome, problem } => (*outcome, problem.detail().to_owned()),
        };
        vec![jti.to_string(), outcome.to_owned(), detail]
    }

    fn value(&self, jti: Uuid) -> Value {
        match self {
            Self::Revoked { position } => json!({ "jti": jti, "outcome": "revoked", "position": position }),
            Self::Not { outcome, problem } => json!({ "jti": jti, "outcome": outcome, "problem": problem.document }),
        }
    }
}

/// Nobody must believe that the others were revoked.
fn tell_rest(rest: &[Uuid]) {
    let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
    output::say(&format!(
        "note: nothing is known of {}; the same command can be given again, a revocation counts once",
        rest.join(" ")
    ));
}
