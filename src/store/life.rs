//! The events that a token's life is told by: its own, the rules that cover it, the settings, and by what its asker could
//! ask for it.

use sqlx::PgPool;

use super::{
    StoreError,
    log::{self, Selection},
    postgres::bounded,
    rules, tokens,
};
use crate::domain::{Actor, Position, Recorded, Token};

/// More than any token's life has: a refusal a minute for six weeks.
const EVENTS_MAX: u16 = u16::MAX;

/// Every event of a token's life, in order, up to the end of the log now. With `of_its_life` those are left out that tell
/// what others tried with it.
///
/// # Errors
/// [`StoreError`].
pub async fn own(pool: &PgPool, token: &Token, of_its_life: bool) -> Result<Vec<Recorded>, StoreError> {
    let selection = Selection { jti: Some(token.jti), of_its_life, ..Selection::default() };
    let mut events = log::page(pool, &selection, EVENTS_MAX).await?;
    events.extend(log::at(pool, &rules::covering(pool, token).await?).await?);
    events.sort_by_key(|event| event.position);
    Ok(events)
}

/// Adds to a token's own events what its life is told by besides, in order: settings, and its asker's authority.
///
/// # Errors
/// [`StoreError`].
pub async fn with_authority(pool: &PgPool, token: &Token, own: &[Recorded]) -> Result<Vec<Recorded>, StoreError> {
    let mut events = log::settings_events(pool).await?;
    let issued = own.iter().find(|event| event.position == token.issued);
    let asker = match issued.map(|event| &event.occurrence.origin.actor) {
        Some(Actor::Token { jti, .. }) => tokens::get(pool, *jti).await?.map(|asker| asker.issued),
        Some(Actor::Person { sub: Some(sub), .. }) => person_before(pool, sub, token.issued).await?,
        Some(Actor::Person { sub: None, .. } | Actor::Client { .. } | Actor::OsUser(_) | Actor::Anonymous) | None => {
            None
        }
    };
    let asker: Vec<Position> = asker.into_iter().collect();
    events.extend(log::at(pool, &asker).await?);
    events.extend(own.iter().cloned());
    events.sort_by_key(|event| event.position);
    // A compromised key is both a setting and a rule.
    events.dedup_by_key(|event| event.position);
    Ok(events)
}

/// Where the log tells last, before this position, what a provider said of a person.
async fn person_before(pool: &PgPool, sub: &str, before: Position) -> Result<Option<Position>, StoreError> {
    let query = sqlx::query_scalar(include_str!("person_before.sql")).bind(before.0).bind(sub);
    let position: Option<i64> = bounded(async { Ok(query.fetch_optional(pool).await?) }).await?;
    Ok(position.map(Position))
}
