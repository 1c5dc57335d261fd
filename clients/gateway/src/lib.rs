//! What a gateway links to refuse tokens that were revoked: the feed of a catalog, followed.
//!
//! * The core, always there: [`RevocationSet`] decides in process, in tens of nanoseconds, without I/O and without a clock of
//!   its own. Pages go in, verdicts come out. [`wire`] are the shapes of the feed, which the catalog's server writes and a
//!   follower reads.
//! * `follow`: a follower that keeps a set up to date, by event stream, by pages where a proxy holds the stream back, and by a
//!   file across restarts.
//! * `jwt`: strict verification of tokens against the catalog's keys; and `confirm`, which asks the catalog once per unseen
//!   token whether it was issued.
//! * `admission`: whether a good token may be used for a request, by what narrows it (no I/O).
//! * `judge` and `tower`: all of it together, and as a layer for tower and axum.
//!
//! **A feed proves that a token is not revoked, not that it was issued.** A token that a thief of a key has made is in no feed:
//! only the catalog can tell, and `confirm` asks it.
//!
//! **Could not tell is not yes.** When the catalog was not heard for longer than the longest staleness, everything that is not
//! known as revoked is [`Verdict::Stale`].

#[cfg(feature = "admission")]
pub mod admission;
#[cfg(feature = "client")]
mod causes;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "jwt")]
pub mod confirm;
#[cfg(feature = "follow")]
pub mod courier;
mod error;
#[cfg(feature = "follow")]
pub mod follow;
mod freshness;
#[cfg(feature = "jwt")]
mod generations;
#[cfg(test)]
mod glances_tests;
#[cfg(feature = "judge")]
pub mod judge;
#[cfg(feature = "jwt")]
pub mod jwt;
mod keys;
mod loader;
#[cfg(feature = "jwt")]
pub mod metadata;
mod now;
mod reader;
mod set;
mod state;
mod table;
#[cfg(feature = "tower")]
pub mod tower;
pub mod wire;
mod writer;

pub use error::ApplyError;
pub use loader::Loader;
pub use now::Now;
pub use reader::Reader;
pub use set::{Applied, RevocationSet, Status, Verdict};
