//! Issuing: a token that was asked for, or one that takes another's place. It is signed after its event is durable,
//! outside every lock.

use std::sync::Arc;

use super::{Catalog, CommandError, IssuedToken, Requester};
use crate::{
    domain::{
        Act, Command, Event, IssueToken, Refusal, RotateToken, ambient::uuid_v7, causes::Causes, denial::Denial,
        idempotency::Idempotency, membership::Answer, status_list::Draw,
    },
    store::{self, AppendError, Appended, StoreError, log::SettingsPlace, tokens},
};

/// How often an issuance is asked for while the settings change under it.
const ATTEMPTS_MAX: usize = 3;

/// An issuance as it was asked for, kept whole so that it can be asked for again.
struct Asked<'a> {
    wish: Wish<'a>,
    requester: &'a Requester,
    idempotency: Option<Idempotency>,
}

/// What was asked for.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Issue(&'a IssueToken),
    Rotate(&'a RotateToken),
}

impl Wish<'_> {
    /// Its name in the diagnostics.
    fn name(self) -> &'static str {
        match self {
            Self::Issue(_) => "issue",
            Self::Rotate(_) => "rotate",
        }
    }
}

impl Catalog {
    /// Issues a token. A denial is recorded, too.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue(&self, command: IssueToken, requester: Requester) -> Result<IssuedToken, CommandError> {
        let idempotency = requester.named("issue", &command)?;
        let asked = Asked { wish: Wish::Issue(&command), requester: &requester, idempotency };
        match self.append_issuance(&asked).await {
            Err(AppendError::Refused(refusal)) => {
                let denial = Denial::of_issuance(&command, &refusal, self.ambient.clock.now());
                Err(self.denied(refusal, denial, requester.origin).await)
            }
            outcome => self.signed(asked.wish, &outcome?),
        }
    }

    /// Has a successor take a token's place. A denial is recorded, too.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn rotate(&self, command: RotateToken, requester: Requester) -> Result<IssuedToken, CommandError> {
        let idempotency = requester.named("rotate", &command)?;
        let asked = Asked { wish: Wish::Rotate(&command), requester: &requester, idempotency };
        match self.append_issuance(&asked).await {
            Err(AppendError::Refused(refusal)) => {
                let denial = Denial::of_rotation(&command, &refusal, self.ambient.clock.now());
                Err(self.denied(refusal, denial, requester.origin).await)
            }
            outcome => self.signed(asked.wish, &outcome?),
        }
    }

    fn signed(&self, wish: Wish<'_>, appended: &Appended) -> Result<IssuedToken, CommandError> {
        let (Some(token), Some(signing_input)) = (appended.token.clone(), signing_input(appended)) else {
            return Err(CommandError::Incomplete);
        };
        // A rotation names the token that it is about; the span keeps that.
        if matches!(wish, Wish::Issue(_)) {
            tracing::Span::current().record("jti", tracing::field::display(token.jti));
        }
        let signed = self.live().keyring.sign(&token.kid, signing_input)?;
        if !appended.is_repeat {
            let (jti, position) = (token.jti, token.issued.0);
            tracing::info!(command = wish.name(), %jti, path = %token.path, position, "a token was issued");
        }
        Ok(IssuedToken { token, signed })
    }

    /// A process that has not heard yet of another signing key or membership source is refused, looks, and asks again.
    async fn append_issuance(&self, asked: &Asked<'_>) -> Result<Appended, AppendError> {
        for _ in 1..ATTEMPTS_MAX {
            let known = self.live().place;
            match self.try_issuance(asked).await {
                Err(AppendError::Refused(Refusal::KeyNotHere { .. } | Refusal::MembershipUnknown { .. }))
                    if self.knows_more_than(known).await => {}
                outcome => return outcome,
            }
        }
        self.try_issuance(asked).await
    }

    /// Whether the settings here are other ones, once they were followed: others may have done so meanwhile.
    pub(super) async fn knows_more_than(&self, known: SettingsPlace) -> bool {
        if let Err(error) = self.follow_settings().await {
            tracing::warn!(error = %Causes(&error), "settings cannot be followed");
        }
        self.live().place != known
    }

    async fn try_issuance(&self, asked: &Asked<'_>) -> Result<Appended, AppendError> {
        let Asked { wish, requester, idempotency } = asked;
        let Requester { authority, origin, .. } = Requester::clone(requester);
        let live = self.live();
        let signer = live.signer(origin.path).cloned().ok_or(Refusal::NotConfigured)?;
        if live.keyring.facts(&signer).is_none() {
            let refusal = Refusal::KeyNotHere { kid: signer };
            store::metrics::refused(&refusal, origin.path);
            return Err(refusal.into());
        }
        let membership = self.membership_for(*wish).await?;
        let now = self.ambient.clock.now();
        let jti = uuid_v7(now, &*self.ambient.entropy);
        let draw = Box::new(Draw::new(&*self.ambient.entropy));
        let act = match wish {
            Wish::Issue(command) => {
                Act::Issue { command: Box::new(IssueToken::clone(command)), jti, signer, membership, draw }
            }
            Wish::Rotate(command) => {
                Act::Rotate { command: RotateToken::clone(command), successor: jti, signer, membership, draw }
            }
        };
        self.appender.append(Command { act, authority, origin, now, idempotency: idempotency.clone() }).await
    }

    /// Whom a token speaks for never changes, so it can be read before the rotation is decided.
    async fn membership_for(&self, wish: Wish<'_>) -> Result<Option<Answer>, AppendError> {
        match wish {
            Wish::Issue(command) => Ok(self.membership(command).await),
            Wish::Rotate(command) if self.asks_for_membership() => {
                let old = tokens::get(self.database.reads(), command.jti).await.map_err(unread)?;
                match old.and_then(|old| command.wish(&old)) {
                    Some(successor) => Ok(self.membership(&successor).await),
                    None => Ok(None),
                }
            }
            Wish::Rotate(_) => Ok(None),
        }
    }

    fn asks_for_membership(&self) -> bool {
        self.live().settings.policy.as_ref().is_some_and(|policy| policy.rules.membership.is_some())
    }
}

fn unread(error: StoreError) -> AppendError {
    let is_passing = error.is_passing();
    let error = Arc::new(error);
    if is_passing { AppendError::Unavailable(error) } else { AppendError::Rejected(error) }
}

fn signing_input(appended: &Appended) -> Option<&str> {
    appended.events.iter().find_map(|recorded| match &recorded.occurrence.event {
        Event::TokenIssued(issued) => issued.signing_input.as_deref(),
        _ => None,
    })
}
