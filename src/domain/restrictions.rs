//! The narrowing part of `scopes`: from where, when and how often a token may be used.

use std::{fmt, net::IpAddr, str::FromStr};

use catalog_gateway::admission::{Hours, Window};
use chrono::{NaiveTime, Weekday};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Malformed, positive::positive};

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

impl IpRestriction {
    fn network(&self) -> Option<IpNet> {
        self.0.parse().ok().or_else(|| self.0.parse::<IpAddr>().ok().map(IpNet::from))
    }

    fn is_within(&self, other: &Self) -> bool {
        matches!((self.network(), other.network()), (Some(inner), Some(outer)) if outer.contains(&inner))
    }
}

/// Whether every address that `inner` admits is one that `outer` admits; an empty list admits all.
#[must_use]
pub fn addresses_within(inner: &[IpRestriction], outer: &[IpRestriction]) -> bool {
    let within = |restriction: &IpRestriction| outer.iter().any(|wider| restriction.is_within(wider));
    outer.is_empty() || (!inner.is_empty() && inner.iter().all(within))
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

impl TimeRestrictions {
    /// Whether every instant that it admits is one that `outer` admits. Only windows of the same zone are compared by
    /// their hours; of any others it is not believed.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        let keeps = |wider: Option<bool>, narrower: Option<bool>| wider != Some(true) || narrower == Some(true);
        keeps(outer.business_hours_only, self.business_hours_only)
            && keeps(outer.weekdays_only, self.weekdays_only)
            && self.has_days_within(outer)
            && self.has_window_within(outer)
    }

    /// The same as gateways apply it.
    #[must_use]
    pub fn hours(&self) -> Hours<'_> {
        let window = self.window().map(|(start, end)| {
            let zone = self.timezone.as_ref().map(|zone| zone.0.as_str());
            Window { start: &start.0, end: &end.0, zone }
        });
        Hours {
            is_for_business_hours: self.business_hours_only == Some(true),
            is_for_working_days: self.weekdays_only == Some(true),
            window,
            weekdays: self.days.as_ref().map(|days| days.iter().map(|day| Weekday::from(*day)).collect()),
        }
    }

    /// Days are days of the window's zone, so they too are compared within one zone only.
    fn has_days_within(&self, outer: &Self) -> bool {
        // Gateways take an empty list for none.
        let listed = |days: &Option<Vec<Day>>| days.clone().filter(|days| !days.is_empty());
        match (listed(&self.days), listed(&outer.days)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(inner), Some(wider)) => self.zone() == outer.zone() && inner.iter().all(|day| wider.contains(day)),
        }
    }

    fn has_window_within(&self, outer: &Self) -> bool {
        let Some(wider) = outer.window() else { return true };
        let Some(inner) = self.window() else { return false };
        // One that goes past midnight is two, and is compared as a whole only.
        let is_plain = |(start, end): (&TimeOfDay, &TimeOfDay)| start.0 < end.0;
        let is_inside = is_plain(wider) && is_plain(inner) && wider.0.0 <= inner.0.0 && inner.1.0 <= wider.1.0;
        self.zone() == outer.zone() && (inner == wider || is_inside)
    }

    fn window(&self) -> Option<(&TimeOfDay, &TimeOfDay)> {
        self.start_time.as_ref().zip(self.end_time.as_ref())
    }

    fn zone(&self) -> &str {
        self.timezone.as_ref().map_or("UTC", |zone| zone.0.as_str())
    }
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
        // The parser skips white space before each number.
        let is_spaced = text.len() != 5 || text.contains(char::is_whitespace);
        match NaiveTime::parse_from_str(&text, "%H:%M") {
            Ok(_) if !is_spaced => Ok(Self(text)),
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

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Monday => Self::Mon,
            Day::Tuesday => Self::Tue,
            Day::Wednesday => Self::Wed,
            Day::Thursday => Self::Thu,
            Day::Friday => Self::Fri,
            Day::Saturday => Self::Sat,
            Day::Sunday => Self::Sun,
        }
    }
}

