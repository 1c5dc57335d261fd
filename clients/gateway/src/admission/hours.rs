//! When a token may be used.

use chrono::{DateTime, Datelike, NaiveTime, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;

/// The hours of business, by UTC: from 9 o'clock until before 17 o'clock.
const BUSINESS_HOURS: core::ops::Range<u32> = 9..17;

/// When a token may be used: everything that it says has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hours<'a> {
    /// From 9 until before 17 o'clock UTC.
    pub is_for_business_hours: bool,
    /// From Monday to Friday, by UTC.
    pub is_for_working_days: bool,
    /// A part of the day.
    pub window: Option<Window<'a>>,
    /// Days of the week, in the window's zone, else by UTC; `None` and an empty list are any.
    pub weekdays: Option<Vec<Weekday>>,
}

/// A part of the day: from `start` until before `end`, past midnight if the end is the earlier one. Both the same is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'a> {
    /// `HH:MM`.
    pub start: &'a str,
    /// `HH:MM`.
    pub end: &'a str,
    /// An IANA zone; UTC when there is none.
    pub zone: Option<&'a str>,
}

impl Hours<'_> {
    /// Whether it may be used at that time. What cannot be read admits no time.
    #[must_use]
    pub fn include(&self, at: DateTime<Utc>) -> bool {
        self.includes(at).unwrap_or(false)
    }

    fn includes(&self, at: DateTime<Utc>) -> Option<bool> {
        let is_at_work = !self.is_for_business_hours || BUSINESS_HOURS.contains(&at.hour());
        let is_working_day = !self.is_for_working_days || !matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
        let zone: Tz = self.window.and_then(|window| window.zone).map_or(Some(Tz::UTC), |zone| zone.parse().ok())?;
        let there = zone.from_utc_datetime(&at.naive_utc());
        let days = self.weekdays.as_deref().unwrap_or_default();
        let is_on_a_day = days.is_empty() || days.contains(&there.weekday());
        let is_within = self.window.map_or(Some(true), |window| window.includes(there.time()))?;
        Some(is_at_work && is_working_day && is_on_a_day && is_within)
    }
}

impl Window<'_> {
    fn includes(&self, time: NaiveTime) -> Option<bool> {
        let read = |text| NaiveTime::parse_from_str(text, "%H:%M").ok();
        let (start, end) = (read(self.start)?, read(self.end)?);
        let (is_begun, is_over) = (time >= start, time >= end);
        Some(if start <= end { is_begun && !is_over } else { is_begun || !is_over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn include(hours: &Hours<'_>, at: &str) -> bool {
        hours.include(at.parse().unwrap())
    }

    fn window(start: &'static str, end: &'static str, zone: Option<&'static str>) -> Hours<'static> {
        Hours { window: Some(Window { start, end, zone }), ..Hours::default() }
    }

    #[test]
    fn business_hours_are_from_nine_until_before_seventeen_by_utc() {
        let hours = Hours { is_for_business_hours: true, ..Hours::default() };

        assert!(include(&hours, "2026-03-01T09:00:00Z") && include(&hours, "2026-03-01T16:59:59.999Z"));
        assert!(!include(&hours, "2026-03-01T08:59:59.999Z") && !include(&hours, "2026-03-01T17:00:00Z"));
    }

    #[test]
    fn working_days_are_from_monday_to_friday_by_utc() {
        let hours = Hours { is_for_working_days: true, ..Hours::default() };

        assert!(include(&hours, "2026-03-02T00:00:00Z") && include(&hours, "2026-03-06T23:59:59Z"));
        assert!(!include(&hours, "2026-03-01T23:59:59Z") && !include(&hours, "2026-03-07T00:00:00Z"));
    }

    #[test]
    fn a_window_goes_from_its_start_until_before_its_end() {
        let day = window("09:30", "17:00", None);
        assert!(include(&day, "2026-03-01T09:30:00Z") && include(&day, "2026-03-01T16:59:59Z"));
        assert!(!include(&day, "2026-03-01T09:29:59Z") && !include(&day, "2026-03-01T17:00:00Z"));

        let night = window("22:00", "06:00", None);
        assert!(include(&night, "2026-03-01T22:00:00Z") && include(&night, "2026-03-01T05:59:59Z"));
        assert!(!include(&night, "2026-03-01T21:59:59Z") && !include(&night, "2026-03-01T06:00:00Z"));

        let never = window("09:00", "09:00", None);
        assert!(!include(&never, "2026-03-01T09:00:00Z") && !include(&never, "2026-03-01T21:00:00Z"));
    }

    #[test]
    fn a_window_and_its_days_are_those_of_its_zone() {
        let mut hours = window("09:00", "17:00", Some("Asia/Kathmandu"));
        assert!(include(&hours, "2026-03-01T03:15:00Z") && !include(&hours, "2026-03-01T03:14:59Z"));

        hours.window = Some(Window { start: "00:00", end: "23:59", zone: Some("Pacific/Auckland") });
        hours.weekdays = Some(vec![Weekday::Mon]);
        assert!(include(&hours, "2026-03-01T11:00:00Z"), "it is Monday already in Auckland");
        assert!(!include(&hours, "2026-03-01T10:00:00Z"));

        // The clocks of Zurich are put forward at one o'clock UTC.
        let summer = window("01:30", "03:30", Some("Europe/Zurich"));
        assert!(include(&summer, "2026-03-29T00:59:59Z") && include(&summer, "2026-03-29T01:29:59Z"));
        assert!(!include(&summer, "2026-03-29T01:30:00Z"));
    }

    #[test]
    fn days_without_a_window_are_those_of_utc_and_an_empty_list_names_none() {
        let on = |days: Vec<Weekday>| Hours { weekdays: Some(days), ..Hours::default() };

        assert!(include(&on(vec![Weekday::Sun]), "2026-03-01T23:59:59Z"));
        assert!(!include(&on(vec![Weekday::Sun]), "2026-03-02T00:00:00Z"));
        assert!(include(&on(Vec::new()), "2026-03-02T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_read_admits_no_time() {
        for hours in [
            window("nine", "17:00", None),
            window("09:00", "24:00", None),
            window("00:00", "23:59", Some("Mars/Olympus")),
        ] {
            assert!(!include(&hours, "2026-03-01T12:00:00Z"), "{hours:?}");
        }
    }
}
