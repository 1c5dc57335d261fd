//! Letting in whom an identity provider vouches for: by an access token that it issued for this catalog.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{
    AskedBy, Catalog, CheckError, Live,
    metrics::{self, Checked, Finding},
};
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
/// The most characters of a foreign issuer's name that are shown.
const ISSUER_SHOWN_MAX: usize = 200;

/// Why a presented token lets nobody in, as far as its bearer is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    /// It is no active token for this catalog. Why is not said, nor whether another has such tokens.
    #[error("the presented token is not an active token of this catalog with the audience 'catalog'")]
    Unknown,
    /// A trusted issuer did make it, so whoever has it may know what it lacks.
    #[error("the presented token of {issuer} is not taken: {untaken}")]
    Login {
        /// Who made it.
        issuer: Issuer,
        /// What it lacks.
        untaken: Untaken,
    },
}

impl Catalog {
    /// Who presents a token that says it is of a trusted issuer. Whoever is known and not let in is recorded.
    pub(super) async fn log_in(
        &self,
        token: &ProviderToken<'_>,
        trusted: &TrustedIssuer,
        asked_by: &dyn AskedBy,
    ) -> Result<Result<Authority, NotLetIn>, CheckError> {
        let judged = self.judge_login(token, trusted).await;
        let finding = match &judged {
            Ok(Ok(_)) => Finding::Person,
            Ok(Err(_)) => Finding::PersonRefused,
            Err(_) => Finding::Unavailable,
        };
        metrics::checked(Checked::Credential, finding);
        let untaken = match judged? {
            Ok(person) => {
                self.note_person(&person, asked_by).await?;
                return Ok(Ok(person.authority()));
            }
            Err(untaken) => untaken,
        };
        let issuer = trusted.issuer.clone();
        tracing::info!(%issuer, why = %untaken, "a provider's token is not taken");
        match untaken {
            // Anybody can write such a token, so it is no evidence of anybody, and its bearer is told what anybody is.
            Untaken::Unproven(_) => Ok(Err(NotLetIn::Unknown)),
            Untaken::OutOfTime(_) => Ok(Err(NotLetIn::Login { issuer, untaken })),
            Untaken::Refused { ref sub, refusal } => {
                self.note_refused_login(&issuer, sub.as_deref(), refusal, asked_by).await?;
                Ok(Err(NotLetIn::Login { issuer, untaken }))
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
        asked_by: &dyn AskedBy,
    ) -> Result<(), AppendError> {
        let sub = sub.map(|sub| harmless(sub, SUB_LENGTH_MAX));
        let origin = Origin { actor: Actor::Person { issuer: issuer.clone(), sub }, ..asked_by.origin() };
        self.note_login_denial(Denial::of_login(refusal, self.ambient.clock.now()), origin).await
    }

    /// A login is recorded before it is evidence of anything, and once for as long as it says the same.
    async fn note_person(&self, person: &Person, asked_by: &dyn AskedBy) -> Result<(), CheckError> {
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
                self.append_note(Act::SeePerson(Box::new(seen.clone())), Origin { actor, ..asked_by.origin() }).await?;
                seen
            }
        };
        self.people.keep(person.subject.clone(), last);
        Ok(())
    }
}

/// A token that says it is of an issuer that is trusted, and that issuer; `own` is the catalog's own name.
pub(super) fn of_trusted<'t, 'l>(
    presented: &'t str,
    live: &'l Live,
    own: &Issuer,
) -> Option<(ProviderToken<'t>, &'l TrustedIssuer)> {
    let rules = &live.settings.policy.as_ref()?.rules;
    if rules.trusted_issuers.is_empty() {
        return None;
    }
    let token = ProviderToken::read(presented)?;
    let said = token.issuer()?;
    let trusted = Issuer::parse(said).ok().and_then(|issuer| rules.trusted_issuer(&issuer));
    if trusted.is_none() && said != own.as_str() {
        let issuer = harmless(said, ISSUER_SHOWN_MAX);
        tracing::info!(?issuer, "a token of an issuer that is not trusted is not taken");
    }
    Some((token, trusted?))
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
