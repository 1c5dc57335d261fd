//! The server process: start it, wait for it, stop it.
//!
//! `postgres` is started directly rather than by `pg_ctl`: its end is seen at once, no shell reads our paths, and its
//! being ready is seen within milliseconds. It gets a process group of its own, so a Ctrl-C on the terminal is not its.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process};

use super::EmbeddedError;
use super::account::{Account, command};
use super::binaries::Binaries;
use super::child::POLL;
use super::probe::{self, PORT, State};
use super::server_log::ServerLog;

/// Recovery after a crash replays up to `max_wal_size` (1 GB) of log.
const START_TIME_MAX: Duration = Duration::from_mins(5);
/// A fast shutdown writes a checkpoint.
const STOP_TIME_MAX: Duration = Duration::from_mins(2);
const ANNOUNCE_AFTER: Duration = Duration::from_secs(2);

/// On the command line rather than in `postgresql.conf`, so that they hold whatever an `alter system` said, and change
/// with the program. The socket's directory is relative to the data directory.
const SETTINGS: [&str; 4] =
    ["listen_addresses=", "unix_socket_directories=.", "unix_socket_permissions=0700", "cluster_name=catalog"];

/// Whose server it is that accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Ours,
    OfAnother,
}

/// The server of one data directory.
#[derive(Debug)]
pub(super) struct Server {
    pg: PathBuf,
    account: Option<Account>,
}

impl Server {
    pub(super) fn new(pg: PathBuf, account: Option<Account>) -> Self {
        Self { pg, account }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.pg
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Waits while a server is on its way up or down, which nobody but itself can hasten. The caller holds the start
    /// lock, so what is found stays so.
    pub(super) fn settled(&self, announce: &mut dyn FnMut(&str)) -> Result<State, EmbeddedError> {
        let mut patience = Patience::new(&self.pg);
        loop {
            let state = probe::state(&self.pg);
            if state != State::Busy {
                return Ok(state);
            }
            if !patience.wait(announce) {
                return Err(self.not_ready(&ServerLog::existing(&self.pg)));
            }
        }
    }

    /// Starts the server and waits until it accepts connections. One that takes too long is left to its recovery. One that a
    /// start has left on its way up, when it was killed, may be there before: it is as good.
    pub(super) fn start(&self, binaries: &Binaries, announce: &mut dyn FnMut(&str)) -> Result<(), EmbeddedError> {
        if probe::running(&self.pg).is_none() {
            self.clear_recycled_pid()?;
        }
        let (log, output) = ServerLog::open(&self.pg, self.account())?;
        let program = binaries.path("postgres");
        let mut postgres = self.command(&program);
        let spawned = output.try_clone().and_then(|copy| postgres.stdout(copy).stderr(output).spawn());
        let mut child = spawned.map_err(EmbeddedError::io("run", &program))?;

        if self.wait_until_ready(&mut child, &log, announce)? == Readiness::OfAnother {
            return Ok(());
        }
        tracing::info!(pid = child.id(), major = binaries.major, "PostgreSQL started");
        reap(child).map_err(EmbeddedError::io("watch", &program))
    }

    /// Stops the server, if there is one. Open transactions are rolled back, committed ones are safe.
    pub(super) fn stop(&self) -> Result<(), EmbeddedError> {
        let Some(pid) = probe::running(&self.pg) else {
            tracing::warn!(path = %self.pg.display(), "no PostgreSQL of ours to stop");
            return Ok(());
        };
        kill_process(pid, Signal::INT).map_err(|error| EmbeddedError::io("stop", &self.pg)(error.into()))?;
        let deadline = Instant::now() + STOP_TIME_MAX;
        while !probe::has_ended(&self.pg, pid) {
            if Instant::now() >= deadline {
                return Err(self.not_stopped(pid));
            }
            thread::sleep(POLL);
        }
        tracing::info!("PostgreSQL stopped");
        Ok(())
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut postgres = command(program, self.account());
        postgres.arg("-D").arg(&self.pg);
        postgres.args(["-p", &PORT.to_string()]);
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        postgres.stdin(Stdio::null()).process_group(0);
        postgres
    }

    /// Removes what a dead server left behind with its number in it. After a reboot or in a new container that number may be
    /// another process, which Postgres would take for its own server and refuse to start. The caller knows that no server
    /// is there.
    fn clear_recycled_pid(&self) -> Result<(), EmbeddedError> {
        if let Some(pid) = probe::named_in_pid_file(&self.pg) {
            tracing::warn!(pid = %pid.as_raw_nonzero(), "a stale postmaster.pid was removed: its number is another process now");
            remove_if_there(&probe::pid_path(&self.pg))?;
        }
        remove_if_there(&self.pg.join(format!(".s.PGSQL.{PORT}.lock")))?;
        remove_if_there(&self.pg.join(format!(".s.PGSQL.{PORT}")))
    }

    fn wait_until_ready(
        &self,
        child: &mut Child,
        log: &ServerLog,
        announce: &mut dyn FnMut(&str),
    ) -> Result<Readiness, EmbeddedError> {
        let mut patience = Patience::new(&self.pg);
        while !probe::is_ready_as(&self.pg, child.id()) {
            let ended = child.try_wait().map_err(EmbeddedError::io("watch", &self.pg))?;
            match ended {
                Some(_) if self.settled(announce)? == State::Ready => return Ok(Readiness::OfAnother),
                Some(status) => {
                    return Err(EmbeddedError::NotStarted { status: status.to_string(), log: log.tail() });
                }
                None => {}
            }
            if !patience.wait(announce) {
                return Err(self.not_ready(log));
            }
        }
        Ok(Readiness::Ours)
    }

    fn not_ready(&self, log: &ServerLog) -> EmbeddedError {
        EmbeddedError::NotReady { path: self.pg.clone(), seconds: START_TIME_MAX.as_secs(), log: log.tail() }
    }

    fn not_stopped(&self, pid: Pid) -> EmbeddedError {
        EmbeddedError::NotStopped {
            pid: pid.as_raw_nonzero().get(),
            seconds: STOP_TIME_MAX.as_secs(),
            log: ServerLog::existing(&self.pg).tail(),
        }
    }
}

/// A bounded wait for a server that says so when it becomes long.
struct Patience<'a> {
    pg: &'a Path,
    from: Instant,
    announced: bool,
}

impl<'a> Patience<'a> {
    fn new(pg: &'a Path) -> Self {
        Self { pg, from: Instant::now(), announced: false }
    }

    /// Waits for one turn; `false` when the time is over.
    fn wait(&mut self, announce: &mut dyn FnMut(&str)) -> bool {
        let waited = self.from.elapsed();
        if waited >= ANNOUNCE_AFTER && !self.announced {
            announce(&format!("waiting for PostgreSQL in {}, which may be recovering", self.pg.display()));
            self.announced = true;
        }
        thread::sleep(POLL);
        waited < START_TIME_MAX
    }
}

/// Waits for the server's end on a thread of its own: no zombie is left to look alive, and an end that nobody asked for
/// is said.
fn reap(mut child: Child) -> io::Result<()> {
    thread::Builder::new().name("postgres".to_owned()).spawn(move || match child.wait() {
        Ok(status) if status.success() => (),
        Ok(status) => tracing::error!(%status, "PostgreSQL ended unexpectedly"),
        Err(error) => tracing::error!(%error, "PostgreSQL cannot be watched"),
    })?;
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EmbeddedError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
