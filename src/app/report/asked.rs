//! Which report somebody asks for, and what that is in this log.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    app::range::{Range, RangeError, limits, range, within},
    domain::{
        AsOf, Position,
        audit::{REPORT_VERSION, Scope},
        text::{Subject, TeamId},
    },
    store::{Database, StoreError, log},
};

/// What a report shall be of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// From here on, which counts; `None` = from the beginning.
    pub from: Option<AsOf>,
    /// Up to here, which counts as a position and not as a time; `None` = up to the end.
    pub to: Option<AsOf>,
    /// As of which end of the log; `None` = as of what it is up to.
    pub as_of: Option<AsOf>,
    /// Only of this subject's tokens.
    pub sub: Option<Subject>,
    /// Only of tokens that reach this team.
    pub team: Option<TeamId>,
}

/// Why there is no such report.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// There is no such range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// It would be judged before all of it has happened.
    #[error("the report goes up to @{last} and is as of @{end}: it can only be as of its last event, or later")]
    EndsLater {
        /// The last event that was to be counted.
        last: Position,
        /// The end as of which it was to be.
        end: Position,
    },
    /// It would be judged before it begins.
    #[error("the report begins at @{first} and is as of @{end}: it can only be as of its last event, or later")]
    BeginsLater {
        /// The first event that was to be counted.
        first: Position,
        /// The end as of which it was to be.
        end: Position,
    },
}

impl From<StoreError> for AskedError {
    fn from(error: StoreError) -> Self {
        Self::Range(error.into())
    }
}

/// What is asked for, in positions of this log. Whoever asks for these positions later gets the same.
///
/// # Errors
/// [`AskedError`].
pub async fn scope(database: &Database, asked: &Asked, now: DateTime<Utc>) -> Result<Scope, AskedError> {
    let Range { after, until } = range(database, asked.from, asked.to, now).await?;
    let first = after.next();
    let end = match asked.as_of {
        None => until,
        Some(as_of) => end(database, as_of, now).await?,
    };
    let last = if asked.to.is_none() { end } else { until };
    if last > end {
        return Err(AskedError::EndsLater { last, end });
    }
    if asked.from.is_some() && after > end {
        return Err(AskedError::BeginsLater { first, end });
    }
    let judged_at = match (asked.as_of, asked.to) {
        (Some(AsOf::At(at)), _) => at,
        (None, Some(AsOf::At(at))) if at <= now => at,
        _ => decided_at(database, end).await?,
    };
    let log_id = log::head(database.reads()).await?.log_id;
    let (sub, team) = (asked.sub.clone(), asked.team.clone());
    Ok(Scope { version: REPORT_VERSION, log_id, first, last, end, judged_at, sub, team })
}

/// The last event that was recorded by then.
async fn end(database: &Database, as_of: AsOf, now: DateTime<Utc>) -> Result<Position, AskedError> {
    let head = log::head(database.reads()).await?;
    match as_of {
        AsOf::Position(position) => Ok(within(position, &head)?),
        // What is recorded later at this instant would be left out.
        AsOf::At(at) if at >= now => Err(limits(at, &head).into()),
        AsOf::At(at) => {
            let next = log::first_since(database.reads(), at + TimeDelta::microseconds(1)).await?;
            Ok(Position(next.0 - 1))
        }
    }
}

/// The instant at which an event was decided: the clock that decided everything else about tokens. Where it is missing, which
/// the report tells, that of the one before.
async fn decided_at(database: &Database, position: Position) -> Result<DateTime<Utc>, StoreError> {
    let event = log::last(database.reads(), position).await?;
    Ok(event.map_or(DateTime::UNIX_EPOCH, |event| event.occurrence.occurred_at))
}
