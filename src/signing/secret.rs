//! The shared secret of HS256: refused when anybody could guess it, and never written anywhere.

use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::domain::{Malformed, text::Kid};

/// RFC 7518 section 3.2: as long as the hash output, at least.
const BYTES_MIN: usize = 32;
/// Fewer different bytes than this were typed, not drawn.
const DISTINCT_BYTES_MIN: usize = 8;
/// What the name of a shared secret is the HMAC of. No signing input can equal it: it has no dot.
const KID_LABEL: &[u8] = b"catalog kid v1";
/// How many bytes of that HMAC name the secret.
const KID_BYTES: usize = 16;

/// Secrets that documentation and default configurations have published, in lower case.
const PUBLISHED: &[&str] = &[
    // jwt.io, past and present
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    // RFC 7515 appendix A.1
    "aym1sysppbydfgzld3umj1qzkobwvmkoqq-estjqlr_t-1qs0gzh75aktmn3yj0ips4hcguutwjazzr1z9caow",
    // tutorials (FastAPI, Spring Security) that everybody copies
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",
    // what fingers type
    "0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "abcdefghijklmnopqrstuvwxyz012345",
    "abcdefghijklmnopqrstuvwxyz123456",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "12345678901234567890123456789012",
];

/// Words that only a placeholder contains, whatever stands around them, in lower case.
const PLACEHOLDER_MARKS: &[&str] = &[
    "my-test-key",
    "changeme",
    "change-me",
    "change_me",
    "change me",
    "change-this",
    "change_this",
    "changethis",
    "change-in-prod",
    "replace-me",
    "replace_me",
    "replaceme",
    "replace-this",
    "replace_this",
    "placeholder",
    "insecure",
    "my-secret",
    "my_secret",
    "mysecret",
    "your-secret",
    "your_secret",
    "yoursecret",
    "super-secret",
    "supersecret",
    "super_secret",
    "-bit-secret",
    "at-least-32",
    "at-least-256",
    "at_least_32",
];

/// The shared secret of HS256. Whoever has it can forge tokens. Only the prepared key is kept, which `aws-lc`
/// overwrites when it is dropped.
pub struct SharedSecret {
    pub(super) key: Arc<hmac::Key>,
}

impl SharedSecret {
    /// Takes a secret as it stands in the configuration: its UTF-8 bytes are the key, as in `ContextForge`.
    ///
    /// # Errors
    /// [`WeakSecret`], which says why and never what.
    pub fn new(secret: &SecretString) -> Result<Self, WeakSecret> {
        Self::from_bytes(secret.expose_secret().as_bytes())
    }

    /// Takes the key's bytes.
    ///
    /// # Errors
    /// [`WeakSecret`], which says why and never what.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, WeakSecret> {
        check_unpublished(secret)?;
        check_length(secret)?;
        check_distinct(secret)?;
        Ok(Self::prepared(secret))
    }

    /// The secret of one environment, as `ContextForge` derives it under `DERIVE_KEY_PER_ENVIRONMENT`: the lower-case
    /// hex of HMAC-SHA256(secret, `mcpgw-env:` + environment).
    #[must_use]
    pub fn derive_for_environment(self, environment: &str) -> Self {
        let tag = hmac::sign(&self.key, format!("mcpgw-env:{environment}").as_bytes());
        Self::prepared(Zeroizing::new(hex::encode(tag)).as_bytes())
    }

    /// The name of the secret: tells two secrets apart and tells nothing of either.
    pub(super) fn kid(&self) -> Result<Kid, Malformed> {
        let tag = hmac::sign(&self.key, KID_LABEL);
        Kid::parse(URL_SAFE_NO_PAD.encode(&tag.as_ref()[..KID_BYTES]))
    }

    fn prepared(secret: &[u8]) -> Self {
        Self { key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)) }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// Why a shared secret is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Fewer bytes than HS256 needs.
    #[error("the shared secret has {bytes} bytes, the minimum is {min}")]
    TooShort {
        /// How many there are.
        bytes: usize,
        /// The fewest that are taken, RFC 7518 section 3.2.
        min: usize,
    },
    /// The same few bytes over and over.
    #[error("the shared secret has fewer than {min} different bytes")]
    TooUniform {
        /// The fewest that are taken.
        min: usize,
    },
    /// A default or an example that anybody can look up.
    #[error("the shared secret is a published default or a placeholder")]
    Published,
}

impl WeakSecret {
    /// What to do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        "make one with `openssl rand -base64 48` and give it to the gateway and the catalog alike"
    }
}

