//! The figures that the goals are about, each measured beside something else in one run. `make bench-…` runs them.

#![expect(unreachable_pub, reason = "the modules of one binary share their helpers")]
#![expect(clippy::disallowed_methods, reason = "a bench is a main of its own, with clock and environment")]

mod check;
mod issue;
mod list;
mod replay;
mod revocation;
mod status_lists;
mod support;

use clap::{Parser, Subcommand};
use support::stand::Error;

/// Measures the real program on a private, durable PostgreSQL.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    /// What cargo tells every bench
    #[arg(long = "bench", hide = true, global = true)]
    bench_flag: bool,
}

#[derive(Subcommand)]
enum Bench {
    /// Checks beside a constant answer, and how soon revocations are known
    Check(check::Arguments),
    /// Issuances through `POST /tokens`, interleaved with pgbench
    Issue(issue::Arguments),
    /// The first page of a listing, by every single filter
    List(list::Arguments),
    /// A whole log verified, rebuilt, reported and replayed, beside bare streams of it
    Replay(replay::Arguments),
    /// Revocations by rule, with others at work beside them
    Revocation(revocation::Arguments),
    /// A status list made, beside the bare compression
    StatusLists(status_lists::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match Arguments::parse().bench {
        Bench::Check(arguments) => check::run(&arguments).await,
        Bench::Issue(arguments) => issue::run(&arguments).await,
        Bench::List(arguments) => list::run(&arguments).await,
        Bench::Replay(arguments) => replay::run(&arguments).await,
        Bench::Revocation(arguments) => revocation::run(&arguments).await,
        Bench::StatusLists(arguments) => status_lists::run(&arguments),
    }
}
