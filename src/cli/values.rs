//! Values of flags that have a grammar of their own.

use std::{str::FromStr, time::Duration};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;

use crate::domain::{
    Malformed,
    claims::{Scopes, Teams, parse_jti},
    event::Position,
    issue::ScopesWire,
    text::{IdempotencyKey, TeamId},
};

/// A lifetime in whole seconds: `20m`, `8h`, `7d`, `90s`, or plain seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ttl(pub(super) u32);

impl FromStr for Ttl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let duration = match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(text).ok(),
        };
        let seconds = duration.filter(|duration| duration.subsec_nanos() == 0).map(|duration| duration.as_secs());
        match seconds.and_then(|seconds| u32::try_from(seconds).ok()) {
            Some(seconds @ 1..) => Ok(Self(seconds)),
            _ => Err(Malformed::NotA {
                value: text.to_owned(),
                expected: "a lifetime in whole seconds, 1s or more, such as 20m, 8h, 7d or 90",
            }),
        }
    }
}

/// A list: members between commas, or a JSON array for members that contain one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: FromStr<Err = Malformed> + DeserializeOwned> FromStr for List<T> {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        if text.starts_with('[') {
            return Ok(Self(serde_json::from_str(text)?));
        }
        Ok(Self(text.split(',').map(str::parse).collect::<Result<_, Malformed>>()?))
    }
}

/// All members of a flag that may be repeated.
pub(super) fn all<T>(lists: Vec<List<T>>) -> Vec<T> {
    lists.into_iter().flat_map(|list| list.0).collect()
}

/// Teams as in `POST /tokens`: a list, `[]` for public things only, or `null` for every team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TeamsArg(pub(super) Teams);

impl FromStr for TeamsArg {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        if text == "null" {
            return Ok(Self(Teams::Every));
        }
        let List(teams): List<TeamId> = text.parse()?;
        Ok(Self(Teams::These(teams)))
    }
}

/// The `scopes` object, exactly as in `POST /tokens`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScopesArg(pub(super) Scopes);

impl FromStr for ScopesArg {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        // An array would be read as the members in order.
        if !text.trim_start().starts_with('{') {
            return Err(Malformed::NotA { value: text.to_owned(), expected: "a JSON object" }.into());
        }
        let wire: ScopesWire = serde_json::from_str(text)?;
        Ok(Self(wire.into()))
    }
}

/// Why the value of a flag is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("not the JSON that is expected here: {0}")]
    Json(#[from] serde_json::Error),
}

/// One of a few words, which shells can complete.
pub(super) fn one_of<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Malformed> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// The name of a request, as a header can carry it.
pub(super) fn header_word(text: &str) -> Result<IdempotencyKey, Malformed> {
    if !text.is_ascii() {
        return Err(Malformed::NotA { value: text.to_owned(), expected: "an ASCII word" });
    }
    text.parse()
}

/// The identifier of a token.
pub(super) fn jti(text: &str) -> Result<uuid::Uuid, Malformed> {
    let expected = "the identifier of a token, a UUID in lower case";
    parse_jti(text).ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected })
}

/// A place in the log.
pub(super) fn position(text: &str) -> Result<Position, Malformed> {
    let expected = "a position, 0 or more";
    match text.parse() {
        Ok(position @ 0..) => Ok(Position(position)),
        _ => Err(Malformed::NotA { value: text.to_owned(), expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::Audience;

    #[test]
    fn a_lifetime_is_whole_seconds_in_any_unit() {
        let ttl = |text: &str| text.parse::<Ttl>().map(|ttl| ttl.0).ok();

        assert_eq!(ttl("20m"), Some(1_200));
        assert_eq!(ttl("8h"), Some(28_800));
        assert_eq!(ttl("7d"), Some(604_800));
        assert_eq!(ttl("90s"), Some(90));
        assert_eq!(ttl("90"), Some(90));
        assert_eq!(ttl("1h 30m"), Some(5_400));
        assert_eq!(ttl("1.5h"), Some(5_400));
        assert_eq!(ttl("4294967295"), Some(u32::MAX));
        for bad in ["", "0", "0s", "-1", "500ms", "1s 1ms", "4294967296", "99999999999999999999", "soon", "m"] {
            assert_eq!(ttl(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_is_words_between_commas_or_a_json_array() {
        let list = |text: &str| {
            text.parse::<List<Audience>>().map(|list| list.0.iter().map(Audience::to_string).collect::<Vec<_>>()).ok()
        };

        assert_eq!(list("a,b"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(list(r#"["a,b"]"#), Some(vec!["a,b".to_owned()]));
        assert_eq!(list("[]"), Some(vec![]));
        for bad in ["", "a,", ",a", "a b", "[1]", "[", r#"["a"] x"#] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }

    #[test]
    fn teams_have_their_three_values() {
        let teams = |text: &str| text.parse::<TeamsArg>().map(|teams| teams.0).ok();
        let red = TeamId::parse("red").unwrap();

        assert_eq!(teams("red"), Some(Teams::These(vec![red])));
        assert_eq!(teams("[]"), Some(Teams::These(vec![])));
        assert_eq!(teams("null"), Some(Teams::Every));
        assert_eq!(teams(""), None);
    }

    #[test]
    fn scopes_refuse_what_the_api_refuses() {
        assert!(r#"{"permissions":["tools.read"]}"#.parse::<ScopesArg>().is_ok());
        for bad in ["", "[]", "null", r#"{"permission":[]}"#, r#"{"permissions":["Tools"]}"#, "{} {}"] {
            assert!(bad.parse::<ScopesArg>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_position_is_not_negative() {
        assert_eq!(position("0"), Ok(Position(0)));
        assert_eq!(position("9223372036854775807"), Ok(Position(i64::MAX)));
        for bad in ["", "-1", "9223372036854775808", "one"] {
            assert!(position(bad).is_err(), "{bad}");
        }
    }
}
