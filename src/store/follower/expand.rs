//! Which tokens a rule covers: the memory does not know what a token is like, so the database is asked.

use sqlx::{PgPool, QueryBuilder};
use uuid::Uuid;

use super::{
    super::{Database, StoreError, listing, postgres::bounded, rules, tokens::Filter},
    LiveTokens,
};
use crate::domain::{Position, Rule};

/// The most tokens of a rule that are taken in at once.
const COVERED_MAX: u16 = 5_000;

/// Takes in what the rules cover that were added since. Until then the log is asked for every token that they may cover.
pub(super) async fn rules(database: &Database, live: &LiveTokens) -> Result<(), StoreError> {
    loop {
        let next = live.read().as_ref().and_then(|memory| memory.index.rule_to_expand());
        let Some(position) = next else { return Ok(()) };
        let added = bounded(rules::all(database.reads())).await?;
        let rule = added.into_iter().map(Rule::from).find(|rule| rule.position == position);
        let mut before = position;
        loop {
            let page = match &rule {
                Some(rule) => bounded(covered(database.reads(), rule, before)).await?,
                None => Vec::new(),
            };
            let is_last = page.len() < usize::from(COVERED_MAX);
            let earliest = page.iter().map(|(_, issued)| Position(*issued)).min();
            if let Some(memory) = live.write().as_mut() {
                memory.index.cover(position, page.into_iter().map(|(jti, _)| jti), is_last);
            }
            match earliest {
                Some(earliest) if !is_last => before = earliest,
                _ => break,
            }
        }
    }
}

/// Some of the tokens that a rule covers, whatever became of them: those issued last before a position.
async fn covered(pool: &PgPool, rule: &Rule, before: Position) -> Result<Vec<(Uuid, i64)>, StoreError> {
    let mut query = QueryBuilder::new("select jti, issued_pos from tokens where issued_pos = any(array(");
    listing::push_met(&mut query, &Filter::from(rule), before, i64::from(COVERED_MAX));
    query.push("))");
    Ok(query.build_query_as().persistent(false).fetch_all(pool).await?)
}
