//! When things happen in a made-up year: in working hours more than at night, on weekends little.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

const HOURS: i64 = 365 * 24;
const MICROS_PER_HOUR: u64 = 3_600_000_000;

/// The hours of a year, with how much has happened by the end of each.
pub(super) struct Calendar {
    begin: DateTime<Utc>,
    happened: Vec<u64>,
}

impl Calendar {
    /// The year that ends then.
    pub(super) fn until(end: DateTime<Utc>) -> Self {
        let begin = end - TimeDelta::hours(HOURS);
        let mut sum = 0;
        let happened = (0..HOURS).map(|hour| {
            sum += weight(begin + TimeDelta::hours(hour));
            sum
        });
        Self { happened: happened.collect(), begin }
    }

    pub(super) fn begin(&self) -> DateTime<Utc> {
        self.begin
    }

    /// When `part` of `whole` has happened. It never goes back as `part` grows.
    pub(super) fn instant(&self, part: u64, whole: u64) -> DateTime<Utc> {
        let all = self.happened.last().copied().unwrap_or(1);
        // Thousandths keep apart what happens within one hour's weight.
        let done = u128::from(all) * 1_000_000 * u128::from(part.min(whole)) / u128::from(whole.max(1));
        let units = u64::try_from(done / 1_000_000).unwrap_or(all).min(all - 1);
        let rest = u64::try_from(done % 1_000_000).unwrap_or(0);
        let hour = self.happened.partition_point(|by| *by <= units);
        let before = if hour == 0 { 0 } else { self.happened[hour - 1] };
        let weight = self.happened[hour] - before;
        let within = ((units - before) * 1_000_000 + rest) * (MICROS_PER_HOUR / 1_000_000) / weight;
        let hours = i64::try_from(hour).unwrap_or(0);
        self.begin + TimeDelta::hours(hours) + TimeDelta::microseconds(i64::try_from(within).unwrap_or(0))
    }
}

fn weight(hour: DateTime<Utc>) -> u64 {
    let of_day = if (7..18).contains(&hour.hour()) { 10 } else { 2 };
    if hour.weekday().number_from_monday() > 5 { of_day / 2 } else { of_day }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_the_beginning_to_the_end_and_is_busy_by_day() {
        let end = "2026-03-01T12:00:00Z".parse().unwrap();
        let calendar = Calendar::until(end);

        let times: Vec<_> = (0..=10_000).map(|part| calendar.instant(part, 10_000)).collect();

        assert!(times.is_sorted());
        assert_eq!(times[0], calendar.begin());
        assert!(times[10_000] <= end && end - times[10_000] < TimeDelta::hours(1), "{}", times[10_000]);
        let by_day = times.iter().filter(|at| (7..18).contains(&at.hour())).count();
        assert!((7_000..9_500).contains(&by_day), "{by_day}");
    }
}
