//! Which tokens a rule covers, one by one: for readers of the feed, and so that no token need be held against the rule any
//! more. The memory tells; where it cannot, or an index leads to the few that there are, the database does.

use std::{convert::Infallible, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::{
    task::yield_now,
    time::{Duration, sleep, timeout},
};
use uuid::Uuid;

use super::{
    super::{
        Database, StoreError,
        feed::expansion::{Covered, Expansion},
        log,
    },
    LiveTokens, POLL_PERIOD,
};
use crate::domain::{Event, Position, ambient::Clock, causes::Causes, index::LiveIndex};

/// The most tokens of a rule that are read at once.
const READ_MAX: u16 = 5_000;
/// The most that are looked at in memory at once.
const LOOKED_AT_MAX: usize = 1_000;
/// Before the first look and after so many the processor is somebody else's: where there are two, and one is taken for as long as
/// very many tokens need, whoever issues or revokes, or asks whether the rule holds, waits for its turn at the other. Where another
/// rule waits there is no time for that: readers of the feed wait for all of them.
const LOOKS_MAX: usize = 8;
const BREATH: Duration = Duration::from_millis(1);
/// The most that are ended at once: no check is answered meanwhile.
const ENDED_MAX: usize = 250;
/// After so many whoever hears of them, and whoever else needs the processors, is let go first.
const TOLD_MAX: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// Has it known what rules cover, for as long as it is polled, in turns with the following of the log: what a rule over very
/// many tokens takes must not keep anybody from hearing of what came after it.
pub(super) async fn keep_expanding(database: &Database, live: &LiveTokens, clock: &Arc<dyn Clock>) -> Infallible {
    let mut is_told = false;
    loop {
        if let Err(error) = rules(database, live, clock.now(), PAUSE).await {
            // Once is enough, as where the log is followed.
            if !is_told {
                tracing::warn!(error = %Causes(&error), "which tokens rules cover cannot be read; readers of the feed wait for them");
            }
            is_told = true;
            sleep(POLL_PERIOD).await;
            continue;
        }
        is_told = false;
        let _ = timeout(POLL_PERIOD, live.ruled.notified()).await;
    }
}

/// Takes in which tokens the rules cover that were added since, and pauses where there are many.
pub(super) async fn rules(
    database: &Database,
    live: &LiveTokens,
    now: DateTime<Utc>,
    pause: Duration,
) -> Result<(), StoreError> {
    loop {
        let next = live.read().as_ref().and_then(|memory| {
            let position = memory.index.rule_to_expand()?;
            Some((memory.index.is_of_key(position), Expanded { position, load: memory.load }))
        });
        let Some((is_of_key, rule)) = next else { return Ok(()) };
        if is_of_key {
            spare(database, live, rule, now).await?;
        }
        cover(database, live, rule, pause).await?;
    }
}

/// A rule of which the memory is to know what it covers. One that was loaded anew meanwhile may be of another log.
#[derive(Clone, Copy)]
struct Expanded {
    position: Position,
    load: u64,
}

impl Expanded {
    /// Looks at the memory, if it is still the one that had the rule.
    fn look<T>(self, live: &LiveTokens, look: impl FnOnce(&LiveIndex) -> T) -> Option<T> {
        live.read().as_ref().filter(|memory| memory.load == self.load).map(|memory| look(&memory.index))
    }

    /// Does something to it.
    fn change(self, live: &LiveTokens, change: impl FnOnce(&mut LiveIndex)) {
        if let Some(memory) = live.write().as_mut().filter(|memory| memory.load == self.load) {
            change(&mut memory.index);
        }
    }

    /// Ends tokens that it covers, a few at a time, and has others told.
    async fn end(self, live: &LiveTokens, covered: &[Uuid]) {
        for few in covered.chunks(ENDED_MAX) {
            self.change(live, |index| index.cover(self.position, few.iter().copied()));
            yield_now().await;
        }
        live.told.notify_one();
    }
}

async fn cover(database: &Database, live: &LiveTokens, rule: Expanded, pause: Duration) -> Result<(), StoreError> {
    let is_narrow = rule.look(live, |index| index.is_narrow(rule.position)) == Some(true);
    if is_narrow || !look_through(live, rule, pause).await {
        let mut read = Read::new(Expansion::of_rule_at(database.reads(), rule.position).await?);
        while let Some(found) = read.next(database).await? {
            let covered: Vec<Uuid> = found.iter().map(|token| token.jti).collect();
            rule.end(live, &covered).await;
        }
    }
    rule.change(live, |index| index.expanded(rule.position));
    live.told.notify_one();
    live.moved.notify_waiters();
    Ok(())
}

/// Ends what the memory knows that the rule covers. Whether it could tell of every token.
async fn look_through(live: &LiveTokens, rule: Expanded, pause: Duration) -> bool {
    let (mut below, mut covered, mut is_sure, mut is_last) = (usize::MAX, Vec::new(), true, true);
    for turn in 0_usize.. {
        if covered.len() >= TOLD_MAX {
            rule.end(live, &covered).await;
            covered.clear();
            rest(pause).await;
        } else {
            let is_time = is_last && turn.is_multiple_of(LOOKS_MAX);
            rest(if is_time { pause.min(BREATH) } else { Duration::ZERO }).await;
        }
        // Checks look beside this: only what is covered makes them wait.
        let look = |index: &LiveIndex| {
            is_last = index.last_rule_to_expand() == Some(rule.position);
            index.hold_against(rule.position, below, LOOKED_AT_MAX)
        };
        // What was loaded anew meanwhile has the rule, too.
        let Some(held) = rule.look(live, look) else { return true };
        (below, is_sure) = (held.below, is_sure && held.is_sure);
        covered.extend(held.covered);
        if below == 0 {
            break;
        }
    }
    rule.end(live, &covered).await;
    is_sure
}

/// Lets others have the processor, for that long if they need it. A sleep of no time is one to the clock's next tick.
async fn rest(pause: Duration) {
    if pause.is_zero() { yield_now().await } else { sleep(pause).await }
}

/// Has others told of the tokens that the compromise of a key leaves good.
async fn spare(database: &Database, live: &LiveTokens, rule: Expanded, now: DateTime<Utc>) -> Result<(), StoreError> {
    let said = log::at(database.reads(), &[rule.position]).await?.pop();
    let Some(Event::KeyCompromised(event)) = said.map(|recorded| recorded.occurrence.event) else { return Ok(()) };
    let mut read = Read::new(Expansion::of_key(database.reads(), rule.position, &event).await?);
    while let Some(found) = read.next(database).await? {
        rule.change(live, |index| index.tell_of_key(read.expansion.items(&found, now)));
        live.told.notify_one();
    }
    Ok(())
}

/// The tokens of an expansion as the database has them.
struct Read {
    expansion: Expansion,
    /// The next were issued before; `None` = there are none.
    before: Option<Position>,
}

impl Read {
    fn new(expansion: Expansion) -> Self {
        Self { before: Some(expansion.before), expansion }
    }

    /// The next of them, some thousand.
    async fn next(&mut self, database: &Database) -> Result<Option<Vec<Covered>>, StoreError> {
        let Some(before) = self.before else { return Ok(None) };
        let found = self.expansion.tokens(database.reads(), before, READ_MAX).await?;
        let earliest = found.iter().map(|token| Position(token.issued_pos)).min();
        self.before = earliest.filter(|_| found.len() == usize::from(READ_MAX));
        Ok(Some(found))
    }
}
