//! What listings find tokens by besides their columns: a row for each team and permission, and the times of each span.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, Postgres, postgres::PgArguments, query::Query};

use crate::domain::{
    Position, Token,
    claims::Teams,
    text::{Permission, TeamId},
};

/// How many positions share a row of `token_spans`.
pub(super) const SPAN: i64 = 1_024;
/// What stands for every team, and for everything that a subject may do: no team and no permission is empty.
pub(super) const EVERYTHING: &str = "";

/// The rows of newly issued tokens.
#[derive(Default)]
pub(super) struct Reach<'a> {
    teams: Pairs<'a>,
    permissions: Pairs<'a>,
    spans: BTreeMap<i64, Times>,
}

/// Two columns, as `unnest` takes them.
#[derive(Default)]
struct Pairs<'a> {
    values: Vec<&'a str>,
    positions: Vec<i64>,
}

/// Between which times the tokens of a span lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow, Serialize)]
pub(super) struct Times {
    pub(super) iat_min: DateTime<Utc>,
    pub(super) iat_max: DateTime<Utc>,
    pub(super) exp_min: DateTime<Utc>,
    pub(super) exp_max: DateTime<Utc>,
}

/// The teams that a token is listed under.
pub(super) fn teams(token: &Token) -> BTreeSet<&str> {
    match &token.teams {
        Teams::Every => BTreeSet::from([EVERYTHING]),
        Teams::These(teams) => teams.iter().map(TeamId::as_str).collect(),
    }
}

/// The permissions that a token is listed under.
pub(super) fn permissions(token: &Token) -> BTreeSet<&str> {
    match token.scopes.permissions.as_slice() {
        [] => BTreeSet::from([EVERYTHING]),
        named => named.iter().map(Permission::as_str).collect(),
    }
}

/// The span that a position is in.
pub(super) fn span(position: Position) -> i64 {
    position.0 / SPAN
}

/// Has the times of a token's span include its own.
pub(super) fn include(spans: &mut BTreeMap<i64, Times>, token: &Token) {
    let times = Times::of(token);
    spans.entry(span(token.issued)).and_modify(|all| all.include(times)).or_insert(times);
}

impl<'a> Reach<'a> {
    pub(super) fn of(issued: impl IntoIterator<Item = &'a Token>) -> Self {
        let mut reach = Self::default();
        for token in issued {
            reach.teams.extend(teams(token), token.issued);
            reach.permissions.extend(permissions(token), token.issued);
            include(&mut reach.spans, token);
        }
        reach
    }

    /// Binds the columns, in the order in which the statement has them.
    pub(super) fn bind(self, query: Query<'_, Postgres, PgArguments>) -> Query<'_, Postgres, PgArguments> {
        let times = |of: fn(&Times) -> DateTime<Utc>| self.spans.values().map(of).collect::<Vec<_>>();
        query
            .bind(self.teams.values)
            .bind(self.teams.positions)
            .bind(self.permissions.values)
            .bind(self.permissions.positions)
            .bind(self.spans.keys().copied().collect::<Vec<_>>())
            .bind(times(|times| times.iat_min))
            .bind(times(|times| times.iat_max))
            .bind(times(|times| times.exp_min))
            .bind(times(|times| times.exp_max))
    }
}

impl<'a> Pairs<'a> {
    fn extend(&mut self, values: BTreeSet<&'a str>, position: Position) {
        self.positions.extend(values.iter().map(|_| position.0));
        self.values.extend(values);
    }
}

impl Times {
    fn of(token: &Token) -> Self {
        let (iat, exp) = (token.issued_at, token.expires_at);
        Self { iat_min: iat, iat_max: iat, exp_min: exp, exp_max: exp }
    }

    fn include(&mut self, other: Self) {
        self.iat_min = self.iat_min.min(other.iat_min);
        self.iat_max = self.iat_max.max(other.iat_max);
        self.exp_min = self.exp_min.min(other.exp_min);
        self.exp_max = self.exp_max.max(other.exp_max);
    }
}
