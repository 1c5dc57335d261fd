//! What verification has found of a token, and what follows from that alone and is made once.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use uuid::Uuid;

use crate::domain::{Authority, Position, claims::Claims, text::Kid};

/// A token that is ours, sound and not expired. Whether it was issued and still stands, only the log can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// The key that signed it.
    pub kid: Kid,
    /// SHA-256 of `header.payload`, to be compared with what was issued under this `jti`.
    pub signing_input_digest: [u8; 32],
    authority: OnceLock<Arc<Authority>>,
    // What is said of it, and where in the log it was found.
    said: OnceLock<(Position, Bytes)>,
}

impl Verified {
    pub(super) fn new(claims: Claims, kid: Kid, signing_input_digest: [u8; 32]) -> Self {
        Self { claims, kid, signing_input_digest, authority: OnceLock::new(), said: OnceLock::new() }
    }

    /// What its bearer may do, if it still stands. Made once, however often it is presented.
    #[must_use]
    pub fn authority(&self) -> Arc<Authority> {
        self.authority.get_or_init(|| Arc::new(Authority::of_token(&self.claims))).clone()
    }

    /// What is said of it over and over, who asks being told what stands in the log at this position besides. Put into words
    /// once.
    ///
    /// # Errors
    /// Those of `words`.
    pub fn said<E>(&self, at: Position, words: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Bytes, E> {
        match self.said.get() {
            Some((said_at, said)) if *said_at == at => Ok(said.clone()),
            _ => {
                let said = Bytes::from(words()?);
                // Whoever was faster said the same.
                let _ = self.said.set((at, said.clone()));
                Ok(said)
            }
        }
    }

    /// Whether `aud` names this audience. Every caller has to ask for its own.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        self.claims.aud.iter().any(|member| member.as_str() == audience)
    }
}

/// What bears the signature of a key of the log, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its `jti`, if it has one in our spelling.
    pub jti: Option<Uuid>,
    /// The key that signed it.
    pub kid: Kid,
    /// SHA-256 of `header.payload`.
    pub signing_input_digest: [u8; 32],
}

impl From<&Verified> for Signed {
    fn from(verified: &Verified) -> Self {
        let Verified { claims, kid, signing_input_digest, .. } = verified;
        Self { jti: Some(claims.jti), kid: kid.clone(), signing_input_digest: *signing_input_digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::fixtures::claims;

    #[test]
    fn what_is_said_of_a_token_is_put_into_words_once_for_its_place_in_the_log() {
        let verified = Verified::new(claims(), "k1".parse().expect("a kid"), [0; 32]);
        let say = |at: i64, words: &'static str| verified.said(Position(at), || Ok::<_, ()>(words.into()));

        assert_eq!(verified.said(Position(1), || Err::<Vec<u8>, _>("no words")), Err("no words"));
        assert_eq!(say(1, "first"), Ok(Bytes::from("first")));
        assert_eq!(say(1, "again"), Ok(Bytes::from("first")));
        assert_eq!(say(2, "elsewhere"), Ok(Bytes::from("elsewhere")));
    }
}
