//! What happened day by day, by the clock of the decisions, in UTC.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// In their order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Days(Vec<(NaiveDate, Counted)>);

/// What was counted on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Events.
    pub events: u64,
    /// Tokens issued.
    pub issued: u64,
    /// Of these, past the API's controls.
    pub out_of_band: u64,
    /// Tokens revoked, one by one or by a rule that ended them.
    pub revoked: u64,
    /// Refusals.
    pub refused: u64,
}

impl Counted {
    /// Adds what was counted on another day.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.issued += other.issued;
        self.out_of_band += other.out_of_band;
        self.revoked += other.revoked;
        self.refused += other.refused;
    }
}

/// A day on which something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// What was counted.
    #[serde(flatten)]
    pub counted: Counted,
}

impl Days {
    pub(super) fn at(&mut self, at: DateTime<Utc>) -> &mut Counted {
        let day = at.date_naive();
        let place = match self.0.last() {
            // Nearly all that is read next happened on the same day.
            Some((last, _)) if *last == day => self.0.len() - 1,
            _ => self.0.binary_search_by_key(&day, |(day, _)| *day).unwrap_or_else(|place| {
                self.0.insert(place, (day, Counted::default()));
                place
            }),
        };
        &mut self.0[place].1
    }

    pub(super) fn told(&self) -> Vec<Day> {
        self.0.iter().map(|(day, counted)| Day { day: *day, counted: *counted }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_stand_in_their_order_in_whichever_events_come_also_after_a_report_goes_on() {
        let mut days = Days::default();
        for (hours, goes_on) in [(30, false), (31, false), (1, true), (80, false), (2, true), (30, false), (55, false)]
        {
            days.at(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hours)).events += 1;
            if goes_on {
                days = serde_json::from_value(serde_json::to_value(&days).unwrap()).unwrap();
            }
        }

        let told: Vec<_> = days.told().into_iter().map(|day| (day.day.to_string(), day.counted.events)).collect();
        let expected = [("1970-01-01", 2), ("1970-01-02", 3), ("1970-01-03", 1), ("1970-01-04", 1)];
        assert_eq!(told, expected.map(|(day, events)| (day.to_owned(), events)));
    }
}
