//! Events as rows of `COPY … (format binary)`: the fastest way out of the log, for whoever reads all of it.

use chrono::{DateTime, Utc};

use super::copy_in::{EPOCH_MICROS, HEADER, TRAILER};
use crate::domain::Position;

/// How many columns the statement asks for.
const FIELDS: i16 = 8;

/// The statement for what comes after one position, up to and with another. A copy takes no parameters, and numbers need none.
pub(super) fn statement(after: Position, until: Position) -> String {
    format!(
        "copy (
            select position, kind, recorded_at, body, personal, salt, personal_commitment, digest
              from events
             where position > {}
               and position <= {}
             order by position
         ) to stdout (format binary)",
        after.0, until.0
    )
}

/// The fields of a row, one after the other. PostgreSQL sends a message for each row, the first with the header before it.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Those of a message; `None` where it has no row, as the last one.
    pub(super) fn of(message: &'a [u8]) -> Result<Option<Self>, sqlx::Error> {
        let mut fields = Self(message.strip_prefix(HEADER).unwrap_or(message));
        if fields.0.is_empty() {
            return Ok(None);
        }
        match i16::from_be_bytes(fields.take()?) {
            TRAILER => Ok(None),
            FIELDS => Ok(Some(fields)),
            count => Err(sqlx::Error::Protocol(format!("a copied row has {count} fields"))),
        }
    }

    /// The next field, which may be null.
    pub(super) fn optional(&mut self) -> Result<Option<&'a [u8]>, sqlx::Error> {
        let Ok(length) = usize::try_from(i32::from_be_bytes(self.take()?)) else { return Ok(None) };
        let (field, rest) = self.0.split_at_checked(length).ok_or_else(broken)?;
        self.0 = rest;
        Ok(Some(field))
    }

    /// The next field.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], sqlx::Error> {
        self.optional()?.ok_or_else(broken)
    }

    /// The next field, a text.
    pub(super) fn text(&mut self) -> Result<&'a str, sqlx::Error> {
        std::str::from_utf8(self.bytes()?).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// The next field, a position.
    pub(super) fn position(&mut self) -> Result<Position, sqlx::Error> {
        self.number().map(Position)
    }

    /// The next field, a time.
    pub(super) fn time(&mut self) -> Result<DateTime<Utc>, sqlx::Error> {
        let time = self.number()?.checked_add(EPOCH_MICROS).and_then(DateTime::from_timestamp_micros);
        time.ok_or_else(|| sqlx::Error::Decode("a time is out of range".into()))
    }

    fn number(&mut self) -> Result<i64, sqlx::Error> {
        Ok(i64::from_be_bytes(self.bytes()?.try_into().map_err(|_| broken())?))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], sqlx::Error> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(broken)?;
        self.0 = rest;
        Ok(*first)
    }
}

fn broken() -> sqlx::Error {
    sqlx::Error::Protocol("a copied row is not in the form that was asked for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = FIELDS.to_be_bytes().to_vec();
        for field in fields {
            match field {
                Some(bytes) => {
                    row.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                    row.extend(*bytes);
                }
                None => row.extend((-1_i32).to_be_bytes()),
            }
        }
        row
    }

    #[test]
    fn a_message_is_the_fields_of_a_row_and_the_first_and_the_last_have_what_frames_the_copy() {
        let time: DateTime<Utc> = "2026-03-01T12:00:00.000001Z".parse().unwrap();
        let micros = time.timestamp_micros() - EPOCH_MICROS;
        let row = row(&[Some(&7_i64.to_be_bytes()), Some(b"kind"), Some(&micros.to_be_bytes()), Some(b""), None]);
        for message in [row.clone(), [HEADER, &row].concat()] {
            let mut fields = Fields::of(&message).unwrap().unwrap();
            assert_eq!((fields.position().unwrap(), fields.text().unwrap()), (Position(7), "kind"));
            assert_eq!(fields.time().unwrap(), time);
            assert_eq!((fields.bytes().unwrap(), fields.optional().unwrap()), (&b""[..], None));
        }
        assert!(Fields::of(HEADER).unwrap().is_none(), "a copy of nothing");
        assert!(Fields::of(&TRAILER.to_be_bytes()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_such_row_is_an_error() {
        assert!(Fields::of(&[0]).is_err() && Fields::of(&9_i16.to_be_bytes()).is_err());
        let whole = row(&[Some(b"seven"), None]);
        let mut fields = Fields::of(&whole).unwrap().unwrap();
        assert!(fields.position().is_err(), "five bytes are no number");
        assert!(fields.bytes().is_err(), "null where nothing is");
        assert!(fields.optional().is_err(), "the row is over");
        let mut infinite = row(&[Some(&i64::MAX.to_be_bytes())]);
        assert!(Fields::of(&infinite).unwrap().unwrap().time().is_err());
        infinite.pop();
        assert!(Fields::of(&infinite).unwrap().unwrap().bytes().is_err(), "a field that is cut short");
    }
}
