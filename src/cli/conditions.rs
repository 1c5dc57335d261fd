//! What a token must be like, as people write it: `team=ops and path=cli-dev and issued_before=2026-11-01`.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use super::values;
use crate::domain::{Malformed, Predicate, rule::Field};

/// What joins conditions.
const AND: &str = "and";
const QUOTES: [char; 2] = ['\'', '"'];

/// Conditions, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conditions(pub(super) Predicate);

/// Why a text says no conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoConditions {
    #[error("there is no condition in it; if every token is meant, say --all")]
    Empty,
    #[error("there is no field '{0}'; there are {fields}", fields = fields())]
    UnknownField(String),
    #[error("the condition on {field} has no '=', which is the only operator{}", found(.operator))]
    UnknownOperator { field: &'static str, operator: String },
    #[error("the condition on {0} has no value")]
    NoValue(&'static str),
    #[error("the value of {0} has no closing quote")]
    NoClosingQuote(&'static str),
    #[error("{0} is named twice; a token must meet all conditions")]
    Repeated(&'static str),
    #[error("'{0}' stands where conditions are joined by 'and', which is the only way to join them")]
    NotJoined(String),
    #[error("no condition follows the last 'and'")]
    NothingFollows,
    #[error("'{0}' has no zone; write such as 2026-03-01T12:00:00Z, or the day alone for its start in UTC")]
    NoZone(String),
    #[error("the value of {field} is wrong: {source}")]
    Value { field: &'static str, source: Malformed },
}

fn fields() -> String {
    Field::ALL.map(Field::as_str).join(", ")
}

fn found(operator: &str) -> String {
    if operator.is_empty() { String::new() } else { format!("; found '{operator}'") }
}

impl FromStr for Conditions {
    type Err = NoConditions;

    fn from_str(text: &str) -> Result<Self, NoConditions> {
        let mut predicate = Predicate::default();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(NoConditions::Empty);
        }
        loop {
            let (field, behind) = field(rest)?;
            let (value, behind) = value(field, operator(field, behind)?)?;
            if predicate.names(field) {
                return Err(NoConditions::Repeated(field.as_str()));
            }
            set(&mut predicate, field, &value)?;
            rest = match next(behind)? {
                Some(rest) => rest,
                None => return Ok(Self(predicate)),
            };
        }
    }
}

fn field(text: &str) -> Result<(Field, &str), NoConditions> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    let (name, behind) = text.split_at(end);
    let field = Field::ALL.into_iter().find(|field| field.as_str() == name);
    let unknown = || NoConditions::UnknownField(if name.is_empty() { text.to_owned() } else { name.to_owned() });
    field.map(|field| (field, behind)).ok_or_else(unknown)
}

fn operator(field: Field, text: &str) -> Result<&str, NoConditions> {
    let text = text.trim_start();
    let end = text.find(|c: char| !"=!<>~:".contains(c)).unwrap_or(text.len());
    match text.split_at(end) {
        ("=", behind) => Ok(behind.trim_start()),
        ("", behind) => {
            let operator = behind.split_whitespace().next().unwrap_or_default().to_owned();
            Err(NoConditions::UnknownOperator { field: field.as_str(), operator })
        }
        (operator, _) => Err(NoConditions::UnknownOperator { field: field.as_str(), operator: operator.to_owned() }),
    }
}

/// A value ends before white space; one in quotes where the quote comes again, and `\` takes the next character as it is.
fn value(field: Field, text: &str) -> Result<(String, &str), NoConditions> {
    let Some(quote) = text.chars().next().filter(|first| QUOTES.contains(first)) else {
        let (value, behind) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        return if value.is_empty() {
            Err(NoConditions::NoValue(field.as_str()))
        } else {
            Ok((value.to_owned(), behind))
        };
    };
    let (mut value, mut is_taken) = (String::new(), false);
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_taken => (value, is_taken) = (value + character.encode_utf8(&mut [0; 4]), false),
            '\\' => is_taken = true,
            _ if character == quote => return Ok((value, &text[at + quote.len_utf8()..])),
            _ => value.push(character),
        }
    }
    Err(NoConditions::NoClosingQuote(field.as_str()))
}

/// What follows `and`; `None` at the end.
fn next(text: &str) -> Result<Option<&str>, NoConditions> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let text = text.trim();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    match (word, rest) {
        (AND, "") => Err(NoConditions::NothingFollows),
        (AND, rest) => Ok(Some(rest.trim_start())),
        (word, _) => Err(NoConditions::NotJoined(word.to_owned())),
    }
}

fn set(predicate: &mut Predicate, field: Field, text: &str) -> Result<(), NoConditions> {
    match field {
        Field::Sub => predicate.sub = Some(parsed(field, text)?),
        Field::Team => predicate.team = Some(parsed(field, text)?),
        Field::Path => predicate.path = Some(parsed(field, text)?),
        Field::Kid => predicate.kid = Some(parsed(field, text)?),
        Field::Permission => predicate.permission = Some(parsed(field, text)?),
        Field::Name => predicate.name = Some(parsed(field, text)?),
        Field::IssuedAfter => predicate.issued_after = Some(instant(field, text)?),
        Field::IssuedBefore => predicate.issued_before = Some(instant(field, text)?),
        Field::Family => predicate.family = Some(family(field, text)?),
    }
    Ok(())
}

