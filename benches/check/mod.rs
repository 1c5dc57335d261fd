//! `make bench-check`: what a check costs beside a handler of the same server that returns a constant, how soon a
//! revocation is known everywhere, and what checks notice of a hundred thousand revocations.

mod passage;
mod spread;
mod storm;
mod wrk;

use std::{
    fs,
    time::{Duration, Instant},
};

use clap::Args;

use crate::support::{
    figures::{Figures, machine, percentile_ms},
    load::{self, Ask, Caller},
    stand::{Error, Server, Stand, execute, keep_alive},
};
use wrk::Wrk;

/// Checks among many live tokens.
#[derive(Args)]
pub struct Arguments {
    /// How many tokens there are, one catalog after the other
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000")]
    tokens: Vec<u64>,
    /// How many rounds
    #[arg(long, default_value = "5")]
    rounds: usize,
    /// How long each turn takes
    #[arg(long, default_value = "4")]
    seconds: u64,
    /// How many checks a second arrive whether or not the earlier ones are answered
    #[arg(long, default_value = "10000")]
    paced: u32,
    /// How many tokens are revoked one after the other to see how soon that is known elsewhere
    #[arg(long, default_value = "1000")]
    revoked: usize,
    /// How many streams are open while a revocation is sent to all of them
    #[arg(long, default_value = "1000")]
    streams: usize,
}

const CONNECTIONS: usize = 64;
/// More tokens than a server remembers the signatures of.
const STRANGERS: usize = 6_000;

/// What is asked for over and over, and what came of it.
struct Row {
    what: &'static str,
    wrk: Wrk,
    per_second: Figures,
    ratio: Figures,
    p99_ms: Figures,
    server_us: Figures,
    server_ratio: Figures,
}

/// Prints a table for each size, and then what the largest catalog does when tokens are revoked.
pub async fn run(arguments: &Arguments) -> Result<(), Error> {
    println!("machine: {}", machine());
    let last = arguments.tokens.len().saturating_sub(1);
    for (index, tokens) in arguments.tokens.iter().enumerate() {
        let stand = Stand::new(None)?;
        eprintln!("seeding {tokens} tokens");
        stand.run(&["dev", "seed", "--tokens", &tokens.to_string()])?;
        let begun = Instant::now();
        let server = stand.serve()?;
        let ready = begun.elapsed();
        execute(&mut stand.superuser().await?, "checkpoint".to_owned()).await?;
        println!(
            "\n## {tokens} tokens: listening after {:.2} s, {} MiB resident\n",
            ready.as_secs_f64(),
            server.resident_bytes()? / (1 << 20)
        );
        let token = stand.admin()?;
        throughput(arguments, &stand, &server, &token).await?;
        passage::run(arguments, &stand, &server).await?;
        paced(arguments, &stand, &server, &token).await?;
        if index == last {
            spread::run(&stand, &server, &token, arguments.revoked, arguments.streams).await?;
            drop(server);
            all_alive(arguments, &stand, &token).await?;
        }
    }
    Ok(())
}

/// How soon a server listens, and what it needs in memory, when no token of the catalog is expired, and what its checks
/// notice when many of them are revoked at once.
async fn all_alive(arguments: &Arguments, stand: &Stand, token: &str) -> Result<(), Error> {
    let _cluster = stand.serve()?;
    let mut superuser = stand.superuser().await?;
    keep_alive(&mut superuser).await?;
    let live: i64 =
        sqlx::query_scalar("select count(*) from catalog.tokens where exp > now()").fetch_one(&mut superuser).await?;
    let begun = Instant::now();
    let server = stand.serve()?;
    println!(
        "\n{live} live tokens: listening after {:.2} s, {} MiB resident",
        begun.elapsed().as_secs_f64(),
        server.resident_bytes()? / (1 << 20)
    );
    storm::run(arguments.rounds, stand, &server, token).await
}

/// One live token, as a path.
async fn some_jti(stand: &Stand) -> Result<String, Error> {
    let live = "select jti::text from catalog.tokens where revoked_pos is null and exp > now() + interval '1 hour' \
                order by issued_pos limit 1";
    Ok(sqlx::query_scalar(live).fetch_one(&mut stand.superuser().await?).await?)
}

/// The constant and each check, in turns.
async fn throughput(arguments: &Arguments, stand: &Stand, server: &Server, token: &str) -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let script = |name: &str, text: String| -> Result<_, Error> {
        let path = directory.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let strangers = directory.path().join("tokens");
    fs::write(&strangers, issue(server, token, STRANGERS).await?.join("\n"))?;
    let jti = some_jti(stand).await?;
    let get = |path: &str| Wrk::new(&server.address, token, path, None);
    let post = |script| Wrk::new(&server.address, token, "/introspect", Some(script));
    let mut rows = [
        Row::new("a constant: `GET /healthz`", get("/healthz")),
        Row::new("`GET /revocations/{jti}`", get(&format!("/revocations/{jti}"))),
        Row::new("`POST /introspect`, a token seen before", post(script("one.lua", wrk::one(token))?)),
        Row::new(
            "`POST /introspect`, 6,000 tokens in turn",
            post(script("many.lua", wrk::many(&strangers.to_string_lossy()))?),
        ),
    ];
    turns(arguments, server, &mut rows)?;
    Ok(())
}

