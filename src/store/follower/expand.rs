//! Which tokens a rule covers: the memory does not know what a token is like, so the database is asked.

use chrono::{DateTime, Utc};

use super::{
    super::{
        Database, StoreError,
        feed::expansion::{Covered, Expansion},
        log,
    },
    LiveTokens,
};
use crate::domain::{Event, Position};

/// The most tokens of a rule that are taken in at once.
const COVERED_MAX: u16 = 5_000;

/// Takes in what the rules cover that were added since. Until then the log is asked for every token that they may cover.
pub(super) async fn rules(database: &Database, live: &LiveTokens, now: DateTime<Utc>) -> Result<(), StoreError> {
    loop {
        let next = live.read().as_ref().and_then(|memory| {
            let rule = memory.index.rule_to_expand()?;
            Some((rule, memory.index.is_of_key(rule)))
        });
        let Some((rule, is_of_key)) = next else { return Ok(()) };
        if is_of_key {
            spare(database, live, rule, now).await?;
        }
        cover(database, live, rule).await?;
    }
}

async fn cover(database: &Database, live: &LiveTokens, rule: Position) -> Result<(), StoreError> {
    let expansion = Expansion::of_rule_at(database.reads(), rule).await?;
    each(database, &expansion, |found, is_last| {
        if let Some(memory) = live.write().as_mut() {
            memory.index.cover(rule, found.iter().map(|token| token.jti), is_last);
        }
        live.moved.notify_waiters();
        live.told.notify_one();
    })
    .await
}

/// Has others told of the tokens that the compromise of a key leaves good.
async fn spare(database: &Database, live: &LiveTokens, rule: Position, now: DateTime<Utc>) -> Result<(), StoreError> {
    let said = log::at(database.reads(), &[rule]).await?.pop();
    let Some(Event::KeyCompromised(event)) = said.map(|recorded| recorded.occurrence.event) else { return Ok(()) };
    let expansion = Expansion::of_key(database.reads(), rule, &event).await?;
    each(database, &expansion, |found, _| {
        if let Some(memory) = live.write().as_mut() {
            memory.index.tell_of_key(expansion.items(found, now));
        }
        live.told.notify_one();
    })
    .await
}

/// Takes in the tokens, some at a time.
async fn each(
    database: &Database,
    expansion: &Expansion,
    mut take: impl FnMut(&[Covered], bool),
) -> Result<(), StoreError> {
    let mut before = expansion.before;
    loop {
        let found = expansion.tokens(database.reads(), before, COVERED_MAX).await?;
        let is_last = found.len() < usize::from(COVERED_MAX);
        take(&found, is_last);
        match found.iter().map(|token| Position(token.issued_pos)).min() {
            Some(earliest) if !is_last => before = earliest,
            _ => return Ok(()),
        }
    }
}
