//! Letting in whom an identity provider vouches for: by an access token that it issued for this catalog.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Catalog, CheckError, Live, metrics};
use crate::{
    domain::{
        Act, Actor, Authority, Origin,
        denial::Denial,
        person::{LoginRefusal, Person, PersonSeen},
        text::{Issuer, Subject, harmless},
        trusted_issuer::TrustedIssuer,
    },
    signing::{ProviderToken, Untaken},
    store::{AppendError, people},
};

/// The most characters of a provider's own name for somebody.
const SUB_LENGTH_MAX: usize = 255;
/// How many people are remembered to have been recorded. The log knows them all.
const PEOPLE_REMEMBERED_MAX: usize = 10_000;

/// What became of a token that a trusted issuer is said to have made.
pub(super) enum Login {
    /// It is good for this.
    Good(Box<Authority>),
    /// It is good for nothing here.
    Refused,
}

impl Login {
    /// The authority that it gives, if any.
    pub(super) fn authority(self) -> Option<Authority> {
        match self {
            Self::Good(authority) => Some(*authority),
            Self::Refused => None,
        }
    }
}

impl Catalog {
    /// Who presents a token of a trusted issuer; `None` for a token of anybody else. Whoever is known and not let in is
    /// recorded.
    pub(super) async fn log_in(&self, presented: &str, asked_by: &Origin) -> Result<Option<Login>, CheckError> {
        let live = self.live();
        let Some((token, trusted)) = of_trusted(presented, &live) else { return Ok(None) };
        let judged = self.judge_login(&token, trusted).await;
        let verdict = match &judged {
            Ok(Ok(_)) => "person",
            Ok(Err(_)) => "person_refused",
            Err(_) => metrics::UNAVAILABLE,
        };
        metrics::checked(metrics::Checked::Credential, verdict);
        match judged? {
            Ok(person) => {
                self.note_person(&person, asked_by).await?;
                Ok(Some(Login::Good(Box::new(person.authority()))))
            }
            Err(Untaken::Refused { sub, refusal }) => {
                self.note_refused_login(&trusted.issuer, sub.as_deref(), refusal, asked_by).await?;
                Ok(Some(Login::Refused))
            }
            // Anybody can write such a token, so it is no evidence of anybody.
            Err(untaken @ (Untaken::Unproven(_) | Untaken::OutOfTime(_))) => {
                tracing::debug!(issuer = %trusted.issuer, error = %untaken, "a provider's token is not taken");
                Ok(Some(Login::Refused))
            }
        }
    }

    async fn judge_login(
        &self,
        token: &ProviderToken<'_>,
        trusted: &TrustedIssuer,
    ) -> Result<Result<Person, Untaken>, CheckError> {
        let kid = match token.kid() {
            Ok(kid) => kid,
            Err(untaken) => return Ok(Err(untaken)),
        };
        let keys = self.providers.keys(&trusted.keys, kid, &self.ambient.clock).await?;
        Ok(token.person(trusted, &keys, self.ambient.clock.now()))
    }

    async fn note_refused_login(
        &self,
        issuer: &Issuer,
        sub: Option<&str>,
        refusal: LoginRefusal,
        asked_by: &Origin,
    ) -> Result<(), AppendError> {
        let sub = sub.map(|sub| harmless(sub, SUB_LENGTH_MAX));
        let origin = Origin { actor: Actor::Person { issuer: issuer.clone(), sub }, ..asked_by.clone() };
        self.note_login_denial(Denial::of_login(refusal, self.ambient.clock.now()), origin).await
    }

    /// A login is recorded before it is evidence of anything, and once for as long as it says the same.
    async fn note_person(&self, person: &Person, asked_by: &Origin) -> Result<(), CheckError> {
        let seen = person.seen();
        let is_known = |last: &PersonSeen| !seen.is_news_after(last);
        if self.people.get(&person.subject).is_some_and(|last| is_known(&last)) {
            return Ok(());
        }
        let recorded = people::get(self.database.reads(), &person.subject).await?;
        let last = match recorded {
            Some(last) if is_known(&last) => last,
            _ => {
                let sub = Some(person.subject.to_string());
                let actor = Actor::Person { issuer: person.issuer.clone(), sub };
                self.append_note(Act::SeePerson(Box::new(seen.clone())), Origin { actor, ..asked_by.clone() }).await?;
                seen
            }
        };
        self.people.keep(person.subject.clone(), last);
        Ok(())
    }
}

/// A token that says it is of an issuer that is trusted.
fn of_trusted<'t, 'l>(presented: &'t str, live: &'l Arc<Live>) -> Option<(ProviderToken<'t>, &'l TrustedIssuer)> {
    let rules = &live.settings.policy.as_ref()?.rules;
    if rules.trusted_issuers.is_empty() {
        return None;
    }
    let token = ProviderToken::read(presented)?;
    let trusted = rules.trusted_issuer(&Issuer::parse(token.issuer()?).ok()?)?;
    Some((token, trusted))
}

/// What this process knows to be recorded of people. Another process may have recorded more since: that is seen under the
/// lock.
#[derive(Default)]
pub(super) struct People(Mutex<HashMap<Subject, PersonSeen>>);

impl People {
    fn get(&self, sub: &Subject) -> Option<PersonSeen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sub).cloned()
    }

    fn keep(&self, sub: Subject, seen: PersonSeen) {
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= PEOPLE_REMEMBERED_MAX {
            people.clear();
        }
        people.insert(sub, seen);
    }
}
