//! How far a report has come, in a file, to be gone on with: it saves reading what is before.

use std::io::{self, Write};

use catalog_gateway::wire::{Digest as WireDigest, Mark};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    domain::{
        Position,
        audit::{Fold, REPORT_VERSION, Scope},
    },
    store::{
        Database,
        feed::{self, Elsewhere, FeedError},
        replay::{Chain, Reading},
    },
};

/// The version of what is saved. Whatever a fold keeps is a part of it.
const STATE_VERSION: u32 = 1;

/// The first line of a saved state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    catalog_report_state: u32,
    report_version: u32,
    log_id: Uuid,
    position: Position,
    #[serde(with = "hex::serde")]
    digest: [u8; 32],
    /// Of everything behind the first line.
    #[serde(with = "hex::serde")]
    sha256: [u8; 32],
}

/// A saved state.
pub struct Saved {
    header: Header,
    reading: Reading,
}

/// Why a saved state cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It was not written by a report.
    #[error("it is no saved state of a report")]
    NoState,
    /// It was written by another version of this program.
    #[error("it is a state of version {found}, and this program goes on with those of version {expected}")]
    OtherVersion {
        /// Its version, and that of its report.
        found: String,
        /// Ours.
        expected: String,
    },
    /// Somebody changed it, or it is not all there.
    #[error("it was changed since it was saved: its SHA-256 is not the one that it says")]
    Damaged,
    /// It is of another position.
    #[error("it is a state at @{found}, not at @{asked}")]
    OtherPosition {
        /// Where it is.
        found: Position,
        /// Where it was to be.
        asked: Position,
    },
    /// It is of another log, or of this one before it was rewritten.
    #[error("it is not of this log: {0}")]
    Elsewhere(#[source] Elsewhere),
    /// It counts something else than is asked for.
    #[error(
        "it counts positions {} to {}, read up to {}{}: a report that goes on from it begins with the same position, is of the \
         same subject and team, and ends no earlier",
        found.first, found.last, found.end, narrowed(found)
    )]
    OtherScope {
        /// What it counts.
        found: Box<Scope>,
    },
    /// Could not tell.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

fn narrowed(scope: &Scope) -> String {
    let sub = scope.sub.as_ref().map(|sub| format!(", of subject {sub}")).unwrap_or_default();
    let team = scope.team.as_ref().map(|team| format!(", of team {team}")).unwrap_or_default();
    sub + &team
}

impl Saved {
    /// Writes a reading down.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(reading: &Reading, out: &mut dyn Write) -> io::Result<()> {
        let body = serde_json::to_vec(reading)?;
        let Reading { fold, chain, .. } = reading;
        let header = Header {
            catalog_report_state: STATE_VERSION,
            report_version: REPORT_VERSION,
            log_id: fold.scope().log_id,
            position: chain.position(),
            digest: *chain.stored(),
            sha256: Sha256::digest(&body).into(),
        };
        serde_json::to_writer(&mut *out, &header)?;
        out.write_all(b"\n")?;
        out.write_all(&body)?;
        out.write_all(b"\n")
    }

    /// What was written down.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn read(bytes: &[u8]) -> Result<Self, StateError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(StateError::NoState)?;
        let (header, body) = (&bytes[..end], bytes[end + 1..].trim_ascii_end());
        let header: Header = serde_json::from_slice(header).map_err(|_| StateError::NoState)?;
        let versions = (header.catalog_report_state, header.report_version);
        if versions != (STATE_VERSION, REPORT_VERSION) {
            let told = |(state, report): (u32, u32)| format!("{state}.{report}");
            return Err(StateError::OtherVersion {
                found: told(versions),
                expected: told((STATE_VERSION, REPORT_VERSION)),
            });
        }
        if Sha256::digest(body)[..] != header.sha256 {
            return Err(StateError::Damaged);
        }
        let reading: Reading = serde_json::from_slice(body).map_err(|_| StateError::NoState)?;
        let is_same = (header.log_id, header.position, &header.digest)
            == (reading.fold.scope().log_id, reading.chain.position(), reading.chain.stored());
        if is_same { Ok(Self { header, reading }) } else { Err(StateError::Damaged) }
    }

    /// Lets one pass that is of this position.
    ///
    /// # Errors
    /// [`StateError::OtherPosition`].
    pub fn at(self, asked: Position) -> Result<Self, StateError> {
        let found = self.header.position;
        if found == asked { Ok(self) } else { Err(StateError::OtherPosition { found, asked }) }
    }

    /// The reading, to be gone on with up to the end of a scope, if it is of this log.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn going_on(self, database: &Database, scope: &Scope) -> Result<Reading, StateError> {
        let Header { log_id, position, digest, .. } = self.header;
        let mark = Mark { log_id, position: position.0, digest: WireDigest(digest) };
        feed::require(database.reads(), &mark).await.map_err(|error| match error {
            FeedError::Elsewhere(elsewhere) => StateError::Elsewhere(elsewhere),
            FeedError::Store(error) => error.into(),
        })?;
        let Reading { fold, chain, .. } = self.reading;
        going_on(fold, chain, scope)
    }
}

fn going_on(fold: Fold, chain: Chain, scope: &Scope) -> Result<Reading, StateError> {
    let found = Box::new(fold.scope().clone());
    let fold = fold.going_on(scope.clone()).ok_or(StateError::OtherScope { found })?;
    Ok(Reading::going_on(fold, chain))
}
