//! What one batch of commands is decided on: the settings and the few tokens that the batch touches.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Authority, Event, Position, Recorded, Refusal, Rule, Settings, Status, Token,
    authority::Credential,
    idempotency::{Answered, Scope, remembered_for},
    person::PersonSeen,
    status_list::Entry,
    suspend::Affected,
    text::{Name, Subject},
    token::{Revocation, Suspension},
};

/// A part of what the log says, large enough for the commands at hand; later commands see what earlier ones did.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Issuer, audience, policy, keys.
    pub settings: Settings,
    tokens: HashMap<Uuid, Token>,
    names: HashMap<(Subject, Name), Vec<Uuid>>,
    subjects: HashMap<Subject, HashSet<Uuid>>,
    touched: HashSet<Uuid>,
    answered: HashMap<Scope, Answered>,
    shadows: HashSet<Uuid>,
    reuses: HashSet<Uuid>,
    crowds: HashSet<(Subject, Affected)>,
    rules: Vec<Rule>,
    people: HashMap<Subject, (PersonSeen, Position)>,
    people_seen: HashSet<Subject>,
    past: Vec<Past>,
    taken: HashSet<Entry>,
    entries: BTreeMap<Position, Entry>,
}

/// What was so of a token, and is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The token, by where it was issued.
    pub issued: Position,
    /// What.
    pub was: Was,
    /// The event since which it is no more.
    pub until: Position,
}

/// What may be so of a token for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Was {
    /// That it would end, later than it did.
    Revoked(Revocation),
    /// That it was held back.
    Suspended(Suspension),
}

impl Past {
    fn new(token: &Token, was: Was, until: Position) -> Self {
        Self { issued: token.issued, was, until }
    }
}

impl State {
    /// The settings, and no token yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Adds a token as it stands in the log.
    pub fn insert(&mut self, token: Token) {
        if let Some(sub) = &token.sub {
            self.subjects.entry(sub.clone()).or_default().insert(token.jti);
        }
        if let (Some(sub), Some(name)) = (&token.sub, &token.name) {
            let holders = self.names.entry((sub.clone(), name.clone())).or_default();
            if !holders.contains(&token.jti) {
                holders.push(token.jti);
            }
        }
        self.tokens.insert(token.jti, token);
    }

    /// Lets go of every token that was expired by then, and of all that is kept of events for their projections alone:
    /// decisions look at none of it any more.
    pub fn forget(&mut self, expired_by: DateTime<Utc>) {
        self.tokens.retain(|_, token| token.expires_at > expired_by);
        let tokens = &self.tokens;
        self.subjects.retain(|_, of| {
            of.retain(|jti| tokens.contains_key(jti));
            !of.is_empty()
        });
        self.names.retain(|_, holders| {
            holders.retain(|jti| tokens.contains_key(jti));
            !holders.is_empty()
        });
        self.touched.retain(|jti| tokens.contains_key(jti));
        self.past.clear();
        self.entries.clear();
        self.taken.clear();
        self.rules.clear();
    }

    /// Adds a request that was answered.
    pub fn remember(&mut self, scope: Scope, answered: Answered) {
        self.answered.insert(scope, answered);
    }

    /// Adds the identifier of a shadow token that was seen.
    pub fn insert_shadow(&mut self, jti: Uuid) {
        self.shadows.insert(jti);
    }

    /// Whether a shadow token of that identifier was seen.
    #[must_use]
    pub fn knows_shadow(&self, jti: Uuid) -> bool {
        self.shadows.contains(&jti)
    }

    /// Adds the identifier of a rotated token that was seen after its end.
    pub fn insert_reuse(&mut self, jti: Uuid) {
        self.reuses.insert(jti);
    }

    /// Whether the rotated token of that identifier was seen after its end.
    #[must_use]
    pub fn knows_reuse(&self, jti: Uuid) -> bool {
        self.reuses.contains(&jti)
    }

    /// Says that a subject has more tokens that a change would reach than one command may change, so not all are here.
    pub fn insert_crowd(&mut self, sub: Subject, affected: Affected) {
        self.crowds.insert((sub, affected));
    }

