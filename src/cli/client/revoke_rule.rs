//! `catalog revoke` by a rule: what it would revoke is shown before, and nothing is done without a word for it.

use std::io::{self, IsTerminal};

use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Api, ClientError, issue::fresh_key, revoke::IDEMPOTENCY_KEY, text::Line};
use crate::{
    cli::{
        CliError, Outcome, Shell,
        conditions::Conditions,
        input,
        listing::{ListFormat, Listing},
        output,
        rows::NOTHING,
    },
    domain::{
        Predicate,
        revoke::RevocationReason,
        text::{Note, Subject},
    },
};

/// The flags that say what a rule covers: one of them.
pub(super) const RULES: [&str; 3] = ["where", "sub", "all"];
const HEADINGS: &[&str] = &["what", "which", "detail"];

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
        let (preview, value) = preview(api, rule, why).await?;
        show(&preview, &value, format)?;
        preview.warn();
        return Ok(Outcome::Done);
    }
    if rule.yes {
        preview(api, rule, why).await?.0.tell();
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
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CliError::NotAgreed);
    }
    let (preview, _) = preview(api, rule, why).await?;
    for cells in preview.rows() {
        output::say(&cells.join("  "));
    }
    preview.warn();
    if preview.active + preview.suspended + preview.expired == 0 {
        return Ok(());
    }
    output::say(&format!("Revoke all tokens where {}? Type yes to do it:", rule.predicate));
    if input::line().await?.trim() == "yes" { Ok(()) } else { Err(CliError::Declined) }
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

/// What a server says a rule would do.
#[derive(Deserialize)]
struct Preview {
    position: i64,
    active: u64,
    suspended: u64,
    expired: u64,
    by_subject: Vec<Share>,
    by_team: Vec<Share>,
    by_path: Vec<Share>,
    sample: Vec<Sample>,
    #[serde(default)]
    covers_credential: bool,
    #[serde(default)]
    successors_left: u64,
}

#[derive(Deserialize)]
struct Share {
    value: Option<Line>,
    tokens: u64,
}

#[derive(Deserialize)]
struct Sample {
    jti: Line,
    sub: Option<Line>,
    name: Option<Line>,
    path: Line,
    issued_at: Line,
}

/// Nothing is changed, and nothing has to be named.
async fn preview(api: &Api, rule: &Rule, why: &Why) -> Result<(Preview, Value), CliError> {
    let body = Body::of(rule, why, true);
    let answer = api.answer(|| api.request(Method::POST, &["revocations"]).json(&body)).await?;
    Ok(answer.read()?)
}

fn show(preview: &Preview, value: &Value, format: ListFormat) -> Result<(), CliError> {
    let mut listing = Listing::stdout(format, HEADINGS);
    match format {
        ListFormat::Table => {
            for cells in preview.rows() {
                listing.member(|| cells, || Ok::<_, CliError>(Value::Null))?;
            }
        }
        ListFormat::Json | ListFormat::Ndjson => listing.member(Vec::new, || Ok::<_, CliError>(value))?,
    }
    Ok(listing.finish()?)
}

impl Preview {
    /// What somebody is told who has agreed before.
    fn tell(&self) {
        let Self { active, suspended, expired, position, .. } = self;
        output::say(&format!(
            "note: at position {position} the rule covers {active} active, {suspended} suspended and {expired} expired tokens"
        ));
        self.warn();
    }

    /// What figures alone do not say.
    fn warn(&self) {
        if self.covers_credential {
            output::say("warning: the rule also revokes the token that you ask with");
        }
        match self.successors_left {
            0 => {}
            1 => output::say(
                "note: 1 active token that took the place of such a token stays; --successors covers it, too",
            ),
            left => output::say(&format!(
                "note: {left} active tokens that took the place of such tokens stay; --successors covers them, too"
            )),
        }
    }

    /// One row for each figure, of [`HEADINGS`].
    fn rows(&self) -> Vec<Vec<String>> {
        let count = |what: &str, which: &str, tokens: u64| {
            vec![
                what.to_owned(),
                which.to_owned(),
                if tokens == 1 { "1 token".to_owned() } else { format!("{tokens} tokens") },
            ]
        };
        let states = [("active", self.active), ("suspended", self.suspended), ("expired", self.expired)];
        let shares = |what: &'static str, none: &'static str, shares: &[Share]| -> Vec<Vec<String>> {
            let which = |share: &Share| share.value.as_ref().map_or_else(|| none.to_owned(), ToString::to_string);
            shares.iter().map(|share| count(what, &which(share), share.tokens)).collect()
        };
        let mut rows: Vec<Vec<String>> = states.iter().map(|(state, tokens)| count("status", state, *tokens)).collect();
        rows.extend(shares("subject", "erased", &self.by_subject));
        rows.extend(shares("team", "every team", &self.by_team));
        rows.extend(shares("path", NOTHING, &self.by_path));
        rows.extend(self.sample.iter().map(Sample::cells));
        rows.push(vec![
            "position".to_owned(),
            self.position.to_string(),
            "the place in the log that this holds for".to_owned(),
        ]);
        rows
    }
}

impl Sample {
    fn cells(&self) -> Vec<String> {
        let said = |line: Option<&Line>| line.map_or_else(|| NOTHING.to_owned(), ToString::to_string);
        let (sub, name) = (said(self.sub.as_ref()), said(self.name.as_ref()));
        let detail = format!("{sub}, {name}, {}, issued {}", self.path, self.issued_at);
        vec!["token".to_owned(), self.jti.to_string(), detail]
    }
}
