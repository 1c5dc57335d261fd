//! What never changes of a token and what rules go by, in few bytes: the memory tells by it at once which tokens a rule covers.

use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash, RandomState},
};

use chrono::{DateTime, Utc};
use indexmap::IndexSet;
use uuid::Uuid;

use super::{
    Path, Position, Predicate, Rule, Token,
    claims::{Teams, subject_of},
    event::TokenIssued,
    rule::{may_use, reaches},
    text::{Kid, Name, Permission, Subject},
    token::instant,
};

/// Stands for a value that many tokens share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(u16);

/// What a token is like: texts of its own as a hash, what it shares with others as a number. A rule about one text takes a
/// token with another for covered in one case of 2^64, until the database has told what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    pub(super) sub: u64,
    pub(super) name: u64,
    /// `iat`, seconds since 1970.
    pub(super) issued_at: i64,
    pub(super) kid: Number,
    pub(super) teams: Number,
    pub(super) permissions: Number,
}

/// Where a token is among others, and by which door it came.
pub(super) struct Place {
    pub(super) issued: Position,
    pub(super) path: Path,
    /// The first of its family, if it is not that itself.
    pub(super) family: Option<Uuid>,
    pub(super) jti: Uuid,
}

/// Whether a rule covers a token, by what is known of it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Covered {
    /// It does not.
    No,
    /// The log knows.
    Perhaps,
    /// It does.
    Yes,
}

/// Values that tokens share, each kept once, from the first token that had it on. Past the most that have a number the log
/// knows what a token is like.
#[derive(Debug)]
struct Pool<T>(IndexSet<T>);

/// What the tokens of one memory share.
#[derive(Debug, Default)]
pub struct Shared {
    hashes: RandomState,
    kids: Pool<Kid>,
    teams: Pool<Teams>,
    permissions: Pool<Vec<Permission>>,
}

/// A rule of which is not known yet of every token whether it covers it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) condition: Condition,
    /// Whether others are told of it by the key, and not token by token.
    pub(super) is_of_key: bool,
}

/// What a rule covers.
#[derive(Debug)]
pub(super) struct Condition {
    position: Position,
    from: Position,
    /// `None` = something of it was erased.
    predicate: Option<Predicate>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(IndexSet::new())
    }
}

impl<T: Hash + Eq> Pool<T> {
    const NONE: Number = Number(u16::MAX);

    fn number<Q>(&mut self, value: &Q) -> Number
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        let known = self.0.get_index_of(value);
        let index = known
            .or_else(|| (self.0.len() < usize::from(Self::NONE.0)).then(|| self.0.insert_full(value.to_owned()).0));
        index.and_then(|index| u16::try_from(index).ok()).map_or(Self::NONE, Number)
    }

    fn get(&self, number: Number) -> Option<&T> {
        self.0.get_index(number.0.into())
    }
}

impl Shared {
    /// What stands for a key.
    pub fn kid(&mut self, kid: &Kid) -> Number {
        self.kids.number(kid)
    }

    /// What stands for a list of teams.
    pub fn teams(&mut self, teams: &Teams) -> Number {
        self.teams.number(teams)
    }

    /// What stands for a list of permissions.
    pub fn permissions(&mut self, permissions: &[Permission]) -> Number {
        self.permissions.number(permissions)
    }

    /// What a token is like that has these texts, was issued then, and shares `[kid, teams, permissions]` with others.
    #[must_use]
    pub fn likeness(
        &self,
        sub: Option<&str>,
        name: Option<&str>,
        issued_at: DateTime<Utc>,
        [kid, teams, permissions]: [Number; 3],
    ) -> Likeness {
        let (sub, name) = (self.hash(sub), self.hash(name));
        Likeness { sub, name, issued_at: issued_at.timestamp(), kid, teams, permissions }
    }

    /// What a token is like.
    pub fn of(&mut self, token: &Token) -> Likeness {
        let shared = [self.kid(&token.kid), self.teams(&token.teams), self.permissions(&token.scopes.permissions)];
        let (sub, name) = (token.sub.as_ref().map(Subject::as_str), token.name.as_ref().map(Name::as_str));
        self.likeness(sub, name, token.issued_at, shared)
    }

