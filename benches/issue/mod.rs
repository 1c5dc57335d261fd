//! `make bench-issue`: what an issuance costs, beside pgbench writing the same two rows on the same cluster.
//!
//! Each round has pgbench and the server take turns at each number of connections, so that whatever else the machine
//! does falls on both alike; what is compared is what one round has seen.

mod peer;

use std::time::{Duration, Instant};

use crate::support::{
    figures::{Figures, machine, percentile_ms},
    load::{self, Ask},
    stand::{Error, Server, Stand, cluster_cpu_seconds, execute},
};
use clap::Args;
use peer::Peer;

/// Issuances through `POST /tokens`, interleaved with pgbench.
#[derive(Args)]
pub struct Arguments {
    /// How many rounds
    #[arg(long, default_value = "5")]
    rounds: usize,
    /// How long each turn takes
    #[arg(long, default_value = "8")]
    seconds: u64,
    /// The numbers of connections
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<usize>,
}

/// What one number of connections came to, a figure a round.
#[derive(Default)]
struct Row {
    issued: Figures,
    pgbench: Figures,
    pgbench_single: Figures,
    ratio: Figures,
    p50_ms: Figures,
    p99_ms: Figures,
    server_us: Figures,
    postgres_us: Figures,
}

const SHELL_RUNS: usize = 25;

/// Prints the table of the issue path, and how long a shell takes.
pub async fn run(arguments: &Arguments) -> Result<(), Error> {
    let stand = Stand::new(None)?;
    println!("machine: {}", machine());
    shell(&stand)?;
    let peer = Peer::prepare(&stand).await?;
    // The cluster was stopped with its server: it comes back with room for every connection.
    let server = stand.serve()?;
    let ask = ask(&stand, &server)?;
    let time = Duration::from_secs(arguments.seconds);
    let mut rows: Vec<Row> = arguments.connections.iter().map(|_| Row::default()).collect();
    for round in 1..=arguments.rounds {
        for (connections, row) in arguments.connections.iter().zip(&mut rows) {
            turn(row, *connections, time, &stand, &server, &peer, &ask).await?;
            eprintln!("round {round}: {connections} connections, {:.2} × pgbench", row.ratio.last());
        }
    }
    print(arguments, &rows);
    Ok(())
}

/// What every caller asks for.
fn ask(stand: &Stand, server: &Server) -> Result<Ask, Error> {
    let body = r#"{"sub":"ci@example.com","teams":["red"],"expires_in":3600,"scopes":{"permissions":["tools.read"]}}"#;
    Ok(Ask::post(&server.address, &stand.admin()?, "/tokens", body))
}

/// One turn each: pgbench with two rows, the server, pgbench with one row. Before each, what the one before has left to
/// be written to disk is written.
async fn turn(
    row: &mut Row,
    connections: usize,
    time: Duration,
    stand: &Stand,
    server: &Server,
    peer: &Peer,
    ask: &Ask,
) -> Result<(), Error> {
    let mut superuser = stand.superuser().await?;
    execute(&mut superuser, "checkpoint".to_owned()).await?;
    let two_rows = peer.two_rows(connections, time).await?;
    execute(&mut superuser, "checkpoint".to_owned()).await?;
    let (server_before, postgres_before) = (server.cpu_seconds()?, cluster_cpu_seconds(&stand.cluster())?);
    let mut run = load::run(ask, connections, time).await?;
    let server_seconds = server.cpu_seconds()? - server_before;
    let postgres_seconds = cluster_cpu_seconds(&stand.cluster())? - postgres_before;
    execute(&mut superuser, "checkpoint".to_owned()).await?;
    let one_row = peer.one_row(connections, time).await?;

    let issued = run.per_second * time.as_secs_f64();
    row.issued.push(run.per_second);
    row.pgbench.push(two_rows);
    row.pgbench_single.push(one_row);
    row.ratio.push(run.per_second / two_rows);
    row.p50_ms.push(percentile_ms(&mut run.latencies, 0.50));
    row.p99_ms.push(percentile_ms(&mut run.latencies, 0.99));
    row.server_us.push(server_seconds / issued * 1e6);
    row.postgres_us.push(postgres_seconds / issued * 1e6);
    Ok(())
}

/// `catalog issue --dev` as a whole process beside a running cluster.
fn shell(stand: &Stand) -> Result<(), Error> {
    let _server = stand.serve()?;
    let mut durations = Vec::with_capacity(SHELL_RUNS);
    for _ in 0..SHELL_RUNS {
        let mut command = stand.command(&["issue", "--dev", "--sub", "alice@example.com", "--teams", "red"]);
        let begun = Instant::now();
        let done = command.output()?;
        durations.push(begun.elapsed());
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into());
        }
    }
    let [p50, p90, most] = [0.5, 0.9, 1.0].map(|share| percentile_ms(&mut durations, share));
    println!(
        "catalog issue --dev, whole process, {SHELL_RUNS} runs: p50 {p50:.0} ms, p90 {p90:.0} ms, most {most:.0} ms"
    );
    Ok(())
}

fn print(arguments: &Arguments, rows: &[Row]) {
    println!("{} rounds of {} s a turn; median (least–most) of the rounds", arguments.rounds, arguments.seconds);
    println!();
    println!(
        "| connections | issued/s | pgbench, 2 rows/s | ratio | pgbench, 1 row/s | p50 ms | p99 ms | server µs | PostgreSQL µs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (connections, row) in arguments.connections.iter().zip(rows) {
        println!(
            "| {connections} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.issued.spread(0),
            row.pgbench.spread(0),
            row.ratio.spread(2),
            row.pgbench_single.spread(0),
            row.p50_ms.spread(1),
            row.p99_ms.spread(1),
            row.server_us.spread(0),
            row.postgres_us.spread(0),
        );
    }
}
