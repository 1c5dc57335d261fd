//! Whether a presented token is one that was issued, unchanged, and active: signature, claims *and* log.

use super::{
    Catalog,
    metrics::{self, Checked},
};
use crate::{
    domain::{Authority, Status, Token, claims::CATALOG_AUDIENCE, text::Kid},
    signing::{Invalid, Verified},
    store::{StoreError, tokens},
};

/// What a check found. Only the first is good; outside, nobody can tell the others apart.
#[derive(Debug)]
pub enum Verdict {
    /// Issued here, unchanged, and active.
    Active {
        /// What the token says.
        verified: Box<Verified>,
        /// What the log says of it.
        token: Box<Token>,
    },
    /// It is not one of ours, is not well-formed, or its time is over.
    Invalid(Invalid),
    /// Its signature is good, but the log knows no such token, or knows it with other claims: the key may be stolen.
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
}

impl Verdict {
    /// Its name among the metrics.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Active { .. } => "active",
            Self::Invalid(Invalid::Expired { .. }) => "expired",
            Self::Invalid(Invalid::Foreign) => "foreign",
            Self::Invalid(_) => "invalid",
            Self::Shadow => "shadow",
            // What would have confirmed it is gone.
            Self::Inactive(Status::Active) => "erased",
            Self::Inactive(status) => status.as_str(),
        }
    }
}

impl Catalog {
    /// Checks a token that a caller asks about.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn check(&self, presented: &str) -> Result<Verdict, CheckError> {
        self.counted(Checked::Token, presented).await
    }

    async fn counted(&self, what: Checked, presented: &str) -> Result<Verdict, CheckError> {
        let judged = self.judge(what, presented).await;
        metrics::checked(what, judged.as_ref().map_or(metrics::UNAVAILABLE, Verdict::as_str));
        judged
    }

    async fn judge(&self, what: Checked, presented: &str) -> Result<Verdict, CheckError> {
        let now = self.ambient.clock.now();
        let verified = match self.verifier.verify(presented, &self.issuer, now) {
            Ok(verified) => verified,
            Err(Invalid::SecretMissing { kid }) => return Err(CheckError::SecretMissing { kid }),
            Err(invalid) => return Ok(Verdict::Invalid(invalid)),
        };
        name(what, &verified);
        let Some(token) = tokens::get(self.database.reads(), verified.claims.jti).await? else {
            return Ok(shadow(&verified, "its jti was never issued"));
        };
        if token.claims_digest.is_some_and(|digest| digest != verified.signing_input_digest) {
            return Ok(shadow(&verified, "its claims are not those that were issued"));
        }
        if token.confirms(&verified.signing_input_digest, now) {
            return Ok(Verdict::Active { verified: Box::new(verified), token: Box::new(token) });
        }
        Ok(Verdict::Inactive(token.status(now)))
    }

    /// The authority of a caller that presents a token; `None` when it has none here.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<Authority>, CheckError> {
        match self.counted(Checked::Credential, presented).await? {
            Verdict::Active { verified, .. } if verified.is_for(CATALOG_AUDIENCE) => {
                Ok(Some(Authority::of_token(&verified.claims)))
            }
            _ => Ok(None),
        }
    }
}

/// Names a well signed token in the diagnostics of the request that is about it or comes from it.
fn name(what: Checked, verified: &Verified) {
    let role = if matches!(what, Checked::Credential) { "actor" } else { "jti" };
    tracing::Span::current().record(role, tracing::field::display(verified.claims.jti));
}

fn shadow(verified: &Verified, what: &'static str) -> Verdict {
    tracing::error!(
        jti = %verified.claims.jti,
        kid = %verified.kid,
        what,
        "a validly signed token was presented that this catalog did not issue: the key may be stolen"
    );
    Verdict::Shadow
}