fn check_length(secret: &[u8]) -> Result<(), WeakSecret> {
    match secret.len() {
        bytes if bytes < BYTES_MIN => Err(WeakSecret::TooShort { bytes, min: BYTES_MIN }),
        _ => Ok(()),
    }
}

fn check_distinct(secret: &[u8]) -> Result<(), WeakSecret> {
    let mut seen = [false; 256];
    for byte in secret {
        seen[usize::from(*byte)] = true;
    }
    if seen.iter().filter(|seen| **seen).count() < DISTINCT_BYTES_MIN {
        return Err(WeakSecret::TooUniform { min: DISTINCT_BYTES_MIN });
    }
    Ok(())
}

fn check_unpublished(secret: &[u8]) -> Result<(), WeakSecret> {
    let lower = Zeroizing::new(secret.trim_ascii().to_ascii_lowercase());
    let marked = |mark: &&str| lower.windows(mark.len()).any(|window| window == mark.as_bytes());
    if PUBLISHED.iter().any(|published| published.as_bytes() == *lower) || PLACEHOLDER_MARKS.iter().any(marked) {
        return Err(WeakSecret::Published);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";

    fn weakness(secret: &str) -> Option<WeakSecret> {
        SharedSecret::new(&SecretString::from(secret)).err()
    }

    #[test]
    fn thirty_two_bytes_are_taken_and_thirty_one_are_not() {
        assert_eq!(weakness(STRONG), None);
        assert_eq!(weakness(&STRONG[1..]), Some(WeakSecret::TooShort { bytes: 31, min: 32 }));
        assert_eq!(weakness(""), Some(WeakSecret::TooShort { bytes: 0, min: 32 }));
    }

    #[test]
    fn eight_different_bytes_are_taken_and_seven_are_not() {
        assert_eq!(weakness(&"qwzrtyui".repeat(5)), None);
        assert_eq!(weakness(&"qwzrtyu".repeat(5)), Some(WeakSecret::TooUniform { min: 8 }));
        assert_eq!(SharedSecret::from_bytes(&[0; 64]).err(), Some(WeakSecret::TooUniform { min: 8 }));
    }

    #[test]
    fn published_secrets_and_placeholders_are_refused() {
        let examples = [
            "my-test-key",
            "my-test-key-but-now-longer-than-32-bytes",
            "your-256-bit-secret",
            "changeme-changeme-changeme-changeme-1234",
            "please_CHANGE_ME_before_you_go_to_production!",
            "your-super-secret-jwt-token-with-at-least-32-characters-long",
            "super-secret-jwt-token-with-at-least-32-characters-long",
            "django-insecure-7v^4)2w1q%z0+8kf3m*5h6j9",
            "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
            "a-string-secret-at-least-256-bits-long\n",
        ];

        for secret in examples.iter().chain(PUBLISHED) {
            assert_eq!(weakness(secret), Some(WeakSecret::Published), "{secret}");
        }
    }

    #[test]
    fn no_error_and_no_debug_text_shows_the_secret() {
        for secret in ["my-test-key", "Zq7Zq7", &"Zq7".repeat(20)] {
            let error = weakness(secret).expect("weak");

            let shown = format!("{error} {error:?} {}", error.hint());

            assert!(!shown.contains("test-key") && !shown.contains("Zq7"), "{shown}");
        }
        let secret = SharedSecret::new(&SecretString::from(STRONG)).expect("strong");
        assert_eq!(format!("{secret:?}"), "SharedSecret(..)");
    }

    #[test]
    fn an_environment_derives_its_own_secret_as_contextforge_does() {
        let secret = SharedSecret::new(&SecretString::from(STRONG)).expect("strong");

        let derived = secret.derive_for_environment("production");

        // printf mcpgw-env:production | openssl dgst -sha256 -hmac "$STRONG"
        let expected = SharedSecret::prepared(b"fc61dbd5ba2e26b6bc1d7c2440b59836e6fd6b762ddc4c549a3a97c33020dab4");
        assert_eq!(derived.kid(), expected.kid());
    }

    #[test]
    fn the_name_follows_the_secret_and_is_stable() {
        let kid = |text: &str| SharedSecret::new(&SecretString::from(text)).expect("strong").kid().expect("a kid");

        assert_eq!(kid(STRONG).as_str(), "0fhayYsP7m5OjRPil2Nz9Q");
        assert_ne!(kid(STRONG), kid(&STRONG.to_lowercase()));
    }
}
