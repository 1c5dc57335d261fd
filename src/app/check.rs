//! Whether a presented token is one that was issued, unchanged, and active: signature, claims *and* log.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::{
    AskedBy, Catalog, ProviderUnavailable,
    login::{NotLetIn, of_trusted},
    metrics::{self, Checked, Finding, Source},
};
use crate::{
    domain::{
        Authority, Position, Status, Token, authority::Credential, claims::CATALOG_AUDIENCE, denial::Shadow,
        index::LiveToken, text::Kid,
    },
    signing::{Invalid, PresentedToken, Signed, Verified},
    store::{AppendError, StoreError},
};

/// What a check found. Only the first is good; outside, nobody can tell the others apart.
#[derive(Debug)]
pub enum Verdict {
    /// Issued here, unchanged, and active.
    Active {
        /// What the token says.
        verified: Arc<Verified>,
        /// What the log says of it.
        token: LiveToken,
    },
    /// It is not one of ours, is not well-formed, or its time is over.
    Invalid(Invalid),
    /// Its signature is good, but the log knows no such token, or knows it with other claims: the key may be stolen.
    /// It need not even have the form of a token of ours.
    Shadow,
    /// The log says that it is over, or held back.
    Inactive(Status),
}

/// Why a check has no verdict. None of them says anything about the token: could not tell is not no.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log knows the key as a shared secret, which this process was not given.
    #[error("the shared secret {kid} is not known to this process")]
    SecretMissing {
        /// The key.
        kid: Kid,
    },
    /// The keys of the identity provider that is said to have made it cannot be had.
    #[error(transparent)]
    Provider(#[from] ProviderUnavailable),
    /// What has to be recorded before anything follows from it could not be.
    #[error(transparent)]
    Record(#[from] AppendError),
}

/// What a token is presented for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Somebody asks whether it is good.
    Question,
    /// Its bearer wants to be let in.
    Credential,
    /// Its bearer wants to be let in at a gateway.
    Passage,
    /// It is to be ended.
    End,
}

impl Purpose {
    fn checked(self) -> Checked {
        match self {
            Self::Question | Self::End => Checked::Token,
            Self::Credential => Checked::Credential,
            Self::Passage => Checked::Passage,
        }
    }

    /// Whether it is a use of the token, and so evidence when the token is over. Whoever clears away old tokens uses none.
    fn is_use(self) -> bool {
        self != Self::End
    }
}

impl Verdict {
    fn finding(&self) -> Finding {
        match self {
            Self::Active { .. } => Finding::Active,
            Self::Invalid(Invalid::Expired { .. }) => Finding::Expired,
            Self::Invalid(Invalid::Foreign) => Finding::Foreign,
            Self::Invalid(_) => Finding::Invalid,
            Self::Shadow => Finding::Shadow,
            // What would have confirmed it is gone.
            Self::Inactive(Status::Active) => Finding::Erased,
            Self::Inactive(status) => (*status).into(),
        }
    }
}

