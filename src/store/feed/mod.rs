//! What of the log a check elsewhere has to know, as the feed tells it: all that is in force, or what changed after a place.
//!
//! A page goes from one place to another and leaves nothing out that is between them. What one event does to many tokens
//! comes in pieces, each a page of its own, and counts as known with the last.

pub(super) mod expansion;
pub mod snapshot;

use catalog_gateway::wire::{Cursor, Digest, Item, Mark, Page, Within};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgPool};

use self::expansion::Expansion;
use super::{
    Database, Head, StoreError,
    chain::{GENESIS, Sha256Digest},
    codec, log,
    postgres::bounded,
    rules,
};
use crate::domain::{Event, Position, Rule, event::KeyCompromised};

/// The most items of a page.
pub const ITEMS_MAX: u16 = 5_000;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place is none of this log.
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
}

/// Why a reader cannot go on from a place: it has to begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Elsewhere {
    /// It is of another log, or of this one before it was restored.
    #[error("it is a place of another log, or of this one before it was restored")]
    AnotherLog,
    /// The log has something else there.
    #[error("the log has another digest at position {0}")]
    AnotherDigest(Position),
    /// The log is not that long.
    #[error("position {asked} is past the end of the log at {head}")]
    AheadOfHead {
        /// The position.
        asked: Position,
        /// The end.
        head: Position,
    },
    /// What follows it is not so large that it comes in pieces.
    #[error("nothing that comes in pieces follows position {0}")]
    NoPieces(Position),
}

/// The place of the log's end.
impl From<&Head> for Mark {
    fn from(head: &Head) -> Self {
        Self { log_id: head.log_id, position: head.position.0, digest: Digest(head.digest) }
    }
}

/// The place of a position.
///
/// # Errors
/// [`FeedError`]: the log is not that long.
pub async fn mark_at(pool: &PgPool, position: Position) -> Result<Mark, FeedError> {
    let head = log::head(pool).await?;
    Ok(Mark { digest: Digest(digest_at(pool, &head, position).await?), position: position.0, ..Mark::from(&head) })
}

/// That the log has a place, and the log's end.
///
/// # Errors
/// [`FeedError`].
pub async fn require(pool: &PgPool, mark: &Mark) -> Result<Mark, FeedError> {
    let head = log::head(pool).await?;
    if head.log_id != mark.log_id {
        return Err(Elsewhere::AnotherLog.into());
    }
    let position = Position(mark.position);
    if Digest(digest_at(pool, &head, position).await?) != mark.digest {
        return Err(Elsewhere::AnotherDigest(position).into());
    }
    Ok(Mark::from(&head))
}

async fn digest_at(pool: &PgPool, head: &Head, position: Position) -> Result<Sha256Digest, FeedError> {
    match position {
        Position(0) => Ok(GENESIS),
        position if position == head.position => Ok(head.digest),
        position if position > head.position => {
            Err(Elsewhere::AheadOfHead { asked: position, head: head.position }.into())
        }
        position => {
            let read = sqlx::query_scalar("select digest from events where position = $1").bind(position.0);
            let digest: Vec<u8> = bounded(async { Ok(read.fetch_one(pool).await?) }).await?;
            Ok(sized(&digest)?)
        }
    }
}

/// The next page after a place, of `limit` items or few more, up to `until` or else the end of the log.
///
/// # Errors
/// [`FeedError`].
pub async fn page(
    database: &Database,
    from: &Cursor,
    until: Option<Mark>,
    limit: u16,
    now: DateTime<Utc>,
) -> Result<Page, FeedError> {
    let pool = database.reads();
    let end = require(pool, &from.mark).await?;
    if until.is_some_and(|until| until.log_id != end.log_id) {
        return Err(Elsewhere::AnotherLog.into());
    }
    let end = until.unwrap_or(end);
    let rows = rows(pool, from.mark.position, end.position, limit).await?;
    let is_first_of_many = rows.first().map(|row| row.change(now)).transpose()?.is_some_and(|change| change.is_many());
    let mut draft = Draft { from: *from, mark: from.mark, items: Vec::new(), next: None, has_more: false };
    if is_first_of_many {
        draft.pieces(pool, &rows[0], limit, now).await?;
        draft.has_more |= draft.mark.position < end.position;
    } else if from.within.is_some() {
        return Err(Elsewhere::NoPieces(Position(from.mark.position)).into());
    } else {
        draft.changes(&rows, end, limit, now)?;
    }
    Ok(draft.page(now))
}

/// A page in the making.
struct Draft {
    from: Cursor,
    mark: Mark,
    items: Vec<Item>,
    next: Option<Cursor>,
    has_more: bool,
}

