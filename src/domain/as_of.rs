//! A place in the past of the log, as it is asked for: a time, or a position.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Malformed, Position};

/// Where the log is taken to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// With the last event that was recorded by this instant.
    At(DateTime<Utc>),
    /// With the event at this position: written `@812`.
    Position(Position),
}

impl FromStr for AsOf {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let read = match text.strip_prefix('@') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().map(|position| Self::Position(Position(position)))
            }
            Some(_) => None,
            None => DateTime::parse_from_rfc3339(text).ok().map(|at| Self::At(at.to_utc())),
        };
        let expected = "a time with a zone (RFC 3339), such as 2026-03-01T12:00:00Z, or a position, such as @812";
        read.ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected })
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Position(position) => write!(f, "@{position}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_time_with_a_zone_or_a_position_and_is_written_as_it_is_read() {
        for text in ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000001Z", "@0", "@9223372036854775807"] {
            assert_eq!(text.parse::<AsOf>().unwrap().to_string(), text);
        }
        assert_eq!("2026-03-01T12:00:00+05:45".parse::<AsOf>().unwrap().to_string(), "2026-03-01T06:15:00Z");
        for bad in
            ["", "@", "@-1", "@+1", "@1.5", "@ 1", "1", "2026-03-01", "2026-03-01T12:00:00", "@9223372036854775808"]
        {
            assert!(bad.parse::<AsOf>().is_err(), "{bad}");
        }
    }
}
