//! `make bench-list`: the first page of 50 among a million tokens, by every single filter.

mod plan;
mod shapes;

use std::{path::PathBuf, time::Duration};

use crate::support::{
    figures::{Figures, machine, percentile_ms},
    load::{Ask, Caller},
    stand::{Error, Stand, SystemClock, execute},
};
use catalog::{domain::ambient::Clock, store::tokens};
use clap::Args;
use plan::Plan;
use shapes::Shape;

/// The first page of a listing, by every single filter.
#[derive(Args)]
pub struct Arguments {
    /// How many tokens
    #[arg(long, default_value = "1000000")]
    tokens: u64,
    /// How many rounds
    #[arg(long, default_value = "5")]
    rounds: usize,
    /// How often each page is asked for in a round
    #[arg(long, default_value = "100")]
    requests: usize,
    /// A directory to keep, and to go on with when it is there
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

/// The most that a page of one filter may take, half of the time.
const P50_MS_MAX: f64 = 5.0;
const PAGE: u16 = 50;

/// Prints the table of the listings.
pub async fn run(arguments: &Arguments) -> Result<(), Error> {
    let stand = Stand::new(arguments.data.clone())?;
    if !arguments.data.as_ref().is_some_and(|data| data.join("pg").exists()) {
        eprintln!("seeding {} tokens", arguments.tokens);
        stand.run(&["dev", "seed", "--tokens", &arguments.tokens.to_string()])?;
    }
    let server = stand.serve()?;
    let mut superuser = stand.superuser().await?;
    // What autovacuum does within minutes is done now, so that no round has it going on beside it.
    execute(&mut superuser, "vacuum (analyze)".to_owned()).await?;
    let token = stand.admin()?;
    let shapes = shapes::all(&mut superuser).await?;
    let mut figures: Vec<(Figures, Figures)> = shapes.iter().map(|_| Default::default()).collect();
    let mut bytes = vec![0; shapes.len()];
    for round in 1..=arguments.rounds {
        for (index, shape) in shapes.iter().enumerate() {
            let (mut latencies, length) = ask(&server.address, &token, shape, arguments.requests).await?;
            figures[index].0.push(percentile_ms(&mut latencies, 0.50));
            figures[index].1.push(percentile_ms(&mut latencies, 0.99));
            bytes[index] = length;
        }
        eprintln!("round {round} of {}", arguments.rounds);
    }

    println!("machine: {}", machine());
    println!(
        "{} rounds of {} requests a page; median (least–most) of the rounds",
        arguments.rounds, arguments.requests
    );
    println!();
    println!("| filter | p50 ms | p99 ms | answer bytes | what is read: rows, by which index | pages touched |");
    println!("|---|---|---|---|---|---|");
    let database = stand.database()?;
    let now = SystemClock.now();
    for ((shape, (p50, p99)), bytes) in shapes.iter().zip(&figures).zip(bytes) {
        let plan = Plan::of(&tokens::explain(database.reads(), &shape.filter, PAGE, now).await?);
        let (label, p50, p99) = (&shape.label, p50.spread(2), p99.spread(2));
        println!("| {label} | {p50} | {p99} | {bytes} | {} | {} |", plan.scans(), plan.pages);
    }
    database.close().await;
    let slow: Vec<&str> =
        shapes.iter().zip(&figures).filter(|(_, (p50, _))| p50.median() > P50_MS_MAX).map(|(s, _)| &*s.label).collect();
    println!();
    println!("over {P50_MS_MAX} ms at p50: {}", if slow.is_empty() { "none".to_owned() } else { slow.join(", ") });
    Ok(())
}

/// The latencies of so many requests one after the other, and how long the answer is.
async fn ask(address: &str, token: &str, shape: &Shape, requests: usize) -> Result<(Vec<Duration>, usize), Error> {
    let target = format!("/tokens?limit={PAGE}{}", shape.query);
    let mut caller = Caller::connect(Ask::get(address, token, &target)).await?;
    let (_, length) = caller.once().await?;
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        latencies.push(caller.once().await?.0);
    }
    Ok((latencies, length))
}
