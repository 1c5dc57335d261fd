//! The one secret that leaves the process: a signed token, shown only on purpose.

use std::fmt;

use zeroize::Zeroizing;

/// A signed token. It has no `Display`, no `Serialize` and no `Clone`, its `Debug` says nothing, and its text is
/// overwritten when it is dropped: the calls of [`SignedToken::expose`] are the list of places where it gets out.
pub struct SignedToken(Zeroizing<String>);

impl SignedToken {
    pub(super) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text, `header.payload.signature`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_itself_only_on_purpose() {
        let token = SignedToken::new(Zeroizing::new("a.b.c".to_owned()));

        assert_eq!(format!("{token:?} {token:#?}"), "SignedToken(..) SignedToken(..)");
        assert_eq!(token.expose(), "a.b.c");
    }
}
