//! `make bench-revocation`: how soon a rule holds, how long its rows take to be filled, and what others notice of it.

mod notify;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use futures_util::future::try_join_all;
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use self::notify::{Bare, Told};
use crate::support::{
    figures::{Figures, machine, percentile_ms},
    load::{Ask, Caller},
    stand::{Error, Stand, execute, keep_alive},
};

/// Rules over ever more tokens, with an issuer and a revoker beside.
#[derive(Args)]
pub struct Arguments {
    /// How many tokens are made
    #[arg(long, default_value = "1000000")]
    tokens: u64,
    /// How many of them each rule covers
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    covered: Vec<i64>,
    /// How many rules of each size
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(i64).range(1..))]
    rounds: i64,
    /// A directory to keep, and to go on with when it is there
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

/// How long the others are watched without a rule.
const QUIET: Duration = Duration::from_secs(5);
/// How many covered tokens are checked at once after a rule is acknowledged.
const CHECKS: usize = 20;
/// How often single revocations and the least that one could be are measured, one after the other.
const TURNS: usize = 7;
/// For how long a turn the least that a revocation could be is done again and again.
const TURN: Duration = Duration::from_secs(2);
/// How many tokens are revoked one by one in each of these turns.
const SINGLE: usize = 300;
/// How many are revoked one by one beside the others before each rule, to be compared with it.
const COMPARED: usize = 10;

/// The catalog that is measured.
struct Bench {
    address: String,
    token: String,
    superuser: PgConnection,
}

/// What rules of one size came to, a figure a round.
#[derive(Default)]
struct Row {
    refused_ms: Figures,
    single_ms: Figures,
    filled_ms: Figures,
    issuer: Waits,
    revoker: Waits,
    /// The longest that a bare transaction takes in as long a time, as a multiple of its p99.
    alone: Figures,
}

/// The longest that somebody waited, as multiples of its p99 without a rule: beside one, and in as long a time without.
#[derive(Default)]
struct Waits {
    beside: Figures,
    without: Figures,
    p99_ms: Figures,
    longest_ms: Figures,
}

/// The latencies of somebody who asks all the time.
struct Watched {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Vec<(Instant, Duration)>, Error>>,
}

/// Prints the table of rules, and that of single revocations.
pub async fn run(arguments: &Arguments) -> Result<(), Error> {
    let stand = Stand::new(arguments.data.clone())?;
    if !arguments.data.as_ref().is_some_and(|data| data.join("pg").exists()) {
        eprintln!("seeding {} tokens", arguments.tokens);
        stand.run(&["dev", "seed", "--tokens", &arguments.tokens.to_string()])?;
        let _cluster = stand.serve()?;
        keep_alive(&mut stand.superuser().await?).await?;
    }
    let server = stand.serve()?;
    let mut bench =
        Bench { address: server.address.clone(), token: stand.admin()?, superuser: stand.superuser().await? };
    println!("machine: {}", machine());
    let live = "select count(*) from catalog.tokens where exp > now() and revoked_pos is null";
    let live: i64 = sqlx::query_scalar(live).fetch_one(&mut bench.superuser).await?;
    let mut single = bench.single().await?;
    let (p50, p99) = (percentile_ms(&mut single, 0.5), percentile_ms(&mut single, 0.99));
    println!("{live} live tokens");
    println!("DELETE and a check that refuses it: p50 {p50:.2} ms, p99 {p99:.2} ms");
    let [mut acknowledged, mut bare, mut ratio] = [const { Figures::new() }; 3];
    for _ in 0..TURNS {
        bare.push(Bare::run(&stand, &mut bench.superuser, Told::Listeners, 1, TURN).await?.p50_ms());
        acknowledged.push(percentile_ms(&mut bench.deletes(SINGLE).await?, 0.5));
        ratio.push(acknowledged.last() / bare.last());
    }
    let (ratio, acknowledged, bare) = (ratio.spread(2), acknowledged.spread(2), bare.spread(2));
    println!("DELETE acknowledged: p50 {acknowledged} ms, {ratio} × a bare insert and notify: {bare} ms");
    let mut rows: Vec<Row> = arguments.covered.iter().map(|_| Row::default()).collect();
    let mut from = 0;
    for _ in 0..arguments.rounds {
        for (covered, row) in arguments.covered.iter().zip(&mut rows) {
            bench.rule(row, from, *covered).await?;
            from += covered;
        }
        // As many as there were beside a rule, with nobody else: how long whoever writes waits on this machine.
        execute(&mut bench.superuser, "checkpoint".to_owned()).await?;
        let alone = Bare::run(&stand, &mut bench.superuser, Told::Nobody, 2, QUIET).await?;
        for row in &mut rows {
            let took = Duration::from_secs_f64(row.filled_ms.last() / 1_000.0);
            row.alone.push(alone.longest_within(took.min(QUIET / 2)));
        }
    }
    print(arguments, &rows);
    Ok(())
}

