//! What a check needs to know of the tokens that may still be used, in few bytes: every server keeps it in memory and
//! follows the log with it. What it does not know, or not well enough, the log is asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use catalog_gateway::wire::Item;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use uuid::Uuid;

use super::{
    Event, Position, Recorded,
    changes::Changes,
    live_lists::{LiveLists, Slot, kept_until},
    status_list::{Entry, StatusListBegun},
};

pub use super::{
    live_lists::{LiveList, told_from},
    live_token::{End, LiveToken},
};

/// The tokens that may still be used, as of a position. Events are taken in the order of the log and none is left out.
#[derive(Debug, Default)]
pub struct LiveIndex {
    tokens: IndexMap<Uuid, Known>,
    position: Position,
    lists: LiveLists,
    // What is known to have happened after `position`: the latest event of a token, and rules.
    ahead: HashMap<Uuid, Position>,
    // Rules of which is not known yet which tokens they cover.
    rules: BTreeMap<Position, Covers>,
    // Tokens that the log was asked for meanwhile: up to which of those rules none covers them.
    spared: HashMap<Uuid, Position>,
    looked_at: usize,
    changes: Changes,
}

#[derive(Debug)]
struct Known {
    token: LiveToken,
    // Where its status list says what it is, if it has one.
    slot: Option<Slot>,
}

/// How others are told what a rule covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Covers {
    /// Token by token.
    Tokens,
    /// By the key, which they were told of.
    Key,
}

impl LiveIndex {
    /// An index as of a position, with room for so many tokens, which come by [`insert`](Self::insert), and with the rules
    /// whose tokens are not all revoked among them.
    #[must_use]
    pub fn new(position: Position, rules: BTreeSet<Position>, lists: &[StatusListBegun], room: usize) -> Self {
        let rules = rules.into_iter().map(|rule| (rule, Covers::Tokens)).collect();
        let mut index = Self { tokens: IndexMap::with_capacity(room), position, rules, ..Self::default() };
        for begun in lists {
            index.lists.begin(begun);
        }
        index
    }

    /// Adds a token as it stands in the log.
    pub fn insert(&mut self, jti: Uuid, token: LiveToken, entry: Option<Entry>) {
        let slot = entry.and_then(|entry| self.lists.enter(entry));
        if let Some(slot) = slot {
            self.lists.say(slot, jti, &token);
        }
        self.tokens.insert(jti, Known { token, slot });
    }

    /// Up to where in the log it goes.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many tokens it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// A token, if it is known and nothing is known to have happened to it since. `None` = the log is to be asked.
    #[must_use]
    pub fn get(&self, jti: Uuid) -> Option<&LiveToken> {
        let token = &self.tokens.get(&jti)?.token;
        let is_spared = |rule| self.spared.get(&jti).is_some_and(|spared| rule <= *spared);
        let is_covered_perhaps = self.last_rule().is_some_and(|rule| token.issued < rule && !is_spared(rule));
        let is_behind = !self.ahead.is_empty() && self.ahead.contains_key(&jti);
        (!is_covered_perhaps && !is_behind).then_some(token)
    }

    /// The last rule of which is not known yet which tokens it covers.
    #[must_use]
    pub fn last_rule(&self) -> Option<Position> {
        self.rules.last_key_value().map(|(rule, _)| *rule)
    }

    /// Takes in what the log said of a token when it was asked, knowing every rule up to this one: where none covers the
    /// token, it need not be asked again.
    pub fn learn(&mut self, jti: Uuid, rule: Position, said: End) {
        let knows_so = self.tokens.get(&jti).is_some_and(|known| known.token.end == said && said != End::AtOnce);
        if !self.rules.is_empty() && knows_so {
            self.spared.insert(jti, rule);
        }
    }

