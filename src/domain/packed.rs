//! A live token as the memory keeps it: there may be millions.

use chrono::DateTime;
use uuid::Uuid;

use super::{
    Path, Position,
    likeness::{Likeness, Number, Place},
    live_lists::Slot,
    live_token::{End, LiveToken},
    token::Lineage,
};

/// No text that was ever signed has this digest.
const ERASED: [u8; 32] = [0; 32];
const SUSPENDED: u8 = 1;
const OUT_OF_BAND: u8 = 2;

/// A live token. What it is like stands here member by member, which leaves no gaps.
#[derive(Debug)]
pub(super) struct Packed {
    claims_digest: [u8; 32],
    issued: Position,
    /// Seconds since 1970.
    exp: i64,
    /// Microseconds since 1970.
    end: i64,
    lineage: Option<Box<Lineage>>,
    sub: u64,
    name: u64,
    issued_at: i64,
    kid: Number,
    teams: Number,
    permissions: Number,
    path: Path,
    marks: u8,
    /// Where its status list says what it is, if it has one.
    pub(super) slot: Option<Slot>,
}

impl Packed {
    pub(super) fn new(token: LiveToken, like: Likeness, slot: Option<Slot>) -> Self {
        let LiveToken { claims_digest, issued, path, out_of_band, exp, end, is_suspended, lineage } = token;
        let Likeness { sub, name, issued_at, kid, teams, permissions } = like;
        let marks = u8::from(is_suspended) * SUSPENDED + u8::from(out_of_band) * OUT_OF_BAND;
        let claims_digest = claims_digest.unwrap_or(ERASED);
        let end = packed(end);
        Self {
            claims_digest,
            issued,
            exp,
            end,
            lineage,
            sub,
            name,
            issued_at,
            kid,
            teams,
            permissions,
            path,
            marks,
            slot,
        }
    }

    pub(super) fn token(&self) -> LiveToken {
        LiveToken {
            claims_digest: (self.claims_digest != ERASED).then_some(self.claims_digest),
            issued: self.issued,
            path: self.path,
            out_of_band: self.marks & OUT_OF_BAND != 0,
            exp: self.exp,
            end: self.end(),
            is_suspended: self.is_suspended(),
            lineage: self.lineage.clone(),
        }
    }

    pub(super) fn like(&self) -> Likeness {
        let Self { sub, name, issued_at, kid, teams, permissions, .. } = *self;
        Likeness { sub, name, issued_at, kid, teams, permissions }
    }

    pub(super) fn place(&self, jti: Uuid) -> Place {
        let family = self.lineage.as_ref().and_then(|lineage| lineage.family);
        Place { issued: self.issued, path: self.path, family, jti }
    }

    /// What may change of a token, changed.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut LiveToken)) {
        let mut token = self.token();
        change(&mut token);
        self.end = packed(token.end);
        self.marks = (self.marks & !SUSPENDED) + u8::from(token.is_suspended) * SUSPENDED;
        self.lineage = token.lineage;
    }

    pub(super) fn issued(&self) -> Position {
        self.issued
    }

    pub(super) fn exp(&self) -> i64 {
        self.exp
    }

    pub(super) fn end(&self) -> End {
        match self.end {
            i64::MIN => End::AtOnce,
            i64::MAX => End::Never,
            // What nobody can read ends the token.
            micros => DateTime::from_timestamp_micros(micros).map_or(End::AtOnce, End::From),
        }
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.marks & SUSPENDED != 0
    }
}

fn packed(end: End) -> i64 {
    match end {
        End::AtOnce => i64::MIN,
        End::From(deadline) => deadline.timestamp_micros(),
        End::Never => i64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_takes_a_hundred_and_four_bytes() {
        assert_eq!(size_of::<Packed>(), 104);
    }
}
