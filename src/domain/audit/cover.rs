//! Which of the tokens that are held a rule covers, as [`Rule::covers`] says it of whole ones.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    held::Held,
    pool::{Book, Id},
};
use crate::domain::{
    Path, Predicate, Rule,
    text::{Kid, Name, Permission, Subject, TeamId},
    token::instant,
};

/// A rule, its names looked up once.
pub(super) struct Cover<'a> {
    rule: &'a Rule,
    book: &'a Book,
    sub: Wanted,
    name: Wanted,
    team: Wanted,
    kid: Wanted,
    permitted: HashMap<Id, bool>,
}

/// A name that a token has to have.
#[derive(Clone, Copy)]
enum Wanted {
    Any,
    This(Id),
    /// One that no token has.
    Nobodys,
}

impl Wanted {
    fn of(name: Option<&str>, book: &Book) -> Self {
        match name.map(|name| book.find(name)) {
            None => Self::Any,
            Some(Some(id)) => Self::This(id),
            Some(None) => Self::Nobodys,
        }
    }

    fn is(self, found: Option<Id>) -> bool {
        match self {
            Self::Any => true,
            Self::This(id) => found == Some(id),
            Self::Nobodys => false,
        }
    }
}

impl<'a> Cover<'a> {
    pub(super) fn of(rule: &'a Rule, book: &'a Book) -> Self {
        let Predicate { sub, name, team, kid, .. } = &rule.predicate;
        Self {
            rule,
            book,
            sub: Wanted::of(sub.as_ref().map(Subject::as_str), book),
            name: Wanted::of(name.as_ref().map(Name::as_str), book),
            team: Wanted::of(team.as_ref().map(TeamId::as_str), book),
            kid: Wanted::of(kid.as_ref().map(Kid::as_str), book),
            permitted: HashMap::new(),
        }
    }

    /// Whether it covers a token.
    pub(super) fn covers(&mut self, jti: Uuid, token: &Held) -> bool {
        let spans = self.rule.from <= token.issued && token.issued < self.rule.position;
        let predicate = &self.rule.predicate;
        self.rule.is_whole
            && spans
            && self.sub.is(token.sub)
            && self.name.is(token.name)
            && self.reaches(token.teams)
            && predicate.family.is_none_or(|family| token.family.unwrap_or(jti) == family)
            && self.is_met_by_issuance(token)
            && self.may_use(token.permissions)
    }

    fn reaches(&self, teams: Option<Id>) -> bool {
        let names = |id| teams.is_none_or(|teams| self.book.members(teams).contains(&id));
        match self.team {
            Wanted::Any => true,
            Wanted::This(id) => names(id),
            Wanted::Nobodys => teams.is_none(),
        }
    }

    fn is_met_by_issuance(&self, token: &Held) -> bool {
        let own = self.is_met_by(token.path, token.iat, Some(token.kid));
        let first = token.first.as_ref().filter(|_| self.rule.predicate.successors);
        own || first.is_some_and(|first| self.is_met_by(first.path, first.iat, self.book.find(first.kid.as_str())))
    }

    fn is_met_by(&self, path: Path, iat: i64, kid: Option<Id>) -> bool {
        let predicate = &self.rule.predicate;
        predicate.path.is_none_or(|wanted| wanted == path)
            && self.kid.is(kid)
            && predicate.issued_after.is_none_or(|bound| instant(iat) >= bound)
            && predicate.issued_before.is_none_or(|bound| instant(iat) < bound)
    }

    fn may_use(&mut self, permissions: Id) -> bool {
        let Some(wanted) = &self.rule.predicate.permission else { return true };
        let book = self.book;
        *self.permitted.entry(permissions).or_insert_with(|| {
            let named = book.texts(permissions);
            let held = named.iter().filter_map(|name| name.parse::<Permission>().ok());
            named.is_empty() || held.into_iter().any(|held| held.covers(wanted))
        })
    }
}
