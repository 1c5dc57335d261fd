//! What would be revoked, shown before it is: figures, some of the tokens, and the question whether to do it.

use std::io::{self, IsTerminal};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CliError,
    client::text::Line,
    input,
    listing::{ListFormat, Listing},
    output,
    rows::NOTHING,
};
use crate::app::view::RulePreview;

const HEADINGS: &[&str] = &["what", "which", "detail"];

/// What would be revoked, as of one position of the log: as a server says it, or as the log does.
#[derive(Deserialize)]
pub(super) struct Preview {
    position: i64,
    active: u64,
    suspended: u64,
    expired: u64,
    by_subject: Vec<Share>,
    by_team: Vec<Share>,
    by_path: Vec<Share>,
    sample: Vec<Sample>,
    #[serde(default)]
    pub(super) covers_credential: bool,
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

impl Preview {
    /// What the log says here, as if a server had said it.
    pub(super) fn of(view: &RulePreview<'_>) -> io::Result<Self> {
        Ok(serde_json::from_value(serde_json::to_value(view)?)?)
    }

    /// Whether there is nothing to revoke.
    pub(super) fn is_empty(&self) -> bool {
        self.active + self.suspended + self.expired == 0
    }

    /// Writes it to stdout: rows for people, for programs the value that it was read from.
    pub(super) fn show(&self, value: &impl Serialize, format: ListFormat) -> Result<(), CliError> {
        let mut listing = Listing::stdout(format, HEADINGS);
        match format {
            ListFormat::Table => {
                for cells in self.rows() {
                    listing.member(|| cells, || Ok::<_, CliError>(Value::Null))?;
                }
            }
            ListFormat::Json | ListFormat::Ndjson => listing.member(Vec::new, || Ok::<_, CliError>(value))?,
        }
        Ok(listing.finish()?)
    }

    /// Shows it to a person who is asked.
    pub(super) fn say(&self) {
        for cells in self.rows() {
            output::say(&cells.join("  "));
        }
    }

    /// What somebody is told who has agreed before.
    pub(super) fn tell(&self, what: &str) {
        let Self { active, suspended, expired, position, .. } = self;
        output::say(&format!(
            "note: at position {position} {what} covers {active} active, {suspended} suspended and {expired} expired tokens"
        ));
    }

    /// Tells of the tokens that took the place of covered ones and stay, and what would end them: words that `it` or `them`
    /// follows.
    pub(super) fn tell_of_successors(&self, what_ends: &str) {
        let token = "active token that took the place of such a token stays";
        let tokens = "active tokens that took the place of such tokens stay";
        match self.successors_left {
            0 => {}
            1 => output::say(&format!("note: 1 {token}; {what_ends} it, too")),
            left => output::say(&format!("note: {left} {tokens}; {what_ends} them, too")),
        }
    }

    /// One row for each figure, of [`HEADINGS`].
    fn rows(&self) -> Vec<Vec<String>> {
        let count = |what: &str, which: &str, count: u64| vec![what.to_owned(), which.to_owned(), tokens(count)];
        let states = [("active", self.active), ("suspended", self.suspended), ("expired", self.expired)];
        let shares = |what: &'static str, none: &'static str, shares: &[Share]| -> Vec<Vec<String>> {
            let which = |share: &Share| share.value.as_ref().map_or_else(|| none.to_owned(), ToString::to_string);
            shares.iter().map(|share| count(what, &which(share), share.tokens)).collect()
        };
        let mut rows: Vec<Vec<String>> = states.iter().map(|(state, tokens)| count("status", state, *tokens)).collect();
        rows.extend(shares("subject", "erased", &self.by_subject));
        // Each token is of one subject, so what is left is that of those who are not named.
        let named: u64 = self.by_subject.iter().map(|share| share.tokens).sum();
        rows.extend((named < self.active).then(|| count("subject", "all others", self.active - named)));
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

/// So many tokens, for people.
pub(super) fn tokens(count: u64) -> String {
    if count == 1 { "1 token".to_owned() } else { format!("{count} tokens") }
}

/// Whether there is somebody to ask.
pub(super) fn require_person() -> Result<(), CliError> {
    let is_there = io::stdin().is_terminal() && io::stderr().is_terminal();
    if is_there { Ok(()) } else { Err(CliError::NotAgreed) }
}

/// Asks whether to do it.
pub(super) async fn agree(question: &str) -> Result<(), CliError> {
    output::say(&format!("{question} Type yes to do it:"));
    if input::line().await?.trim() == "yes" { Ok(()) } else { Err(CliError::Declined) }
}
