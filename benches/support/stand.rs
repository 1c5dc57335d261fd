//! The real program on a private, durable PostgreSQL, and the superuser's way past it.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use catalog::{
    domain::ambient::Clock,
    store::{
        Database,
        embedded::{self, Location},
        postgres::Schema,
    },
};
use chrono::{DateTime, Utc};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;

use super::load::{Ask, Caller};

/// What a bench ends with when the machine does not do as it should.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A directory with a cluster in it.
pub struct Stand {
    data: PathBuf,
    _own: Option<TempDir>,
}

/// A server that listens, until it is dropped.
pub struct Server {
    child: Child,
    talk: Option<JoinHandle<()>>,
    /// Where it listens.
    pub address: String,
}

impl Stand {
    /// A directory of the bench's own, or one that is kept for the next time.
    pub fn new(kept: Option<PathBuf>) -> Result<Self, Error> {
        if let Some(data) = kept {
            return Ok(Self { data, _own: None });
        }
        let own = tempfile::tempdir()?;
        // The account that runs PostgreSQL has to come through.
        std::fs::set_permissions(own.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { data: own.path().to_owned(), _own: Some(own) })
    }

    /// The program, with nothing of this environment's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_catalog"));
        command.args(arguments).env_clear().env("CATALOG_DATA", &self.data).env("CATALOG_LOG", "warn");
        for kept in ["PATH", "HOME", "XDG_CACHE_HOME", "CATALOG_PG_BIN"] {
            command.envs(env::var_os(kept).map(|value| (kept, value)));
        }
        command.stdin(Stdio::null());
        command
    }

    /// What the program wrote, once it has done what it was asked for.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        let done = self.command(arguments).stderr(Stdio::inherit()).output()?;
        if !done.status.success() {
            return Err(format!("catalog {}: {}", arguments.join(" "), done.status).into());
        }
        Ok(String::from_utf8(done.stdout)?.trim_end().to_owned())
    }

    /// An administrator's token for the API.
    pub fn admin(&self) -> Result<String, Error> {
        let mut command = self.command(&["issue", "--dev", "--admin", "--aud", "catalog", "--sub", "root@localhost"]);
        let done = command.args(["--ttl", "8h"]).output()?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into());
        }
        Ok(String::from_utf8(done.stdout)?.trim_end().to_owned())
    }

    /// A token by the API, for whom the body says.
    pub async fn issue(&self, server: &Server, admin: &str, body: &'static str) -> Result<String, Error> {
        let mut caller = Caller::connect(Ask::post(&server.address, admin, "/tokens", body)).await?;
        caller.once().await?;
        let said = caller.said().into_owned();
        let (_, rest) = said.split_once(r#""access_token":""#).ok_or("no token")?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }

    /// A server on any free port.
    pub fn serve(&self) -> Result<Server, Error> {
        listening(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// An edge of it, beside it, for the tokens of this issuer.
    pub fn edge(&self, server: &Server, issuer: &str) -> Result<Server, Error> {
        let secret = self.run(&["clients", "add", "edge", "--permissions", "tokens.check"])?;
        let url = format!("http://{}", server.address);
        let mut command = self.command(&["edge", "--listen", "127.0.0.1:0", "--url", &url, "--client", "edge"]);
        command.env("CATALOG_CLIENT_SECRET", secret).env("CATALOG_ISSUER", issuer);
        listening(command)
    }

    /// The directory of the cluster, in which its socket is.
    pub fn cluster(&self) -> PathBuf {
        self.data.join("pg")
    }

    /// A connection as the superuser of the cluster.
    pub async fn superuser(&self) -> Result<PgConnection, Error> {
        Ok(PgConnection::connect_with(&self.options("postgres")).await?)
    }

    /// The catalog's own way to its database.
    pub fn database(&self) -> Result<Database, Error> {
        Ok(Database::new(self.options(embedded::OWNER_ROLE), "catalog".parse::<Schema>()?))
    }

    fn options(&self, role: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().socket(self.cluster()).port(5432);
        options.username(role).database(embedded::DATABASE)
    }

    /// The directory of the server binaries, where `pgbench` is, too.
    pub fn binaries(&self) -> Result<PathBuf, Error> {
        let location = Location {
            data: self.data.clone(),
            pg_bin: env::var_os("CATALOG_PG_BIN").map(Into::into),
            path: env::var_os("PATH").unwrap_or_default(),
            cache: None,
        };
        Ok(embedded::find_binaries(&location, None)?.directory)
    }
}

/// Starts the program and waits until it says where it listens.
fn listening(mut command: Command) -> Result<Server, Error> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
    let mut said = String::new();
    while let Some(line) = lines.next().transpose()? {
        if let Some((_, address)) = line.split_once("listening on http://") {
            let address = address.split_whitespace().next().unwrap_or_default().to_owned();
            let talk = std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
            return Ok(Server { child, talk: Some(talk), address });
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(format!("the server did not come up:\n{said}").into())
}

impl Server {
    /// The processor time that the server has used, in seconds, user and system together.
    pub fn cpu_seconds(&self) -> Result<f64, Error> {
        cpu_seconds(self.child.id())
    }

    /// The memory of it that is in the machine's, in bytes.
    pub fn resident_bytes(&self) -> Result<u64, Error> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends in order, and its cluster with it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
        if let Some(talk) = self.talk.take() {
            let _ = talk.join();
        }
    }
}

/// The processor time of one process, in seconds.
fn cpu_seconds(pid: u32) -> Result<f64, Error> {
    ticks(pid, &[11, 12])
}

/// The sum of some of the times in `/proc/PID/stat`, which are in hundredths: of the process itself 11 and 12 fields behind
/// its name, of its children that have ended 13 and 14.
fn ticks(pid: u32, fields: &[usize]) -> Result<f64, Error> {
    let mut text = String::new();
    std::fs::File::open(format!("/proc/{pid}/stat"))?.read_to_string(&mut text)?;
    let all: Vec<&str> = text.rsplit_once(") ").ok_or("no fields")?.1.split(' ').collect();
    let ticks = fields.iter().filter_map(|index| all.get(*index)?.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}

/// The processor time of every process of a cluster, those that have ended included, in seconds.
pub fn cluster_cpu_seconds(cluster: &Path) -> Result<f64, Error> {
    let postmaster: u32 =
        std::fs::read_to_string(cluster.join("postmaster.pid"))?.lines().next().unwrap_or_default().parse()?;
    let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
    let living = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    // One that ends just now is counted by the postmaster the next time.
    let living: f64 = living.filter_map(|pid| cpu_seconds(pid).ok()).sum();
    Ok(living + ticks(postmaster, &[11, 12, 13, 14])?)
}

/// Has tokens live on for a year: of those that are seeded most are expired. A server that has read them has to be started
/// anew, and what follows from when they end (listings by it, names, the log) is as it was.
pub async fn keep_alive(superuser: &mut PgConnection) -> Result<(), Error> {
    let later = "set session_replication_role = replica; \
                 update catalog.issued_tokens set exp = exp + interval '1 year'; checkpoint";
    execute(superuser, later.to_owned()).await?;
    execute(superuser, "vacuum analyze catalog.issued_tokens".to_owned()).await
}

/// Runs statements that this bench has written.
pub async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
