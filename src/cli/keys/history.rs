//! `catalog keys history`: which key signed what, and when it did.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::super::{
    CliError, Outcome, Shell,
    event_line::seconds,
    listing::{ListFormat, Listing},
    rows::NOTHING,
    session::{self, Need, Session},
};
use crate::{
    app::view,
    domain::{
        Malformed, Position, Refusal,
        claims::parse_jti,
        key_history::{KeyFact, What, history},
        text::Kid,
    },
    store::{log, tokens},
};

/// Show what became of the keys: when each was added, signed, and was put away
///
/// With a token, only what became of the key that signed it, and when it did.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct HistoryArgs {
    /// Of this key, or of the key that signed the token of this identifier
    #[arg(value_name = "JTI|KID", allow_hyphen_values = true)]
    of: Option<Of>,
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  catalog keys history
  catalog keys history 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10      which key signed it, and when was it active
  catalog keys history CtswyXXThb3UEeqMq8nyKGaRCWMKeQX-pQ3zrNxd-vk --format ndjson";

/// What the story is to be about.
#[derive(Debug, Clone)]
enum Of {
    Token(Uuid),
    Key(Kid),
}

impl FromStr for Of {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        parse_jti(text).map_or_else(|| text.parse().map(Self::Key), |jti| Ok(Self::Token(jti)))
    }
}

const HEADINGS: &[&str] = &["position", "recorded at", "kid", "what", "by", "jti"];

/// A line of the story.
#[derive(Serialize)]
struct Line {
    position: Position,
    recorded_at: String,
    kid: Kid,
    what: &'static str,
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Uuid>,
    /// From where on a compromise reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    compromised_from: Option<Position>,
    /// The instant that was named for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    compromised_since: Option<String>,
    #[serde(skip)]
    at: DateTime<Utc>,
}

pub(super) async fn run(shell: &Shell<'_>, args: HistoryArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let mut listing = Listing::stdout(args.format, HEADINGS);
        for line in lines(session, args.of).await? {
            listing.member(|| line.cells(), || Ok::<_, CliError>(&line))?;
        }
        listing.finish()?;
        Ok(Outcome::Done)
    })
    .await
}

async fn lines(session: &Session, of: Option<Of>) -> Result<Vec<Line>, CliError> {
    let reads = session.database.reads();
    let story = history(&log::settings_events(reads).await?);
    let (kid, signed) = match of {
        None => (None, None),
        Some(Of::Key(kid)) => (Some(kid), None),
        Some(Of::Token(jti)) => {
            let token = tokens::get(reads, jti).await?;
            let token = token.ok_or(crate::app::OpenError::from(Refusal::TokenUnknown { jti }))?;
            let issued = log::at(reads, &[token.issued]).await?.into_iter().next();
            let at = issued.map_or(token.issued_at, |issued| issued.recorded_at);
            let signed = Line::new(token.kid.clone(), "signed", token.issued, at);
            (Some(token.kid), Some(Line { by: token.issued_by, jti: Some(jti), ..signed }))
        }
    };
    let mut lines: Vec<Line> =
        story.into_iter().filter(|fact| kid.as_ref().is_none_or(|kid| fact.kid == *kid)).map(Line::from).collect();
    if let Some(kid) = kid.filter(|_| lines.is_empty()) {
        return Err(CliError::KeyUnknown { kid });
    }
    lines.extend(signed);
    lines.sort_by_key(|line| line.position);
    Ok(lines)
}

impl Line {
    fn new(kid: Kid, what: &'static str, position: Position, at: DateTime<Utc>) -> Self {
        let (compromised_from, compromised_since) = (None, None);
        let recorded_at = view::instant(at);
        Self { position, recorded_at, kid, what, by: None, jti: None, compromised_from, compromised_since, at }
    }

    /// What, and of a compromise how far back it reaches.
    fn what_in_words(&self) -> String {
        let from = self.compromised_from.map(|from| format!(" from position {from}")).unwrap_or_default();
        let since = self.compromised_since.as_ref().map(|since| format!(" ({since})")).unwrap_or_default();
        format!("{}{from}{since}", self.what)
    }

    /// One for each of [`HEADINGS`].
    fn cells(&self) -> Vec<String> {
        let said = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        vec![
            self.position.to_string(),
            seconds(self.at),
            self.kid.to_string(),
            self.what_in_words(),
            said(self.by.clone()),
            said(self.jti.as_ref().map(ToString::to_string)),
        ]
    }
}

impl From<KeyFact> for Line {
    fn from(fact: KeyFact) -> Self {
        let (compromised_from, since) = match fact.what {
            What::Compromised { from, since } => (Some(from), since),
            _ => (None, None),
        };
        Self {
            by: fact.by,
            compromised_from,
            compromised_since: since.map(view::instant),
            ..Self::new(fact.kid, fact.what.as_str(), fact.position, fact.at)
        }
    }
}
