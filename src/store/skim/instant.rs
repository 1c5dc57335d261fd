//! Instants in the JSON of events. They are written in one form, and to parse whatever else `chrono` takes for one is slower by
//! far: a report reads a million of them.

use std::{borrow::Cow, ops::Range};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Deserializer, de::Error};

use super::Text;

/// Reads one, in whichever form `chrono` reads.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let text = Cow::from(Text::deserialize(deserializer)?);
    written_here(&text).map_or_else(|| text.parse().map_err(D::Error::custom), Ok)
}

/// One in the form that they are written in, such as `2026-03-01T12:00:00.000001Z`; `None` for what has another.
fn written_here(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let is_apart = |(place, byte): (usize, u8)| whole.as_bytes()[place] == byte;
    if ![(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')].into_iter().all(is_apart) {
        return None;
    }
    let number = |range: Range<usize>| whole.get(range).and_then(digits);
    let nanoseconds = match fraction.strip_prefix('.').map(|text| (text.len(), text)) {
        None if fraction.is_empty() => 0,
        Some((6, micros)) => digits(micros)? * 1_000,
        Some((3, millis)) => digits(millis)? * 1_000_000,
        _ => return None,
    };
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
    let time = NaiveTime::from_hms_nano_opt(number(11..13)?, number(14..16)?, number(17..19)?, nanoseconds)?;
    Some(day.and_time(time).and_utc())
}

/// The number of a few digits, with nothing else among them.
fn digits(text: &str) -> Option<u32> {
    text.bytes().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::{
        prelude::{any, prop_assert_eq, proptest},
        sample::Index,
    };

    use super::*;

    fn read_from(text: &str) -> Option<DateTime<Utc>> {
        read(&mut serde_json::Deserializer::from_str(&serde_json::to_string(text).unwrap())).ok()
    }

    proptest! {
        #[test]
        fn what_is_written_of_an_instant_is_read_as_that_instant(micros in -62_135_596_800_000_000..253_402_300_800_000_000_i64) {
            let instant = DateTime::from_timestamp_micros(micros).unwrap();
            let written = serde_json::to_value(instant).unwrap();
            prop_assert_eq!(written_here(written.as_str().unwrap()), Some(instant));
        }

        #[test]
        fn what_is_nearly_written_so_is_read_as_chrono_reads_it(
            text in "20[0-9]{2}-(0[0-9]|1[0-3])-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](|\\.[0-9]{3}|\\.[0-9]{6}|\\.[0-9]{0,10})Z",
            change in proptest::option::of((any::<Index>(), any::<char>())),
        ) {
            let mut characters: Vec<char> = text.chars().collect();
            if let Some((place, character)) = change {
                let place = place.index(characters.len());
                characters[place] = character;
            }
            let text: String = characters.into_iter().collect();
            prop_assert_eq!(read_from(&text), text.parse().ok());
        }
    }

    #[test]
    fn what_is_no_instant_is_an_error() {
        for text in [
            "",
            "Z",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "2026-03-01T12:00:0éZ",
            "2026-02-29T00:00:00Z",
            "+026-03-01T12:00:00Z",
        ] {
            assert_eq!(read_from(text), text.parse().ok(), "{text}");
            assert_eq!(written_here(text), None, "{text}");
        }
        let leap = "2016-12-31T23:59:60Z";
        assert_eq!(read_from(leap), leap.parse().ok());
    }
}
