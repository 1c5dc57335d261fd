//! `catalog revoke`: the end of one token or several, with a verdict for each, or of all that a rule covers.

use clap::Args;
use reqwest::{Method, header::HeaderName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Api, ClientError, ServerArgs,
    answer::Answer,
    issue::fresh_key,
    revoke_rule::{self, RULES, RuleArgs, Why},
    text::Line,
};
use crate::{
    cli::{
        CliError, Outcome, Shell,
        listing::{ListFormat, Listing},
        output, values,
    },
    domain::{
        RevokeTokens,
        revoke::RevocationReason,
        text::{IdempotencyKey, Note},
    },
};

/// Revoke tokens, at once and for good
///
/// A token that is revoked already stays as it is, and counts as revoked.
///
/// With --where, --sub or --all it is one rule that covers every such token issued until now, whatever their number. It
/// holds at once; later tokens are not covered. On a terminal you see first what would be revoked, and are asked.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(in crate::cli) struct RevokeArgs {
    /// The tokens' identifiers
    #[arg(value_name = "JTI", required_unless_present_any = RULES, conflicts_with_all = RULES, value_parser = values::jti)]
    jtis: Vec<Uuid>,
    #[command(flatten)]
    rule: RuleArgs,
    /// Why
    #[arg(long, required_unless_present = "dry_run", value_parser = values::one_of::<RevocationReason>(RevocationReason::ALL.map(RevocationReason::as_str)))]
    reason: Option<RevocationReason>,
    /// Why, in your own words, for the log
    #[arg(long)]
    note: Option<Note>,
    /// How to write the verdicts
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
    #[command(flatten)]
    server: ServerArgs,
}

const USAGE: &str = "\
catalog revoke [OPTIONS] --reason <REASON> <JTI>...
       catalog revoke [OPTIONS] --reason <REASON> --where <CONDITIONS> [--successors]
       catalog revoke [OPTIONS] --reason <REASON> --sub <SUB>
       catalog revoke [OPTIONS] --reason <REASON> --all --yes
       catalog revoke [OPTIONS] --dry-run (--where <CONDITIONS> | --sub <SUB> | --all)";

const EXAMPLES: &str = "\
Examples:
  catalog revoke 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --reason key_compromise --note 'it was in a build log'
  catalog list --all --sub bob --status active | cut -f1 | xargs -r catalog revoke --reason superseded
  catalog revoke --where 'team=ops and path=cli-dev and issued_before=2026-11-01' --dry-run
  catalog revoke --where 'permission=tools.admin and name=\"night build\"' --reason privilege_withdrawn --yes
  catalog revoke --sub contractor@example.com --reason cessation_of_operation
  catalog revoke --all --reason key_compromise --yes

A condition is FIELD=VALUE, and 'and' joins them. The fields are sub, team, path, kid, permission, name, issued_after, \
issued_before and family. Tokens of every team meet any team=, those without a permission list any permission=. A day begins \
at midnight UTC. A family is named by its first token.

Exit codes: 0 all are revoked, 1 some are unknown or not yours to revoke, or you declined, 2 could not tell.";

const HEADINGS: &[&str] = &["jti", "outcome", "detail"];
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The body of `POST /revocations`.
#[derive(Serialize)]
struct Body<'a> {
    ids: &'a [Uuid],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<RevocationReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a Note>,
}

/// What a server says of one token.
#[derive(Deserialize)]
struct Verdict {
    jti: Line,
    outcome: Line,
    position: Option<i64>,
    rotated: Option<Rotated>,
}

/// Where a token that had been rotated went on.
#[derive(Deserialize)]
struct Rotated {
    family: Line,
    successor: Line,
}

/// A verdict, and all that the server said of it.
struct Told {
    verdict: Verdict,
    value: Value,
}

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: RevokeArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    if let Some(rule) = args.rule.asked() {
        return revoke_rule::run(shell, &api, &rule, &Why { reason: args.reason, note: args.note }, args.format).await;
    }
    let mut listing = Listing::stdout(args.format, HEADINGS);
    let (mut outcome, mut rotated) = (Outcome::Done, Vec::new());
    for (asked, ids) in args.jtis.chunks(RevokeTokens::IDS_MAX).enumerate() {
        let body = Body { ids, reason: args.reason, note: args.note.as_ref() };
        let told = match revoke(&api, &body, &fresh_key(shell)?).await {
            Ok(told) => told,
            Err(error) => {
                listing.finish()?;
                if error.leaves_doubt() || asked > 0 {
                    tell_rest(&args.jtis[asked * RevokeTokens::IDS_MAX..]);
                }
                return Err(error.into());
            }
        };
        for Told { verdict, value } in told {
            if verdict.position.is_none() {
                outcome = Outcome::Findings;
            }
            listing.member(|| verdict.cells(), || Ok::<_, CliError>(value))?;
            rotated.extend(verdict.rotated.map(|rotated| (verdict.jti, rotated)));
        }
    }
    listing.finish()?;
    tell_rotated(&rotated, &args.jtis);
    Ok(outcome)
}

/// Asks for one transaction. A request that is asked again goes by the same name, and so gets the same verdicts.
async fn revoke(api: &Api, body: &Body<'_>, key: &IdempotencyKey) -> Result<Vec<Told>, ClientError> {
    let request = || api.request(Method::POST, &["revocations"]).header(IDEMPOTENCY_KEY, key.as_str()).json(body);
    let answer = api.answer(request).await.map_err(|failed| failed.error)?;
    let told = verdicts(&answer)?;
    let is_as_asked = told.iter().map(|told| told.verdict.jti.0.as_str()).eq(body.ids.iter().map(Uuid::to_string));
    if is_as_asked { Ok(told) } else { Err(answer.foreign()) }
}

fn verdicts(answer: &Answer) -> Result<Vec<Told>, ClientError> {
    #[derive(Deserialize)]
    struct Results {
        results: Vec<Value>,
    }
    let Results { results } = answer.parse()?;
    let told = |value: Value| Ok(Told { verdict: Verdict::deserialize(&value).map_err(|_| answer.foreign())?, value });
    results.into_iter().map(told).collect()
}

impl Verdict {
    fn cells(&self) -> Vec<String> {
        let detail = match self.position {
            Some(position) => format!("position {position}"),
            None => format!("no token {}", self.jti),
        };
        vec![self.jti.to_string(), self.outcome.to_string(), detail]
    }
}

/// Nobody must believe that what took a token's place ended with it, unless it was named, too.
fn tell_rotated(rotated: &[(Line, Rotated)], named: &[Uuid]) {
    for (jti, Rotated { family, successor }) in rotated {
        if !named.iter().any(|named| named.to_string() == successor.0) {
            output::say(&format!(
                "note: {jti} had been rotated, and its successor {successor} does not end with it; \
                 --where family={family} ends the whole family"
            ));
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
