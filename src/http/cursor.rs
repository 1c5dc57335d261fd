//! Where the next page of a listing begins: opaque to callers, bound to the log and to the listing's own filter.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::problem::Problem;
use crate::{domain::Position, store::tokens::Filter};

const VERSION: u8 = 1;
const CHECK_BYTES: usize = 8;

/// The tokens of the next page were issued before this position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) before: Position,
}

/// Writes a cursor. It is no secret: its check only tells a mistake from a cursor of ours.
pub(super) fn write(cursor: Cursor, log_id: Uuid, filter: &Filter) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(cursor.before.0.to_be_bytes());
    bytes.extend(check(cursor, log_id, filter));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor of this log and this filter.
pub(super) fn read(text: &str, log_id: Uuid, filter: &Filter) -> Result<Cursor, Problem> {
    parse(text)
        .filter(|(cursor, found)| *found == check(*cursor, log_id, filter))
        .map(|(cursor, _)| cursor)
        .ok_or_else(|| Problem::malformed_parameter("cursor", "is not a cursor of this listing"))
}

fn parse(text: &str) -> Option<(Cursor, [u8; CHECK_BYTES])> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (before, found) = rest.split_first_chunk::<8>()?;
    let cursor = Cursor { before: Position(i64::from_be_bytes(*before)) };
    (*version == VERSION).then_some((cursor, found.try_into().ok()?))
}

fn check(cursor: Cursor, log_id: Uuid, filter: &Filter) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new()
        .chain_update(b"catalog listing cursor")
        .chain_update(log_id.as_bytes())
        .chain_update(cursor.before.0.to_be_bytes())
        .chain_update(format!("{filter:?}"))
        .finalize();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;

    #[test]
    fn a_cursor_is_good_for_its_own_log_and_listing_only() {
        let log = Uuid::from_u128(1);
        let filter = Filter { status: Some(Status::Active), ..Filter::default() };
        let cursor = Cursor { before: Position(42) };

        let text = write(cursor, log, &filter);

        assert_eq!(read(&text, log, &filter).ok(), Some(cursor));
        assert!(read(&text, Uuid::from_u128(2), &filter).is_err());
        assert!(read(&text, log, &Filter::default()).is_err());
        for bad in ["", "AA", "!", &text[1..], &format!("{text}A"), &format!("{text}=")] {
            assert!(read(bad, log, &filter).is_err(), "{bad}");
        }
    }
}
