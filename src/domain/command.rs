//! Commands as they stand in the queue, and the one place that sends each to its decision.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Authority, ChangeSuspension, Event, IssueToken, Origin, Recorded, Refusal, RevokeByRule, RevokeToken, RevokeTokens,
    RotateToken, State, Status,
    audit::AuditRead,
    authority::RoutePermission,
    claims::Teams,
    client::{ChangeClient, change_client},
    configure::{ApplyPolicy, Configure, apply_policy, configure},
    courier::{IssueCourier, issue_courier},
    denial::{Denial, RotatedTokenReused, ShadowTokenSeen},
    event::KeyAdded,
    idempotency::{Answered, Idempotency},
    issue::{Circumstances, issue},
    key_life::{ActivateKey, CompromiseKey, RetireKey, activate_key, add_key, compromise_key, retire_key},
    membership::Answer,
    person::PersonSeen,
    revoke::revoke,
    revoke_several::revoke_several,
    rotate::{rotate, see_reuse},
    rule::revoke_by_rule,
    status_list::Draw,
    suspend::{Affected, Which, change_suspension, left_suspended},
    text::{Kid, Name, Subject},
};

/// A command with everything that its decision needs besides the state.
#[derive(Debug, Clone)]
pub struct Command {
    /// What is asked for.
    pub act: Act,
    /// By whom.
    pub authority: Authority,
    /// Through which door, for the record.
    pub origin: Origin,
    /// The decision's clock.
    pub now: DateTime<Utc>,
    /// The request's name, if it gave itself one.
    pub idempotency: Option<Idempotency>,
}

/// What a command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These events happen, none when everything is already so.
    Events(Vec<Event>),
    /// The same request was answered before, by this event.
    Repeat(Box<Recorded>),
}

/// What can be asked for.
#[derive(Debug, Clone)]
pub enum Act {
    /// A token, under an identifier that chance has given.
    Issue {
        /// What it shall be like.
        command: Box<IssueToken>,
        /// Its identifier.
        jti: Uuid,
        /// The key that the asking process will sign with.
        signer: Kid,
        /// Which teams its subject is in, if anybody was asked.
        membership: Option<Answer>,
        /// Its entry in a status list, if there is to be one.
        draw: Box<Draw>,
    },
    /// The end of a token.
    Revoke(RevokeToken),
    /// That a successor take a token's place.
    Rotate {
        /// Which token's, and how.
        command: RotateToken,
        /// The successor's identifier.
        successor: Uuid,
        /// The key that the asking process will sign with.
        signer: Kid,
        /// Which teams its subject is in, if anybody was asked.
        membership: Option<Answer>,
        /// Its entry in a status list, if there is to be one.
        draw: Box<Draw>,
    },
    /// A courier of a token that is revoked.
    IssueCourier {
        /// Of which, and for whom.
        command: IssueCourier,
        /// The key that the asking process will sign with.
        signer: Kid,
    },
    /// That a rotated token that was presented after its end be remembered.
    SeeReuse(RotatedTokenReused),
    /// That tokens be held back, or let go.
    ChangeSuspension(ChangeSuspension),
    /// The end of several tokens.
    RevokeSeveral(RevokeTokens),
    /// The end of every token that a rule covers.
    RevokeByRule {
        /// The rule.
        command: Box<RevokeByRule>,
        /// Whether it covers anything, looked up before the command was queued.
        covers_any: bool,
    },
    /// That the log agree with how this process was started.
    Configure(Box<Configure>),
    /// Other rules.
    ApplyPolicy(Box<ApplyPolicy>),
    /// Another key.
    AddKey(Box<KeyAdded>),
    /// Another client, another secret of one, or its end.
    ChangeClient(ChangeClient),
    /// That a key sign from here on.
    ActivateKey(ActivateKey),
    /// That a key be put away.
    RetireKey(RetireKey),
    /// That nothing be believed that a key signed.
    CompromiseKey(Box<CompromiseKey>),
    /// That a refusal be remembered.
    Deny(Denial),
    /// That a shadow token be remembered.
    SeeShadow(ShadowTokenSeen),
    /// That the log was read out be remembered.
    RecordRead(AuditRead),
    /// That what a provider says of a person be remembered.
    SeePerson(Box<PersonSeen>),
}

