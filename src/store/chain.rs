//! The digest chain: how each event is bound to all before it.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::Position;

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// The digest before the first event.
pub const GENESIS: Sha256Digest = [0; 32];

/// `SHA-256(salt || personal)`: what stays of the personal part when it is erased.
#[must_use]
pub fn commitment(salt: &[u8], personal: &[u8]) -> Sha256Digest {
    Sha256::new().chain_update(salt).chain_update(personal).finalize().into()
}

/// The digest of an event: over its predecessor's, its place, its time, its body and its commitment.
#[must_use]
pub fn link(
    previous: &Sha256Digest,
    position: Position,
    recorded_at: DateTime<Utc>,
    body: &[u8],
    commitment: &[u8],
) -> Sha256Digest {
    link_digest(previous, position, recorded_at, &digest(body), commitment)
}

/// What of an event's body goes into its digest.
#[must_use]
pub fn digest(body: &[u8]) -> Sha256Digest {
    Sha256::digest(body).into()
}

/// The digest of an event whose body has this digest.
#[must_use]
pub fn link_digest(
    previous: &Sha256Digest,
    position: Position,
    recorded_at: DateTime<Utc>,
    body: &Sha256Digest,
    commitment: &[u8],
) -> Sha256Digest {
    // One piece of 80 bytes instead of five small ones.
    let mut bound = [0; 80];
    bound[..32].copy_from_slice(previous);
    bound[32..40].copy_from_slice(&position.0.to_be_bytes());
    bound[40..48].copy_from_slice(&recorded_at.timestamp_micros().to_be_bytes());
    bound[48..].copy_from_slice(body);
    Sha256::new().chain_update(bound).chain_update(commitment).finalize().into()
}
