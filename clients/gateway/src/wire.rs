//! The shapes of the revocation feed.
//!
//! Everything that is said is a [`Page`]: a snapshot, a page of `GET /revocations?after=…`, what an event stream sends,
//! and its heartbeat. A page tells what changed after one position of the log up to another, so that a reader notices
//! when one is missing ([`Page::follows`]).

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of a stream's event that carries a [`Page`] with changes.
pub const EVENT_PAGE: &str = "revocations";
/// The name of a stream's event that carries a [`Page`] without any, once a second.
pub const EVENT_HEARTBEAT: &str = "heartbeat";
/// The name of a stream's last event: what was followed is not this log any more, and the reader is to load a snapshot.
pub const EVENT_RELOAD: &str = "reload";

/// A place in a log that nobody else's log has: which log, how far, and the digest of all up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The epoch of the log; another after a restore.
    pub log_id: Uuid,
    /// The position up to which everything is known; 0 = nothing.
    pub position: i64,
    /// SHA-256 that binds the event at that position to all before it: 64 lower-case hexadecimal digits.
    pub digest: Digest,
}

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

/// Where a reader goes on: after a mark, and after so many pieces of what follows it.
///
/// Written `LOG.POSITION.DIGEST`, and `LOG.POSITION.DIGEST.PIECES.BEFORE` within a change that comes in several pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// All up to here is known.
    pub mark: Mark,
    /// What is known past it.
    pub within: Option<Within>,
}

/// How much is known of the one change after a mark that is too large for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// How many pieces of it.
    pub pieces: u32,
    /// The rest is of tokens that were issued before this position.
    pub before: i64,
}

/// A change that a check has to know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Item {
    /// The token is revoked, by its id or by a rule. Nothing takes that back.
    Revoked {
        /// The token.
        jti: Uuid,
        /// Its `exp`, seconds since 1970. From then on nobody needs to remember it.
        exp: i64,
        /// From when on; absent = at once, whatever anybody's clock says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective_from: Option<DateTime<Utc>>,
    },
    /// The token is held back until it is resumed.
    Suspended {
        /// The token.
        jti: Uuid,
        /// Its `exp`, seconds since 1970.
        exp: i64,
    },
    /// The token is not held back any more. It may be revoked all the same.
    Resumed {
        /// The token.
        jti: Uuid,
        /// Its `exp`, seconds since 1970.
        exp: i64,
    },
    /// The key is known to others: no token that it signed is believed, whatever it says of itself, but for those spared.
    KeyCompromised {
        /// The key.
        kid: String,
    },
    /// The token was signed by a compromised key before others had that. It comes after the key, perhaps in a later piece: until
    /// the last has come, nobody can tell of a token of the key whether it is spared.
    Spared {
        /// The token.
        jti: Uuid,
        /// Its `exp`, seconds since 1970.
        exp: i64,
    },
}

/// What changed after one position of a log up to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// What is known once it is applied.
    #[serde(flatten)]
    pub mark: Mark,
    /// What it goes on from; `None` = from nothing: a snapshot, which replaces what is known.
    pub after: Option<i64>,
    /// How many pieces of the same change have come before it; a change that comes in one piece has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub piece: u32,
    /// Whether another piece of the same change follows. Until the last has come `mark` stays what it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
    /// When it was written, by the server's clock.
    pub time: DateTime<Utc>,
    /// For how long the server itself had not heard from the log, in milliseconds.
    pub staleness_ms: u64,
    /// The cursor of the next page. Absent on event streams, whose `id` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether the next page has changes already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_more: bool,
    /// The changes, in the order of the log. Last, so that a reader knows what they are of while they come.
    #[serde(default)]
    pub items: Vec<Item>,
}

/// A text that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no digest.
    #[error("a digest is 64 lower-case hexadecimal digits")]
    Digest,
    /// It is no cursor.
    #[error("a cursor is LOG.POSITION.DIGEST, as a page or an event stream's id gave it")]
    Cursor,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| Malformed::Digest)?;
        let digest = Self(digest);
        // One digest is written in one way.
        if digest.to_string() == text { Ok(digest) } else { Err(Malformed::Digest) }
    }
}

impl TryFrom<String> for Digest {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.log_id, self.position, self.digest)
    }
}

impl From<Mark> for Cursor {
    fn from(mark: Mark) -> Self {
        Self { mark, within: None }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mark.fmt(f)?;
        self.within.map_or(Ok(()), |Within { pieces, before }| write!(f, ".{pieces}.{before}"))
    }
}

impl FromStr for Cursor {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let parts: Vec<&str> = text.split('.').collect();
        let (mark, within) = parts.split_at_checked(3).ok_or(Malformed::Cursor)?;
        let mark = Mark {
            log_id: mark[0].parse().map_err(|_| Malformed::Cursor)?,
            position: whole(mark[1])?,
            digest: mark[2].parse().map_err(|_| Malformed::Cursor)?,
        };
        let within = match within {
            [] => None,
            [pieces, before] => Some(Within { pieces: whole(pieces)?, before: whole(before)? }),
            _ => return Err(Malformed::Cursor),
        };
        Ok(Self { mark, within })
    }
}

/// A number that is not negative, in digits alone.
fn whole<T: FromStr>(text: &str) -> Result<T, Malformed> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits).ok_or(Malformed::Cursor)
}

impl Page {
    /// Whether it goes on exactly where a reader is that knows everything up to `mark` and so many `pieces` past it.
    #[must_use]
    pub fn follows(&self, mark: &Mark, pieces: u32) -> bool {
        let is_same_log = self.mark.log_id == mark.log_id;
        let is_still = self.mark.position > mark.position || self.mark.digest == mark.digest;
        is_same_log && is_still && self.after == Some(mark.position) && self.piece == pieces
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark { log_id: Uuid::from_u128(7), position: 41, digest: Digest([0xab; 32]) }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for within in [None, Some(Within { pieces: 3, before: 17 })] {
            let cursor = Cursor { mark: mark(), within };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let mark = mark().to_string();
        for text in ["", "41", "..", &mark[1..], &format!("{mark}."), &format!("{mark}.1"), &format!("{mark}.+1.2")] {
            assert_eq!(text.parse::<Cursor>(), Err(Malformed::Cursor), "{text}");
        }
    }

    #[test]
    fn a_page_says_where_it_stands_beside_its_items() {
        let item = Item::Revoked { jti: Uuid::from_u128(1), exp: 5, effective_from: None };
        let page = Page {
            mark: mark(),
            after: Some(40),
            piece: 0,
            is_partial: false,
            time: DateTime::UNIX_EPOCH,
            staleness_ms: 3,
            next: None,
            has_more: false,
            items: vec![item],
        };
        let json = serde_json::to_string(&page).unwrap();
        assert_eq!(serde_json::from_str::<Page>(&json).unwrap(), page);
        assert!(json.contains(r#""position":41"#) && json.contains(r#""kind":"revoked""#), "{json}");
        assert!(page.follows(&Mark { position: 40, ..mark() }, 0));
        assert!(!page.follows(&Mark { position: 39, ..mark() }, 0), "a page is missing");
        assert!(!page.follows(&Mark { position: 40, log_id: Uuid::nil(), ..mark() }, 0), "another log");
    }
}
