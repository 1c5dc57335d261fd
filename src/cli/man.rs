//! `catalog man`: the manual pages, made from the very arguments that the program takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use clap_mangen::Man;

use super::{CliError, Outcome, command::command, output};

/// Print a manual page, or write all of them into a directory
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManArgs {
    /// The command whose page is printed, such as issue, or audit events [default: the program's own]
    #[arg(value_name = "COMMAND")]
    of: Vec<String>,
    /// Write the page of every command into this directory instead
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "of")]
    dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  catalog man audit events | man -l -
  catalog man --dir /usr/local/share/man/man1";

pub(super) fn run(args: &ManArgs) -> Result<Outcome, CliError> {
    // Built, every command knows its whole name.
    let mut all = command().disable_help_subcommand(true);
    all.build();
    match &args.dir {
        Some(directory) => write_all(&all, directory)?,
        None => output::bytes(&page(find(&all, &args.of)?)?)?,
    }
    Ok(Outcome::Done)
}

fn find<'a>(all: &'a clap::Command, names: &[String]) -> Result<&'a clap::Command, CliError> {
    names.iter().try_fold(all, |command, name| {
        command.find_subcommand(name).ok_or_else(|| CliError::NoSuchCommand { name: names.join(" ") })
    })
}

fn page(command: &clap::Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    man(command).render(&mut page)?;
    Ok(page)
}

fn man(command: &clap::Command) -> Man {
    Man::new(command.clone()).source(format!("catalog {}", env!("CARGO_PKG_VERSION"))).manual("catalog")
}

fn write_all(all: &clap::Command, directory: &Path) -> Result<(), CliError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        |source| CliError::ManPage { path, source }
    };
    fs::create_dir_all(directory).map_err(at(directory))?;
    let mut open = vec![all];
    while let Some(command) = open.pop() {
        let path = directory.join(man(command).get_filename());
        fs::write(&path, page(command)?).map_err(at(&path))?;
        open.extend(command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()));
    }
    Ok(())
}