impl Draft {
    /// One token after the other, up to the end or to what comes in pieces.
    fn changes(&mut self, rows: &[FeedRow], end: Mark, limit: u16, now: DateTime<Utc>) -> Result<(), StoreError> {
        for row in rows.iter().take(usize::from(limit)) {
            match row.change(now)? {
                Change::Token(item) => self.items.extend(item),
                Change::Rule(_) | Change::Key(..) => {
                    self.has_more = true;
                    return Ok(());
                }
            }
            self.mark = row.mark(&self.from.mark)?;
        }
        if rows.len() > usize::from(limit) {
            self.has_more = true;
        } else {
            self.mark = end;
        }
        Ok(())
    }

    /// The next piece of what an event does to many.
    async fn pieces(&mut self, pool: &PgPool, row: &FeedRow, limit: u16, now: DateTime<Utc>) -> Result<(), FeedError> {
        let (expansion, key) = match row.change(now)? {
            Change::Rule(position) => (Expansion::of_rule_at(pool, position).await?, None),
            Change::Key(position, event) => (Expansion::of_key(pool, position, &event).await?, Some(event.kid)),
            Change::Token(_) => return Ok(()),
        };
        let Within { pieces, before } = self.from.within.unwrap_or(Within { pieces: 0, before: expansion.before.0 });
        let found = expansion.tokens(pool, Position(before), limit).await?;
        self.items.extend(key.filter(|_| pieces == 0).map(|kid| Item::KeyCompromised { kid: kid.to_string() }));
        self.items.extend(expansion.items(&found, now));
        match found.iter().map(|token| token.issued_pos).min() {
            Some(before) if found.len() == usize::from(limit) => {
                let within = Some(Within { pieces: pieces.saturating_add(1), before });
                self.next = Some(Cursor { within, ..self.from });
                self.has_more = true;
            }
            _ => self.mark = row.mark(&self.from.mark)?,
        }
        Ok(())
    }

    fn page(self, now: DateTime<Utc>) -> Page {
        Page {
            mark: self.mark,
            after: Some(self.from.mark.position),
            piece: self.from.within.map_or(0, |within| within.pieces),
            is_partial: self.next.is_some(),
            time: now,
            staleness_ms: 0,
            next: Some(self.next.unwrap_or_else(|| self.mark.into()).to_string()),
            has_more: self.has_more,
            items: self.items,
        }
    }
}

/// An event that the feed tells of.
#[derive(Debug, FromRow)]
struct FeedRow {
    position: i64,
    body: Vec<u8>,
    digest: Vec<u8>,
    exp: Option<DateTime<Utc>>,
}

/// What an event changes.
enum Change {
    /// One token, unless it is expired.
    Token(Option<Item>),
    /// Those that a rule covers.
    Rule(Position),
    /// Those that a key has signed.
    Key(Position, KeyCompromised),
}

impl Change {
    fn is_many(&self) -> bool {
        !matches!(self, Self::Token(_))
    }
}

impl FeedRow {
    fn mark(&self, log: &Mark) -> Result<Mark, StoreError> {
        Ok(Mark { log_id: log.log_id, position: self.position, digest: Digest(sized(&self.digest)?) })
    }

    fn change(&self, now: DateTime<Utc>) -> Result<Change, StoreError> {
        // Nothing that the feed tells is personal.
        let occurrence = codec::decode(&self.body, None)
            .map_err(|source| StoreError::UnreadableEvent { position: self.position, source })?;
        let exp = self.exp.filter(|exp| *exp > now).map(|exp| exp.timestamp());
        Ok(match occurrence.event {
            Event::TokenRevoked(revoked) => Change::Token(exp.map(|exp| Item::Revoked {
                jti: revoked.jti,
                exp,
                effective_from: revoked.effective_from,
            })),
            Event::TokenSuspended(changed) => Change::Token(exp.map(|exp| Item::Suspended { jti: changed.jti, exp })),
            Event::TokenResumed(changed) => Change::Token(exp.map(|exp| Item::Resumed { jti: changed.jti, exp })),
            Event::TokensRevokedByRule(_) => Change::Rule(Position(self.position)),
            Event::KeyCompromised(compromised) => Change::Key(Position(self.position), compromised),
            // The statement reads no others.
            _ => Change::Token(None),
        })
    }
}

async fn rows(pool: &PgPool, after: i64, until: i64, limit: u16) -> Result<Vec<FeedRow>, StoreError> {
    let query = sqlx::query_as(include_str!("../feed_events.sql")).bind(after).bind(until).bind(i64::from(limit) + 1);
    bounded(async { Ok(query.fetch_all(pool).await?) }).await
}

fn sized(digest: &[u8]) -> Result<Sha256Digest, StoreError> {
    digest.try_into().map_err(|error| StoreError::Refused(sqlx::Error::Decode(Box::new(error))))
}

/// The rule at a position.
async fn rule_at(pool: &PgPool, position: Position) -> Result<Option<Rule>, StoreError> {
    let added = bounded(rules::all(pool)).await?;
    Ok(added.into_iter().map(Rule::from).find(|rule| rule.position == position))
}