impl Bench {
    async fn caller(&self, ask: Ask) -> Result<Caller, Error> {
        Caller::connect(ask).await
    }

    fn get(&self, target: &str) -> Ask {
        Ask::get(&self.address, &self.token, target)
    }

    /// Tokens that are not revoked yet, the newest first: no rule of this bench covers them.
    async fn newest(&mut self, skipped: usize, count: usize) -> Result<Vec<String>, Error> {
        let newest = "select jti::text from catalog.tokens where revoked_pos is null and path <> 'cli-dev' \
                      order by issued_pos desc offset $1 limit $2";
        let (skipped, count) = (i64::try_from(skipped)?, i64::try_from(count)?);
        Ok(sqlx::query_scalar(newest).bind(skipped).bind(count).fetch_all(&mut self.superuser).await?)
    }

    /// How long it takes from asking for one revocation until a check refuses the token.
    async fn single(&mut self) -> Result<Vec<Duration>, Error> {
        let mut latencies = Vec::new();
        for jti in self.newest(0, 50).await? {
            let mut delete = self.caller(Ask::delete(&self.address, &self.token, &format!("/tokens/{jti}"))).await?;
            let mut check = self.caller(self.get(&format!("/revocations/{jti}"))).await?;
            let begun = Instant::now();
            delete.once().await?;
            check.once().await?;
            latencies.push(begun.elapsed());
            expect_revoked(&check)?;
        }
        Ok(latencies)
    }

    async fn deletes(&mut self, count: usize) -> Result<Vec<Duration>, Error> {
        let ids = self.newest(0, count).await?;
        let mut latencies = Vec::with_capacity(count);
        for (taken, _) in revoking(&self.address, &self.token, ids, &AtomicBool::new(false)).await? {
            latencies.push(taken);
        }
        Ok(latencies)
    }

