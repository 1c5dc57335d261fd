//! Events as rows of `COPY … (format binary)`: the fastest way into the log, for one that nobody else writes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::chain::Sha256Digest;

/// The statement that the bytes are for.
pub(super) const STATEMENT: &str = "copy events (position, kind, jti, recorded_at, path, request_id, body, personal, salt, \
                                    personal_commitment, digest) from stdin (format binary)";

/// The signature, no flags, and no extension of the header.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const FIELDS: i16 = 11;
pub(super) const TRAILER: i16 = -1;
/// 2000-01-01, from which timestamps count their microseconds.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// An event's columns.
pub(super) struct Columns<'a> {
    pub(super) position: i64,
    pub(super) kind: &'a str,
    pub(super) jti: Option<Uuid>,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) path: &'a str,
    pub(super) request_id: &'a str,
    pub(super) body: &'a [u8],
    pub(super) personal: &'a [u8],
    pub(super) salt: &'a [u8],
    pub(super) commitment: &'a Sha256Digest,
    pub(super) digest: &'a Sha256Digest,
}

/// The bytes of one `COPY`.
pub(super) struct Copied(Vec<u8>);

impl Copied {
    pub(super) fn new() -> Self {
        Self(HEADER.to_vec())
    }

    pub(super) fn push(&mut self, row: &Columns<'_>) {
        self.0.extend(FIELDS.to_be_bytes());
        self.field(&row.position.to_be_bytes());
        self.field(row.kind.as_bytes());
        match &row.jti {
            Some(jti) => self.field(jti.as_bytes()),
            None => self.0.extend((-1_i32).to_be_bytes()),
        }
        self.field(&(row.recorded_at.timestamp_micros() - EPOCH_MICROS).to_be_bytes());
        for text in [row.path, row.request_id] {
            self.field(text.as_bytes());
        }
        for bytes in [row.body, row.personal, row.salt, row.commitment, row.digest] {
            self.field(bytes);
        }
    }

    /// A field is its length and its bytes. None of an event's comes near the limit of its length.
    fn field(&mut self, bytes: &[u8]) {
        self.0.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        self.0.extend(bytes);
    }

    /// All of it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend(TRAILER.to_be_bytes());
        self.0
    }
}
