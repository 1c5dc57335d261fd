//! What a check needs to know of the tokens that may still be used, in few bytes: every server keeps it in memory and
//! follows the log with it. What it does not know, or not well enough, the log is asked for.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
};

use catalog_gateway::wire::Item;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use uuid::Uuid;

use super::{
    Event, Position, Predicate, Recorded, Rule,
    changes::Changes,
    likeness::{Condition, Covered, Likeness, Pending, Shared},
    live_lists::{LiveLists, kept_until},
    packed::Packed,
    status_list::{Entry, StatusListBegun},
};

pub use super::live_lists::{LiveList, told_from};
pub use super::live_token::{End, LiveToken};

/// How many tokens are looked at for one that meets a predicate: fewer than it takes a millisecond to.
const LOOKED_AT_MAX: usize = 8_192;

/// The tokens that may still be used, as of a position. Events are taken in the order of the log and none is left out.
#[derive(Debug, Default)]
pub struct LiveIndex {
    tokens: IndexMap<Uuid, Packed>,
    shared: Shared,
    position: Position,
    lists: LiveLists,
    // What is known to have happened after `position`: the latest event of a token, and rules.
    ahead: HashMap<Uuid, Position>,
    // Rules of which not every token is known yet that they cover: until then each token is held against them.
    rules: BTreeMap<Position, Pending>,
    // Tokens that the log was asked for meanwhile: up to which of those rules none covers them.
    spared: HashMap<Uuid, Position>,
    looked_at: usize,
    changes: Changes,
}

/// What came of holding some tokens against a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Below which place the next are; 0 = there are none.
    pub below: usize,
    /// Those that it covers and that are not over.
    pub covered: Vec<Uuid>,
    /// Whether the log need not be asked for any of them.
    pub is_sure: bool,
}

impl LiveIndex {
    /// An index as of a position, with room for so many tokens, which come by [`insert`](Self::insert), and with the rules
    /// whose tokens are not all revoked among them.
    #[must_use]
    pub fn new(
        position: Position,
        rules: impl IntoIterator<Item = Rule>,
        lists: &[StatusListBegun],
        room: usize,
    ) -> Self {
        let mut index = Self { tokens: IndexMap::with_capacity(room), position, ..Self::default() };
        rules.into_iter().for_each(|rule| index.add_rule(&rule, false));
        for begun in lists {
            index.lists.begin(begun);
        }
        index
    }

    /// What its tokens share: for whoever says what one is [like](Likeness).
    pub fn shared(&mut self) -> &mut Shared {
        &mut self.shared
    }

    /// Adds a token as it stands in the log.
    pub fn insert(&mut self, jti: Uuid, token: LiveToken, like: Likeness, entry: Option<Entry>) {
        let slot = entry.and_then(|entry| self.lists.enter(entry));
        if let Some(slot) = slot {
            self.lists.say(slot, jti, token.end, token.is_suspended);
        }
        self.tokens.insert(jti, Packed::new(token, like, slot));
    }

    /// The same where very many are added: room for more than was expected grows by little at a time.
    pub fn load(&mut self, jti: Uuid, token: LiveToken, like: Likeness, entry: Option<Entry>) {
        if self.tokens.len() == self.tokens.capacity() {
            self.tokens.reserve_exact(self.tokens.len() / 8 + 1);
        }
        self.insert(jti, token, like, entry);
    }