    /// What a token is like that was just issued.
    pub(super) fn of_issued(&mut self, issued: &TokenIssued) -> Likeness {
        let shared = [self.kid(&issued.kid), self.teams(&issued.teams), self.permissions(&issued.permissions)];
        let sub = issued.signing_input.as_deref().and_then(subject_of);
        let (sub, name) = (sub.as_ref().map(Subject::as_str), issued.name.as_ref().map(Name::as_str));
        self.likeness(sub, name, instant(issued.iat), shared)
    }

    /// Whether a rule covers a token.
    pub(super) fn covered(&self, rule: &Condition, place: &Place, like: &Likeness) -> Covered {
        if place.issued < rule.from || place.issued >= rule.position {
            return Covered::No;
        }
        let Some(predicate) = &rule.predicate else { return Covered::Perhaps };
        let issuance = self.issued_so(predicate, place, like);
        // How its family began is not kept here.
        let is_open = predicate.successors && place.family.is_some();
        match issuance.max(if is_open { Covered::Perhaps } else { Covered::No }) {
            // Of most tokens that is enough.
            Covered::No => Covered::No,
            issuance => least([
                issuance,
                sure(predicate.sub.as_ref().is_none_or(|sub| self.hash(Some(sub.as_str())) == like.sub)),
                sure(predicate.name.as_ref().is_none_or(|name| self.hash(Some(name.as_str())) == like.name)),
                sure(predicate.family.is_none_or(|family| family == place.family.unwrap_or(place.jti))),
                shared(predicate.team.as_ref(), self.teams.get(like.teams), |team, own| reaches(own, team)),
                shared(predicate.permission.as_ref(), self.permissions.get(like.permissions), |permission, own| {
                    may_use(own, permission)
                }),
            ]),
        }
    }

    fn issued_so(&self, predicate: &Predicate, place: &Place, like: &Likeness) -> Covered {
        let at = like.issued_at.saturating_mul(1_000_000);
        let is_there = predicate.path.is_none_or(|path| path == place.path)
            && predicate.issued_after.is_none_or(|bound| at >= bound.timestamp_micros())
            && predicate.issued_before.is_none_or(|bound| at < bound.timestamp_micros());
        if is_there {
            shared(predicate.kid.as_ref(), self.kids.get(like.kid), |kid, own| kid == own)
        } else {
            Covered::No
        }
    }

    fn hash(&self, text: Option<&str>) -> u64 {
        text.map_or(0, |text| self.hashes.hash_one(text))
    }
}

impl Condition {
    pub(super) fn of(rule: &Rule) -> Self {
        let predicate = rule.is_whole.then(|| rule.predicate.clone());
        Self { position: rule.position, from: rule.from, predicate }
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.predicate.as_ref().is_some_and(Predicate::is_narrow)
    }

    /// That of a rule over whatever was issued so far.
    pub(super) fn of_all(predicate: &Predicate) -> Self {
        Self { position: Position(i64::MAX), from: Position(0), predicate: Some(predicate.clone()) }
    }
}

fn sure(is_met: bool) -> Covered {
    if is_met { Covered::Yes } else { Covered::No }
}

fn shared<W, T>(wanted: Option<&W>, own: Option<&T>, is_met: impl FnOnce(&W, &T) -> bool) -> Covered {
    match (wanted, own) {
        (None, _) => Covered::Yes,
        (Some(_), None) => Covered::Perhaps,
        (Some(wanted), Some(own)) => sure(is_met(wanted, own)),
    }
}

fn least<const N: usize>(all: [Covered; N]) -> Covered {
    all.into_iter().min().unwrap_or(Covered::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_last_number_nobody_is_sure_and_what_has_one_keeps_it() {
        let mut pool = Pool::<String>::default();
        let numbers: Vec<Number> = (0..=u16::MAX).map(|index| pool.number(index.to_string().as_str())).collect();
        let (one, none) = (numbers[7], numbers[usize::from(u16::MAX)]);

        assert_eq!((pool.number("7"), pool.get(one).map(String::as_str)), (one, Some("7")));
        assert_eq!((pool.number("another"), pool.get(none)), (none, None));
        let is_seven = |number| shared(Some(&7), pool.get(number), |seven, own| *own == seven.to_string());
        assert_eq!(
            (is_seven(one), is_seven(numbers[8]), is_seven(none)),
            (Covered::Yes, Covered::No, Covered::Perhaps)
        );
    }
}