impl Catalog {
    /// Checks a token that a caller asks about. One that was signed well and not issued so is recorded, with who asked.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn check(&self, presented: &str, asked_by: &dyn AskedBy) -> Result<Verdict, CheckError> {
        self.counted(Purpose::Question, presented.into(), asked_by).await
    }

    /// Checks a token that is presented to be revoked: the same, but that a rotated one is not taken for used.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn check_to_end(&self, presented: &str, asked_by: &dyn AskedBy) -> Result<Verdict, CheckError> {
        self.counted(Purpose::End, presented.into(), asked_by).await
    }

    /// Checks a token that its bearer presents to a gateway.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub(super) async fn check_passage(&self, presented: &str, asked_by: &dyn AskedBy) -> Result<Verdict, CheckError> {
        self.counted(Purpose::Passage, presented.into(), asked_by).await
    }

    async fn counted(
        &self,
        purpose: Purpose,
        presented: PresentedToken<'_>,
        asked_by: &dyn AskedBy,
    ) -> Result<Verdict, CheckError> {
        counted(purpose, self.judge(purpose, presented, asked_by).await)
    }

    async fn judge(
        &self,
        purpose: Purpose,
        presented: PresentedToken<'_>,
        asked_by: &dyn AskedBy,
    ) -> Result<Verdict, CheckError> {
        let (now, text, is_named) = (self.ambient.clock.now(), presented.text(), presented.is_known());
        let name = |jti| {
            if !is_named {
                name(purpose, jti);
            }
        };
        let verified = self.latest.glance().verifier.verify(presented, &self.issuer, now);
        let signed = || self.latest.glance().verifier.signed(text);
        let verified = match verified {
            Ok(verified) => verified,
            Err(Invalid::SecretMissing { kid }) => return Err(CheckError::SecretMissing { kid }),
            Err(invalid) => match invalid.may_be_signed().then(signed).flatten() {
                Some(signed) => {
                    if let Some(jti) = signed.jti {
                        name(jti);
                    }
                    return Box::pin(self.unlike_ours(signed, invalid, asked_by)).await;
                }
                None => return Ok(Verdict::Invalid(invalid)),
            },
        };
        let jti = verified.claims.jti;
        name(jti);
        let Some(token) = self.live_token(jti).await? else {
            return Ok(self.shadow(&*verified, Shadow::NeverIssued, asked_by));
        };
        if token.claims_digest.is_some_and(|digest| digest != verified.signing_input_digest) {
            let is_revoked = token.status(now) == Status::Revoked;
            // Few come this way, so it is no part of what the others carry about.
            if is_revoked && Box::pin(self.is_courier(jti, &verified.signing_input_digest)).await? {
                return Ok(Verdict::Inactive(Status::Revoked));
            }
            return Ok(self.shadow(&*verified, Shadow::OtherClaims, asked_by));
        }
        if token.confirms(&verified.signing_input_digest, now) {
            return Ok(Verdict::Active { verified, token });
        }
        if purpose.is_use() && token.claims_digest.is_some() {
            self.note_reuse(jti, &token, asked_by);
        }
        Ok(Verdict::Inactive(token.status(now)))
    }

    /// What a check needs to know of a token: from memory, if that can tell, else from the log.
    ///
    /// # Errors
    /// [`StoreError`]; a token that was never issued is `None`.
    pub async fn live_token(&self, jti: Uuid) -> Result<Option<LiveToken>, StoreError> {
        let known = self.live_tokens.get(jti);
        if known.is_some() {
            self.count_remembered(1);
            return Ok(known);
        }
        // Apart from what most checks carry about, to whom the memory tells.
        Ok(Box::pin(self.unknown_tokens(&[jti])).await?.pop().map(|(_, token)| token))
    }

    /// Waits until checks include what the log has up to a position. Whether it came to that in time.
    pub async fn reach(&self, position: Position) -> bool {
        self.live_tokens.reach(position).await
    }

    /// The same for several tokens, those that were never issued left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn live_tokens(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, LiveToken>, StoreError> {
        let mut known: HashMap<Uuid, LiveToken> =
            ids.iter().filter_map(|jti| Some((*jti, self.live_tokens.get(*jti)?))).collect();
        self.count_remembered(known.len());
        let mut unknown: Vec<Uuid> = ids.iter().copied().filter(|jti| !known.contains_key(jti)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        known.extend(self.unknown_tokens(&unknown).await?);
        Ok(known)
    }

    /// The same for those of which the memory cannot tell: they are looked up in the log, but for those that a lookup just
    /// found to be none.
    async fn unknown_tokens(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, LiveToken)>, StoreError> {
        let asked: Vec<Uuid> = ids.iter().copied().filter(|jti| !self.live_tokens.is_never_issued(*jti)).collect();
        self.count_remembered(ids.len() - asked.len());
        let lookup = self.live_tokens.look_up(self.ambient.clock.now());
        let tokens = self.tokens(&asked).await?;
        metrics::answered(Source::Log, asked.len());
        let mut tokens: HashMap<Uuid, LiveToken> =
            tokens.iter().map(|token| (token.jti, LiveToken::from(token))).collect();
        let found: Vec<(Uuid, Option<LiveToken>)> = asked.into_iter().map(|jti| (jti, tokens.remove(&jti))).collect();
        if let Some(lookup) = lookup {
            self.live_tokens.found(lookup, &found);
        }
        Ok(found.into_iter().filter_map(|(jti, token)| Some((jti, token?))).collect())
    }

    fn count_remembered(&self, count: usize) {
        let source = if self.live_tokens.is_stale_and_allowed() { Source::Stale } else { Source::Memory };
        metrics::answered(source, count);
    }

    /// Whether whoever was let in with this authority would be let in now, as far as that can be told: who was let in is
    /// not sent away because the log cannot be asked.
    pub async fn is_let_in_still(&self, authority: &Authority) -> bool {
        let now = self.ambient.clock.now();
        match &authority.credential {
            Some(Credential::Token(jti)) => match self.live_tokens.last_known(*jti) {
                Some(token) => token.status(now) == Status::Active,
                None if authority.exp.is_some_and(|exp| now.timestamp() >= exp) => false,
                None if !self.live_tokens.is_fresh() => true,
                None => self.token(*jti).await.map_or(true, |token| is_active(token.as_ref(), now)),
            },
            Some(Credential::Client { name, secret }) => {
                self.live().settings.client(name).is_some_and(|client| client.accepts(secret, now))
            }
            Some(Credential::Login { issuer }) => self.live().settings.trusts(issuer),
            None => false,
        }
    }

    /// What the log says of a token, whoever asks and whatever was presented.
    ///
    /// # Errors
    /// [`StoreError`]; a token that was never issued is `None`.
    pub async fn token(&self, jti: Uuid) -> Result<Option<Token>, StoreError> {
        self.lookups.get(jti).await
    }

    /// The same of several tokens, those that were never issued left out. They share statements with each other and with
    /// everybody else's, and take no connection from other reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens(&self, ids: &[Uuid]) -> Result<Vec<Token>, StoreError> {
        let found = try_join_all(ids.iter().map(|jti| self.token(*jti))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// A thief need not know how our tokens look: what is signed with our key and was not issued is evidence in any form.
    async fn unlike_ours(
        &self,
        signed: Signed,
        invalid: Invalid,
        asked_by: &dyn AskedBy,
    ) -> Result<Verdict, CheckError> {
        let token = match signed.jti {
            Some(jti) => self.live_token(jti).await?,
            None => None,
        };
        match token.map(|token| token.claims_digest) {
            None => Ok(self.shadow(signed, Shadow::NeverIssued, asked_by)),
            Some(Some(digest)) if digest != signed.signing_input_digest => {
                Ok(self.shadow(signed, Shadow::OtherClaims, asked_by))
            }
            // Issued just so, under a clock that is ahead of ours or by a later version; or what was issued is erased.
            Some(_) => Ok(Verdict::Invalid(invalid)),
        }
    }

    /// The authority of a caller that presents a token, of ours or of a trusted issuer's, or why it has none here.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn authenticate(
        &self,
        presented: PresentedToken<'_>,
        asked_by: &dyn AskedBy,
    ) -> Result<Result<Arc<Authority>, NotLetIn>, CheckError> {
        let text = presented.text();
        let judged = self.judge(Purpose::Credential, presented, asked_by).await;
        // It names no key of ours: it may be another's, who has longer ones.
        if matches!(&judged, Ok(Verdict::Invalid(Invalid::Foreign | Invalid::TooLong { .. }))) {
            let live = self.live();
            if let Some((token, trusted)) = of_trusted(text, &live, &self.issuer) {
                // As few come this way.
                return Box::pin(self.log_in(&token, trusted, asked_by)).await.map(|let_in| let_in.map(Arc::new));
            }
        }
        match counted(Purpose::Credential, judged)? {
            Verdict::Active { verified, .. } if verified.is_for(CATALOG_AUDIENCE) => Ok(Ok(verified.authority())),
            _ => Ok(Err(NotLetIn::Unknown)),
        }
    }
}

fn is_active(token: Option<&Token>, now: DateTime<Utc>) -> bool {
    token.is_some_and(|token| token.status(now) == Status::Active)
}

fn counted(purpose: Purpose, judged: Result<Verdict, CheckError>) -> Result<Verdict, CheckError> {
    metrics::checked(purpose.checked(), judged.as_ref().map_or(Finding::Unavailable, Verdict::finding));
    judged
}

/// Names a well signed token in the diagnostics of the request that is about it or comes from it.
fn name(purpose: Purpose, jti: Uuid) {
    let role = if purpose == Purpose::Credential { "actor" } else { "jti" };
    tracing::Span::current().record(role, tracing::field::display(jti));
}
