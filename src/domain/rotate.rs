//! `RotateToken`: a successor takes a token's place, and for a while both are good.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Authority, Event, IssueToken, Malformed, Refusal, State, Status, Token, TokenRevoked,
    authority::RoutePermission,
    claims::Teams,
    denial::RotatedTokenReused,
    event::Elevation,
    issue::{Circumstances, issue_on},
    policy::{PathRules, Reuse},
    revoke::{RevocationReason, target},
    text::Note,
};

/// Has a successor take a token's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RotateToken {
    /// Which token.
    pub jti: Uuid,
    /// For how long it stays good beside its successor.
    pub overlap: Overlap,
    /// `expires_in` of the successor; `None` = as long as the token itself was to live, within the policy.
    pub ttl_seconds: Option<u32>,
}

/// A span in whole seconds, written as a number and a unit: `0s`, `90s`, `30m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Overlap(i64);

impl Overlap {
    /// The most digits that it is written with.
    pub const DIGITS_MAX: usize = 7;
    /// No overlap.
    pub const NONE: Self = Self(0);

    /// The span.
    #[must_use]
    pub fn span(self) -> TimeDelta {
        TimeDelta::seconds(self.0)
    }

    /// Whole seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl FromStr for Overlap {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let unit = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
        let found = unit.into_iter().find_map(|(name, seconds)| Some((text.strip_suffix(name)?, seconds)));
        let is_number =
            |digits: &str| (1..=Self::DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let seconds = found.filter(|(digits, _)| is_number(digits)).and_then(|(digits, unit)| {
            let number: i64 = digits.parse().ok()?;
            Some(number * unit)
        });
        let expected = "a span in whole seconds, minutes, hours or days, such as 0s, 90s, 30m, 1h or 7d";
        seconds.map(Self).ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected })
    }
}

impl TryFrom<String> for Overlap {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Overlap> for String {
    fn from(overlap: Overlap) -> Self {
        overlap.to_string()
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            seconds if seconds % 86_400 == 0 && seconds > 0 => (seconds / 86_400, 'd'),
            seconds if seconds % 3_600 == 0 && seconds > 0 => (seconds / 3_600, 'h'),
            seconds if seconds % 60 == 0 && seconds > 0 => (seconds / 60, 'm'),
            seconds => (seconds, 's'),
        };
        write!(f, "{number}{unit}")
    }
}

/// On what grounds a token is issued.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grounds<'a> {
    /// It was asked for.
    Wish,
    /// It takes the place of this one, which is active.
    Succession(&'a Token),
}

impl Grounds<'_> {
    /// Lets a caller pass that may issue on these grounds: a token may have its own successor issued by a permission of its
    /// own.
    pub(super) fn require(self, authority: &Authority) -> Result<(), Refusal> {
        let may_create = authority.require(RoutePermission::TokensCreate);
        match self {
            Self::Succession(old) if authority.token() == Some(old.jti) => {
                may_create.or_else(|_| authority.require(RoutePermission::TokensRotateSelf))
            }
            Self::Wish | Self::Succession(_) => may_create,
        }
    }

    /// The lifetime of a token for which none was asked, in seconds: never more than the policy allows.
    pub(super) fn ttl_seconds(self, rules: &PathRules) -> u32 {
        match self {
            Self::Wish => rules.ttl_seconds_default,
            Self::Succession(old) => {
                let lived = (old.expires_at - old.issued_at).num_seconds();
                u32::try_from(lived).unwrap_or(u32::MAX).min(rules.ttl_seconds_max)
            }
        }
    }

    /// The family whose members do not stand in the way of the token's name.
    pub(super) fn family(self) -> Option<Uuid> {
        match self {
            Self::Wish => None,
            Self::Succession(old) => Some(old.family()),
        }
    }

    /// How many of its subject's active tokens the token takes the place of.
    pub(super) fn places(self) -> usize {
        match self {
            Self::Wish => 0,
            Self::Succession(_) => 1,
        }
    }
}

impl RotateToken {
    /// What its successor is asked for with: what the token says, but for its identifier and its times. `None` once what it
    /// says is erased.
    #[must_use]
    pub fn wish(&self, old: &Token) -> Option<IssueToken> {
        // Every team, without having been asked for, is what an administrator's token reaches by itself.
        let unsaid = old.teams == Teams::Every && !old.elevated.contains(&Elevation::Teams);
        Some(IssueToken {
            sub: old.sub.clone()?,
            name: old.name.clone(),
            description: old.description.clone(),
            aud: old.aud.clone(),
            ttl_seconds: self.ttl_seconds,
            is_admin: old.is_admin,
            email: old.email.clone(),
            full_name: old.full_name.clone(),
            teams: (!unsaid).then(|| old.teams.clone()),
            namespaces: old.namespaces.clone(),
            scopes: old.scopes.clone(),
            reason: old.reason.clone(),
        })
    }

