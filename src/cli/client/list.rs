//! `catalog list`: the tokens, newest first, a page after the other.

use chrono::{DateTime, Utc};
use clap::{Args, value_parser};
use indicatif::ProgressBar;
use reqwest::Method;
use serde::Deserialize;

use super::{
    Api, ServerArgs,
    record::{self, Listed, PastState},
};
use crate::{
    app::view::instant,
    cli::{
        CliError, Outcome, Shell,
        listing::{ListFormat, Listing},
        output, progress, values,
        when::{Ago, Ahead, Then},
    },
    domain::{
        Path, Status,
        text::{Kid, Name, Permission, Subject, TeamId},
    },
};

/// List tokens, newest first
///
/// An administrator sees all of them, anyone else their own.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// How many tokens at most
    #[arg(long, value_name = "N", default_value = "50", conflicts_with = "all", value_parser = value_parser!(u32).range(1..))]
    limit: u32,
    /// All of them
    #[arg(long)]
    all: bool,
    /// How to write them
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
    #[command(flatten)]
    server: ServerArgs,
}

/// What a listing is narrowed to. Times are RFC 3339 instants, days, or spans such as 7d.
#[derive(Args)]
struct Filter {
    /// Only tokens of this subject
    #[arg(long)]
    sub: Option<Subject>,
    /// Only tokens in this state
    #[arg(long, value_parser = values::one_of::<Status>(Status::ALL.map(Status::as_str)))]
    status: Option<Status>,
    /// Only tokens that were issued this way
    #[arg(long, value_parser = values::one_of::<Path>(Path::ALL.map(Path::as_str)))]
    path: Option<Path>,
    /// Only tokens of this name
    #[arg(long)]
    name: Option<Name>,
    /// Only tokens that reach this team
    #[arg(long)]
    team: Option<TeamId>,
    /// Only tokens that may use this permission
    #[arg(long)]
    permission: Option<Permission>,
    /// Only tokens that this key signs
    // One in 64 begins with a hyphen: it is base64url.
    #[arg(long, allow_hyphen_values = true)]
    kid: Option<Kid>,
    /// Only tokens issued at this time or later: 2026-03-01T12:00:00Z, 2026-03-01, or 7d for the last seven days
    #[arg(long, value_name = "WHEN")]
    issued_after: Option<Ago>,
    /// Only tokens issued before this time, written in the same way
    #[arg(long, value_name = "WHEN")]
    issued_before: Option<Ago>,
    /// Only tokens that expire before this time: an instant, a day, or 7d for the next seven days
    #[arg(long, value_name = "WHEN")]
    expires_before: Option<Ahead>,
    /// As they were then: an instant, a day, 7d for a week ago, or a position of the log such as @812
    #[arg(long, value_name = "WHEN")]
    as_of: Option<Then>,
}

const EXAMPLES: &str = "\
Examples:
  catalog list --status active --expires-before 24h
  catalog list --path cli-dev --issued-after 7d       what was issued past the API lately
  catalog list --all --format ndjson > tokens.ndjson
  catalog list --permission tools.execute --status active --as-of 2026-03-03T12:00:00Z       who could use it then
  catalog list --all --sub ci --status active | cut -f1 | xargs -r catalog revoke --reason superseded";

/// The most that a server has on one page.
const PAGE_MAX: u32 = 500;

/// One page, as `GET /tokens` tells it.
#[derive(Deserialize)]
struct Page {
    tokens: Vec<Listed>,
    next_cursor: Option<String>,
    as_of: Option<PastState>,
}

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: ListArgs) -> Result<Outcome, CliError> {
    let api = Api::open(shell, args.server)?;
    let query = args.filter.query(shell.ambient.clock.now());
    let mut listing = Listing::stdout(args.format, record::HEADINGS);
    let progress = if args.all { progress::bar("{spinner} {pos} tokens") } else { ProgressBar::hidden() };
    let limit = if args.all { u32::MAX } else { args.limit };
    let shown = pages(&api, &query, limit, &mut listing, &progress).await;
    progress.finish_and_clear();
    let is_all = shown?;
    listing.finish()?;
    if !is_all {
        output::say(&format!("note: these are the newest {limit}; for more there are --limit and --all"));
    }
    Ok(Outcome::Done)
}

/// Writes page after page, up to so many tokens; returns whether these are all that there are.
async fn pages(
    api: &Api,
    query: &Query,
    limit: u32,
    listing: &mut Listing,
    progress: &ProgressBar,
) -> Result<bool, CliError> {
    let (mut left, mut cursor) = (limit, None);
    loop {
        let page = page(api, query, left.min(PAGE_MAX), cursor.as_deref()).await?;
        if let Some(past) = page.as_of.filter(|_| cursor.is_none()) {
            progress.suspend(|| output::say(&format!("as of {}", past.line())));
        }
        progress.suspend(|| page.tokens.iter().try_for_each(|token| show(listing, token)))?;
        progress.inc(page.tokens.len() as u64);
        left = left.saturating_sub(u32::try_from(page.tokens.len()).unwrap_or(u32::MAX));
        cursor = page.next_cursor;
        if cursor.is_none() || left == 0 {
            return Ok(cursor.is_none());
        }
    }
}

async fn page(api: &Api, query: &Query, limit: u32, cursor: Option<&str>) -> Result<Page, CliError> {
    let paging = [("limit", Some(limit.to_string())), ("cursor", cursor.map(str::to_owned))];
    let answer = api.answer(|| api.request(Method::GET, &["tokens"]).query(query).query(&paging)).await?;
    let page: Page = answer.parse()?;
    // A page that leads to another has something on it; else there would be no end.
    if page.tokens.is_empty() && page.next_cursor.is_some() {
        return Err(answer.foreign().into());
    }
    Ok(page)
}

fn show(listing: &mut Listing, token: &Listed) -> Result<(), CliError> {
    listing.member(|| token.record.cells(), || Ok::<_, CliError>(&token.value))
}

/// Parameters; those without a value are left out.
type Query = [(&'static str, Option<String>); 11];

impl Filter {
    /// The parameters of `GET /tokens`. Spans are taken from `now` once, so that every page asks for the same.
    fn query(&self, now: DateTime<Utc>) -> Query {
        [
            ("sub", text(self.sub.as_ref())),
            ("status", text(self.status.as_ref())),
            ("path", text(self.path.as_ref())),
            ("name", text(self.name.as_ref())),
            ("team", text(self.team.as_ref())),
            ("permission", text(self.permission.as_ref())),
            ("kid", text(self.kid.as_ref())),
            ("issued_after", self.issued_after.map(|when| instant(when.at(now)))),
            ("issued_before", self.issued_before.map(|when| instant(when.at(now)))),
            ("expires_before", self.expires_before.map(|when| instant(when.at(now)))),
            ("as_of", self.as_of.map(|then| then.as_of(now).to_string())),
        ]
    }
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}
