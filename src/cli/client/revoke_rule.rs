//! `catalog revoke` by a rule: what it would revoke is shown before, and nothing is done without a word for it.

use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Api, ClientError, issue::fresh_key, revoke::IDEMPOTENCY_KEY};
use crate::{
    cli::{
        CliError, Outcome, Shell,
        conditions::Conditions,
        listing::{ListFormat, Listing},
        output,
        preview::{self, Preview},
    },
    domain::{
        Predicate,
        revoke::RevocationReason,
        text::{Note, Subject},
    },
};

/// The flags that say what a rule covers: one of them.
pub(super) const RULES: [&str; 3] = ["where", "sub", "all"];

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is there or not")]
pub(super) struct RuleArgs {
    /// All tokens that meet these conditions, such as 'team=ops and issued_before=2026-11-01'
    #[arg(long = "where", id = "where", value_name = "CONDITIONS", conflicts_with_all = ["sub", "all"])]
    conditions: Option<Conditions>,
    /// All tokens of this subject
    #[arg(long, conflicts_with = "all")]
    sub: Option<Subject>,
    /// All tokens there are; needs --yes
    #[arg(long)]
    all: bool,
    /// With --where: by path, kid and times also what took the place of such tokens by rotation
    #[arg(long, requires = "where", conflicts_with_all = ["jtis", "sub", "all"])]
    successors: bool,
    /// Only tell what would be revoked
    #[arg(long, conflicts_with_all = ["jtis", "yes"])]
    dry_run: bool,
    /// Do it without a question
    #[arg(long, conflicts_with = "jtis")]
    yes: bool,
}

/// What a rule is to cover, and how sure its author is.
pub(super) struct Rule {
    predicate: Predicate,
    dry_run: bool,
    yes: bool,
}

/// Why.
pub(super) struct Why {
    pub(super) reason: Option<RevocationReason>,
    pub(super) note: Option<Note>,
}

impl RuleArgs {
    /// The rule, if it is one that is asked for.
    pub(super) fn asked(self) -> Option<Rule> {
        let of_subject = self.sub.map(|sub| Predicate { sub: Some(sub), ..Predicate::default() });
        let of_conditions = self.conditions.map(|conditions| Predicate { successors: self.successors, ..conditions.0 });
        let conditions = of_conditions.or(of_subject);
        let predicate = conditions.or_else(|| self.all.then(Predicate::default))?;
        Some(Rule { predicate, dry_run: self.dry_run, yes: self.yes })
    }
}

/// The body of `POST /revocations`.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    conditions: Option<Predicate>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    successors: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<RevocationReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a Note>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

impl<'a> Body<'a> {
    fn of(rule: &'a Rule, why: &'a Why, dry_run: bool) -> Self {
        let all = rule.predicate.is_empty();
        let conditions = (!all).then(|| Predicate { successors: false, ..rule.predicate.clone() });
        let successors = rule.predicate.successors;
        Self { conditions, successors, all, reason: why.reason, note: why.note.as_ref(), dry_run }
    }
}

pub(super) async fn run(
    shell: &Shell<'_>,
    api: &Api,
    rule: &Rule,
    why: &Why,
    format: ListFormat,
) -> Result<Outcome, CliError> {
    if rule.dry_run {
        let (preview, value) = foresee(api, rule, why).await?;
        preview.show(&value, format)?;
        warn(&preview);
        return Ok(Outcome::Done);
    }
    if rule.yes {
        let (preview, _) = foresee(api, rule, why).await?;
        preview.tell("the rule");
        warn(&preview);
    } else {
        agree(api, rule, why).await?;
    }
    let (rule_at, value) = add(shell, api, &Body::of(rule, why, false)).await?;
    let mut listing = Listing::stdout(format, &["where", "outcome", "detail"]);
    let (outcome, detail) = match rule_at {
        Some(position) => ("revoked", format!("by the rule at position {position}")),
        None => ("unchanged", "there was nothing left to revoke".to_owned()),
    };
    let cells = || vec![rule.predicate.to_string(), outcome.to_owned(), detail];
    listing.member(cells, || Ok::<_, CliError>(value))?;
    listing.finish()?;
    Ok(Outcome::Done)
}

/// Shows a person what would be revoked, and asks.
async fn agree(api: &Api, rule: &Rule, why: &Why) -> Result<(), CliError> {
    if rule.predicate.is_empty() {
        return Err(CliError::AllNotAgreed);
    }
    preview::require_person()?;
    let (preview, _) = foresee(api, rule, why).await?;
    preview.say();
    warn(&preview);
    if preview.is_empty() {
        return Ok(());
    }
    preview::agree(&format!("Revoke all tokens where {}?", rule.predicate)).await
}

/// Asks for the rule. A request that is asked again goes by the same name, and so adds no second one.
async fn add(shell: &Shell<'_>, api: &Api, body: &Body<'_>) -> Result<(Option<i64>, Value), CliError> {
    #[derive(Deserialize)]
    struct Added {
        rule: Option<i64>,
    }
    let key = fresh_key(shell)?;
    let request = || api.request(Method::POST, &["revocations"]).header(IDEMPOTENCY_KEY, key.as_str()).json(body);
    let answer = api.answer(request).await.map_err(|failed| failed.error).inspect_err(tell_doubt)?;
    let (Added { rule }, value) = answer.read()?;
    Ok((rule, value))
}

/// Nobody must believe that nothing was revoked.
fn tell_doubt(error: &ClientError) {
    if error.leaves_doubt() {
        output::say("note: the rule may have been added; the same command can be given again, and adds no second one");
    }
}

/// Nothing is changed, and nothing has to be named.
async fn foresee(api: &Api, rule: &Rule, why: &Why) -> Result<(Preview, Value), CliError> {
    let body = Body::of(rule, why, true);
    let answer = api.answer(|| api.request(Method::POST, &["revocations"]).json(&body)).await?;
    Ok(answer.read()?)
}

/// What figures alone do not say.
fn warn(preview: &Preview) {
    if preview.covers_credential {
        output::say("warning: the rule also revokes the token that you ask with");
    }
    preview.tell_of_successors("--successors covers");
}
