//! A whole log to try audits on: a year of a catalog, written at once where there is none.

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    SeedError,
    chance::Chance,
    year::{Cast, KEYS, Year},
};
use crate::{
    domain::{
        Actor, Position,
        configure::{Configure, KeyChoice},
        event::KeyAdded,
        key::Algorithm,
        text::{Audience, Environment, Issuer},
    },
    signing::{Keyring, Passphrase},
    store::{
        Database, Head,
        bulk::{Batch, Bulk},
        schema,
    },
};

/// How many batches are ready while one is written.
const AHEAD_MAX: usize = 2;
/// What of chance is the salts'.
const SALTS: u64 = u64::MAX;

/// What kind of log is made. The same plan makes the same events, but for the names of the keys.
#[derive(Debug, Clone, Copy)]
pub struct LogPlan {
    /// How many events.
    pub events: u64,
    /// Which of the possible years.
    pub seed: u64,
    /// When the year ends.
    pub until: DateTime<Utc>,
}

/// Where a log is made, and of whom.
pub struct LogSeeding {
    /// The catalog.
    pub database: Database,
    /// The directory of the private keys.
    pub keys: PathBuf,
    /// What the files in it are locked with.
    pub passphrase: Option<Arc<Passphrase>>,
    /// `iss`.
    pub issuer: Issuer,
    /// `aud` when none is asked for.
    pub audience: Audience,
    /// `env`.
    pub env: Option<Environment>,
    /// What kind of log.
    pub plan: LogPlan,
    /// Who has it made.
    pub operator: Actor,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeededLog {
    /// How many events there are.
    pub events: u64,
    /// The end of the log.
    pub head: Head,
}

/// Fills a catalog that has no event with a year of a busy one. `progress` is told how many events there are.
///
/// # Errors
/// [`SeedError`]; what was written before it stays.
pub async fn seed_log(seeding: LogSeeding, progress: &mut (dyn FnMut(u64) + Send)) -> Result<SeededLog, SeedError> {
    let LogSeeding { database, keys, passphrase, issuer, audience, env, plan, operator } = seeding;
    schema::ensure(&database, true).await?;
    let mut bulk = Bulk::begin(&database).await?.ok_or(SeedError::HasEvents)?;
    let keys = tokio::task::spawn_blocking(move || made(&keys, passphrase)).await??;
    let Some(first) = keys.first().cloned() else { return Err(SeedError::Stuck { position: Position(0) }) };
    let configure = Configure {
        issuer: None,
        issuer_default: issuer,
        audience: None,
        audience_default: audience,
        env,
        key: KeyChoice::Offered(first),
    };
    let mut year = Year::new(plan, configure, keys, Cast::of(operator, plan.events)?);
    let (batches, mut ready) = mpsc::channel::<Batch>(AHEAD_MAX);
    let made_up = tokio::task::spawn_blocking(move || {
        while let Some(batch) = year.next()? {
            // Whoever writes may have failed: then there is nothing more to do.
            if batches.blocking_send(batch).is_err() {
                break;
            }
        }
        Ok::<_, SeedError>(year.done())
    });
    let salts = Chance::of(plan.seed).of_one(SALTS);
    let mut written = 0;
    while let Some(batch) = ready.recv().await {
        written += batch.events.len() as u64;
        bulk.write(batch, &salts).await?;
        progress(written);
    }
    let events = made_up.await??;
    Ok(SeededLog { events, head: bulk.finish().await? })
}

/// The keys of the year, the private halves in the directory: whoever opens the catalog later signs with the last.
fn made(directory: &std::path::Path, passphrase: Option<Arc<Passphrase>>) -> Result<Vec<KeyAdded>, SeedError> {
    let mut keyring = Keyring::open_locked(directory, passphrase)?;
    let mut keys = Vec::with_capacity(KEYS);
    for _ in 0..KEYS {
        let kid = keyring.add_generated(Algorithm::EdDsa)?;
        let facts =
            keyring.facts(&kid).map(|facts| KeyAdded { kid: facts.kid, alg: facts.alg, jwk: facts.jwk, dev: false });
        keys.extend(facts);
    }
    Ok(keys)
}