    /// Whether a subject had too many tokens for one change.
    #[must_use]
    pub fn is_crowd(&self, sub: &Subject, affected: Affected) -> bool {
        self.crowds.contains(&(sub.clone(), affected))
    }

    /// The request of that name, while it is remembered.
    #[must_use]
    pub fn answered(&self, scope: &Scope, now: DateTime<Utc>) -> Option<&Answered> {
        self.answered.get(scope).filter(|answered| now < answered.at + remembered_for())
    }

    /// The token of that identifier.
    #[must_use]
    pub fn token(&self, jti: Uuid) -> Option<&Token> {
        self.tokens.get(&jti)
    }

    /// The tokens, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// The tokens of `sub`, in no order.
    pub fn tokens_of(&self, sub: &Subject) -> impl Iterator<Item = &Token> {
        self.subjects.get(sub).into_iter().flatten().filter_map(|jti| self.token(*jti))
    }

    /// The active token of `sub` that has the name, at `now`.
    #[must_use]
    pub fn holder_of_name(&self, sub: &Subject, name: &Name, now: DateTime<Utc>) -> Option<Uuid> {
        self.rival_for_name(sub, name, None, now)
    }

    /// The same, but for the members of a family: they hand the name on.
    #[must_use]
    pub fn rival_for_name(&self, sub: &Subject, name: &Name, family: Option<Uuid>, now: DateTime<Utc>) -> Option<Uuid> {
        let holders = self.names.get(&(sub.clone(), name.clone()))?.iter().filter_map(|jti| self.token(*jti));
        let mut rivals = holders.filter(|token| token.is_kept(now) && family != Some(token.family()));
        rivals.next().map(|token| token.jti)
    }

