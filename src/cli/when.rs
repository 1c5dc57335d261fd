//! Times and spans as people write them: an instant, a day, or so long before or after now.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::domain::{AsOf, Malformed};

/// A time that lies in the past when it is a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ago(When);

/// A time that lies in the future when it is a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ahead(When);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    At(DateTime<Utc>),
    In(TimeDelta),
}

impl Ago {
    pub(super) fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.0 {
            When::At(at) => at,
            When::In(span) => now.checked_sub_signed(span).unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }
}

impl Ahead {
    pub(super) fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.0 {
            When::At(at) => at,
            When::In(span) => now.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// A place in the past of the log: a time, written like [`Ago`], or a position such as @812.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    At(Ago),
    Position(AsOf),
}

impl Then {
    pub(super) fn as_of(self, now: DateTime<Utc>) -> AsOf {
        match self {
            Self::At(ago) => AsOf::At(ago.at(now)),
            Self::Position(position) => position,
        }
    }
}

impl FromStr for Then {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let read =
            if text.starts_with('@') { text.parse().ok().map(Self::Position) } else { text.parse().ok().map(Self::At) };
        read.ok_or_else(|| Malformed::NotA {
            value: text.to_owned(),
            expected: "a time with its zone such as 2026-03-01T12:00:00Z, a day such as 2026-03-01, a span such as 7d or 24h, \
                       or a position such as @812",
        })
    }
}

impl FromStr for Ago {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Self)
    }
}

impl FromStr for Ahead {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Self)
    }
}

impl FromStr for When {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let at = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok();
        // A day begins at midnight UTC, like every time that the catalog shows.
        let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
        let span = || humantime::parse_duration(text).ok().and_then(|span| TimeDelta::from_std(span).ok());
        at.or_else(day).map(Self::At).or_else(|| span().map(Self::In)).ok_or_else(|| Malformed::NotA {
            value: text.to_owned(),
            expected: "a time with its zone such as 2026-03-01T12:00:00Z, a day such as 2026-03-01, or a span such as 7d or 24h",
        })
    }
}

/// An instant with its zone, and nothing else.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, Malformed> {
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).map_err(|_| Malformed::NotA {
        value: text.to_owned(),
        expected: "a time with a zone (RFC 3339), such as 2026-03-01T12:00:00Z",
    })
}

/// How long something may take: a millisecond at least, ten minutes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience(pub(super) Duration);

impl Patience {
    const MIN: Duration = Duration::from_millis(1);
    const MAX: Duration = Duration::from_mins(10);
}

impl FromStr for Patience {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let span = humantime::parse_duration(text).ok().filter(|span| (Self::MIN..=Self::MAX).contains(span));
        let expected = "a span between 1ms and 10m, such as 10s";
        span.map(Self).ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-08T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_time_is_an_instant_a_day_or_a_span_from_now() {
        let ago = |text: &str| text.parse::<Ago>().map(|when| when.at(now()).to_rfc3339()).ok();
        let ahead = |text: &str| text.parse::<Ahead>().map(|when| when.at(now()).to_rfc3339()).ok();

        assert_eq!(ago("2026-03-01T12:00:00+02:00").as_deref(), Some("2026-03-01T10:00:00+00:00"));
        assert_eq!(ago("2026-03-01").as_deref(), Some("2026-03-01T00:00:00+00:00"));
        assert_eq!(ago("7d").as_deref(), Some("2026-03-01T12:00:00+00:00"));
        assert_eq!(ahead("36h").as_deref(), Some("2026-03-10T00:00:00+00:00"));
        for bad in ["", "yesterday", "2026-03-01T12:00:00", "2026-02-30", "-7d"] {
            assert_eq!((ago(bad), ahead(bad)), (None, None), "{bad}");
        }
        assert!(ago("100000000years").is_none_or(|text| text.starts_with('-')), "no span is too long to be told");
    }

    #[test]
    fn an_instant_has_a_zone_and_an_error_says_so() {
        assert_eq!(instant("2026-03-08T13:00:00+01:00").unwrap(), now());
        for bad in ["", "2026-03-08", "2026-03-08T12:00:00", "now"] {
            let error = instant(bad).unwrap_err().to_string();
            assert!(error.contains("a time with a zone (RFC 3339), such as 2026-03-01T12:00:00Z"), "{error}");
        }
    }

    #[test]
    fn patience_has_an_end() {
        let patience = |text: &str| text.parse::<Patience>().ok();

        assert!(patience("1ms").is_some() && patience("10m").is_some());
        assert_eq!((patience("0s"), patience("601s"), patience("10")), (None, None, None));
    }
}
