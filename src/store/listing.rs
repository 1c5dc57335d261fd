//! The statement of a page: which rows are walked, newest first, until enough of them meet every condition.
//!
//! A walk ends soon when what it walks is dense in what is looked for. So it follows the narrowest of the orders that
//! the filter allows, each kept by an index that ends in `issued_pos`, and by `token_spans` it leaves out the positions at
//! which no token has the times that are asked for.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::{
    reach::{EVERYTHING, SPAN},
    rules::COVERED,
    tokens::{Filter, LISTED},
};
use crate::domain::{
    Position, Status,
    authority::Sight,
    text::{Permission, Subject},
};

/// What is compared with door, key and instants: the token's own, or those of the first of its family.
const OWN: [&str; 4] = [" and path = ", " and kid = ", " and iat >= ", " and iat < "];
const FIRST: [&str; 4] = [" and first_path = ", " and first_kid = ", " and first_iat >= ", " and first_iat < "];

/// A page of `limit` rows issued before `before`, with their status judged at `now`.
pub(super) fn push_page(
    query: &mut QueryBuilder<Postgres>,
    filter: &Filter,
    before: Option<Position>,
    limit: i64,
    now: DateTime<Utc>,
) {
    let page = Page { filter, before, limit, now, rows: Rows::Judged };
    query.push(LISTED);
    match Walk::of(filter) {
        Walk::Tokens => {
            query.push(" where true");
            page.push_range(query, "issued_pos");
            page.push_conditions(query);
        }
        Walk::Revoked => page.push_revoked(query),
        Walk::Reach(branches) => {
            query.push(" where issued_pos = any(array(");
            page.push_reached(query, branches);
            query.push("))");
        }
    }
    query.push(" order by issued_pos desc limit ").push_bind(limit);
}

/// The positions of at most `limit` rows issued before `before` that a rule of `now` would change, newest first.
pub(super) fn push_open(
    query: &mut QueryBuilder<Postgres>,
    filter: &Filter,
    before: Position,
    limit: i64,
    now: DateTime<Utc>,
) {
    Page { filter, before: Some(before), limit, now, rows: Rows::Open }.push_positions(query);
}

/// The positions of at most `limit` tokens issued before `before` that meet the filter, whatever became of them, newest
/// first.
pub(super) fn push_met(query: &mut QueryBuilder<Postgres>, filter: &Filter, before: Position, limit: i64) {
    let now = DateTime::UNIX_EPOCH;
    Page { filter, before: Some(before), limit, now, rows: Rows::Judged }.push_positions(query);
}

/// The position of one of them that no rule covers yet.
pub(super) fn push_newly(query: &mut QueryBuilder<Postgres>, filter: &Filter, now: DateTime<Utc>) {
    Page { filter, before: None, limit: 1, now, rows: Rows::New }.push_positions(query);
}

/// Which rows a rule would revoke that are not revoked at `now`: in no order, and all of them.
pub(super) fn push_unrevoked(query: &mut QueryBuilder<Postgres>, filter: &Filter, now: DateTime<Utc>) {
    let page = Page { filter, before: None, limit: 0, now, rows: Rows::Judged };
    query.push(" where true");
    page.push_range(query, "issued_pos");
    page.push_fields(query);
    if let Some(team) = &filter.team {
        let values = vec![EVERYTHING.to_owned(), team.as_str().to_owned()];
        query.push(" and issued_pos in (select issued_pos from token_teams where team = any(");
        query.push_bind(values).push("))");
    }
    query.push(" and not (");
    push_revoked(query, now);
    query.push(" or ").push(COVERED).push(")");
}