fn parsed<T: FromStr<Err = Malformed>>(field: Field, text: &str) -> Result<T, NoConditions> {
    text.parse().map_err(|source| NoConditions::Value { field: field.as_str(), source })
}

fn family(field: Field, text: &str) -> Result<Uuid, NoConditions> {
    values::jti(text).map_err(|source| NoConditions::Value { field: field.as_str(), source })
}

/// An instant with its zone, or a day, which begins at midnight UTC. No span: what a rule says must not depend on when it
/// is said.
fn instant(field: Field, text: &str) -> Result<DateTime<Utc>, NoConditions> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    if DateTime::parse_from_rfc3339(&format!("{text}Z")).is_ok() {
        return Err(NoConditions::NoZone(text.to_owned()));
    }
    let expected = "a time such as 2026-03-01T12:00:00Z or 2026-03-01";
    Err(NoConditions::Value { field: field.as_str(), source: Malformed::NotA { value: text.to_owned(), expected } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Predicate, String> {
        text.parse::<Conditions>().map(|conditions| conditions.0).map_err(|error| error.to_string())
    }

    #[test]
    fn conditions_are_read_as_they_are_written_and_written_as_they_are_read() {
        let all = "sub=alice@example.com and team=ops and path=cli-dev and kid=k1 and permission=tools.read and name='my \
                   \\'ci\\' \\\\ and' and issued_after=2026-03-01T12:00:00Z and issued_before=2026-11-01T00:00:00Z and \
                   family=0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";

        let predicate = read(all).unwrap();

        assert_eq!(predicate.fields(), Field::ALL);
        assert_eq!(predicate.name.as_ref().map(crate::domain::text::Name::as_str), Some("my 'ci' \\ and"));
        assert_eq!(predicate.to_string(), all);
        assert_eq!(read("  name = \"a b\"   and\tteam =ops "), read("team=ops and name='a b'"));
        assert_eq!(read("sub=and and team=and").unwrap().to_string(), "sub=and and team=and");
    }

    #[test]
    fn a_day_is_its_start_in_utc_and_an_instant_has_a_zone() {
        let before = |text: &str| read(&format!("issued_before={text}")).map(|p| p.issued_before.unwrap().to_rfc3339());

        assert_eq!(before("2026-11-01").unwrap(), "2026-11-01T00:00:00+00:00");
        assert_eq!(before("2026-11-01T02:00:00+02:00").unwrap(), "2026-11-01T00:00:00+00:00");
        assert!(before("2026-11-01T02:00:00").unwrap_err().contains("'2026-11-01T02:00:00' has no zone"));
        for bad in ["7d", "2026-02-30", "yesterday", "2026-11-01T25:00:00Z"] {
            assert!(before(bad).unwrap_err().contains("the value of issued_before is wrong"), "{bad}");
        }
    }

    #[test]
    fn what_is_not_said_clearly_is_no_rule() {
        for (text, error) in [
            ("", "there is no condition in it; if every token is meant, say --all"),
            ("  ", "there is no condition in it; if every token is meant, say --all"),
            (
                "user=a",
                "there is no field 'user'; there are sub, team, path, kid, permission, name, issued_after, issued_before, family",
            ),
            (
                "Sub=a",
                "there is no field 'Sub'; there are sub, team, path, kid, permission, name, issued_after, issued_before, family",
            ),
            ("team!=ops", "the condition on team has no '=', which is the only operator; found '!='"),
            (
                "issued_before<=2026-11-01",
                "the condition on issued_before has no '=', which is the only operator; found '<='",
            ),
            ("team==ops", "the condition on team has no '=', which is the only operator; found '=='"),
            ("team in ops", "the condition on team has no '=', which is the only operator; found 'in'"),
            ("team", "the condition on team has no '=', which is the only operator"),
            ("team=", "the condition on team has no value"),
            ("name='a", "the value of name has no closing quote"),
            ("name='a\\'", "the value of name has no closing quote"),
            ("team=a and team=a", "team is named twice; a token must meet all conditions"),
            (
                "team=a or team=b",
                "'or' stands where conditions are joined by 'and', which is the only way to join them",
            ),
            (
                "team=a, path=api",
                "'path=api' stands where conditions are joined by 'and', which is the only way to join them",
            ),
            (
                "team=a path=api",
                "'path=api' stands where conditions are joined by 'and', which is the only way to join them",
            ),
            ("name='a'b", "'b' stands where conditions are joined by 'and', which is the only way to join them"),
            (
                "team=a AND path=api",
                "'AND' stands where conditions are joined by 'and', which is the only way to join them",
            ),
            ("team=a and ", "no condition follows the last 'and'"),
            ("team=a and and path=api", "there is no field 'and'"),
            ("path=http", "the value of path is wrong"),
            ("name=''", "the value of name is wrong"),
            ("family=0199", "the value of family is wrong"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.starts_with(error), "{text}: {told}");
        }
    }
}