    /// When the token's time is over: `None` = at once.
    fn deadline(&self, old: &Token, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Refusal> {
        let deadline = now + self.overlap.span();
        if deadline > old.expires_at {
            let left = (old.expires_at - now).num_seconds();
            return Err(Refusal::OverlapTooLong { asked: self.overlap, left });
        }
        Ok((self.overlap.seconds() > 0).then_some(deadline))
    }
}

/// Decides a rotation: the issuance of the successor, by the same rules as any, and the end of the token at the deadline.
///
/// # Errors
/// [`Refusal`]: the caller may not, the token is not its own to know, is not active or was rotated before, or the successor
/// is not to be had.
pub fn rotate(
    state: &State,
    command: &RotateToken,
    authority: &Authority,
    circumstances: Circumstances<'_>,
) -> Result<Vec<Event>, Refusal> {
    let now = circumstances.now;
    state.require_credential(authority, now)?;
    let old = target(state, command.jti, authority)?;
    Grounds::Succession(old).require(authority)?;
    if let Some(successor) = old.lineage.successor {
        return Err(Refusal::AlreadyRotated { jti: old.jti, successor });
    }
    let status = old.status(now);
    if status != Status::Active {
        return Err(Refusal::WrongStatus { jti: old.jti, status, wish: "rotated" });
    }
    let effective_from = command.deadline(old, now)?;
    let wish = command.wish(old).ok_or(Refusal::TokenUnknown { jti: old.jti })?;
    let mut issuance = issue_on(state, &wish, authority, circumstances, Grounds::Succession(old))?;
    let issued = &mut issuance.issued;
    (issued.family, issued.predecessor, issued.first) = (Some(old.family()), Some(old.jti), old.first());
    // What came past the API's controls is still what it was, by whatever door it was handed on.
    issued.out_of_band |= old.out_of_band;
    let (jti, successor, reason) = (old.jti, Some(issued.jti), RevocationReason::Superseded);
    let revoked = TokenRevoked { jti, reason, effective_from, note: None, successor };
    Ok(issuance.into_events().chain([Event::TokenRevoked(revoked)]).collect())
}

/// Decides what follows when a rotated token is presented after its end: once it is recorded, and where the policy says
/// so, whatever is left of its family ends with it.
#[must_use]
pub fn see_reuse(state: &State, reused: &RotatedTokenReused, now: DateTime<Utc>) -> Vec<Event> {
    if state.knows_reuse(reused.jti) {
        return Vec::new();
    }
    let reuse = state.settings.policy.as_ref().map_or(Reuse::Record, |policy| policy.rules.reuse);
    let mut family: Vec<&Token> = match reuse {
        Reuse::Record => Vec::new(),
        Reuse::RevokeFamily => state.family(reused.family).filter(|token| token.is_kept(now)).collect(),
    };
    family.sort_unstable_by_key(|token| token.issued);
    let reason = RevocationReason::KeyCompromise;
    let note = Note::parse(format!("the rotated token {} was presented after its end", reused.jti)).ok();
    let revoked = family.into_iter().map(|token| {
        let (jti, note) = (token.jti, note.clone());
        Event::TokenRevoked(TokenRevoked { jti, reason, effective_from: None, note, successor: None })
    });
    std::iter::once(Event::RotatedTokenReused(reused.clone())).chain(revoked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_is_whole_seconds_in_one_unit_and_comes_back_as_it_is_written() {
        let seconds = |text: &str| text.parse::<Overlap>().map(Overlap::seconds).ok();

        assert_eq!([seconds("0s"), seconds("90s"), seconds("30m")], [Some(0), Some(90), Some(1_800)]);
        assert_eq!(
            [seconds("1h"), seconds("7d"), seconds("9999999d")],
            [Some(3_600), Some(604_800), Some(863_999_913_600)]
        );
        for bad in ["", "s", "1", "-1s", "+1s", "1.5h", "1h 30m", "1w", "10000000s", "1H", " 1h", "1µs", "١h"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        for text in ["0s", "1s", "90s", "1m", "59m", "1h", "23h", "1d", "400d"] {
            assert_eq!(text.parse::<Overlap>().unwrap().to_string(), text);
        }
    }
}
