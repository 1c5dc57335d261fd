//! pgbench, writing what an issuance writes at the least: its event and its token, in one transaction a client.

use std::{path::PathBuf, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::process::Command;

use crate::support::stand::{Error, Stand, execute};

/// More than every client of pgbench and every session of the server at once.
const CONNECTIONS_MAX: u32 = 400;

/// pgbench, and the scripts that it runs.
pub struct Peer {
    program: PathBuf,
    socket: PathBuf,
    scripts: tempfile::TempDir,
}

impl Peer {
    /// Writes the scripts from a token that was really issued, over tables like those of the catalog without their triggers.
    /// The cluster's limit of connections is raised for its next start.
    pub async fn prepare(stand: &Stand) -> Result<Self, Error> {
        let _server = stand.serve()?;
        let mut superuser = stand.superuser().await?;
        execute(&mut superuser, format!("alter system set max_connections = {CONNECTIONS_MAX}")).await?;
        let tables = "create schema bench;
             create table bench.events (like catalog.events including all);
             create table bench.tokens (like catalog.tokens including all);
             create sequence bench.position cache 1000;
             create sequence bench.issued cache 1000;";
        execute(&mut superuser, tables.to_owned()).await?;
        let event = insert(
            &mut superuser,
            "events",
            "order by position desc",
            &[
                ("position", "nextval('bench.position')"),
                ("jti", "lpad(to_hex(nextval('bench.issued')), 32, '0')::uuid"),
                ("recorded_at", "clock_timestamp()"),
            ],
        )
        .await?;
        let token = insert(
            &mut superuser,
            "tokens",
            "order by issued_pos desc",
            &[
                ("jti", "lpad(to_hex(currval('bench.issued')), 32, '0')::uuid"),
                ("issued_pos", "currval('bench.issued')"),
            ],
        )
        .await?;
        let scripts = tempfile::tempdir()?;
        std::fs::write(scripts.path().join("two_rows"), format!("begin;\n{event}\n{token}\ncommit;\n"))?;
        std::fs::write(scripts.path().join("one_row"), format!("{event}\n"))?;
        Ok(Self { program: stand.binaries()?.join("pgbench"), socket: stand.cluster(), scripts })
    }

    /// Transactions a second, of two rows each.
    pub async fn two_rows(&self, clients: usize, time: Duration) -> Result<f64, Error> {
        self.run("two_rows", clients, time).await
    }

    /// Rows a second, each in a transaction of its own.
    pub async fn one_row(&self, clients: usize, time: Duration) -> Result<f64, Error> {
        self.run("one_row", clients, time).await
    }

    async fn run(&self, script: &str, clients: usize, time: Duration) -> Result<f64, Error> {
        let mut command = Command::new(&self.program);
        command.arg("-f").arg(self.scripts.path().join(script)).args(["-n", "-M", "prepared", "-U", "postgres"]);
        command.arg("-h").arg(&self.socket).args(["-T", &time.as_secs().to_string()]);
        command.args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string(), "catalog"]);
        let done = command.output().await.map_err(|error| format!("{}: {error}", self.program.display()))?;
        let said = String::from_utf8_lossy(&done.stdout);
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("pgbench: {said}{}", String::from_utf8_lossy(&done.stderr)).into())
    }
}

/// The statement that writes the newest row of a table again, but for the columns that must be new each time.
async fn insert(
    connection: &mut PgConnection,
    table: &str,
    newest: &str,
    new: &[(&str, &str)],
) -> Result<String, Error> {
    let columns = "select column_name::text from information_schema.columns \
                   where table_schema = 'catalog' and table_name = $1 order by ordinal_position";
    let columns: Vec<String> = sqlx::query_scalar(columns).bind(table).fetch_all(&mut *connection).await?;
    let literals: Vec<String> = columns.iter().map(|column| format!("quote_nullable({column}::text)")).collect();
    let sample = format!("select {} from catalog.{table} {newest} limit 1", literals.join(", "));
    let sample = sqlx::query(AssertSqlSafe(sample)).fetch_one(connection).await?;
    let values: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| match new.iter().find(|(name, _)| name == column) {
            Some((_, expression)) => Ok((*expression).to_owned()),
            None => sample.try_get(index),
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(format!("insert into bench.{table} ({}) values ({});", columns.join(", "), values.join(", ")))
}