    /// The tokens of a family, as far as they are known here.
    pub fn family(&self, family: Uuid) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(move |token| token.family() == family)
    }

    /// How many tokens `sub` has at `now` that are active or may become so again.
    #[must_use]
    pub fn active_of(&self, sub: &Subject, now: DateTime<Utc>) -> usize {
        self.tokens_of(sub).filter(|token| token.is_kept(now)).count()
    }

    /// Adds what was recorded of a person last.
    pub fn insert_person(&mut self, sub: Subject, seen: PersonSeen, position: Position) {
        self.people.insert(sub, (seen, position));
    }

    /// What a provider said of a person last, as far as it is recorded.
    #[must_use]
    pub fn person(&self, sub: &Subject) -> Option<&PersonSeen> {
        self.people.get(sub).map(|(seen, _)| seen)
    }

    /// Everybody of whom something is recorded, with where it is.
    pub fn people(&self) -> impl Iterator<Item = (&Subject, &PersonSeen, Position)> {
        self.people.iter().map(|(sub, (seen, position))| (sub, seen, *position))
    }

    /// The people that [`Self::apply`] recorded something of.
    pub fn people_seen(&self) -> impl Iterator<Item = (&Subject, &PersonSeen, Position)> {
        self.people().filter(|(sub, ..)| self.people_seen.contains(*sub))
    }

    /// Adds an entry of a status list that a token has.
    pub fn insert_taken(&mut self, entry: Entry) {
        self.taken.insert(entry);
    }

    /// Whether a token has the entry, as far as is known here.
    #[must_use]
    pub fn is_taken(&self, entry: Entry) -> bool {
        self.taken.contains(&entry)
    }

    /// The entries that [`Self::apply`] gave to tokens, by where these were issued.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<Position, Entry> {
        &self.entries
    }

    /// Lets a caller pass whose credential, if it has one, is good at `now`.
    ///
    /// # Errors
    /// [`Refusal::CredentialInactive`]: it was revoked or ran out while the command waited.
    pub fn require_credential(&self, authority: &Authority, now: DateTime<Utc>) -> Result<(), Refusal> {
        let is_good = match &authority.credential {
            None => true,
            Some(Credential::Token(jti)) => self.token(*jti).is_some_and(|token| token.status(now) == Status::Active),
            Some(Credential::Client { name, secret }) => {
                self.settings.client(name).is_some_and(|client| client.accepts(secret, now))
            }
            Some(Credential::Login { issuer }) => self.settings.trusts(issuer),
        };
        if is_good { Ok(()) } else { Err(Refusal::CredentialInactive) }
    }

    /// Whether a credential was signed by a key that is for tokens from a shell alone.
    #[must_use]
    pub fn is_of_shell_key(&self, credential: Option<Uuid>) -> bool {
        let token = credential.and_then(|jti| self.token(jti));
        token.and_then(|token| self.settings.key(&token.kid)).is_some_and(|key| key.dev)
    }

    /// Folds one event in, exactly as a replay of the log would.
    pub fn apply(&mut self, recorded: &Recorded) {
        match &recorded.occurrence.event {
            Event::TokenIssued(issued) => {
                self.insert(Token::issued(issued, recorded));
                self.touched.insert(issued.jti);
                self.taken.extend(issued.status_list);
                self.entries.extend(issued.status_list.map(|entry| (recorded.position, entry)));
            }
            Event::TokenRevoked(revoked) => {
                if let Some(token) = self.tokens.get_mut(&revoked.jti) {
                    let superseded = token.revoke(revoked, recorded).map(Was::Revoked);
                    self.past.extend(superseded.map(|was| Past::new(token, was, recorded.position)));
                    self.touched.insert(revoked.jti);
                }
            }
            Event::TokenSuspended(suspended) => {
                if let Some(token) = self.tokens.get_mut(&suspended.jti) {
                    token.suspend(suspended, recorded);
                    self.touched.insert(suspended.jti);
                }
            }
            Event::TokenResumed(resumed) => {
                if let Some(token) = self.tokens.get_mut(&resumed.jti) {
                    let ended = token.suspension.take().map(Was::Suspended);
                    self.past.extend(ended.map(|was| Past::new(token, was, recorded.position)));
                    self.touched.insert(resumed.jti);
                }
            }
            Event::TokensRevokedByRule(added) => {
                self.add_rule(Rule::added(added, recorded));
            }
            Event::KeyCompromised(compromised) => {
                self.settings.apply(recorded);
                self.add_rule(Rule::of_compromise(compromised, recorded));
            }
            Event::Configured(_)
            | Event::PolicyApplied(_)
            | Event::StatusListBegun(_)
            | Event::KeyAdded(_)
            | Event::KeyActivated(_)
            | Event::KeyRetired(_)
            | Event::ClientAdded(_)
            | Event::ClientRotated(_)
            | Event::ClientRevoked(_) => self.settings.apply(recorded),
            Event::PersonSeen(seen) => {
                if let Some(sub) = &seen.sub {
                    self.insert_person(sub.clone(), PersonSeen::clone(seen), recorded.position);
                    self.people_seen.insert(sub.clone());
                }
            }
            Event::ShadowTokenSeen(shadow) => self.shadows.extend(shadow.jti),
            Event::RotatedTokenReused(reused) => self.insert_reuse(reused.jti),
            Event::CourierIssued(_)
            | Event::CourierRefused(_)
            | Event::IssuanceRefused(_)
            | Event::RevocationRefused(_)
            | Event::SuspensionRefused(_)
            | Event::RotationRefused(_)
            | Event::LoginRefused(_)
            | Event::AuditRead(_)
            | Event::RevocationByRuleRefused(_) => {}
        }
    }

    /// What is no more, by the events that were applied.
    #[must_use]
    pub fn past(&self) -> &[Past] {
        &self.past
    }

    fn add_rule(&mut self, rule: Rule) {
        for token in self.tokens.values_mut() {
            let superseded = token.revoke_by(&rule).map(Was::Revoked);
            self.past.extend(superseded.map(|was| Past::new(token, was, rule.position)));
        }
        self.rules.push(rule);
    }

    /// The rules that [`Self::apply`] added, in the order of the log.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The tokens that [`Self::apply`] made or changed by an event of their own. What a rule alone changed is not among
    /// them: any number may be.
    pub fn touched(&self) -> impl Iterator<Item = &Token> {
        self.touched.iter().filter_map(|jti| self.tokens.get(jti))
    }

    /// How many tokens are known here.
    #[must_use]
    pub fn known(&self) -> usize {
        self.tokens.len()
    }

    /// Every token.
    pub fn into_tokens(self) -> impl Iterator<Item = Token> {
        self.tokens.into_values()
    }
}