/// Which active tokens a rule would leave that it covered if it went by how their family began, too.
pub(super) fn push_left(query: &mut QueryBuilder<Postgres>, filter: &Filter, now: DateTime<Utc>) {
    let page = Page { filter, before: None, limit: 0, now, rows: Rows::Judged };
    query.push(" where first_path is not null and family is not null");
    query.push(if filter.successors { " and false" } else { "" });
    page.push_issuance(query, &FIRST);
    query.push(" and not (true");
    page.push_issuance(query, &OWN);
    query.push(")");
    if let Some(from) = filter.issued_from {
        query.push(" and exists (select from tokens as first where first.jti = tokens.family and first.issued_pos >= ");
        query.push_bind(from.0).push(")");
    }
    page.push_reach(query);
    push_status(query, Status::Active, now);
}

/// What of the tokens' rows is looked at besides what never changes of a token.
#[derive(Clone, Copy)]
enum Rows {
    /// That the token is in the status that the filter asks for.
    Judged,
    /// That a rule would change it.
    Open,
    /// The same, and that no rule covers it yet.
    New,
}

struct Page<'a> {
    filter: &'a Filter,
    before: Option<Position>,
    limit: i64,
    now: DateTime<Utc>,
    rows: Rows,
}

/// What is walked.
enum Walk {
    /// The tokens, in an order that an index of theirs has.
    Tokens,
    /// The tokens whose row says that they are revoked, and those that rules cover which are not filled yet.
    Revoked,
    /// The rows of each of these teams, permissions or subjects.
    Reach(Vec<Branch>),
}

/// Rows of one value, in the order of positions.
struct Branch {
    from: &'static str,
    value: String,
}

impl Branch {
    fn team(value: &str) -> Self {
        Self { from: " from token_teams as walked (value, issued_pos)", value: value.to_owned() }
    }

    fn permission(value: String) -> Self {
        Self { from: " from token_permissions as walked (value, issued_pos)", value }
    }

    fn subject(value: &Subject) -> Self {
        let from = " from (select sub, issued_pos from tokens) as walked (value, issued_pos)";
        Self { from, value: value.as_str().to_owned() }
    }
}

impl Walk {
    /// One subject's tokens, those of a name, and revoked or suspended ones are the fewest; then one team's, then what
    /// the asker may know of.
    fn of(filter: &Filter) -> Self {
        match filter.status {
            Some(Status::Revoked) => return Self::Revoked,
            Some(Status::Suspended) => return Self::Tokens,
            Some(Status::Active | Status::Expired) | None => {}
        }
        if filter.sub.is_some() || filter.name.is_some() {
            return Self::Tokens;
        }
        if let Some(team) = &filter.team {
            return Self::Reach(vec![Branch::team(EVERYTHING), Branch::team(team.as_str())]);
        }
        if let Sight::Of { subject, teams } = &filter.sight {
            let of_teams = teams.iter().map(|team| Branch::team(team.as_str()));
            return Self::Reach(std::iter::once(Branch::subject(subject)).chain(of_teams).collect());
        }
        if let Some(permission) = &filter.permission {
            let values = std::iter::once(EVERYTHING.to_owned()).chain(covering(permission));
            return Self::Reach(values.map(Branch::permission).collect());
        }
        Self::Tokens
    }
}