    /// One rule over `covered` tokens, with others beside it, until its rows are filled.
    async fn rule(&mut self, row: &mut Row, from: i64, covered: i64) -> Result<(), Error> {
        let (after, before) = (self.issued(from).await?, self.issued(from + covered).await?);
        let sample =
            "select jti::text from catalog.tokens where iat >= $1 and iat < $2 and revoked_pos is null limit $3";
        let sample: Vec<String> = sqlx::query_scalar(sample)
            .bind(after)
            .bind(before)
            .bind(i64::try_from(CHECKS)?)
            .fetch_all(&mut self.superuser)
            .await?;
        let mut checks = Vec::with_capacity(sample.len());
        for jti in &sample {
            checks.push(self.caller(self.get(&format!("/revocations/{jti}"))).await?);
        }
        let [after, before] = [after, before].map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
        let body =
            format!(r#"{{"where":{{"issued_after":"{after}","issued_before":"{before}"}},"reason":"unspecified"}}"#);
        let mut rule =
            self.caller(Ask::post(&self.address, &self.token, "/revocations", &body).answered("200")).await?;
        let ids = self.newest(2_000, 20_000).await?;
        let compared = self.newest(1_000, COMPARED).await?;
        // What the tokens' making and earlier rules have left to be written to disk is not this rule's.
        execute(&mut self.superuser, "checkpoint".to_owned()).await?;
        let (issuer, revoker) = (self.issuer(), self.revoker(ids));
        let quiet = Instant::now();
        tokio::time::sleep(QUIET).await;
        let quiet = (quiet, Instant::now());
        let mut singles = Vec::with_capacity(compared.len());
        for jti in compared {
            singles.push(self.refused(&jti).await?);
        }
        row.single_ms.push(percentile_ms(&mut singles, 0.5));

        let begun = Instant::now();
        rule.once().await?;
        try_join_all(checks.iter_mut().map(Caller::once)).await?;
        row.refused_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
        for check in &checks {
            expect_revoked(check)?;
        }
        self.filled().await?;
        let ended = Instant::now();
        row.filled_ms.push(ended.duration_since(begun).as_secs_f64() * 1_000.0);
        issuer.waits(quiet, (begun, ended), &mut row.issuer).await?;
        revoker.waits(quiet, (begun, ended), &mut row.revoker).await?;
        let (refused, single) = (row.refused_ms.last(), row.single_ms.last());
        eprintln!("a rule over {covered} tokens: refused after {refused:.1} ms, a single one after {single:.1} ms");
        Ok(())
    }

    /// How long one revocation takes until as many checks as after a rule have refused its token.
    async fn refused(&self, jti: &str) -> Result<Duration, Error> {
        let mut delete = self.caller(Ask::delete(&self.address, &self.token, &format!("/tokens/{jti}"))).await?;
        let mut checks = Vec::with_capacity(CHECKS);
        for _ in 0..CHECKS {
            checks.push(self.caller(self.get(&format!("/revocations/{jti}"))).await?);
        }
        let begun = Instant::now();
        delete.once().await?;
        try_join_all(checks.iter_mut().map(Caller::once)).await?;
        let taken = begun.elapsed();
        checks.iter().try_for_each(expect_revoked)?;
        Ok(taken)
    }

    /// When the token was issued that so many were issued before.
    async fn issued(&mut self, number: i64) -> Result<DateTime<Utc>, Error> {
        let sql = "select iat from catalog.tokens order by issued_pos offset $1 limit 1";
        Ok(sqlx::query_scalar(sql).bind(number).fetch_one(&mut self.superuser).await?)
    }

    async fn filled(&mut self) -> Result<(), Error> {
        let unfilled = "select exists (select from catalog.revocation_rules where filled_to > 0)";
        while sqlx::query_scalar(unfilled).fetch_one(&mut self.superuser).await? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn issuer(&self) -> Watched {
        let body = r#"{"sub":"ci@example.com","teams":["red"],"scopes":{"permissions":["tools.read"]}}"#;
        let ask = Ask::post(&self.address, &self.token, "/tokens", body);
        Watched::start(async move |stop| {
            let mut caller = Caller::connect(ask).await?;
            let mut latencies = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                latencies.push((begun, caller.once().await?.0));
            }
            Ok(latencies)
        })
    }

    fn revoker(&self, ids: Vec<String>) -> Watched {
        let (address, token) = (self.address.clone(), self.token.clone());
        Watched::start(async move |stop| {
            let latencies = revoking(&address, &token, ids, &stop).await?;
            Ok(latencies.into_iter().map(|(taken, begun)| (begun, taken)).collect())
        })
    }
}

/// Revokes tokens one after the other, over one connection each, until it is told to stop.
async fn revoking(
    address: &str,
    token: &str,
    ids: Vec<String>,
    stop: &AtomicBool,
) -> Result<Vec<(Duration, Instant)>, Error> {
    let mut caller: Option<Caller> = None;
    let mut latencies = Vec::with_capacity(ids.len());
    for jti in ids {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let ask = Ask::delete(address, token, &format!("/tokens/{jti}"));
        let mut kept = match caller.take() {
            Some(kept) => kept.asking(ask),
            None => Caller::connect(ask).await?,
        };
        let begun = Instant::now();
        latencies.push((kept.once().await?.0, begun));
        caller = Some(kept);
    }
    Ok(latencies)
}

impl Watched {
    fn start<F>(work: impl FnOnce(Arc<AtomicBool>) -> F) -> Self
    where
        F: Future<Output = Result<Vec<(Instant, Duration)>, Error>> + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        Self { task: tokio::spawn(work(stop.clone())), stop }
    }

