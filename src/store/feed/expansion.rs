//! What one event does to many tokens, read from their rows: a reader of the feed does not know what a token is like, and the
//! memory of a server cannot always tell.

use catalog_gateway::wire::Item;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgPool, QueryBuilder};
use uuid::Uuid;

use super::{
    super::{StoreError, listing, log, postgres::bounded, tokens::Filter},
    rule_at,
};
use crate::domain::{Event, Position, Rule, event::KeyCompromised, text::Kid};

/// The tokens that an event is about, whatever became of them.
pub(in crate::store) struct Expansion {
    filter: Filter,
    /// They were issued before this position.
    pub(in crate::store) before: Position,
    /// Those that were issued at this position or later are revoked. The others are spared.
    revoked_from: Position,
}

/// One of them.
#[derive(Debug, Clone, Copy, FromRow)]
pub(in crate::store) struct Covered {
    pub(in crate::store) jti: Uuid,
    pub(in crate::store) issued_pos: i64,
    exp: DateTime<Utc>,
}

impl Expansion {
    /// Those that the rule at a position covers.
    pub(in crate::store) async fn of_rule_at(pool: &PgPool, position: Position) -> Result<Self, StoreError> {
        Ok(rule_at(pool, position).await?.map_or_else(Self::nothing, |rule| Self::of_rule(&rule)))
    }

    fn of_rule(rule: &Rule) -> Self {
        Self { filter: Filter::from(rule), before: rule.position, revoked_from: Position(0) }
    }

    fn nothing() -> Self {
        Self { filter: Filter::default(), before: Position(0), revoked_from: Position(0) }
    }

    /// Those of a compromised key of which the key's name does not tell: they are spared; or are not any more, because it was
    /// said of a later part of what the key has signed before.
    pub(in crate::store) async fn of_key(
        pool: &PgPool,
        position: Position,
        event: &KeyCompromised,
    ) -> Result<Self, StoreError> {
        let known = said_before(pool, position, &event.kid).await?;
        let filter = Filter { kid: Some(event.kid.clone()), ..Filter::default() };
        Ok(Self { filter, before: known.unwrap_or(event.from), revoked_from: event.from })
    }

    /// Some of them: those issued last before a position.
    pub(in crate::store) async fn tokens(
        &self,
        pool: &PgPool,
        before: Position,
        limit: u16,
    ) -> Result<Vec<Covered>, StoreError> {
        let mut query = QueryBuilder::new("select jti, issued_pos, exp from tokens where issued_pos = any(array(");
        listing::push_met(&mut query, &self.filter, before.min(self.before), i64::from(limit));
        query.push("))");
        bounded(async { Ok(query.build_query_as().persistent(false).fetch_all(pool).await?) }).await
    }

    /// What readers of the feed are told of those that are not expired.
    pub(in crate::store) fn items(&self, found: &[Covered], now: DateTime<Utc>) -> impl Iterator<Item = Item> {
        let revoked_from = self.revoked_from;
        found.iter().filter(move |token| token.exp > now).map(move |token| {
            let (jti, exp) = (token.jti, token.exp.timestamp());
            if token.issued_pos >= revoked_from.0 {
                Item::Revoked { jti, exp, effective_from: None }
            } else {
                Item::Spared { jti, exp }
            }
        })
    }
}

/// From where on the key was said to be compromised before a position.
async fn said_before(pool: &PgPool, position: Position, kid: &Kid) -> Result<Option<Position>, StoreError> {
    let said = log::settings_events(pool).await?;
    let before = said.into_iter().filter(|recorded| recorded.position < position);
    let from = before.filter_map(|recorded| match recorded.occurrence.event {
        Event::KeyCompromised(compromised) if compromised.kid == *kid => Some(compromised.from),
        _ => None,
    });
    Ok(from.min())
}
