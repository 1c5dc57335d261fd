//! All of it together: a token in, the catalog's judgement out.

use std::{fmt, sync::Arc};

use crate::{
    confirm::{Confirmation, Confirmer, Issuance},
    follow::Clock,
    jwt::{Invalid, KeysUnavailable, Verified, Verifier, VerifyError, names, sha256},
    set::{RevocationSet, Verdict},
};

/// Judges tokens by their signature, their claims and the feed, and by the catalog's own word where it is asked. Cheap to
/// clone.
#[derive(Clone)]
pub struct Judge {
    verifier: Verifier,
    set: RevocationSet,
    confirmer: Option<Confirmer>,
    clock: Clock,
}

/// A token that is good.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it says.
    pub verified: Arc<Verified>,
    /// How it was issued, where the catalog confirms that.
    pub issuance: Option<Issuance>,
}

/// A token that is sound.
struct Presented {
    verified: Arc<Verified>,
    /// What the catalog's word holds for: its claims, where the signature was checked here, else this very text.
    digest: [u8; 32],
}

impl Presented {
    fn signed(verified: Arc<Verified>) -> Self {
        Self { digest: verified.signing_input_digest, verified }
    }
}

/// Why a token is not found good. Outside, nobody may tell the first three apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// It is not of the catalog's making, or not for here, or its time is over.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It is revoked or suspended.
    #[error("the token is revoked")]
    Revoked,
    /// The catalog did not issue it so, or it is not active there.
    #[error("the catalog says that the token is not active")]
    NotActive,
    /// It names a key that is not known, and the catalog could not be asked for its keys since. That is not a no.
    #[error(transparent)]
    KeysUnavailable(#[from] KeysUnavailable),
    /// It names a shared secret that is not known here. That is not a no.
    #[error("the token names a shared secret that is not known here")]
    SecretUnknown,
    /// The catalog was not heard for too long, or not yet which tokens of a compromised key are spared. That is not a no.
    #[error("the catalog was not heard for too long, or not yet which tokens of its key are spared")]
    Stale,
    /// It was not seen before, and the catalog cannot be asked about it. That is not a no.
    #[error("the catalog cannot be asked about the token")]
    Unconfirmed,
}

impl Objection {
    /// Whether it says something of the token. Else nobody could tell.
    #[must_use]
    pub fn is_no(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::Revoked | Self::NotActive)
    }
}

impl From<VerifyError> for Objection {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Invalid(invalid) => Self::Invalid(invalid),
            VerifyError::KeysUnavailable(unavailable) => Self::KeysUnavailable(unavailable),
            VerifyError::SecretUnknown => Self::SecretUnknown,
        }
    }
}

impl Judge {
    /// Takes what is signed by the catalog's keys and not revoked.
    #[must_use]
    pub fn new(verifier: Verifier, set: RevocationSet) -> Self {
        Self { verifier, set, confirmer: None, clock: Clock::machine() }
    }

    /// Takes only what the catalog has confirmed to have issued.
    #[must_use]
    pub fn confirmed_by(self, confirmer: Confirmer) -> Self {
        Self { confirmer: Some(confirmer), ..self }
    }

    /// Goes by other clocks, for tests.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The clocks that it goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is known of revocations.
    #[must_use]
    pub fn set(&self) -> &RevocationSet {
        &self.set
    }

    /// Judges a token that is presented to the gateway.
    ///
    /// # Errors
    /// [`Objection`].
    pub async fn judge(&self, token: &str) -> Result<Judged, Objection> {
        let presented = self.presented(token).await?;
        self.verifier.check_audience(&presented.verified)?;
        self.go_on(token, presented).await
    }

    /// Judges a token that somebody asks about, whomever it is meant for.
    ///
    /// # Errors
    /// [`Objection`].
    pub async fn judge_for_any(&self, token: &str) -> Result<Judged, Objection> {
        let presented = self.presented(token).await?;
        self.go_on(token, presented).await
    }

    async fn presented(&self, token: &str) -> Result<Presented, Objection> {
        let now = || self.set.latest(self.clock.now());
        if let Some(verdict) = self.verifier.verify_known(token, now()) {
            return Ok(Presented::signed(verdict?));
        }
        match self.by_key_given_up(token) {
            Some(verdict) => verdict,
            None => match self.verifier.verify_for_any(token, now()).await {
                Err(VerifyError::Invalid(Invalid::UnknownKey)) => self.by_unknown_key(token),
                verdict => Ok(Presented::signed(verdict?)),
            },
        }
    }

    /// A key that the catalog does not publish may have been given up: as long as the feed was not heard nobody can tell, nor what was
    /// spared. It may have been heard meanwhile.
    fn by_unknown_key(&self, token: &str) -> Result<Presented, Objection> {
        if let Some(verdict) = self.by_key_given_up(token) {
            return verdict;
        }
        let said = names(token).map(|(kid, jti)| self.set.check(jti, &kid, self.clock.now()));
        match said {
            Some(Verdict::Revoked) => Err(Objection::Revoked),
            Some(Verdict::Stale) => Err(Objection::Stale),
            Some(Verdict::NotRevoked) | None => Err(Invalid::UnknownKey.into()),
        }
    }

    /// A key that was given up is published no more. What it signed is over, whoever presents it, save what was spared. That is held
    /// against the key as it was, and as others may have the key, only where the catalog confirms the claims. Whoever began later never
    /// saw the key, and leaves the signature to the catalog, too. `None`, where the set knows nothing of the key, or nobody confirms.
    fn by_key_given_up(&self, token: &str) -> Option<Result<Presented, Objection>> {
        let (kid, jti) = names(token).filter(|(kid, _)| self.set.is_given_up(kid))?;
        let now = self.clock.now();
        if self.set.check(jti, &kid, now) == Verdict::Revoked {
            return Some(Err(Objection::Revoked));
        }
        self.confirmer.as_ref()?;
        let now = self.set.latest(now);
        let verdict = if let Some(verdict) = self.verifier.verify_withdrawn(token, now) {
            verdict.map(Presented::signed)
        } else {
            let said = self.verifier.read_unsigned(token, now)?;
            said.map(|verified| Presented { verified, digest: sha256(token.as_bytes()) })
        };
        Some(verdict.map_err(Objection::from))
    }

    async fn go_on(&self, token: &str, presented: Presented) -> Result<Judged, Objection> {
        let Presented { verified, digest } = presented;
        self.check(&verified)?;
        let Some(confirmer) = &self.confirmer else { return Ok(Judged { verified, issuance: None }) };
        confirmer.observe(self.set.standing());
        match confirmer.confirm_as(digest, token, &verified, self.set.latest(self.clock.now())).await {
            Confirmation::Issued(issuance) => {
                // It may have been revoked while the catalog was asked.
                self.check(&verified)?;
                Ok(Judged { verified, issuance: Some(issuance) })
            }
            Confirmation::NotActive => Err(Objection::NotActive),
            Confirmation::CouldNotTell => Err(Objection::Unconfirmed),
        }
    }

    fn check(&self, verified: &Verified) -> Result<(), Objection> {
        match self.set.check(verified.claims.jti, &verified.kid, self.clock.now()) {
            Verdict::NotRevoked => Ok(()),
            Verdict::Revoked => Err(Objection::Revoked),
            Verdict::Stale => Err(Objection::Stale),
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("set", &self.set).finish_non_exhaustive()
    }
}