    /// Takes in what was appended. Whether it follows on what is known: if not, what is between must come first, and
    /// until then the log is asked for the tokens that it is about.
    pub fn follow<'a>(&mut self, events: impl IntoIterator<Item = &'a Recorded>) -> bool {
        let mut follows = true;
        for recorded in events {
            if recorded.position <= self.position {
                continue;
            }
            follows = follows && recorded.position == self.position.next();
            if follows {
                self.apply(recorded);
                self.position = recorded.position;
            } else {
                self.foresee(recorded);
            }
        }
        if !self.ahead.is_empty() {
            let position = self.position;
            self.ahead.retain(|_, latest| *latest > position);
        }
        follows
    }

    fn apply(&mut self, recorded: &Recorded) {
        match &recorded.occurrence.event {
            Event::TokenIssued(issued) => {
                self.insert(issued.jti, LiveToken::issued(issued, recorded), issued.status_list);
            }
            Event::StatusListBegun(begun) => self.lists.begin(begun),
            Event::TokenRevoked(revoked) => {
                let effective_from = revoked.effective_from;
                self.change(revoked.jti, |token| token.revoke(revoked));
                self.tell(revoked.jti, |jti, exp| Item::Revoked { jti, exp, effective_from });
            }
            Event::TokenSuspended(suspended) => {
                self.change(suspended.jti, |token| token.is_suspended = true);
                self.tell(suspended.jti, |jti, exp| Item::Suspended { jti, exp });
            }
            Event::TokenResumed(resumed) => {
                self.change(resumed.jti, |token| token.is_suspended = false);
                self.tell(resumed.jti, |jti, exp| Item::Resumed { jti, exp });
            }
            Event::TokensRevokedByRule(_) => {
                self.rules.insert(recorded.position, Covers::Tokens);
            }
            Event::KeyCompromised(compromised) => {
                self.rules.insert(recorded.position, Covers::Key);
                self.changes.push(Item::KeyCompromised { kid: compromised.kid.to_string() });
            }
            // Exhaustive, so that whoever adds an event says here what it does to tokens.
            Event::Configured(_)
            | Event::PolicyApplied(_)
            | Event::KeyAdded(_)
            | Event::KeyActivated(_)
            | Event::ClientAdded(_)
            | Event::ClientRotated(_)
            | Event::ClientRevoked(_)
            | Event::KeyRetired(_)
            | Event::ShadowTokenSeen(_)
            | Event::AuditRead(_)
            | Event::RotatedTokenReused(_)
            | Event::CourierIssued(_)
            | Event::CourierRefused(_)
            | Event::IssuanceRefused(_)
            | Event::RevocationRefused(_)
            | Event::SuspensionRefused(_)
            | Event::RotationRefused(_)
            | Event::LoginRefused(_)
            | Event::PersonSeen(_)
            | Event::RevocationByRuleRefused(_) => {}
        }
    }

    fn foresee(&mut self, recorded: &Recorded) {
        match (&recorded.occurrence.event, recorded.occurrence.event.jti()) {
            (Event::TokensRevokedByRule(_), _) => {
                self.rules.insert(recorded.position, Covers::Tokens);
            }
            (Event::KeyCompromised(_), _) => {
                self.rules.insert(recorded.position, Covers::Key);
            }
            (_, Some(jti)) => {
                self.ahead.insert(jti, recorded.position);
            }
            (_, None) => {}
        }
    }

    fn change(&mut self, jti: Uuid, change: impl FnOnce(&mut LiveToken)) {
        if let Some(Known { token, slot }) = self.tokens.get_mut(&jti) {
            change(token);
            if let Some(slot) = *slot {
                self.lists.say(slot, jti, token);
            }
        }
    }

    /// Has others told of a token. Of one that is not known nobody needs to hear: it is expired.
    fn tell(&mut self, jti: Uuid, item: impl FnOnce(Uuid, i64) -> Item) {
        if let Some(known) = self.tokens.get(&jti) {
            self.changes.push(item(jti, known.token.expires_at.timestamp()));
        }
    }

    /// The first rule of which can be asked which tokens it covers: all that it may cover are known here.
    #[must_use]
    pub fn rule_to_expand(&self) -> Option<Position> {
        self.rules.first_key_value().map(|(rule, _)| *rule).filter(|rule| *rule <= self.position)
    }

    /// The last of those rules: what it and others before it cover is not all known yet.
    #[must_use]
    pub fn last_rule_to_expand(&self) -> Option<Position> {
        self.rules.range(..=self.position).next_back().map(|(rule, _)| *rule)
    }

    /// Whether others are told of a rule by its key, and of tokens that are spared.
    #[must_use]
    pub fn is_of_key(&self, rule: Position) -> bool {
        self.rules.get(&rule) == Some(&Covers::Key)
    }

    /// A rule covers these tokens; with `is_last` no others.
    pub fn cover(&mut self, rule: Position, covered: impl IntoIterator<Item = Uuid>, is_last: bool) {
        let is_of_key = self.is_of_key(rule);
        for jti in covered {
            let known = self.tokens.get_mut(&jti).filter(|known| known.token.end != End::AtOnce);
            let Some(Known { token, slot }) = known else { continue };
            token.end(End::AtOnce);
            if let Some(slot) = *slot {
                self.lists.say(slot, jti, token);
            }
            if !is_of_key {
                let exp = token.expires_at.timestamp();
                self.changes.push(Item::Revoked { jti, exp, effective_from: None });
            }
        }
        if is_last {
            self.rules.remove(&rule);
        }
        if self.rules.is_empty() {
            self.spared = HashMap::new();
        }
    }

    /// Has others told which tokens of a compromised key are spared, and which are not any more.
    pub fn tell_of_key(&mut self, items: impl IntoIterator<Item = Item>) {
        items.into_iter().for_each(|item| self.changes.push(item));
    }

    /// Whether there is anything that others are to be told.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What others are to be told of what was followed since this was last asked for. It is all there is up to the
    /// position, unless a rule is yet [to be expanded](Self::rule_to_expand).
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// The status lists at `now`, in the order in which they began.
    pub fn status_lists(&mut self, now: DateTime<Utc>) -> impl Iterator<Item = &LiveList> {
        while let Some(jti) = self.lists.due(now) {
            let known = self.tokens.get(&jti).filter(|known| known.token.has_ended(now));
            if let Some(slot) = known.and_then(|known| known.slot) {
                self.lists.end(slot);
            }
        }
        self.lists.all()
    }

    /// Whether there is such a list.
    #[must_use]
    pub fn has_status_list(&self, id: Uuid) -> bool {
        self.lists.get(id).is_some()
    }

    /// Looks at the next `most` tokens and forgets those that are expired: the log tells what they were.
    pub fn forget_expired(&mut self, now: DateTime<Utc>, most: usize) {
        for _ in 0..most.min(self.tokens.len()) {
            if self.looked_at >= self.tokens.len() {
                self.looked_at = 0;
            }
            match self.tokens.get_index(self.looked_at) {
                Some((_, known)) if known.is_over(now) => {
                    let forgotten = self.tokens.swap_remove_index(self.looked_at);
                    if let Some(slot) = forgotten.and_then(|(_, known)| known.slot) {
                        self.lists.leave(slot);
                    }
                }
                Some(_) => self.looked_at += 1,
                None => return,
            }
        }
    }
}

impl Known {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.slot.map_or(self.token.expires_at, |_| kept_until(&self.token))
    }
}
