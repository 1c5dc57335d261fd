//! The command line: arguments into commands, outcomes into text and exit codes. stdout is data, stderr is talk.

mod audit_events;
mod audit_export;
mod audit_rebuild;
mod audit_report;
mod audit_token;
mod audit_verify;
mod banner;
mod bridge;
mod client;
mod clients;
mod command;
mod completions;
mod conditions;
pub mod config;
mod decode;
mod dev_seed;
mod edge;
mod error;
mod event_line;
mod exit_code;
mod gaps;
mod hint;
mod input;
mod interrupt;
mod issue;
mod issue_args;
mod keys;
mod listing;
mod logging;
mod man;
mod migrate;
mod operator;
mod output;
mod policy;
mod policy_replay;
mod preview;
mod progress;
mod recorder;
mod rows;
mod serve;
mod session;
mod values;
mod when;

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use clap::{Args, ColorChoice, Parser, Subcommand};

pub use audit_export::ExportError;
pub use audit_report::ReportError;
pub use client::ClientError;
pub use config::Variables;
pub use error::CliError;

use crate::{
    app::Ambient,
    domain::text::{Audience, Environment},
    signing::Passphrase,
    store::postgres::Schema,
};
use config::{ConfigError, IssuerSetting, Place};

/// Issues, lists, revokes and checks the JWT API tokens of a gateway, and proves afterwards what happened.
#[derive(Parser)]
#[command(name = "catalog", version, color = ColorChoice::Never, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  catalog serve                                   start the API on a private PostgreSQL
  catalog issue --dev --sub alice@example.com     a token for development, recorded like any other
  catalog issue --sub ci@example.com --name ci    a token by the API of a running server
  catalog list --status active                    the tokens that may be used
  catalog audit events                            who issued what to whom, and by which path
  catalog audit report --from 30d                 what happened in a month, and what somebody should look into
  catalog audit verify                            prove that nothing was changed or is missing

Exit codes: 0 done, 1 refused or something was found, 2 could not run.";

/// What every command takes. Each has an environment variable too; a flag wins over it.
#[derive(Debug, Default, Clone, Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// State directory: private keys, and the private PostgreSQL [env: CATALOG_DATA] [default: /var/lib/catalog for
    /// root, else ~/.local/state/catalog]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Use this PostgreSQL instead of the private one. The variable hides a password from other users, the flag does not
    /// [env: CATALOG_DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// The schema that is the catalog [env: CATALOG_SCHEMA] [default: catalog]
    #[arg(long, global = true, value_name = "NAME")]
    pub schema: Option<Schema>,
    /// iss of every token: the public URL, or the gateway's issuer name [env: CATALOG_ISSUER, JWT_ISSUER]
    /// [default: what the log says, in a new one http:// and where serve listens]
    #[arg(long, global = true, value_name = "URL")]
    pub issuer: Option<IssuerSetting>,
    /// aud of a token for which none is asked [env: CATALOG_AUDIENCE, JWT_AUDIENCE] [default: what the log says, in a
    /// new one gateway]
    #[arg(long, global = true, value_name = "NAME")]
    pub audience: Option<Audience>,
    /// env of every token; none is written unless one is named [env: CATALOG_ENVIRONMENT, ENVIRONMENT]
    #[arg(long, global = true, value_name = "NAME")]
    pub environment: Option<Environment>,
    /// The file in whose first line the passphrase of the private key files is, those that are locked and those that are
    /// made [env: CATALOG_KEY_PASSPHRASE_FILE, or the passphrase itself in CATALOG_KEY_PASSPHRASE]
    #[arg(long, global = true, value_name = "FILE")]
    pub key_passphrase_file: Option<PathBuf>,
    /// How diagnostics are written to stderr; their filter is in CATALOG_LOG [env: CATALOG_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub log_format: Option<logging::LogFormat>,
    /// More diagnostics; twice for all of them
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Edge(Box<edge::EdgeArgs>),
    #[command(subcommand)]
    Bridge(bridge::BridgeCommand),
    Issue(Box<issue_args::IssueArgs>),
    List(Box<client::list::ListArgs>),
    Show(client::show::ShowArgs),
    Revoke(client::revoke::RevokeArgs),
    Rotate(client::rotate::RotateArgs),
    Suspend(client::suspend::SuspendArgs),
    Resume(client::suspend::ResumeArgs),
    Check(client::check::CheckArgs),
    Whoami(client::whoami::WhoamiArgs),
    #[command(subcommand)]
    Audit(AuditCommand),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Clients(clients::ClientsCommand),
    #[command(subcommand)]
    Policy(PolicyCommand),
    Migrate(migrate::MigrateArgs),
    Decode(decode::DecodeArgs),
    Completions(completions::CompletionsArgs),
    #[command(subcommand)]
    Dev(DevCommand),
    Man(man::ManArgs),
}

