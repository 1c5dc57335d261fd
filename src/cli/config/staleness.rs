//! For how long a server answers checks from what it knows, and what it does then.

use std::{str::FromStr, time::Duration};

use clap::ValueEnum;

use super::{ConfigError, Variables};
use crate::{
    domain::Malformed,
    store::follower::{Stale, Staleness},
};

/// A span of time of a server's patience with its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxStaleness(Duration);

/// `deny` or `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StaleSetting {
    /// Ask the log, and answer 503 where it cannot be asked
    Deny,
    /// Go on from what is known: what is revoked elsewhere meanwhile is not refused here
    Allow,
}

/// Both settings: each flag, else its variable, else its default.
///
/// # Errors
/// [`ConfigError`].
pub fn staleness(
    max: Option<MaxStaleness>,
    then: Option<StaleSetting>,
    variables: &Variables,
) -> Result<Staleness, ConfigError> {
    let max = variables.setting(max, &["CATALOG_MAX_STALENESS"])?;
    let then = match variables.setting(then, &["CATALOG_STALE"])? {
        Some(StaleSetting::Allow) => Stale::Allow,
        Some(StaleSetting::Deny) | None => Stale::Deny,
    };
    Ok(Staleness { max: max.map_or(Staleness::MAX_DEFAULT, |MaxStaleness(max)| max), then })
}

impl MaxStaleness {
    /// The log is looked at four times a second.
    const MIN: Duration = Duration::from_secs(1);
    /// Past it nobody would call it live.
    const MAX: Duration = Duration::from_hours(1);
}

impl FromStr for MaxStaleness {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let span = humantime::parse_duration(text).ok().filter(|span| (Self::MIN..=Self::MAX).contains(span));
        span.map(Self).ok_or_else(|| Malformed::NotA {
            value: text.to_owned(),
            expected: "a span from 1s to 1h, such as 5s, 1500ms or 2m",
        })
    }
}

impl FromStr for StaleSetting {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        ValueEnum::from_str(text, false)
            .map_err(|_| Malformed::NotA { value: text.to_owned(), expected: "deny or allow" })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    #[test]
    fn a_flag_wins_over_its_variable_and_that_over_the_default() {
        let pairs = variables(&[("CATALOG_MAX_STALENESS", "2s"), ("CATALOG_STALE", "allow")]);
        let flags = (Some("3s".parse().unwrap()), Some(StaleSetting::Deny));

        assert_eq!(staleness(None, None, &variables(&[])).unwrap(), Staleness::default());
        let set = staleness(None, None, &pairs).unwrap();
        assert_eq!(set, Staleness { max: Duration::from_secs(2), then: Stale::Allow });
        let set = staleness(flags.0, flags.1, &pairs).unwrap();
        assert_eq!(set, Staleness { max: Duration::from_secs(3), then: Stale::Deny });
    }

    #[test]
    fn a_span_is_from_a_second_to_an_hour_and_there_are_two_ways() {
        for (text, is_taken) in
            [("1s", true), ("999ms", false), ("1h", true), ("3601s", false), ("5", false), ("", false)]
        {
            assert_eq!(text.parse::<MaxStaleness>().is_ok(), is_taken, "{text}");
        }
        assert!("Allow".parse::<StaleSetting>().is_err() && "never".parse::<StaleSetting>().is_err());
    }
}
