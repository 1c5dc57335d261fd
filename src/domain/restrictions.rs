//! The narrowing part of `scopes`: from where, when and how often a token may be used.

use std::{fmt, net::IpAddr, str::FromStr};

use chrono::NaiveTime;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Malformed;

/// An address or a network in CIDR notation, in canonical form (host bits cut).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpRestriction(String);

impl IpRestriction {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IpRestriction {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        match text.parse::<IpNet>() {
            Ok(network) => Ok(Self(network.trunc().to_string())),
            Err(_) => Err(Malformed::NotA { value: text.to_owned(), expected: "an IP address or a CIDR network" }),
        }
    }
}

impl TryFrom<String> for IpRestriction {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<IpRestriction> for String {
    fn from(restriction: IpRestriction) -> String {
        restriction.0
    }
}

impl fmt::Display for IpRestriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a token may be used, in the words of ContextForge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "TimeWire")]
pub struct TimeRestrictions {
    /// Only from 9 to 17 o'clock UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_hours_only: Option<bool>,
    /// Only from Monday to Friday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekdays_only: Option<bool>,
    /// From this time of day, with `end_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<TimeOfDay>,
    /// Until this time of day, with `start_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<TimeOfDay>,
    /// The IANA zone of `start_time` and `end_time`; UTC when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Zone>,
    /// Only on these days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<Day>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeWire {
    business_hours_only: Option<bool>,
    weekdays_only: Option<bool>,
    start_time: Option<TimeOfDay>,
    end_time: Option<TimeOfDay>,
    timezone: Option<Zone>,
    days: Option<Vec<Day>>,
}

impl TryFrom<TimeWire> for TimeRestrictions {
    type Error = Malformed;

    fn try_from(wire: TimeWire) -> Result<Self, Malformed> {
        if wire.start_time.is_some() != wire.end_time.is_some() {
            return Err(Malformed::Contradiction("start_time and end_time go together"));
        }
        if wire.timezone.is_some() && wire.start_time.is_none() {
            return Err(Malformed::Contradiction("timezone needs start_time and end_time"));
        }
        let TimeWire { business_hours_only, weekdays_only, start_time, end_time, timezone, days } = wire;
        Ok(Self { business_hours_only, weekdays_only, start_time, end_time, timezone, days })
    }
}

/// A time of day, `HH:MM`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(String);

impl TryFrom<String> for TimeOfDay {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        match (text.len(), NaiveTime::parse_from_str(&text, "%H:%M")) {
            (5, Ok(_)) => Ok(Self(text)),
            _ => Err(Malformed::NotA { value: text, expected: "a time of day such as 09:30" }),
        }
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        time.0
    }
}

/// An IANA time zone name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);

impl TryFrom<String> for Zone {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        match text.parse::<chrono_tz::Tz>() {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(Malformed::NotA { value: text, expected: "an IANA time zone such as Europe/Zurich" }),
        }
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.0
    }
}

/// A day of the week, by its full English name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the days of the week say what they are")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// How often a token may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageLimits {
    /// Requests in an hour, 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_hour: Option<std::num::NonZeroU32>,
    /// Requests in a day, 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<std::num::NonZeroU32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_kept_in_canonical_form() {
        let canonical = |text: &str| text.parse::<IpRestriction>().map(|r| r.0);

        assert_eq!(canonical("10.1.2.3/8"), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(canonical("2001:DB8::1"), Ok("2001:db8::1".to_owned()));
        assert!(canonical("10.0.0.0/33").is_err() && canonical("localhost").is_err() && canonical("").is_err());
    }

    #[test]
    fn a_window_has_both_ends_and_real_times() {
        let parse = |json: &str| serde_json::from_str::<TimeRestrictions>(json);

        assert!(
            parse(r#"{"start_time":"09:00","end_time":"17:00","timezone":"Asia/Kathmandu","days":["Monday"]}"#).is_ok()
        );
        for bad in [
            r#"{"start_time":"09:00"}"#,
            r#"{"timezone":"UTC"}"#,
            r#"{"start_time":"9:00","end_time":"17:00"}"#,
            r#"{"start_time":"24:00","end_time":"25:00"}"#,
            r#"{"start_time":"09:00","end_time":"17:00","timezone":"Mars/Olympus"}"#,
            r#"{"days":["Mon"]}"#,
            r#"{"holidays":true}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
