//! `catalog issue`: a token by the API, on the authority of the credential. A lost answer never makes a second token.

use std::io;

use reqwest::{Method, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Api, record::Record, text::Line};
use crate::{
    cli::{
        CliError, Outcome, Shell, event_line,
        interrupt::Interrupt,
        issue_args::IssueArgs,
        output::{self, Format, Out, TOKEN_MADE},
    },
    domain::{
        IssueToken,
        ambient::uuid_v7,
        claims::{Scopes, Teams},
        text::{Audience, Description, Email, FullName, IdempotencyKey, Name, Namespace, Note, Subject},
    },
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(in crate::cli) async fn run(shell: &Shell<'_>, args: IssueArgs) -> Result<Outcome, CliError> {
    let (format, server, key) = (args.format, args.server, args.idempotency_key);
    let command = args.request.command()?;
    let api = Api::open(shell, server)?;
    let wish = Wish { route: &["tokens"], body: &Body::of(&command), key };
    obtain(shell, &api, wish, format).await
}

/// A token that is asked for: where, with what, and under which name, if one was given.
pub(super) struct Wish<'a, B> {
    pub(super) route: &'a [&'a str],
    pub(super) body: &'a B,
    pub(super) key: Option<IdempotencyKey>,
}

/// Asks for a token, and writes it to stdout.
pub(super) async fn obtain<B: Serialize>(
    shell: &Shell<'_>,
    api: &Api,
    wish: Wish<'_, B>,
    format: Format,
) -> Result<Outcome, CliError> {
    output::require_stdout()?;
    let key = match wish.key.clone() {
        Some(key) => key,
        None => fresh_key(shell)?,
    };
    let interrupt = Interrupt::install()?;
    let (issued, value) = match interrupt.or(ask(api, &wish, &key)).await {
        Err(CliError::Interrupted) => {
            output::say(&doubt(&key));
            return Err(CliError::Interrupted);
        }
        outcome => outcome?,
    };
    tell(&issued);
    match hand_over(&issued, &value, format) {
        Ok(()) => Ok(Outcome::Done),
        Err(source) => Err(CliError::NotShown { made: TOKEN_MADE, remedy: again(&key), source }),
    }
}

fn hand_over(issued: &Issued, value: &Value, format: Format) -> io::Result<()> {
    let mut out = Out::stdout();
    match format {
        Format::Text => out.line(issued.access_token.0.expose_secret())?,
        Format::Json => out.json(value)?,
    }
    out.flush()
}

pub(super) fn fresh_key(shell: &Shell<'_>) -> Result<IdempotencyKey, CliError> {
    let key = uuid_v7(shell.ambient.clock.now(), &*shell.ambient.entropy);
    Ok(IdempotencyKey::parse(key.to_string())?)
}

/// Asks until there is an answer or no more to be hoped for, every time under the same key.
async fn ask<B: Serialize>(api: &Api, wish: &Wish<'_, B>, key: &IdempotencyKey) -> Result<(Issued, Value), CliError> {
    let request = || api.request(Method::POST, wish.route).header(IDEMPOTENCY_KEY, key.as_str()).json(wish.body);
    let answer = api.answer(request).await.inspect_err(|failed| {
        if failed.may_be_done {
            output::say(&doubt(key));
        }
    })?;
    Ok(answer.read().inspect_err(|_| output::say(&doubt(key)))?)
}

fn doubt(key: &IdempotencyKey) -> String {
    format!("note: the token may have been issued. {}", again(key))
}

fn again(key: &IdempotencyKey) -> String {
    format!("The same command with --idempotency-key {key} gets that very token, and never a second one")
}

fn tell(issued: &Issued) {
    let Issued { token, position, .. } = issued;
    let or_empty = |line: &Option<Line>| line.as_ref().map(ToString::to_string).unwrap_or_default();
    let (sub, by, expires) = (or_empty(&token.sub), or_empty(&token.issued_by), event_line::seconds(token.expires_at));
    output::say(&format!(
        "issued {} for {sub}, expires {expires}, recorded at position {position} (path {}, as {by})",
        token.jti, token.path
    ));
}

/// The answer to `POST /tokens` and `POST /tokens/{jti}/rotate`.
#[derive(Deserialize)]
struct Issued {
    token: Record,
    access_token: AccessToken,
    position: i64,
}

/// A token that is about to be shown to whoever asked for it, and to nobody else.
struct AccessToken(SecretString);

impl<'de> Deserialize<'de> for AccessToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretString::from(String::deserialize(deserializer)?);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.expose_secret().bytes().all(is_plain) {
            return Ok(Self(text));
        }
        Err(serde::de::Error::custom("not a token"))
    }
}

/// The body of `POST /tokens`: what was not asked for is left out, and the server decides it.
#[derive(Serialize)]
struct Body<'a> {
    sub: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: &'a Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: &'a Option<Description>,
    aud: &'a [Audience],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u32>,
    is_admin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: &'a Option<Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: &'a Option<FullName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: &'a Option<Teams>,
    namespaces: &'a [Namespace],
    scopes: &'a Scopes,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: &'a Option<Note>,
}

impl<'a> Body<'a> {
    fn of(command: &'a IssueToken) -> Self {
        Self {
            sub: &command.sub,
            name: &command.name,
            description: &command.description,
            aud: &command.aud,
            expires_in: command.ttl_seconds,
            is_admin: command.is_admin,
            email: &command.email,
            full_name: &command.full_name,
            teams: &command.teams,
            namespaces: &command.namespaces,
            scopes: &command.scopes,
            reason: &command.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_reads_the_very_command_that_was_built_here() {
        for text in [
            r#"{"sub":"a"}"#,
            r#"{"sub":"a","is_admin":true,"teams":null}"#,
            r#"{"sub":"a","teams":[],"aud":["x","y"],"expires_in":60,"namespaces":["n"]}"#,
            r#"{"sub":"a@example.com","name":"n","description":"d","email":"a@example.com","full_name":"A","reason":"r",
                "teams":["red"],"scopes":{"server_id":"s","permissions":["tools.read"],"ip_restrictions":["10.0.0.0/8"],
                "time_restrictions":{"weekdays_only":true,"start_time":"08:00","end_time":"18:00"},
                "usage_limits":{"requests_per_hour":1}}}"#,
        ] {
            let command: IssueToken = serde_json::from_str(text).unwrap();

            let body = serde_json::to_string(&Body::of(&command)).unwrap();

            assert_eq!(serde_json::from_str::<IssueToken>(&body).unwrap(), command);
        }
    }

    #[test]
    fn a_token_that_would_command_a_terminal_is_none() {
        assert!(serde_json::from_str::<AccessToken>(r#""e30.e30.c2ln""#).is_ok());
        assert!(serde_json::from_str::<AccessToken>(r#""e30.\u001b[2J.c2ln""#).is_err());
    }
}
