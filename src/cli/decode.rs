//! `catalog decode`: what a token says, which is not what is true.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    CliError, Outcome, event_line, input,
    output::{self, Out},
};
use crate::domain::claims::decode_part;

/// Show what a token says, without verifying anything
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DecodeArgs {
    /// The token, or - to read it from stdin, where no other user can see it
    token: String,
}

const EXAMPLES: &str = "\
Examples:
  catalog issue --dev --sub alice@example.com | catalog decode -
  catalog decode - < token.txt | jq .claims.scopes";

const NOT_VERIFIED: &str = "\
NOT VERIFIED: anybody can write such a token. Neither its signature nor whether it was issued, revoked or altered was
checked: 'catalog check -' asks a server for that.";

type Object = Map<String, Value>;

#[derive(Debug, PartialEq, Serialize)]
struct Decoded {
    header: Object,
    claims: Object,
}

pub(super) fn run(args: DecodeArgs, now: DateTime<Utc>) -> Result<Outcome, CliError> {
    let decoded = decode(&input::argument_or_stdin(args.token)?)?;
    output::say(NOT_VERIFIED);
    for claim in ["iat", "nbf", "exp"] {
        if let Some(line) = decoded.claims.get(claim).and_then(|value| in_words(claim, value, now)) {
            output::say(&line);
        }
    }
    let mut out = Out::stdout();
    out.json(&decoded)?;
    out.flush()?;
    Ok(Outcome::Done)
}

fn decode(token: &str) -> Result<Decoded, CliError> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = parts[..] else {
        return Err(CliError::NotAToken("a JWT has three parts with dots between them"));
    };
    let header = decode_part(header).ok_or(CliError::NotAToken("the header is not a JSON object in base64url"))?;
    let claims = decode_part(claims).ok_or(CliError::NotAToken("the claims are not a JSON object in base64url"))?;
    Ok(Decoded { header, claims })
}

/// A `NumericDate` (RFC 7519 section 2) for people; `None` when it is none.
fn in_words(claim: &str, value: &Value, now: DateTime<Utc>) -> Option<String> {
    let at = DateTime::from_timestamp(value.as_i64()?, 0)?;
    let seconds = (at - now).num_seconds();
    let distance = humantime::format_duration(Duration::from_secs(seconds.unsigned_abs()));
    let when = if at > now { format!("in {distance}") } else { format!("{distance} ago") };
    Some(format!("{claim}  {}, {when}", event_line::seconds(at)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_taken_apart() {
        let decoded = decode("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln").unwrap();

        assert_eq!(serde_json::to_value(decoded).unwrap(), json!({"header": {"alg": "EdDSA"}, "claims": {"sub": "a"}}));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "a.b", "a.b.c.d", "e30.e30", "!.e30.x", "e30.W10.x", "e30=.e30.x", "Bearer e30.e30.x"] {
            assert!(matches!(decode(text), Err(CliError::NotAToken(_))), "{text}");
        }
    }

    #[test]
    fn an_instant_is_told_with_its_distance() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let words = |value: Value| in_words("exp", &value, now);

        assert_eq!(words(json!(2_200)).as_deref(), Some("exp  1970-01-01T00:36:40Z, in 20m"));
        assert_eq!(words(json!(1_000)).as_deref(), Some("exp  1970-01-01T00:16:40Z, 0s ago"));
        assert_eq!(words(json!("soon")), None);
        assert_eq!(words(json!(i64::MAX)), None);
    }
}
