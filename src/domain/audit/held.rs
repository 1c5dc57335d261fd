//! The tokens that may still be used, as the log goes on: as much memory as there are of them, whatever happened before.

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    cover::Cover,
    issuance::Named,
    pool::{Book, Id},
    seen::{Issued, Revoked, Seen},
};
use crate::domain::{
    Path, Position, Rule, Status,
    event::{Elevation, First},
    index::End,
    token::instant,
};

/// For how long a token is kept past its end: clocks of several machines are not the same.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// A token, as far as a report tells of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) issued: Position,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) sub: Option<Id>,
    pub(super) name: Option<Id>,
    pub(super) by: Id,
    pub(super) kid: Id,
    pub(super) path: Path,
    /// `None` = every team.
    pub(super) teams: Option<Id>,
    pub(super) permissions: Id,
    pub(super) is_admin: bool,
    pub(super) out_of_band: bool,
    pub(super) elevated: Vec<Elevation>,
    pub(super) policy_version: u32,
    pub(super) end: End,
    pub(super) suspended: Option<Position>,
    pub(super) family: Option<Uuid>,
    pub(super) first: Option<Box<First>>,
    /// Its row in the list of what was issued out of band.
    pub(super) row: Option<u32>,
}

impl Held {
    pub(super) fn status(&self, at: DateTime<Utc>) -> Status {
        match self.end {
            End::AtOnce => Status::Revoked,
            End::From(deadline) if at >= deadline => Status::Revoked,
            End::From(_) | End::Never if at >= instant(self.exp) => Status::Expired,
            End::From(_) | End::Never if self.suspended.is_some() => Status::Suspended,
            End::From(_) | End::Never => Status::Active,
        }
    }

    fn is_live(&self, at: DateTime<Utc>) -> bool {
        matches!(self.status(at), Status::Active | Status::Suspended)
    }

    pub(super) fn lifetime(&self) -> i64 {
        self.exp - self.iat
    }

    fn is_past(&self, clock: i64) -> bool {
        let end = match self.end {
            End::AtOnce => return true,
            End::From(deadline) => self.exp.min(deadline.timestamp()),
            End::Never => self.exp,
        };
        end.saturating_add(KEPT_SECONDS) <= clock
    }
}

/// A token that was live when it was revoked.
pub(super) struct Ended {
    /// The time from its issuance.
    pub(super) seconds: i64,
    pub(super) row: Option<u32>,
}

/// The tokens that are not over for long, and who was among them by the filter of the report.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tokens {
    held: HashMap<Uuid, Held>,
    /// The latest instant at which anything was decided, in seconds since 1970.
    clock: i64,
    /// How many there were after they were last gone through.
    swept: usize,
}

impl Tokens {
    /// Time goes on. What is past is let go of, though not each time.
    pub(super) fn advance(&mut self, seen: &Seen<'_>) {
        self.clock = self.clock.max(seen.occurred_at.timestamp());
        if self.held.len() >= self.swept.saturating_mul(2).max(1_024) {
            let clock = self.clock;
            self.held.retain(|_, token| !token.is_past(clock));
            self.swept = self.held.len();
        }
    }

    /// What a token is at an instant, if it is still held.
    pub(super) fn status(&self, jti: Uuid, at: DateTime<Utc>) -> Option<Status> {
        self.held.get(&jti).map(|token| token.status(at))
    }

    pub(super) fn issue(
        &mut self,
        issued: &Issued<'_>,
        seen: &Seen<'_>,
        named: Named,
        name: Option<Id>,
        row: Option<u32>,
    ) {
        let token = Held {
            issued: seen.position,
            iat: issued.iat,
            exp: issued.exp,
            sub: named.sub,
            name,
            by: named.by,
            kid: named.kid,
            path: seen.path,
            teams: named.teams,
            permissions: named.permissions,
            is_admin: issued.is_admin,
            out_of_band: issued.out_of_band,
            elevated: issued.elevated.clone(),
            policy_version: issued.policy_version,
            end: End::Never,
            suspended: None,
            family: issued.family,
            first: issued.first.clone().map(Box::new),
            row,
        };
        self.held.insert(issued.jti, token);
    }

    /// Ends a token, now or at a deadline. What comes later can only bring its end nearer. `None` = it had ended.
    pub(super) fn revoke(&mut self, revoked: &Revoked<'_>, at: DateTime<Utc>) -> Option<Ended> {
        let token = self.held.get_mut(&revoked.jti)?;
        let was_live = token.is_live(at);
        token.end = token.end.min(End::of(revoked.effective_from));
        was_live.then(|| Ended { seconds: (at - instant(token.iat)).num_seconds(), row: token.row })
    }

    /// Ends every token that a rule covers, and tells those that were live.
    pub(super) fn revoke_by(&mut self, rule: &Rule, book: &Book) -> Vec<(Uuid, Option<u32>)> {
        let mut cover = Cover::of(rule, book);
        let mut ended = Vec::new();
        for (jti, token) in &mut self.held {
            let was_over = matches!(token.end, End::AtOnce) || matches!(token.end, End::From(end) if rule.at >= end);
            if was_over || !cover.covers(*jti, token) {
                continue;
            }
            if token.is_live(rule.at) {
                ended.push((*jti, token.row));
            }
            token.end = End::AtOnce;
        }
        ended
    }

    /// Holds a token back, or lets it go.
    pub(super) fn suspend(&mut self, jti: Uuid, since: Option<Position>) {
        if let Some(token) = self.held.get_mut(&jti) {
            token.suspended = since.map(|since| token.suspended.unwrap_or(since));
        }
    }

    /// Those that are live at an instant, in the order in which they were issued.
    pub(super) fn live(&self, at: DateTime<Utc>) -> Vec<(Uuid, &Held)> {
        let live = self.held.iter().filter(|(_, token)| token.is_live(at));
        let mut live: Vec<(Uuid, &Held)> = live.map(|(jti, token)| (*jti, token)).collect();
        live.sort_unstable_by_key(|(_, token)| token.issued);
        live
    }
}