    fn add_rule(&mut self, rule: &Rule, is_of_key: bool) {
        self.rules.insert(rule.position, Pending { condition: Condition::of(rule), is_of_key });
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
    pub fn get(&self, jti: Uuid) -> Option<LiveToken> {
        let known = self.tokens.get(&jti)?;
        if !self.ahead.is_empty() && self.ahead.contains_key(&jti) {
            return None;
        }
        let end = match self.covered(jti, known) {
            Covered::No => known.end(),
            Covered::Perhaps => return None,
            Covered::Yes => End::AtOnce,
        };
        Some(LiveToken { end, ..known.token() })
    }

    /// Whether it knows that a token was issued, even where it cannot tell what became of it.
    #[must_use]
    pub fn has_heard_of(&self, jti: Uuid) -> bool {
        self.tokens.contains_key(&jti) || self.ahead.contains_key(&jti)
    }

    fn covered(&self, jti: Uuid, known: &Packed) -> Covered {
        if self.rules.is_empty() {
            return Covered::No;
        }
        let (place, like) = (known.place(jti), known.like());
        // None of the rules up to here covers it.
        let from = self.spared.get(&jti).copied().unwrap_or_default().max(known.issued());
        let rules = self.rules.range((Excluded(from), Unbounded));
        rules.map(|(_, rule)| self.shared.covered(&rule.condition, &place, &like)).max().unwrap_or(Covered::No)
    }

    /// Whether a rule of `now` with this predicate would end some token, by a look at a few; if not, the log is to be asked.
    #[must_use]
    pub fn is_met_by_some(&self, predicate: &Predicate, now: DateTime<Utc>) -> bool {
        if predicate.is_narrow() {
            return false;
        }
        let condition = Condition::of_all(predicate);
        let few = super::spread::spread(self.tokens.len()).take(LOOKED_AT_MAX);
        few.filter_map(|place| self.tokens.get_index(place)).any(|(jti, known)| {
            self.shared.covered(&condition, &known.place(*jti), &known.like()) == Covered::Yes
                && self.get(*jti).is_some_and(|token| !token.end.holds(now))
        })
    }

    /// The last rule of which is not known yet which tokens it covers.
    #[must_use]
    pub fn last_rule(&self) -> Option<Position> {
        self.rules.last_key_value().map(|(rule, _)| *rule)
    }

    /// Takes in what the log said of a token when it was asked, knowing every rule up to this one: where none covers the
    /// token, it need not be asked again.
    pub fn learn(&mut self, jti: Uuid, rule: Position, said: End) {
        let knows_so = self.tokens.get(&jti).is_some_and(|known| known.end() == said && said != End::AtOnce);
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
        let position = self.position;
        self.ahead.retain(|_, latest| *latest > position);
        follows
    }

    fn apply(&mut self, recorded: &Recorded) {
        match &recorded.occurrence.event {
            Event::TokenIssued(issued) => {
                let like = self.shared.of_issued(issued);
                self.insert(issued.jti, LiveToken::issued(issued, recorded), like, issued.status_list);
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
            Event::TokensRevokedByRule(added) => self.add_rule(&Rule::added(added, recorded), false),
            Event::KeyCompromised(compromised) => {
                self.add_rule(&Rule::of_compromise(compromised, recorded), true);
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
            (Event::TokensRevokedByRule(added), _) => self.add_rule(&Rule::added(added, recorded), false),
            (Event::KeyCompromised(compromised), _) => {
                self.add_rule(&Rule::of_compromise(compromised, recorded), true);
            }
            (_, Some(jti)) => {
                self.ahead.insert(jti, recorded.position);
            }
            (_, None) => {}
        }
    }

    fn change(&mut self, jti: Uuid, change: impl FnOnce(&mut LiveToken)) {
        if let Some(known) = self.tokens.get_mut(&jti) {
            known.change(change);
            if let Some(slot) = known.slot {
                self.lists.say(slot, jti, known.end(), known.is_suspended());
            }
        }
    }

    /// Has others told of a token. Of one that is not known nobody needs to hear: it is expired.
    fn tell(&mut self, jti: Uuid, item: impl FnOnce(Uuid, i64) -> Item) {
        if let Some(known) = self.tokens.get(&jti) {
            self.changes.push(item(jti, known.exp()));
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

    /// Whether the database is sooner through with what a rule covers than whoever looks at every token here.
    #[must_use]
    pub fn is_narrow(&self, rule: Position) -> bool {
        self.rules.get(&rule).is_some_and(|rule| rule.condition.is_narrow())
    }

    /// Whether others are told of a rule by its key, and of tokens that are spared.
    #[must_use]
    pub fn is_of_key(&self, rule: Position) -> bool {
        self.rules.get(&rule).is_some_and(|rule| rule.is_of_key)
    }

    /// Holds the next `most` tokens below a place against a rule. Whoever begins does so anywhere above the last: a token that
    /// moves meanwhile moves to where it is still looked at, or was already.
    #[must_use]
    pub fn hold_against(&self, rule: Position, below: usize, most: usize) -> Held {
        let below = below.min(self.tokens.len());
        let from = below.saturating_sub(most);
        let mut held = Held { below: from, covered: Vec::new(), is_sure: true };
        if let Some((rule, tokens)) = self.rules.get(&rule).zip(self.tokens.get_range(from..below)) {
            for (jti, known) in tokens.iter().filter(|(_, known)| known.end() != End::AtOnce) {
                match self.shared.covered(&rule.condition, &known.place(*jti), &known.like()) {
                    Covered::No => {}
                    Covered::Perhaps => held.is_sure = false,
                    Covered::Yes => held.covered.push(*jti),
                }
            }
        }
        held
    }

    /// A rule covers these tokens, and perhaps others.
    pub fn cover(&mut self, rule: Position, covered: impl IntoIterator<Item = Uuid>) {
        let is_of_key = self.is_of_key(rule);
        for jti in covered {
            if self.tokens.get(&jti).is_some_and(|known| known.end() != End::AtOnce) {
                self.change(jti, |token| token.end(End::AtOnce));
                if !is_of_key {
                    self.tell(jti, |jti, exp| Item::Revoked { jti, exp, effective_from: None });
                }
            }
        }
    }

    /// A rule covers no other tokens than those it was said to [cover](Self::cover).
    pub fn expanded(&mut self, rule: Position) {
        self.rules.remove(&rule);
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
            let known = self.tokens.get(&jti).filter(|known| known.end().holds(now));
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
                Some((_, known)) if is_over(known, now) => {
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

fn is_over(known: &Packed, now: DateTime<Utc>) -> bool {
    now.timestamp() >= known.slot.map_or(known.exp(), |_| kept_until(known.exp()))
}