/// Each row in turn, round after round, as a table. The first is the constant.
fn turns(arguments: &Arguments, server: &Server, rows: &mut [Row]) -> Result<(), Error> {
    let time = Duration::from_secs(arguments.seconds);
    for round in 1..=arguments.rounds {
        let mut constant = (f64::NAN, f64::NAN);
        for (index, row) in rows.iter_mut().enumerate() {
            let before = server.cpu_seconds()?;
            let run = row.wrk.run(CONNECTIONS, time)?;
            let server_us = (server.cpu_seconds()? - before) / run.requests * 1e6;
            let per_second = run.requests / run.seconds;
            if index == 0 {
                constant = (per_second, server_us);
            }
            row.per_second.push(per_second);
            row.ratio.push(per_second / constant.0);
            row.p99_ms.push(run.p99_ms);
            row.server_us.push(server_us);
            row.server_ratio.push(server_us / constant.1);
        }
        eprintln!("round {round}: {:.2} × the constant", rows[1].ratio.last());
    }
    println!(
        "{} rounds of {} s a turn, {CONNECTIONS} connections; median (least–most)\n",
        arguments.rounds, arguments.seconds
    );
    println!("| what | a second | × constant | p99 ms | server µs | × constant |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            row.what,
            row.per_second.spread(0),
            row.ratio.spread(2),
            row.p99_ms.spread(1),
            row.server_us.spread(1),
            row.server_ratio.spread(2),
        );
    }
    Ok(())
}

impl Row {
    fn new(what: &'static str, wrk: Wrk) -> Self {
        let none = Figures::default;
        Self { what, wrk, per_second: none(), ratio: none(), p99_ms: none(), server_us: none(), server_ratio: none() }
    }
}

/// So many new tokens.
async fn issue(server: &Server, token: &str, count: usize) -> Result<Vec<String>, Error> {
    let body = r#"{"sub":"ci@example.com","teams":["red"],"scopes":{"permissions":["tools.read"]}}"#;
    let ask = Ask::post(&server.address, token, "/tokens", body);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut caller = Caller::connect(ask).await?;
                let mut tokens = Vec::new();
                for _ in 0..count.div_ceil(CONNECTIONS) {
                    caller.once().await?;
                    let said = caller.said().into_owned();
                    let (_, rest) = said.split_once(r#""access_token":""#).ok_or("no token")?;
                    tokens.push(rest.split('"').next().unwrap_or_default().to_owned());
                }
                Ok::<_, Error>(tokens)
            })
        })
        .collect();
    let mut tokens = Vec::with_capacity(count);
    for task in tasks {
        tokens.extend(task.await??);
    }
    Ok(tokens)
}

/// Requests that arrive at a steady rate, however long the earlier ones take.
async fn paced(arguments: &Arguments, stand: &Stand, server: &Server, token: &str) -> Result<(), Error> {
    let constant = Ask::get(&server.address, token, "/healthz");
    let check = Ask::get(&server.address, token, &format!("/revocations/{}", some_jti(stand).await?));
    let time = Duration::from_secs(arguments.seconds);
    let (mut p50, mut p99, mut reached) = (Figures::default(), Figures::default(), Figures::default());
    let mut absolute = [Figures::default(), Figures::default()];
    for _ in 0..arguments.rounds {
        let mut plain = load::paced(std::slice::from_ref(&constant), CONNECTIONS, arguments.paced, time).await?;
        let mut checked = load::paced(std::slice::from_ref(&check), CONNECTIONS, arguments.paced, time).await?;
        let [plain_p50, plain_p99] = [0.5, 0.99].map(|share| percentile_ms(&mut plain.latencies, share));
        let [check_p50, check_p99] = [0.5, 0.99].map(|share| percentile_ms(&mut checked.latencies, share));
        p50.push(check_p50 / plain_p50);
        p99.push(check_p99 / plain_p99);
        reached.push(checked.per_second);
        absolute[0].push(check_p50);
        absolute[1].push(check_p99);
    }
    println!(
        "\n`GET /revocations/{{jti}}` at {} requests a second (open loop, reached {}): p50 {} ms, {} × the constant's; p99 {} ms, {} ×",
        arguments.paced,
        reached.spread(0),
        absolute[0].spread(2),
        p50.spread(2),
        absolute[1].spread(2),
        p99.spread(2),
    );
    Ok(())
}
