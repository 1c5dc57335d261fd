//! Rows of `COPY … (format binary)`: the fastest way out of the database, for whoever reads all of the log, or every token.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::copy_in::{EPOCH_MICROS, HEADER, TRAILER};
use crate::domain::Position;

/// How many columns the statement for events asks for.
pub(super) const EVENT_FIELDS: i16 = 8;

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
    /// So many of a message; `None` where it has no row, as the last one.
    pub(super) fn of(message: &'a [u8], expected: i16) -> Result<Option<Self>, sqlx::Error> {
        let mut fields = Self(message.strip_prefix(HEADER).unwrap_or(message));
        if fields.0.is_empty() {
            return Ok(None);
        }
        match i16::from_be_bytes(fields.take()?) {
            TRAILER => Ok(None),
            count if count == expected => Ok(Some(fields)),
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
        text(self.bytes()?)
    }

    /// The next field, a position.
    pub(super) fn position(&mut self) -> Result<Position, sqlx::Error> {
        self.number().map(Position)
    }

    /// The next field, a time.
    pub(super) fn time(&mut self) -> Result<DateTime<Utc>, sqlx::Error> {
        time(self.bytes()?)
    }

    /// The next field, a time or null.
    pub(super) fn optional_time(&mut self) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        self.optional()?.map(time).transpose()
    }

    /// The next field, a text or null.
    pub(super) fn optional_text(&mut self) -> Result<Option<&'a str>, sqlx::Error> {
        self.optional()?.map(text).transpose()
    }

    /// The next field, an identifier.
    pub(super) fn uuid(&mut self) -> Result<Uuid, sqlx::Error> {
        uuid(self.bytes()?)
    }

    /// The next field, an identifier or null.
    pub(super) fn optional_uuid(&mut self) -> Result<Option<Uuid>, sqlx::Error> {
        self.optional()?.map(uuid).transpose()
    }

    /// The next field, a number of four bytes or null.
    pub(super) fn optional_small(&mut self) -> Result<Option<i32>, sqlx::Error> {
        let field = self.optional()?;
        field.map(|field| field.try_into().map(i32::from_be_bytes).map_err(|_| broken())).transpose()
    }

    /// The next field, a truth.
    pub(super) fn boolean(&mut self) -> Result<bool, sqlx::Error> {
        match self.bytes()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(broken()),
        }
    }

    fn number(&mut self) -> Result<i64, sqlx::Error> {
        number(self.bytes()?)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], sqlx::Error> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(broken)?;
        self.0 = rest;
        Ok(*first)
    }
}

/// The texts of a field that is a list of them.
pub(super) fn texts(field: &[u8]) -> Result<Vec<String>, sqlx::Error> {
    let mut list = Fields(field);
    // How many dimensions it has (an empty one has none), whether there are nulls, and of what it is.
    let dimensions = i32::from_be_bytes(list.take()?);
    list.take::<8>()?;
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    let count = i32::from_be_bytes(list.take()?);
    list.take::<4>()?;
    (0..count).map(|_| list.text().map(str::to_owned)).collect()
}

fn text(field: &[u8]) -> Result<&str, sqlx::Error> {
    std::str::from_utf8(field).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn uuid(field: &[u8]) -> Result<Uuid, sqlx::Error> {
    Uuid::from_slice(field).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn time(field: &[u8]) -> Result<DateTime<Utc>, sqlx::Error> {
    let time = number(field)?.checked_add(EPOCH_MICROS).and_then(DateTime::from_timestamp_micros);
    time.ok_or_else(|| sqlx::Error::Decode("a time is out of range".into()))
}

fn number(field: &[u8]) -> Result<i64, sqlx::Error> {
    Ok(i64::from_be_bytes(field.try_into().map_err(|_| broken())?))
}

fn broken() -> sqlx::Error {
    sqlx::Error::Protocol("a copied row is not in the form that was asked for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = EVENT_FIELDS.to_be_bytes().to_vec();
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
            let mut fields = Fields::of(&message, EVENT_FIELDS).unwrap().unwrap();
            assert_eq!((fields.position().unwrap(), fields.text().unwrap()), (Position(7), "kind"));
            assert_eq!(fields.time().unwrap(), time);
            assert_eq!((fields.bytes().unwrap(), fields.optional().unwrap()), (&b""[..], None));
        }
        assert!(Fields::of(HEADER, EVENT_FIELDS).unwrap().is_none(), "a copy of nothing");
        assert!(Fields::of(&TRAILER.to_be_bytes(), EVENT_FIELDS).unwrap().is_none());
    }

    #[test]
    fn what_is_no_such_row_is_an_error() {
        assert!(Fields::of(&[0], EVENT_FIELDS).is_err() && Fields::of(&9_i16.to_be_bytes(), EVENT_FIELDS).is_err());
        let whole = row(&[Some(b"seven"), None]);
        let mut fields = Fields::of(&whole, EVENT_FIELDS).unwrap().unwrap();
        assert!(fields.position().is_err(), "five bytes are no number");
        assert!(fields.bytes().is_err(), "null where nothing is");
        assert!(fields.optional().is_err(), "the row is over");
        let mut infinite = row(&[Some(&i64::MAX.to_be_bytes())]);
        assert!(Fields::of(&infinite, EVENT_FIELDS).unwrap().unwrap().time().is_err());
        infinite.pop();
        assert!(Fields::of(&infinite, EVENT_FIELDS).unwrap().unwrap().bytes().is_err(), "a field that is cut short");
    }

    #[test]
    fn a_list_of_texts_is_read_as_the_database_sends_it_and_one_that_is_cut_short_is_an_error() {
        let numbers = |numbers: &[i32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
        // One dimension of `text` (25), two of them, numbered from one.
        let mut list = numbers(&[1, 0, 25, 2, 1, 3]);
        list.extend(b"red");
        list.extend(numbers(&[0]));

        assert_eq!(texts(&list).unwrap(), ["red", ""]);
        assert_eq!(texts(&numbers(&[0, 0, 25])).unwrap(), Vec::<String>::new());
        assert!(texts(&list[..list.len() - 1]).is_err() && texts(&[]).is_err());
        assert!(texts(&numbers(&[1, 1, 25, 1, 1, -1])).is_err(), "null is no text");
    }
}
