//! What was issued past the API's controls, one by one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    seen::{Issued, OsName, Seen, Who},
    tally::Listed,
};
use crate::domain::{Position, Status, event::Elevation, token::instant};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OutOfBand(Listed<OutOfBandRow>);

/// An issuance past the API's controls. What is personal is `null` once erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfBandRow {
    /// Where in the log.
    pub position: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The token.
    pub jti: Uuid,
    /// Whom it speaks for.
    pub sub: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The user of the machine.
    pub os_user: Option<String>,
    /// The user who had logged in.
    pub login: Option<String>,
    /// Who called sudo, by its own word.
    pub sudo_user: Option<String>,
    /// The machine.
    pub host: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What was elevated.
    pub elevated: Vec<Elevation>,
    /// The teams; `null` = every team.
    pub teams: Option<Vec<String>>,
    /// The permissions; none = everything that its subject may do.
    pub permissions: Vec<String>,
    /// The key that signs it.
    pub kid: String,
    /// The version of the policy that allowed it.
    pub policy_version: u32,
    /// The first instant at which it is expired.
    pub expires_at: DateTime<Utc>,
    /// Whether it may still be used, or be resumed: `active` or `suspended`; else how it ended first.
    pub status: Status,
    /// The event that ended it, or will.
    pub ended_by: Option<Position>,
}

impl OutOfBand {
    /// Adds an issuance, and returns the place of its row if it has one.
    pub(super) fn add(&mut self, issued: &Issued<'_>, seen: &Seen<'_>) -> Option<u32> {
        let index = self.0.push(|| OutOfBandRow::new(issued, seen))?;
        u32::try_from(index).ok()
    }

    /// Says which event ends the token of a row. A later one may bring the end nearer.
    pub(super) fn end(&mut self, row: Option<u32>, by: Position) {
        if let Some(row) = row.and_then(|row| self.0.rows.get_mut(row as usize)) {
            row.ended_by = Some(by);
        }
    }

    /// The rows, with what each token is now, by its identifier, if it may still be used.
    pub(super) fn told(mut self, live: impl Fn(Uuid) -> Option<Status>) -> Listed<OutOfBandRow> {
        for row in &mut self.0.rows {
            let ended = if row.ended_by.is_some() { Status::Revoked } else { Status::Expired };
            row.status = live(row.jti).unwrap_or(ended);
        }
        self.0
    }
}

impl OutOfBandRow {
    fn new(issued: &Issued<'_>, seen: &Seen<'_>) -> Self {
        let nobody = OsName::default();
        let user = if let Who::OsUser(user) = &seen.who { user } else { &nobody };
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let texts = |texts: &[std::borrow::Cow<'_, str>]| texts.iter().map(ToString::to_string).collect();
        Self {
            position: seen.position,
            at: seen.occurred_at,
            jti: issued.jti,
            sub: text(&issued.sub),
            name: text(&issued.name),
            os_user: text(&user.name),
            login: text(&user.login),
            sudo_user: text(&user.sudo_user),
            host: text(&user.host),
            reason: text(&issued.reason),
            elevated: issued.elevated.clone(),
            teams: issued.teams.as_deref().map(texts),
            permissions: texts(&issued.permissions),
            kid: issued.kid.to_string(),
            policy_version: issued.policy_version,
            expires_at: instant(issued.exp),
            status: Status::Active,
            ended_by: None,
        }
    }
}
