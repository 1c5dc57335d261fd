//! pgbench, with the least that a revocation could be: one row in one transaction, with or without a notification.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::process::Command;

use crate::support::{
    figures::percentile_ms,
    stand::{Error, Stand, execute},
};

/// Who is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Whoever listens. Of such transactions only one at a time is committed.
    Listeners,
    Nobody,
}

/// Such transactions: when each was over, since 1970, and how long it took.
pub struct Bare(Vec<(Duration, Duration)>);

impl Bare {
    /// Those of so many clients in so long a time, one after the other each.
    pub async fn run(
        stand: &Stand,
        superuser: &mut PgConnection,
        told: Told,
        clients: u32,
        time: Duration,
    ) -> Result<Self, Error> {
        let table = "create schema if not exists bench; \
                     create table if not exists bench.revoked (at timestamptz not null, what text not null)";
        execute(superuser, table.to_owned()).await?;
        let directory = tempfile::tempdir()?;
        let script = directory.path().join("script");
        let notify = if told == Told::Listeners { "notify bench;\n" } else { "" };
        let insert = "insert into bench.revoked values (clock_timestamp(), 'a token');";
        std::fs::write(&script, format!("begin;\n{insert}\n{notify}commit;\n"))?;
        let mut command = Command::new(stand.binaries()?.join("pgbench"));
        command.arg("-f").arg(&script).args(["-n", "-M", "prepared", "-U", "postgres", "-l"]);
        command.args(["-T", &time.as_secs().to_string(), "-c", &clients.to_string()]);
        command.arg("-h").arg(stand.cluster()).arg("catalog").current_dir(directory.path());
        let done = command.output().await?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into());
        }
        let mut transactions = Vec::new();
        for entry in std::fs::read_dir(directory.path())? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgbench_log")) {
                transactions.extend(std::fs::read_to_string(path)?.lines().filter_map(transaction));
            }
        }
        transactions.sort_unstable();
        Ok(Self(transactions))
    }

    /// The middle of how long they took.
    pub fn p50_ms(&self) -> f64 {
        percentile_ms(&mut self.taken(), 0.5)
    }

    /// The longest that one of them took within such a time, the middle one of as many such times as there were, as a multiple of
    /// the p99 of all.
    pub fn longest_within(&self, time: Duration) -> f64 {
        let (begun, ended) = (
            self.0.first().map_or(Duration::ZERO, |first| first.0),
            self.0.last().map_or(Duration::ZERO, |last| last.0),
        );
        let starts = std::iter::successors(Some(begun), |from| Some(*from + time));
        let mut longest: Vec<Duration> = starts
            .take_while(|from| *from + time <= ended)
            .filter_map(|from| {
                let within = self.0.iter().filter(|(over, _)| (from..from + time).contains(over));
                within.map(|(_, taken)| *taken).max()
            })
            .collect();
        percentile_ms(&mut longest, 0.5) / percentile_ms(&mut self.taken(), 0.99)
    }

    fn taken(&self) -> Vec<Duration> {
        self.0.iter().map(|(_, taken)| *taken).collect()
    }
}

/// A line of the log: the third field is how long its transaction took, in microseconds; the fifth and sixth are when it was over.
fn transaction(line: &str) -> Option<(Duration, Duration)> {
    let fields: Vec<u64> = line.split(' ').map_while(|field| field.parse().ok()).collect();
    let [_, _, micros, _, seconds, rest, ..] = fields[..] else { return None };
    Some((Duration::from_secs(seconds) + Duration::from_micros(rest), Duration::from_micros(micros)))
}
