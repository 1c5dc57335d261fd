//! Strict verification of the catalog's tokens (RFC 8725, RFC 9068) against its keys.
//!
//! A good signature says that the holder of a key has signed, and nothing else. Whether the token was revoked since, a
//! [`crate::RevocationSet`] says, and whether it was ever issued, the catalog alone.

mod claims;
mod jwks;
mod key;
mod remember;
mod set;
mod text;
mod verify;

pub use claims::{AuthProvider, Claims, Day, Scopes, TimeRestrictions, TokenUse, UsageLimits, User};
pub use jwks::{KeysUnavailable, Verifier, VerifyError};
pub use key::{Algorithm, Secret, WeakSecret};
pub use set::{KeySet, KeySetError};
pub use verify::{Invalid, Rules, Verified};
