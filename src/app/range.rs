//! A range of the log, as it is asked for by times and positions, and which positions those are.

use chrono::{DateTime, Utc};

use super::view::instant;
use crate::{
    domain::{AsOf, Position},
    store::{Database, Head, StoreError, log},
};

/// The positions behind `after`, up to and with `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The last position before it.
    pub after: Position,
    /// Its last position; it is empty when that is `after`.
    pub until: Position,
}

/// Why there is no such range.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// A position is past the end.
    #[error("@{asked} is beyond the end of the log, which goes from @1 to @{head}, recorded at {recorded_at}")]
    Beyond {
        /// What was asked for.
        asked: Position,
        /// The last position.
        head: Position,
        /// When that was recorded, as RFC 3339.
        recorded_at: String,
    },
    /// There is no position 0.
    #[error("there is no @0: the log goes from @1 to @{head}")]
    BeforeFirst {
        /// The last position.
        head: Position,
    },
    /// A time has not come yet.
    #[error("{asked} has not come yet: the log goes from @1 to @{head}, recorded at {recorded_at}")]
    Ahead {
        /// What was asked for, as RFC 3339.
        asked: String,
        /// The last position.
        head: Position,
        /// When that was recorded, as RFC 3339.
        recorded_at: String,
    },
    /// The range runs backwards.
    #[error("the range ends before it starts: it is from {from} to {to}, in a log that goes from @1 to @{head}")]
    Backwards {
        /// Where it starts.
        from: String,
        /// Where it ends.
        to: String,
        /// The last position.
        head: Position,
    },
    /// Could not tell.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The range from a time or a position on, which counts, up to a time, which does not count, or a position, which does.
/// `None` = from the beginning, up to the end. Times are those at which events were recorded; one after `now` begins nothing.
///
/// # Errors
/// [`RangeError`].
pub async fn range(
    database: &Database,
    from: Option<AsOf>,
    to: Option<AsOf>,
    now: DateTime<Utc>,
) -> Result<Range, RangeError> {
    let head = log::head(database.reads()).await?;
    let after = match from {
        None => Position(0),
        Some(AsOf::Position(position)) => before(within(position, &head)?),
        // The two clocks are those of two machines.
        Some(AsOf::At(at)) if at > now.max(head.recorded_at) => return Err(limits(at, &head)),
        Some(AsOf::At(at)) => last_before(database, at).await?,
    };
    let until = match to {
        None => head.position,
        Some(AsOf::Position(position)) => within(position, &head)?,
        // What is recorded while this is read lies past the head.
        Some(AsOf::At(at)) => last_before(database, at).await?.min(head.position),
    };
    if let (Some(start), Some(end)) = (from, to)
        && runs_backwards((start, after), (end, until))
    {
        return Err(RangeError::Backwards { from: start.to_string(), to: end.to_string(), head: head.position });
    }
    Ok(Range { after, until: until.max(after) })
}

/// A time in which nothing was recorded is a range all the same.
fn runs_backwards((from, after): (AsOf, Position), (to, until): (AsOf, Position)) -> bool {
    match (from, to) {
        (AsOf::At(from), AsOf::At(to)) => from > to,
        (AsOf::Position(from), AsOf::Position(to)) => from > to,
        (AsOf::At(_), AsOf::Position(_)) | (AsOf::Position(_), AsOf::At(_)) => after > until,
    }
}

/// A position to go on after, of a log with this head: one that is not past its end.
///
/// # Errors
/// [`RangeError::Beyond`].
pub fn after(position: Position, head: &Head) -> Result<Position, RangeError> {
    if position == Position(0) { Ok(position) } else { within(position, head) }
}

/// A position, if the log has it.
pub(super) fn within(position: Position, head: &Head) -> Result<Position, RangeError> {
    if position == Position(0) {
        return Err(RangeError::BeforeFirst { head: head.position });
    }
    if position > head.position {
        let recorded_at = instant(head.recorded_at);
        return Err(RangeError::Beyond { asked: position, head: head.position, recorded_at });
    }
    Ok(position)
}

/// Why there is nothing of a time that has not come yet.
pub(super) fn limits(asked: DateTime<Utc>, head: &Head) -> RangeError {
    let recorded_at = instant(head.recorded_at);
    RangeError::Ahead { asked: instant(asked), head: head.position, recorded_at }
}

fn before(position: Position) -> Position {
    Position(position.0 - 1)
}

async fn last_before(database: &Database, at: DateTime<Utc>) -> Result<Position, StoreError> {
    Ok(before(log::first_since(database.reads(), at).await?))
}
