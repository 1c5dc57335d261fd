//! The private Postgres cluster behind `catalog serve` without settings: found, created, started, shared, stopped.
//!
//! A real and fully durable server from binaries that are on the machine, reached through a Unix socket in a directory
//! that only its owner may enter. Every process that uses the cluster holds a shared lock for as long; starting and
//! stopping happen under an exclusive one, so what a `kill -9` leaves behind is judged by one process at a time.
//!
//! Everything here blocks: an async caller wraps it in `spawn_blocking`.

mod account;
mod binaries;
mod child;
mod create;
mod directory;
mod error;
mod lock;
mod probe;
mod server;
mod server_log;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use account::Account;
pub use binaries::{Binaries, find_binaries};
pub use error::EmbeddedError;
use lock::Lock;
use probe::State;
use server::Server;

/// The role that owns the database and runs the migrations; it may create roles and is no superuser.
pub const OWNER_ROLE: &str = "catalog_owner";

/// The database that holds the catalog.
pub const DATABASE: &str = "catalog";

/// The superuser of the cluster: made by `initdb`, used by tests alone.
const SUPERUSER: &str = "postgres";

/// Where the cluster lives, and where its server's binaries may be found.
#[derive(Debug, Clone)]
pub struct Location {
    /// `CATALOG_DATA`: the directory that holds the cluster (in `pg`) and its locks; created when missing.
    pub data: PathBuf,
    /// `CATALOG_PG_BIN`: when set, the only directory of server binaries that is considered.
    pub pg_bin: Option<PathBuf>,
    /// The value of `PATH`, searched for `initdb`.
    pub path: OsString,
    /// The project's cache directory, whose `postgresql/bin` is searched last.
    pub cache: Option<PathBuf>,
}

/// This process's share of a running cluster. Dropping it lets go and leaves the server running, as a crash would;
/// [`Cluster::release`] also stops the server when nobody else uses it.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    location: Location,
    data: PathBuf,
    start_lock: PathBuf,
    users: Lock,
}

impl Cluster {
    /// Joins the cluster at `location`: creates it on first use, starts it when it is down, adopts it when it runs, and
    /// returns once it accepts connections. `announce` is told of the steps that take seconds.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`] when there are no suitable binaries, the directory cannot be used by the account that runs the
    /// server, the cluster is of another major version, or the server does not come up.
    pub fn open(location: &Location, announce: &mut dyn FnMut(&str)) -> Result<Self, EmbeddedError> {
        let data = directory::prepare(&location.data)?;
        let pg = directory::real(data.join("pg"));
        directory::check_socket_path(&pg)?;
        let account = Account::for_cluster(&pg)?;

        let start_lock = data.join("pg.start.lock");
        let _starting = Lock::exclusive(&start_lock, announce)?;
        let users = Lock::shared(&data.join("pg.users.lock"))?;
        let server = Server::new(pg, account);
        if server.settled(announce)? == State::Down {
            start(&server, &data, location, announce)?;
        }

        Ok(Self { server, location: location.clone(), data, start_lock, users })
    }

    /// Starts the server again if it died. Nobody stops it while somebody holds a share, so nobody meant it to end.
    /// Returns whether it had to be started; costs next to nothing when it had not.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`] as for [`Cluster::open`].
    pub fn revive(&self, announce: &mut dyn FnMut(&str)) -> Result<bool, EmbeddedError> {
        if probe::running(self.server.directory()).is_some() {
            return Ok(false);
        }
        let _starting = Lock::exclusive(&self.start_lock, announce)?;
        if self.server.settled(announce)? != State::Down {
            return Ok(false);
        }
        start(&self.server, &self.data, &self.location, announce)?;
        Ok(true)
    }

    /// How to connect as the owner of the database: role `catalog_owner`, over the Unix socket.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options_for(OWNER_ROLE)
    }

    /// How to connect as the superuser `postgres`, to the same database: for tests.
    #[must_use]
    pub fn superuser_options(&self) -> PgConnectOptions {
        self.options_for(SUPERUSER)
    }

    /// Lets go of the cluster; the last holder stops the server (fast shutdown: open transactions are rolled back).
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`] when the locks cannot be had or the server does not stop in time.
    pub fn release(self) -> Result<(), EmbeddedError> {
        let _starting = Lock::exclusive(&self.start_lock, &mut |_| ())?;
        // Bound after the start lock, so that it goes before it: the next to come must not take us for a user.
        let users = self.users;
        if users.try_exclusive()? { self.server.stop() } else { Ok(()) }
    }

    fn options_for(&self, role: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.server.directory())
            .port(probe::PORT)
            .username(role)
            .database(DATABASE)
            .ssl_mode(PgSslMode::Disable)
    }
}

/// Starts the server, on first use after making its cluster.
fn start(
    server: &Server,
    data: &Path,
    location: &Location,
    announce: &mut dyn FnMut(&str),
) -> Result<(), EmbeddedError> {
    let (pg, account) = (server.directory(), server.account());
    directory::check_traversable(pg, account)?;
    create::clear_leftovers(data)?;
    let major = directory::major_version(pg)?;
    let binaries = binaries::find(location, major, account)?;
    if major.is_none() {
        announce(&format!("creating a private PostgreSQL {} cluster in {}", binaries.major, pg.display()));
        create::cluster(data, pg, &binaries, account)?;
    }
    server.start(&binaries, announce)
}