/// How often a token may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageLimits {
    /// Requests in an hour, 1 or more.
    #[serde(default, deserialize_with = "positive", skip_serializing_if = "Option::is_none")]
    pub requests_per_hour: Option<std::num::NonZeroU32>,
    /// Requests in a day, 1 or more.
    #[serde(default, deserialize_with = "positive", skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<std::num::NonZeroU32>,
}

impl UsageLimits {
    /// Whether it admits no more than `outer`.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        let keeps = |wider: Option<std::num::NonZeroU32>, narrower: Option<std::num::NonZeroU32>| {
            wider.is_none_or(|wider| narrower.is_some_and(|narrower| narrower <= wider))
        };
        keeps(outer.requests_per_hour, self.requests_per_hour) && keeps(outer.requests_per_day, self.requests_per_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_narrowed_network_by_network() {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpRestriction>>();
        let within = |inner: &[&str], outer: &[&str]| addresses_within(&list(inner), &list(outer));

        assert!(within(&[], &[]) && within(&["10.0.0.0/8"], &[]));
        assert!(within(&["10.0.0.1", "192.0.2.0/25"], &["10.0.0.0/8", "192.0.2.0/24"]));
        assert!(!within(&[], &["10.0.0.0/8"]) && !within(&["10.0.0.0/7"], &["10.0.0.0/8"]));
        assert!(!within(&["10.0.0.1", "192.0.3.1"], &["10.0.0.0/8"]) && !within(&["::1"], &["0.0.0.0/0"]));
    }

    #[test]
    fn times_are_narrowed_within_one_zone() {
        let times = |json: &str| serde_json::from_str::<TimeRestrictions>(json).unwrap();
        let within = |inner: &str, outer: &str| times(inner).is_within(&times(outer));
        let day = r#"{"start_time":"09:00","end_time":"17:00"}"#;

        assert!(within("{}", "{}") && within(day, "{}") && within(day, day));
        assert!(within(r#"{"start_time":"10:00","end_time":"17:00","timezone":"UTC"}"#, day));
        assert!(within(r#"{"weekdays_only":true}"#, r#"{"weekdays_only":true,"business_hours_only":false}"#));
        assert!(within(r#"{"days":["Monday"]}"#, r#"{"days":["Monday","Friday"]}"#));
        for (inner, outer) in [
            ("{}", day),
            (r#"{"start_time":"08:59","end_time":"17:00"}"#, day),
            (r#"{"start_time":"09:00","end_time":"17:01"}"#, day),
            (r#"{"start_time":"17:00","end_time":"09:00"}"#, day),
            (r#"{"start_time":"10:00","end_time":"11:00","timezone":"Asia/Kathmandu"}"#, day),
            (r#"{"weekdays_only":false}"#, r#"{"weekdays_only":true}"#),
            ("{}", r#"{"business_hours_only":true}"#),
            ("{}", r#"{"days":["Monday"]}"#),
            (r#"{"days":[]}"#, r#"{"days":["Monday"]}"#),
            (r#"{"days":["Monday","Sunday"]}"#, r#"{"days":["Monday"]}"#),
        ] {
            assert!(!within(inner, outer), "{inner} within {outer}");
        }
    }

    #[test]
    fn limits_are_narrowed_each_for_itself() {
        let within = |inner: &str, outer: &str| {
            let limits = |json: &str| serde_json::from_str::<UsageLimits>(json).unwrap();
            limits(inner).is_within(&limits(outer))
        };

        assert!(within(r#"{"requests_per_hour":10}"#, r#"{"requests_per_hour":10}"#));
        assert!(within(r#"{"requests_per_hour":9,"requests_per_day":1}"#, r#"{"requests_per_hour":10}"#));
        assert!(!within(r#"{"requests_per_hour":11}"#, r#"{"requests_per_hour":10}"#));
        assert!(
            !within(r#"{"requests_per_day":1}"#, r#"{"requests_per_hour":10}"#)
                && !within("{}", r#"{"requests_per_day":1}"#)
        );
    }

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
            r#"{"start_time":" 9:00","end_time":"17:00"}"#,
            r#"{"start_time":"09:00","end_time":"17: 0"}"#,
            r#"{"start_time":"09:00","end_time":"17:00","timezone":"Mars/Olympus"}"#,
            r#"{"days":["Mon"]}"#,
            r#"{"holidays":true}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
