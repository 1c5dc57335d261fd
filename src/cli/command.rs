//! The whole command line, as it is parsed and as help, manual pages and completions show it.

use clap::{Arg, CommandFactory, FromArgMatches};

use super::{Cli, Command, GlobalArgs};

/// The global flags that say where the log is and who the catalog is.
const OF_THE_LOG: [&str; 7] =
    ["data", "database_url", "schema", "issuer", "audience", "environment", "key_passphrase_file"];
/// The commands that never open the log.
const WITHOUT_LOG: [&str; 11] =
    ["list", "show", "revoke", "rotate", "suspend", "resume", "check", "whoami", "decode", "completions", "man"];

/// The command line. A command that never opens the log does not show the flags that are about it.
pub(super) fn command() -> clap::Command {
    let command = Cli::command();
    let is_of_the_log = |arg: &&Arg| OF_THE_LOG.contains(&arg.get_id().as_str());
    let hidden: Vec<Arg> = command.get_arguments().filter(is_of_the_log).map(|arg| arg.clone().hide(true)).collect();
    WITHOUT_LOG
        .iter()
        .fold(command, |command, name| command.mut_subcommand(name, |subcommand| subcommand.args(hidden.clone())))
}

/// The command line as completions show it. They would offer hidden flags, too: here the flags of the log stand only where
/// there may be one.
pub(super) fn for_completions() -> clap::Command {
    let command = Cli::command();
    let is_of_the_log = |arg: &&Arg| OF_THE_LOG.contains(&arg.get_id().as_str());
    let flags: Vec<Arg> = command.get_arguments().filter(is_of_the_log).cloned().collect();
    let commands: Vec<String> = command.get_subcommands().map(|subcommand| subcommand.get_name().to_owned()).collect();
    let command = OF_THE_LOG.iter().fold(command, |command, flag| command.mut_arg(flag, |arg| arg.global(false)));
    let with_log = commands.into_iter().filter(|name| !WITHOUT_LOG.contains(&name.as_str()));
    with_log.fold(command, |command, name| command.mut_subcommand(name, |subcommand| subcommand.args(flags.clone())))
}

/// The arguments, parsed.
pub(super) fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

impl Command {
    /// Whether it asks a server and leaves the log alone.
    pub(super) fn asks_a_server(&self) -> bool {
        match self {
            Self::Issue(args) => !args.dev,
            Self::List(_)
            | Self::Show(_)
            | Self::Revoke(_)
            | Self::Rotate(_)
            | Self::Suspend(_)
            | Self::Resume(_)
            | Self::Check(_)
            | Self::Whoami(_) => true,
            _ => false,
        }
    }
}

impl GlobalArgs {
    /// The first flag that was given which is about the log.
    pub(super) fn of_the_log(&self) -> Option<&'static str> {
        let Self { data, database_url, schema, issuer, audience, environment, key_passphrase_file, .. } = self;
        [
            (data.is_some(), "--data"),
            (database_url.is_some(), "--database-url"),
            (schema.is_some(), "--schema"),
            (issuer.is_some(), "--issuer"),
            (audience.is_some(), "--audience"),
            (environment.is_some(), "--environment"),
            (key_passphrase_file.is_some(), "--key-passphrase-file"),
        ]
        .into_iter()
        .find_map(|(is_given, flag)| is_given.then_some(flag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_and_takes_them_itself() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if command.get_subcommands().next().is_none() {
                assert!(help.starts_with("Examples:\n"), "{}", command.get_name());
            }
            for line in help.lines().skip(1).take_while(|line| line.starts_with("  ")) {
                let commands: Vec<Vec<String>> = line.split(" | ").filter_map(words).collect();
                assert!(!commands.is_empty(), "{line}");
                for words in commands {
                    let parsed = parse(words.iter().map(Into::into));
                    assert!(parsed.is_ok(), "{line}: {}", parsed.err().map_or_else(String::new, |e| e.to_string()));
                }
            }
            command.get_subcommands().for_each(check);
        }

        check(&command());
    }

    /// The words of the call of this program that a piece of a shell line has, as a shell would take them apart.
    fn words(piece: &str) -> Option<Vec<String>> {
        let call = &piece[piece.find("catalog ")?..];
        let (mut words, mut quote, mut spaces) = (vec![String::new()], None, 0);
        for character in call.chars() {
            match (character, quote) {
                (' ', None) => spaces += 1,
                ('<' | '>' | ')', None) => break,
                ('\'' | '"', None) => quote = Some(character),
                (_, Some(open)) if character == open => quote = None,
                // What stands far to the right says what the line is for.
                (_, None) if spaces > 2 => break,
                _ => {}
            }
            if character != ' ' && spaces > 0 {
                words.push(String::new());
                spaces = 0;
            }
            if quote.is_some_and(|open| open != character) || !" '\"".contains(character) {
                words.last_mut()?.push(character);
            }
        }
        // What xargs takes from its input.
        words.extend(piece.contains("xargs ").then(|| uuid::Uuid::nil().to_string()));
        Some(words)
    }

    #[test]
    fn a_flag_of_the_log_is_found_wherever_it_stands() {
        let flag =
            |line: &[&str]| parse(line.iter().map(Into::into)).unwrap_or_else(|e| panic!("{e}")).global.of_the_log();

        assert_eq!(flag(&["catalog", "whoami"]), None);
        assert_eq!(flag(&["catalog", "whoami", "--data", "d"]), Some("--data"));
        assert_eq!(flag(&["catalog", "--schema", "s", "whoami"]), Some("--schema"));
    }
}
