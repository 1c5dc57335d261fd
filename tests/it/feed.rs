//! The feed of revocations: whoever follows it knows at any moment what the log says, however it follows, and knows when it
//! does not.

mod faults;
mod histories;
mod logins;
mod pages;
mod reader;
mod staleness;
mod stream;

use catalog::app::Catalog;
use std::sync::Arc;
use tokio::task::JoinHandle;

use crate::support::{World, process::until};

/// Does a server's work besides answering, and follows the log, until it is dropped with the test's runtime.
pub async fn keep_house(world: &World) -> JoinHandle<()> {
    let catalog: Arc<Catalog> = world.catalog.clone();
    let house = tokio::spawn(async move { match catalog.keep_house().await {} });
    until("the feed has begun", async || world.catalog.feed().mark()).await;
    house
}
