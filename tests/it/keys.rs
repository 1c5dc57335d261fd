//! The life of signing keys: known before they sign, followed by another, put away, and never out of the log.

mod cli;
mod compromise;
mod drill;
mod follow;
mod life;
mod locked;

use catalog::{
    app::{OpenError, Settled},
    domain::{
        Path, Refusal, Status,
        key_life::{ActivateKey, KeyRefusal},
        text::Kid,
    },
    store::AppendError,
};
use chrono::TimeDelta;
use tokio::task::JoinHandle;

use crate::support::{World, world::shell};

/// The refusal of a command about a key.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, OpenError>) -> KeyRefusal {
    match outcome {
        Err(OpenError::Append(AppendError::Refused(Refusal::Key(refusal)))) => refusal,
        outcome => panic!("not refused: {outcome:?}"),
    }
}

/// Has a key sign that everybody had time to read about.
pub(crate) async fn activate(world: &World, kid: &Kid) -> Result<Settled<Kid>, OpenError> {
    world.catalog.activate_key(ActivateKey { kid: kid.clone(), early: false }, shell(Path::CliAdmin)).await
}

pub(crate) async fn retire(world: &World, kid: &Kid) -> Result<Settled<Kid>, OpenError> {
    world.catalog.retire_key(kid.clone(), shell(Path::CliAdmin)).await
}

/// Lets so many seconds pass.
pub(crate) fn wait(world: &World, seconds: i64) {
    world.clock.advance(TimeDelta::seconds(seconds));
}

/// The key that signs, by the log.
pub(crate) fn active(world: &World) -> Kid {
    world.catalog.live().settings.active.clone().unwrap()
}

/// What a check says of a token.
pub(crate) async fn status(world: &World, token: &catalog::domain::Token) -> Status {
    let now = world.catalog.ambient().clock.now();
    world.catalog.token(token.jti).await.unwrap().unwrap().status(now)
}

/// Has a process do what a server does besides answering.
pub(crate) fn keep_house(world: &World) -> JoinHandle<()> {
    let catalog = world.catalog.clone();
    tokio::spawn(async move { match catalog.keep_house().await {} })
}