impl Page<'_> {
    /// The positions alone.
    fn push_positions(&self, query: &mut QueryBuilder<Postgres>) {
        match Walk::of(self.filter) {
            Walk::Tokens | Walk::Revoked => self.push_walk(query, |query| self.push_state(query)),
            Walk::Reach(branches) => self.push_reached(query, branches),
        }
    }

    fn push_reached(&self, query: &mut QueryBuilder<Postgres>, branches: Vec<Branch>) {
        query.push("select issued_pos from (");
        for (index, branch) in branches.into_iter().enumerate() {
            query.push(if index == 0 { "" } else { " union " });
            self.push_branch(query, branch);
        }
        query.push(") as reached order by issued_pos desc limit ").push_bind(self.limit);
    }

    /// The positions of one team or permission. What is walked is looked up row by row: joined in any other way it would
    /// be read to its end first.
    fn push_branch(&self, query: &mut QueryBuilder<Postgres>, Branch { from, value }: Branch) {
        query.push("(select walked.issued_pos").push(from);
        query.push(" cross join lateral (select from tokens where issued_pos = walked.issued_pos");
        self.push_conditions(query);
        query.push(" offset 0) as kept where walked.value = ").push_bind(value);
        self.push_range(query, "walked.issued_pos");
        query.push(" order by walked.issued_pos desc limit ").push_bind(self.limit).push(")");
    }

    /// Two walks: no index knows of both. The second is none at all while every rule is filled.
    fn push_revoked(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" where issued_pos = any(array(select issued_pos from (");
        self.push_walk(query, |query| {
            query.push(" and ");
            push_revoked(query, self.now);
        });
        query.push(" union ");
        self.push_walk(query, |query| _ = query.push(" and ").push(COVERED));
        query.push(") as over order by issued_pos desc limit ").push_bind(self.limit).push("))");
    }

    /// The positions of the tokens that meet what `push_condition` says, too.
    fn push_walk(&self, query: &mut QueryBuilder<Postgres>, push_condition: impl FnOnce(&mut QueryBuilder<Postgres>)) {
        query.push("(select issued_pos from tokens where true");
        self.push_range(query, "issued_pos");
        self.push_fields(query);
        push_condition(query);
        query.push(" order by issued_pos desc limit ").push_bind(self.limit).push(")");
    }

    /// Between which positions there is anything to find.
    fn push_range(&self, query: &mut QueryBuilder<Postgres>, column: &'static str) {
        if let Some(before) = self.before {
            query.push(" and ").push(column).push(" < ").push_bind(before.0);
        }
        if let Some(from) = self.filter.issued_from {
            query.push(" and ").push(column).push(" >= ").push_bind(from.0);
        }
        if self.times().next().is_none() {
            return;
        }
        query.push(" and ").push(column).push(" < (select (max(span) + 1) * ").push(SPAN);
        self.push_spans(query);
        query.push(" and ").push(column).push(" >= (select min(span) * ").push(SPAN);
        self.push_spans(query);
    }

    fn push_spans(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" from token_spans where true");
        for (condition, bound) in self.times() {
            query.push(condition).push_bind(bound);
        }
        query.push(")");
    }

    /// What a span's times must be for any of its tokens to have the times that are asked for.
    fn times(&self) -> impl Iterator<Item = (&'static str, DateTime<Utc>)> {
        let filter = self.filter;
        // The first of a family may have been issued in a span in which its successors were not.
        let issued_before = filter.issued_before.filter(|_| !filter.successors);
        let issued_after = filter.issued_after.filter(|_| !filter.successors);
        let status = match filter.status {
            Some(Status::Active | Status::Suspended) => Some((" and exp_max > ", self.now)),
            Some(Status::Expired) => Some((" and exp_min <= ", self.now)),
            Some(Status::Revoked) | None => None,
        };
        [
            issued_after.map(|bound| (" and iat_max >= ", bound)),
            issued_before.map(|bound| (" and iat_min < ", bound)),
            filter.expires_before.map(|bound| (" and exp_min < ", bound)),
            status,
        ]
        .into_iter()
        .flatten()
    }

    fn push_conditions(&self, query: &mut QueryBuilder<Postgres>) {
        self.push_fields(query);
        self.push_state(query);
    }

    /// What may change of it.
    fn push_state(&self, query: &mut QueryBuilder<Postgres>) {
        match (self.rows, self.filter.status) {
            (Rows::Judged, None) => {}
            (Rows::Judged, Some(status)) => push_status(query, status, self.now),
            (Rows::Open, _) => push_open_row(query, self.now),
            (Rows::New, _) => {
                push_open_row(query, self.now);
                query.push(" and not ").push(COVERED);
            }
        }
    }

    /// What never changes of a token.
    fn push_fields(&self, query: &mut QueryBuilder<Postgres>) {
        self.push_reach(query);
        if self.filter.successors {
            query.push(" and ((true");
            self.push_issuance(query, &OWN);
            query.push(") or (first_path is not null");
            self.push_issuance(query, &FIRST);
            query.push("))");
        } else {
            self.push_issuance(query, &OWN);
        }
    }

    /// By which door, with which key and when it was issued, itself or the first of its family.
    fn push_issuance(&self, query: &mut QueryBuilder<Postgres>, [path, kid, after, before]: &[&'static str; 4]) {
        if let Some(value) = self.filter.path {
            query.push(path).push_bind(value.as_str());
        }
        if let Some(value) = &self.filter.kid {
            query.push(kid).push_bind(value.as_str().to_owned());
        }
        if let Some(bound) = self.filter.issued_after {
            query.push(after).push_bind(bound);
        }
        if let Some(bound) = self.filter.issued_before {
            query.push(before).push_bind(bound);
        }
    }

    /// What a successor has of its predecessor.
    fn push_reach(&self, query: &mut QueryBuilder<Postgres>) {
        let filter = self.filter;
        if let Sight::Of { subject, teams } = &filter.sight {
            let teams: Vec<String> = teams.iter().map(ToString::to_string).collect();
            query.push(" and (sub = ").push_bind(subject.as_str().to_owned());
            query.push(" or teams && ").push_bind(teams).push(")");
        }
        if let Some(sub) = &filter.sub {
            query.push(" and sub = ").push_bind(sub.as_str().to_owned());
        }
        if let Some(name) = &filter.name {
            query.push(" and name = ").push_bind(name.as_str().to_owned());
        }
        if let Some(team) = &filter.team {
            query.push(" and (teams is null or teams @> array[").push_bind(team.as_str().to_owned()).push("])");
        }
        if let Some(permission) = &filter.permission {
            let covering: Vec<String> = covering(permission).collect();
            query.push(" and (permissions = '{}' or permissions && ").push_bind(covering).push(")");
        }
        if let Some(bound) = filter.expires_before {
            query.push(" and exp < ").push_bind(bound);
        }
        // Few, and found by their own indexes before anything is walked.
        if let Some(family) = filter.family {
            query.push(" and issued_pos = any(array(select issued_pos from tokens where family = ").push_bind(family);
            query.push(" union all select issued_pos from tokens where jti = ").push_bind(family);
            query.push(" and family is null))");
        }
    }
}

