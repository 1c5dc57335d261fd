//! `catalog suspend` and `catalog resume`: tokens are held back and let go again, with a verdict for each, or for all of
//! a subject.

use clap::Args;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Api, ClientError, ServerArgs, problem::Problem};
use crate::{
    cli::{
        CliError, Outcome, Shell,
        listing::{ListFormat, Listing},
        output, values,
    },
    domain::{
        suspend::Change,
        text::{Note, Subject},
    },
};

/// Suspend tokens: they are inactive until they are resumed
///
/// A token that is suspended already counts as suspended; a full administrator's suspension outranks a narrower caller's.
/// One that is revoked or expired is refused. What took the place of a rotated token is a token of its own.
#[derive(Args)]
#[command(after_help = SUSPEND_EXAMPLES)]
pub(in crate::cli) struct SuspendArgs {
    #[command(flatten)]
    tokens: TokensArgs,
}

/// Resume tokens that were suspended
///
/// A token that is not suspended stays as it is, and counts as resumed. One that is revoked or expired is refused, and so
/// is one that another suspended, unless you are an administrator whose token names neither teams nor permissions.
#[derive(Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub(in crate::cli) struct ResumeArgs {
    #[command(flatten)]
    tokens: TokensArgs,
}

#[derive(Args)]
struct TokensArgs {
    /// The tokens' identifiers
    #[arg(value_name = "JTI", required_unless_present = "sub", conflicts_with = "sub", value_parser = values::jti)]
    jtis: Vec<Uuid>,
    /// All tokens that this subject has now, in one transaction, up to 1,000; not those that it is issued later
    #[arg(long)]
    sub: Option<Subject>,
    /// Why, in your own words, for the log
    #[arg(long)]
    note: Option<Note>,
    /// How to write the verdicts
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
    #[command(flatten)]
    server: ServerArgs,
}

const SUSPEND_EXAMPLES: &str = "\
Examples:
  catalog suspend 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --note 'its owner is being asked'
  catalog suspend --sub alice@example.com --note 'the laptop is lost'

Exit codes: 0 all are suspended, 1 some are unknown, over or not yours to suspend, 2 could not tell.";

const RESUME_EXAMPLES: &str = "\
Examples:
  catalog resume 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --note 'it was its owner'
  catalog resume --sub alice@example.com --note 'the laptop was found'

Exit codes: 0 none is suspended, 1 some are unknown, over or not yours to resume, 2 could not tell.";

pub(in crate::cli) async fn suspend(shell: &Shell<'_>, args: SuspendArgs) -> Result<Outcome, CliError> {
    run(shell, Change::Suspend, args.tokens).await
}

pub(in crate::cli) async fn resume(shell: &Shell<'_>, args: ResumeArgs) -> Result<Outcome, CliError> {
    run(shell, Change::Resume, args.tokens).await
}

async fn run(shell: &Shell<'_>, change: Change, args: TokensArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    match args.sub {
        Some(sub) => all_of(&api, change, &Whose { sub: &sub, note: args.note }, args.format).await,
        None => each(&api, change, (&args.jtis, Why { note: args.note }), args.format).await,
    }
}

/// The body of `POST /tokens/{jti}/suspend` and `/resume`.
#[derive(Serialize)]
struct Why {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Note>,
}

async fn each(api: &Api, change: Change, (jtis, why): (&[Uuid], Why), format: ListFormat) -> Result<Outcome, CliError> {
    let mut listing = Listing::stdout(format, &["jti", "outcome", "detail"]);
    let mut outcome = Outcome::Done;
    for (asked, jti) in jtis.iter().enumerate() {
        let verdict = match one(api, change, *jti, &why).await {
            Ok(verdict) => verdict,
            Err(error) => {
                listing.finish()?;
                tell_rest(&jtis[asked..]);
                return Err(error.into());
            }
        };
        if matches!(verdict, Verdict::Not { .. }) {
            outcome = Outcome::Findings;
        }
        listing.member(|| verdict.cells(*jti, change), || Ok::<_, CliError>(verdict.value(*jti, change)))?;
    }
    listing.finish()?;
    Ok(outcome)
}

/// What became of one token.
enum Verdict {
    Done { position: i64 },
    Not { outcome: &'static str, problem: Box<Problem> },
}

/// A refusal is a verdict on this token; whatever else goes wrong would go wrong with the next one, too.
async fn one(api: &Api, change: Change, jti: Uuid, why: &Why) -> Result<Verdict, ClientError> {
    let request = || api.request(Method::POST, &["tokens", &jti.to_string(), change.as_str()]).json(why);
    match api.answer(request).await.map_err(|failed| failed.error) {
        Ok(answer) if answer.status == StatusCode::NO_CONTENT => Ok(Verdict::Done { position: answer.position()? }),
        Ok(answer) => Err(answer.foreign()),
        Err(ClientError::Problem(problem)) if problem.is_refusal() => {
            Ok(Verdict::Not { outcome: if problem.is_unknown_token() { "unknown" } else { "refused" }, problem })
        }
        Err(error) => Err(error),
    }
}

impl Verdict {
    fn cells(&self, jti: Uuid, change: Change) -> Vec<String> {
        let (outcome, detail) = match self {
            Self::Done { position } => (change.done(), format!("position {position}")),
            Self::Not { outcome, problem } => (*outcome, problem.detail().to_owned()),
        };
        vec![jti.to_string(), outcome.to_owned(), detail]
    }

    fn value(&self, jti: Uuid, change: Change) -> Value {
        match self {
            Self::Done { position } => json!({ "jti": jti, "outcome": change.done(), "position": position }),
            Self::Not { outcome, problem } => json!({ "jti": jti, "outcome": outcome, "problem": problem.document }),
        }
    }
}

/// The body of `POST /tokens/suspend` and `/tokens/resume`.
#[derive(Serialize)]
struct Whose<'a> {
    sub: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Note>,
}

/// The answer to it.
#[derive(Deserialize)]
struct Changes {
    changed: u64,
    left: u64,
    position: i64,
}

async fn all_of(api: &Api, change: Change, whose: &Whose<'_>, format: ListFormat) -> Result<Outcome, CliError> {
    let answer = api.answer(|| api.request(Method::POST, &["tokens", change.as_str()]).json(whose)).await?;
    let Changes { changed, left, position } = answer.parse()?;
    let (sub, done) = (whose.sub, change.done());
    let mut listing = Listing::stdout(format, &["subject", "outcome", "detail"]);
    let tokens = if changed == 1 { "token" } else { "tokens" };
    let detail = match left {
        0 => format!("{changed} {tokens}, position {position}"),
        _ => format!("{changed} {tokens}, position {position}; {left} left, suspended by another"),
    };
    listing.member(
        || vec![sub.to_string(), done.to_owned(), detail],
        || {
            let value = json!({ "sub": sub, "outcome": done, "changed": changed, "left": left, "position": position });
            Ok::<_, CliError>(value)
        },
    )?;
    listing.finish()?;
    Ok(if left == 0 { Outcome::Done } else { Outcome::Findings })
}

/// Nobody must believe that the others were changed.
fn tell_rest(rest: &[Uuid]) {
    let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
    output::say(&format!("note: nothing is known of {}; the same command can be given again", rest.join(" ")));
}
