//! What another policy would have made of the log. It is read in one snapshot, and nothing is written.

use futures_util::TryStreamExt;
use serde::Serialize;

use super::range::Range;
use crate::{
    domain::{
        Event, Position, Recorded,
        audit::what_if::{Verdict, WhatIf},
        policy::Rules,
    },
    store::{Database, Head, StoreError, part},
};

/// What a replay came to.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The end of the log that was read.
    pub head: Head,
    /// The first position that was judged.
    pub from: Position,
    /// The last one.
    pub to: Position,
    /// How many issuances were decided again, rotations among them.
    pub issuances: u64,
    /// How many recorded refusals of issuances were.
    pub refusals: u64,
    /// How many of both come to something else.
    pub changed: u64,
    /// Of how many the log does not tell.
    pub untold: u64,
}

/// Decides every issuance of a range again by other rules, and every refusal of one. `each` is told of every event of the
/// log up to the range's end, and of what becomes of those that are decided again.
///
/// # Errors
/// [`StoreError`], and what `each` ends with.
pub async fn replay<E: From<StoreError>>(
    database: &Database,
    rules: Rules,
    range: Range,
    mut each: impl FnMut(&Recorded, Option<Verdict>) -> Result<(), E>,
) -> Result<Replayed, E> {
    let (head, events) = part::read(database, Position(0), Some(range.until)).await?;
    let (from, to) = (range.after.next(), range.until);
    let mut replayed = Replayed { head, from, to, issuances: 0, refusals: 0, changed: 0, untold: 0 };
    let mut what_if = WhatIf::new(rules);
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.try_next().await? {
        let recorded = &event.recorded;
        if recorded.position <= range.after {
            what_if.pass(recorded);
            each(recorded, None)?;
            continue;
        }
        let verdict = what_if.judge(recorded);
        if let Some(verdict) = &verdict {
            replayed.count(recorded, verdict);
        }
        each(recorded, verdict)?;
    }
    Ok(replayed)
}

impl Replayed {
    fn count(&mut self, recorded: &Recorded, verdict: &Verdict) {
        match recorded.occurrence.event {
            Event::TokenIssued(_) => self.issuances += 1,
            _ => self.refusals += 1,
        }
        match verdict {
            Verdict::Same => {}
            Verdict::Changed { .. } => self.changed += 1,
            Verdict::Untold { .. } => self.untold += 1,
        }
    }
}
