//! Tokens against the catalog's keys, its word, and its feed.

#![cfg(feature = "tower")]
#![expect(unreachable_pub, reason = "the modules of one binary share their helpers")]
#![expect(clippy::unwrap_used, reason = "a test ends where it finds something else than it expects")]

mod tokens {
    pub mod algorithms;
    pub mod catalog;
    pub mod confirm;
    pub mod guard;
    pub mod jwks;
    pub mod verify;
}
