//! What a gateway links to refuse tokens that were revoked: the feed of a catalog, followed.
//!
//! [`wire`] are the shapes of the feed, which the catalog's server writes and a follower reads.

pub mod wire;
