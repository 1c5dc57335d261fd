//! Keys, signatures and strict verification: everything that knows how a token is signed, and nothing else.
//!
//! No I/O but reading and creating key files, no clock, no log. Signatures come from `aws-lc-rs` directly, because it
//! lets a key be prepared once, where `jsonwebtoken` parses it again for every call; and because the strict reading of
//! a token (see [`Verifier::verify`]) leaves nothing that a JWT library would do.
//!
//! Three rules: the private half of a key never leaves this floor; a [`SignedToken`] shows its text only to
//! [`SignedToken::expose`]; a key verifies with its one algorithm, which the log names and a token cannot choose.

mod directory;
mod error;
mod jwks;
mod keyring;
mod passphrase;
mod pem;
mod provider_keys;
mod provider_token;
mod public_key;
mod remember;
mod secret;
mod signed_token;
mod signer;
mod status_list;
mod strict_json;
mod thumbprint;
mod verified;
mod verify;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_claims;
#[cfg(test)]
mod keyring_tests;
#[cfg(test)]
mod passphrase_tests;
#[cfg(test)]
mod provider_tests;
#[cfg(test)]
mod vector_tests;
#[cfg(test)]
mod weak_fixtures;
#[cfg(test)]
mod weak_key_tests;

pub use directory::read_private as read_secret_file;
pub use error::{KeyFault, KeyringError, PrivateHalf, RecordFault, SigningError};
pub use jwks::{Jwk, Jwks, jwks};
pub use keyring::{KeyFacts, Keyring};
pub use passphrase::Passphrase;
pub use provider_keys::{IgnoredKey, JwksFault, ProviderKeys};
pub use provider_token::{ProviderToken, Untaken};
pub use remember::{LastPresented, PresentedToken};
pub use secret::{SharedSecret, WeakSecret};
pub use signed_token::SignedToken;
pub use status_list::{StatusList, StatusListClaims, gzip};
pub use thumbprint::thumbprint;
pub use verified::{Signed, Verified};
pub use verify::{IAT_AHEAD_SECONDS_MAX, Invalid, Verifier};