/// The permission and every wildcard over it: `*`, `tools.*` and `tools.read` for `tools.read`.
fn covering(permission: &Permission) -> impl Iterator<Item = String> {
    let text = permission.as_str();
    let wildcards = text.match_indices('.').map(|(end, _)| format!("{}.*", &text[..end]));
    let mut covering: Vec<String> = std::iter::once("*".to_owned()).chain(wildcards).chain([text.to_owned()]).collect();
    covering.dedup();
    covering.into_iter()
}

/// The same precedence as [`Token::status`](crate::domain::Token::status): revoked, expired, suspended, active.
fn push_status(query: &mut QueryBuilder<Postgres>, status: Status, now: DateTime<Utc>) {
    query.push(if status == Status::Revoked { " and (" } else { " and not (" });
    push_revoked(query, now);
    query.push(" or ").push(COVERED).push(")");
    match status {
        Status::Revoked => {}
        Status::Expired => {
            query.push(" and exp <= ").push_bind(now);
        }
        Status::Suspended => {
            query.push(" and suspended_pos is not null and exp > ").push_bind(now);
        }
        Status::Active => {
            query.push(" and suspended_pos is null and exp > ").push_bind(now);
        }
    }
}

/// Whether a rule of `now` would change the row: it says of no revocation that holds by then.
fn push_open_row(query: &mut QueryBuilder<Postgres>, now: DateTime<Utc>) {
    query.push(" and (revoked_pos is null or effective_from > ").push_bind(now).push(")");
}

/// Whether the row says that it is revoked.
fn push_revoked(query: &mut QueryBuilder<Postgres>, now: DateTime<Utc>) {
    query.push("(revoked_pos is not null and (effective_from is null or effective_from <= ").push_bind(now).push("))");
}
