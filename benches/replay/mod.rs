//! `make bench-replay`: how fast a whole log is read and folded, beside a bare stream of the same rows and a bare `COPY`.

mod bare;
mod program;

use std::path::PathBuf;

use clap::Args;

use crate::support::{
    figures::{Figures, machine},
    stand::{Error, Stand, execute},
};
use program::{Program, Ran};

/// A whole log verified, rebuilt, reported and replayed, beside bare streams of it.
#[derive(Args)]
pub struct Arguments {
    /// How many events; several sizes one after the other
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,3000000")]
    events: Vec<u64>,
    /// How many rounds
    #[arg(long, default_value = "3")]
    rounds: usize,
    /// A directory to keep the logs in, and to go on with when they are there
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

/// What one way of reading came to.
struct Way {
    name: &'static str,
    seconds: Figures,
    /// Its rate over that of the bare stream, round by round, and over that of the copy.
    of_stream: Figures,
    of_copy: Figures,
    peak_mebibytes: Figures,
}

impl Way {
    fn new(name: &'static str) -> Self {
        let none = Figures::default;
        Self { name, seconds: none(), of_stream: none(), of_copy: none(), peak_mebibytes: none() }
    }
}

/// Prints the table of the readings.
pub async fn run(arguments: &Arguments) -> Result<(), Error> {
    println!("machine: {}", machine());
    println!("{} rounds; median (least–most) of the rounds", arguments.rounds);
    println!();
    println!("| events | what | s | events/s | beside the row stream | beside COPY | peak MiB |");
    println!("|---|---|---|---|---|---|---|");
    let mut of_sizes: Vec<(u64, Vec<Way>)> = Vec::new();
    for events in &arguments.events {
        let ways = measured(arguments, *events).await?;
        for way in &ways {
            tell(*events, way);
        }
        of_sizes.push((*events, ways));
    }
    println!();
    for pair in of_sizes.windows(2) {
        let [(fewer, before), (more, after)] = pair else { continue };
        for (before, after) in before.iter().zip(after) {
            let times = after.seconds.median() / before.seconds.median();
            println!("{}: {more} events take {times:.2} times as long as {fewer}", after.name);
        }
    }
    Ok(())
}

async fn measured(arguments: &Arguments, events: u64) -> Result<Vec<Way>, Error> {
    let data = arguments.data.as_ref().map(|data| data.join(events.to_string()));
    let stand = Stand::new(data.clone())?;
    if !data.is_some_and(|data| data.join("pg").exists()) {
        eprintln!("seeding {events} events");
        stand.run(&["dev", "seed", "--events", &events.to_string()])?;
    }
    // The cluster is to stay up between the commands.
    let server = stand.serve()?;
    let mut superuser = stand.superuser().await?;
    // What autovacuum does within minutes is done now, so that no round has it going on beside it.
    execute(&mut superuser, "vacuum (analyze)".to_owned()).await?;
    let (programs, _directory) = program::all(&stand)?;
    let mut ways: Vec<Way> = ["row stream", "COPY … BINARY"].map(Way::new).into();
    ways.extend(programs.iter().map(|program| Way::new(program.name)));
    for round in 1..=arguments.rounds {
        let stream = bare::stream(&mut superuser).await?;
        let copy = bare::copy(&mut superuser).await?;
        let mut ran = vec![Ran::bare(stream), Ran::bare(copy)];
        for program in &programs {
            ran.push(Program::run(program, &stand)?);
        }
        for (way, ran) in ways.iter_mut().zip(&ran) {
            let seconds = ran.time.as_secs_f64();
            way.seconds.push(seconds);
            way.of_stream.push(stream.as_secs_f64() / seconds);
            way.of_copy.push(copy.as_secs_f64() / seconds);
            if let Some(peak) = ran.peak_mebibytes {
                way.peak_mebibytes.push(peak);
            }
        }
        eprintln!("round {round} of {} with {events} events", arguments.rounds);
    }
    drop(server);
    Ok(ways)
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn tell(events: u64, way: &Way) {
    let rate = events as f64 / way.seconds.median();
    let (stream, copy) = (way.of_stream.spread(2), way.of_copy.spread(2));
    let peak = way.peak_mebibytes.median();
    let peak = if peak.is_nan() { "–".to_owned() } else { way.peak_mebibytes.spread(0).to_string() };
    println!("| {events} | {} | {} | {rate:.0} | {stream} | {copy} | {peak} |", way.name, way.seconds.spread(2));
}
