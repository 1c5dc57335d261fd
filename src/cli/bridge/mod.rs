//! `catalog bridge`: what the catalog revokes, carried to gateways that ask nobody.

mod contextforge;

use clap::Subcommand;

use super::{CliError, Outcome, Shell};

/// Carry revocations to gateways that ask nobody
#[derive(Subcommand)]
pub(super) enum BridgeCommand {
    Contextforge(Box<contextforge::ContextforgeArgs>),
}

pub(super) async fn run(shell: &Shell<'_>, command: BridgeCommand) -> Result<Outcome, CliError> {
    match command {
        BridgeCommand::Contextforge(args) => contextforge::run(shell, *args).await,
    }
}