    /// The longest that it waited between two instants, and the most usual of such times in a quiet while before.
    async fn waits(
        self,
        quiet: (Instant, Instant),
        (begun, ended): (Instant, Instant),
        waits: &mut Waits,
    ) -> Result<(), Error> {
        self.stop.store(true, Ordering::Relaxed);
        let latencies = self.task.await??;
        let longest = |from: Instant, to: Instant| {
            let within = latencies.iter().filter(|(at, taken)| *at + *taken >= from && *at <= to);
            within.map(|(_, taken)| *taken).max().unwrap_or_default()
        };
        let is_before = |(at, taken): &&(Instant, Duration)| *at >= quiet.0 && *at + *taken < quiet.1;
        let mut before: Vec<Duration> = latencies.iter().filter(is_before).map(|(_, taken)| *taken).collect();
        let p99 = percentile_ms(&mut before, 0.99);
        let took = ended.duration_since(begun).min(QUIET / 2);
        let starts = std::iter::successors(quiet.1.checked_sub(took), |from| from.checked_sub(took));
        let mut without: Vec<Duration> =
            starts.take_while(|from| *from > quiet.0).map(|from| longest(from, from + took)).collect();
        let beside = longest(begun, ended).as_secs_f64() * 1_000.0;
        waits.p99_ms.push(p99);
        waits.longest_ms.push(beside);
        waits.beside.push(beside / p99);
        waits.without.push(percentile_ms(&mut without, 0.5) / p99);
        Ok(())
    }
}

fn expect_revoked(check: &Caller) -> Result<(), Error> {
    let said = check.said();
    if said.contains(r#""status":"revoked""#) { Ok(()) } else { Err(format!("not refused: {said}").into()) }
}

fn print(arguments: &Arguments, rows: &[Row]) {
    println!("{} rules of each size; median (least–most)", arguments.rounds);
    println!();
    println!(
        "| covered | every check refused after ms | of a single revocation | rows filled after ms | issuer's longest wait, × its p99 | in as long without a rule | revoker's longest wait, × its p99 | in as long without a rule | a bare transaction's, of two clients alone |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (covered, row) in arguments.covered.iter().zip(rows) {
        println!(
            "| {covered} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.refused_ms.spread(1),
            row.single_ms.spread(1),
            row.filled_ms.spread(0),
            row.issuer.beside.spread(2),
            row.issuer.without.spread(2),
            row.revoker.beside.spread(2),
            row.revoker.without.spread(2),
            row.alone.spread(2),
        );
    }
    println!();
    println!(
        "| covered | issuer's p99 without a rule ms | its longest wait ms | revoker's p99 ms | its longest wait ms |"
    );
    println!("|---|---|---|---|---|");
    for (covered, Row { issuer, revoker, .. }) in arguments.covered.iter().zip(rows) {
        let [issuer, revoker] = [issuer, revoker].map(|waits| [waits.p99_ms.spread(2), waits.longest_ms.spread(2)]);
        println!("| {covered} | {} | {} | {} | {} |", issuer[0], issuer[1], revoker[0], revoker[1]);
    }
}
