//! What may still be used at the end, and of that, what somebody should look at.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    held::Held,
    pool::Book,
    tally::{Count, Listed},
};
use crate::domain::{Path, Position, Status, event::Elevation, token::instant};

/// A token that was issued for so long or longer is long-lived: 30 days, in seconds.
pub const LONG_LIVED_SECONDS: i64 = 30 * 24 * 60 * 60;
/// A token that was issued for longer than this, and has so long left or less, expires soon: 7 days, in seconds.
pub const EXPIRES_SOON_SECONDS: i64 = 7 * 24 * 60 * 60;

/// What may still be used at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveReport {
    /// How many tokens: those that may be used, and those that are held back.
    pub total: u64,
    /// How many may be used.
    pub active: u64,
    /// How many are held back, and may come back.
    pub suspended: u64,
    /// How many there are of each kind that somebody should look at.
    pub notable: Vec<Count>,
    /// Those that are of any such kind, the earliest first.
    pub tokens: Listed<LiveRow>,
}

/// Why somebody should look at a live token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notable {
    /// It is more than its bearer's own.
    Elevated,
    /// It was issued for [`LONG_LIVED_SECONDS`] or more.
    LongLived,
    /// It has [`EXPIRES_SOON_SECONDS`] left or less, and was issued for longer.
    ExpiringSoon,
    /// It came past the API's controls.
    OutOfBand,
}

impl Notable {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Elevated, Self::LongLived, Self::ExpiringSoon, Self::OutOfBand];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elevated => "elevated",
            Self::LongLived => "long_lived",
            Self::ExpiringSoon => "expiring_soon",
            Self::OutOfBand => "out_of_band",
        }
    }

    fn is(self, token: &Held, at: DateTime<Utc>) -> bool {
        match self {
            Self::Elevated => !token.elevated.is_empty(),
            Self::LongLived => token.lifetime() >= LONG_LIVED_SECONDS,
            Self::ExpiringSoon => {
                token.lifetime() > EXPIRES_SOON_SECONDS
                    && instant(token.exp) - at <= TimeDelta::seconds(EXPIRES_SOON_SECONDS)
            }
            Self::OutOfBand => token.out_of_band,
        }
    }
}

/// A live token that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveRow {
    /// Where it was issued.
    pub position: Position,
    /// The token.
    pub jti: Uuid,
    /// Whom it speaks for; `null` once erased.
    pub sub: Option<String>,
    /// Its name, if it has one and that is not erased.
    pub name: Option<String>,
    /// The door it came through.
    pub path: Path,
    /// Who had it issued.
    pub issued_by: String,
    /// Whether it may be used.
    pub status: Status,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// The first instant at which it is expired.
    pub expires_at: DateTime<Utc>,
    /// What was elevated.
    pub elevated: Vec<Elevation>,
    /// The teams; `null` = every team.
    pub teams: Option<Vec<String>>,
    /// The permissions; none = everything that its subject may do.
    pub permissions: Vec<String>,
    /// Why somebody should look at it.
    pub notable: Vec<Notable>,
}

impl LiveRow {
    fn new(jti: Uuid, token: &Held, notable: Vec<Notable>, at: DateTime<Utc>, book: &Book) -> Self {
        Self {
            position: token.issued,
            jti,
            sub: token.sub.map(|sub| book.text(sub).to_owned()),
            name: token.name.map(|name| book.text(name).to_owned()),
            path: token.path,
            issued_by: book.text(token.by).to_owned(),
            status: token.status(at),
            issued_at: instant(token.iat),
            expires_at: instant(token.exp),
            elevated: token.elevated.clone(),
            teams: token.teams.map(|teams| book.texts(teams)),
            permissions: book.texts(token.permissions),
            notable,
        }
    }
}

impl LiveReport {
    /// Of the live tokens, in the order in which they were issued.
    pub(super) fn of<'a>(live: impl Iterator<Item = (Uuid, &'a Held)>, at: DateTime<Utc>, book: &Book) -> Self {
        let mut report = Self { total: 0, active: 0, suspended: 0, notable: Vec::new(), tokens: Listed::default() };
        let mut counts = [0; Notable::ALL.len()];
        for (jti, token) in live {
            report.total += 1;
            match token.status(at) {
                Status::Suspended => report.suspended += 1,
                Status::Active | Status::Expired | Status::Revoked => report.active += 1,
            }
            let notable: Vec<Notable> = Notable::ALL.into_iter().filter(|notable| notable.is(token, at)).collect();
            for notable in &notable {
                counts[*notable as usize] += 1;
            }
            if !notable.is_empty() {
                report.tokens.push(|| LiveRow::new(jti, token, notable, at, book));
            }
        }
        let counted = Notable::ALL.into_iter().zip(counts);
        report.notable = counted.map(|(notable, count)| Count { name: notable.as_str().to_owned(), count }).collect();
        report
    }
}