impl Command {
    /// What the command comes to.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn decide(&self, state: &State) -> Result<Decision, Refusal> {
        match self.idempotency.as_ref().and_then(|named| Some((named, state.answered(&named.scope, self.now)?))) {
            Some((named, answered)) => self.repeat(named, answered, state).map(Decision::Repeat),
            None => self.events(state).map(Decision::Events),
        }
    }

    /// A repeat is answered again only to a caller that may still ask, and never with a token that is over.
    fn repeat(&self, named: &Idempotency, answered: &Answered, state: &State) -> Result<Box<Recorded>, Refusal> {
        // A row that names what somebody else was answered was not written by any program of ours.
        let is_its_own = answered.holder() == Some(named.scope.credential);
        if !is_its_own || named.request_digest != answered.request_digest {
            return Err(Refusal::IdempotencyKeyReused { key: named.scope.key.clone() });
        }
        state.require_credential(&self.authority, self.now)?;
        match &answered.event.occurrence.event {
            Event::TokenIssued(issued) => {
                let may_create = self.authority.require(RoutePermission::TokensCreate);
                if issued.predecessor.is_some() && issued.predecessor == self.authority.token() {
                    may_create.or_else(|_| self.authority.require(RoutePermission::TokensRotateSelf))?;
                } else {
                    may_create?;
                }
                let over = state.token(issued.jti).is_none_or(|token| token.status(self.now) != Status::Active);
                if over || state.settings.key(&issued.kid).is_none_or(|key| key.over().is_some()) {
                    return Err(Refusal::RepeatOver { jti: issued.jti });
                }
            }
            _ => self.authority.require(RoutePermission::TokensRevoke)?,
        }
        Ok(Box::new(answered.event.clone()))
    }

    fn events(&self, state: &State) -> Result<Vec<Event>, Refusal> {
        match &self.act {
            Act::Issue { command, jti, signer, membership, draw } => {
                let (path, membership, draw, now) = (self.origin.path, membership.as_ref(), **draw, self.now);
                let circumstances = Circumstances { path, jti: *jti, signer, membership, draw, now };
                Ok(issue(state, command, &self.authority, circumstances)?.into_events().collect())
            }
            Act::Revoke(command) => {
                let revoked = revoke(state, command, &self.authority, self.now)?;
                Ok(revoked.map(Event::TokenRevoked).into_iter().collect())
            }
            Act::Rotate { command, successor, signer, membership, draw } => {
                let (path, membership, draw, now) = (self.origin.path, membership.as_ref(), **draw, self.now);
                let circumstances = Circumstances { path, jti: *successor, signer, membership, draw, now };
                rotate(state, command, &self.authority, circumstances)
            }
            Act::IssueCourier { command, signer } => {
                let issued = issue_courier(state, command, &self.authority, signer, self.origin.path, self.now)?;
                Ok(vec![Event::CourierIssued(Box::new(issued))])
            }
            Act::SeeReuse(reused) => Ok(see_reuse(state, reused, self.now)),
            Act::ChangeSuspension(command) => change_suspension(state, command, &self.authority, self.now),
            Act::RevokeSeveral(command) => {
                let revoked = revoke_several(state, command, &self.authority, self.now)?;
                Ok(revoked.into_iter().map(Event::TokenRevoked).collect())
            }
            Act::RevokeByRule { command, covers_any } => {
                let added = revoke_by_rule(state, command, *covers_any, &self.authority, self.now)?;
                Ok(added.map(|added| Event::TokensRevokedByRule(Box::new(added))).into_iter().collect())
            }
            Act::Configure(command) => configure(&state.settings, command),
            Act::ApplyPolicy(command) => Ok(apply_policy(&state.settings, command)?.into_iter().collect()),
            Act::AddKey(key) => Ok(add_key(&state.settings, key).into_iter().collect()),
            Act::ChangeClient(change) => Ok(change_client(&state.settings, change, self.now)?.into_iter().collect()),
            Act::ActivateKey(command) => {
                let activated = activate_key(&state.settings, command, self.now)?;
                Ok(activated.map(Event::KeyActivated).into_iter().collect())
            }
            Act::RetireKey(command) => {
                let retired = retire_key(&state.settings, command)?;
                Ok(retired.map(Event::KeyRetired).into_iter().collect())
            }
            Act::CompromiseKey(command) => compromise_key(&state.settings, command, self.now),
            Act::Deny(denial) => Ok(vec![denial.event()]),
            // Once is enough: whoever presents it again tells nothing new.
            Act::SeeShadow(shadow) if shadow.jti.is_some_and(|jti| state.knows_shadow(jti)) => Ok(Vec::new()),
            Act::SeeShadow(shadow) => Ok(vec![Event::ShadowTokenSeen(shadow.clone())]),
            Act::RecordRead(read) => Ok(vec![Event::AuditRead(read.clone())]),
            Act::SeePerson(seen) => Ok(see_person(state, seen)),
        }
    }

    /// The token that the command is about.
    #[must_use]
    pub fn jti(&self) -> Option<Uuid> {
        match &self.act {
            Act::Issue { .. } | Act::Rotate { .. } => self.jti_issued(),
            Act::Revoke(command) => Some(command.jti),
            Act::IssueCourier { command, .. } => Some(command.jti),
            Act::ChangeSuspension(command) => command.jti(),
            Act::SeeReuse(reused) => Some(reused.jti),
            Act::RevokeSeveral(_)
            | Act::RevokeByRule { .. }
            | Act::Configure(_)
            | Act::ApplyPolicy(_)
            | Act::AddKey(_)
            | Act::ChangeClient(_)
            | Act::ActivateKey(_)
            | Act::RetireKey(_)
            | Act::CompromiseKey(_)
            | Act::Deny(_)
            | Act::SeeShadow(_)
            | Act::RecordRead(_)
            | Act::SeePerson(_) => None,
        }
    }

    /// The tokens that the command is about, where it is about several.
    #[must_use]
    pub fn several(&self) -> &[Uuid] {
        match &self.act {
            Act::RevokeSeveral(command) => command.ids(),
            _ => &[],
        }
    }

    /// The token that the command would bring into being.
    #[must_use]
    pub fn jti_issued(&self) -> Option<Uuid> {
        match &self.act {
            Act::Issue { jti, .. } => Some(*jti),
            Act::Rotate { successor, .. } => Some(*successor),
            _ => None,
        }
    }

    /// What chance offers to the token that the command would bring into being.
    #[must_use]
    pub fn draw(&self) -> Option<&Draw> {
        match &self.act {
            Act::Issue { draw, .. } | Act::Rotate { draw, .. } => Some(draw),
            _ => None,
        }
    }

    /// The tokens whose state the decision looks at, by identifier.
    pub fn tokens_needed(&self) -> impl Iterator<Item = Uuid> {
        let target = match &self.act {
            Act::Revoke(command) => Some(command.jti),
            Act::IssueCourier { command, .. } => Some(command.jti),
            Act::ChangeSuspension(command) => command.jti(),
            Act::Rotate { command, .. } => Some(command.jti),
            _ => None,
        };
        target.into_iter().chain(self.several().iter().copied()).chain(self.authority.token())
    }

    /// The name whose holders the decision looks at. The tokens that the command names are known in `state`.
    #[must_use]
    pub fn name_needed<'a>(&'a self, state: &'a State) -> Option<(&'a Subject, &'a Name)> {
        match &self.act {
            Act::Issue { command, .. } => command.name.as_ref().map(|name| (&command.sub, name)),
            Act::Rotate { command, .. } => {
                state.token(command.jti).and_then(|old| Some((old.sub.as_ref()?, old.name.as_ref()?)))
            }
            _ => None,
        }
    }

    /// The subject whose active tokens the decision may count. The tokens that the command names are known in `state`.
    #[must_use]
    pub fn subject_needed<'a>(&'a self, state: &'a State) -> Option<&'a Subject> {
        match &self.act {
            Act::Issue { command, .. } => Some(&command.sub),
            Act::Rotate { command, .. } => state.token(command.jti).and_then(|old| old.sub.as_ref()),
            _ => None,
        }
    }

    /// The rotated token that was presented, and its family, which the decision may end.
    #[must_use]
    pub fn reuse_needed(&self) -> Option<&RotatedTokenReused> {
        match &self.act {
            Act::SeeReuse(reused) => Some(reused),
            _ => None,
        }
    }

    /// The subject whose tokens the decision may change, and which of them.
    #[must_use]
    pub fn subject_changed(&self) -> Option<(&Subject, Affected)> {
        match &self.act {
            Act::ChangeSuspension(ChangeSuspension { change, which: Which::Subject(sub), .. }) => {
                Some((sub, Affected::by(*change, &self.authority)))
            }
            _ => None,
        }
    }

    /// How many tokens, once it is carried out, it has left suspended that its caller may not resume.
    #[must_use]
    pub fn left(&self, state: &State) -> usize {
        match &self.act {
            Act::ChangeSuspension(command) => left_suspended(state, command, &self.authority, self.now),
            _ => 0,
        }
    }

    /// The person whose last login the decision looks at: the one that is seen, or whom a token is for that somebody else
    /// asks for. The tokens that the command names are known in `state`.
    #[must_use]
    pub fn person_needed(&self, state: &State) -> Option<Subject> {
        match &self.act {
            Act::SeePerson(seen) => seen.sub.clone(),
            Act::Issue { command, .. } => bearer_of_teams(command),
            Act::Rotate { command, .. } => bearer_of_teams(&command.wish(state.token(command.jti)?)?),
            _ => None,
        }
    }

    /// The shadow token that the decision asks for.
    #[must_use]
    pub fn shadow_needed(&self) -> Option<Uuid> {
        match &self.act {
            Act::SeeShadow(shadow) => shadow.jti,
            _ => None,
        }
    }
}

/// Whom gateways will take the bearer for, where the token names teams.
fn bearer_of_teams(command: &IssueToken) -> Option<Subject> {
    matches!(&command.teams, Some(Teams::These(teams)) if !teams.is_empty()).then(|| command.bearer())
}

/// Once is enough, and an older word changes nothing.
fn see_person(state: &State, seen: &PersonSeen) -> Vec<Event> {
    let last = seen.sub.as_ref().and_then(|sub| state.person(sub));
    if last.is_some_and(|last| !seen.is_news_after(last)) {
        return Vec::new();
    }
    vec![Event::PersonSeen(Box::new(seen.clone()))]
}