/// Read the log: who did what, and whether it is whole
#[derive(Subcommand)]
enum AuditCommand {
    Events(audit_events::EventsArgs),
    Report(Box<audit_report::ReportArgs>),
    Export(audit_export::ExportArgs),
    Token(audit_token::TokenArgs),
    Verify(audit_verify::VerifyArgs),
    Rebuild(audit_rebuild::RebuildArgs),
}

/// Show, check, try and apply the rules of what may be issued
#[derive(Subcommand)]
enum PolicyCommand {
    Show(policy::ShowArgs),
    Check(policy::CheckArgs),
    Apply(policy::ApplyArgs),
    Replay(policy_replay::ReplayArgs),
}

/// Make catalogs to try things on and to measure
#[derive(Subcommand)]
enum DevCommand {
    Seed(dev_seed::SeedArgs),
}

/// How a command that could run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// What was asked for is done, or was already so.
    Done,
    /// An audit found something.
    Findings,
    /// It did not come to its end, and has told why. This is its exit code.
    Told(u8),
}

/// What `main` hands to every command.
struct Shell<'a> {
    global: GlobalArgs,
    variables: &'a Variables,
    ambient: Ambient,
}

impl Shell<'_> {
    fn place(&self) -> Result<Place, ConfigError> {
        Place::choose(&self.global, self.variables, rustix::process::geteuid().is_root())
    }

    fn passphrase(&self) -> Result<Option<Arc<Passphrase>>, ConfigError> {
        Ok(config::passphrase(&self.global, self.variables)?.map(Arc::new))
    }

    fn log_format(&self) -> Result<logging::LogFormat, ConfigError> {
        Ok(self.variables.setting(self.global.log_format, &["CATALOG_LOG_FORMAT"])?.unwrap_or_default())
    }
}

/// Runs the program and returns its exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, variables: Variables, ambient: Ambient) -> u8 {
    let cli = match command::parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let shell = Shell { global: cli.global, variables: &variables, ambient };
    match Box::pin(dispatch(&shell, cli.command)).await {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Findings) => 1,
        Ok(Outcome::Told(code)) => code,
        Err(error) => output::report(&error),
    }
}

async fn dispatch(shell: &Shell<'_>, command: Command) -> Result<Outcome, CliError> {
    let quiet =
        if matches!(command, Command::Serve(_) | Command::Edge(_) | Command::Bridge(_)) { "info" } else { "warn" };
    logging::start(shell, quiet)?;
    if let Some(flag) = shell.global.of_the_log().filter(|_| command.asks_a_server()) {
        return Err(CliError::FlagOfTheLog { flag });
    }
    match command {
        Command::Serve(args) => serve::run(shell, args).await,
        Command::Edge(args) => edge::run(shell, *args).await,
        Command::Bridge(command) => bridge::run(shell, command).await,
        Command::Issue(args) if args.dev => issue::run(shell, *args).await,
        Command::Issue(args) => client::issue::run(shell, *args).await,
        Command::List(args) => client::list::run(shell, *args).await,
        Command::Show(args) => client::show::run(shell, args).await,
        Command::Revoke(args) => client::revoke::run(shell, args).await,
        Command::Rotate(args) => client::rotate::run(shell, args).await,
        Command::Suspend(args) => client::suspend::suspend(shell, args).await,
        Command::Resume(args) => client::suspend::resume(shell, args).await,
        Command::Check(args) => client::check::run(shell, args).await,
        Command::Whoami(args) => client::whoami::run(shell, args).await,
        Command::Audit(AuditCommand::Events(args)) => audit_events::run(shell, args).await,
        Command::Audit(AuditCommand::Report(args)) => audit_report::run(shell, *args).await,
        Command::Audit(AuditCommand::Export(args)) => audit_export::run(shell, args).await,
        Command::Audit(AuditCommand::Token(args)) => audit_token::run(shell, args).await,
        Command::Audit(AuditCommand::Verify(args)) => audit_verify::run(shell, args).await,
        Command::Audit(AuditCommand::Rebuild(args)) => audit_rebuild::run(shell, args).await,
        Command::Keys(command) => keys::run(shell, command).await,
        Command::Clients(command) => clients::run(shell, command).await,
        Command::Policy(PolicyCommand::Show(args)) => policy::show(shell, args).await,
        Command::Policy(PolicyCommand::Check(args)) => policy::check(shell, &args).await,
        Command::Policy(PolicyCommand::Apply(args)) => policy::apply(shell, args).await,
        Command::Policy(PolicyCommand::Replay(args)) => policy_replay::run(shell, args).await,
        Command::Migrate(_) => migrate::run(shell).await,
        Command::Decode(args) => decode::run(args, shell.ambient.clock.now()),
        Command::Completions(args) => completions::run(&args),
        Command::Dev(DevCommand::Seed(args)) => dev_seed::run(shell, args).await,
        Command::Man(args) => man::run(&args),
    }
}
