//! `catalog completions`: what a shell needs to complete our commands.

use clap::Args;
use clap_complete::Shell;

use super::{CliError, Outcome, command, output};

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  catalog completions bash > /etc/bash_completion.d/catalog
  catalog completions zsh > ~/.zfunc/_catalog
  catalog completions fish > ~/.config/fish/completions/catalog.fish";

pub(super) fn run(args: &CompletionsArgs) -> Result<Outcome, CliError> {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command::for_completions(), "catalog", &mut script);
    output::bytes(&script)?;
    Ok(Outcome::Done)
}
