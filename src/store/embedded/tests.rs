//! The life of a private cluster: real server binaries, a data directory per test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::*;

/// A data directory that the `postgres` user can come to, removed in the end.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn pg(&self) -> PathBuf {
        self.data().join("pg")
    }

    fn location(&self) -> Location {
        Location {
            data: self.data(),
            pg_bin: option_env!("CATALOG_TEST_PG_BIN").map(PathBuf::from),
            path: "/usr/local/bin:/usr/bin".into(),
            cache: Some(cache()),
        }
    }

    /// Opens the cluster; returns it and what was announced.
    fn open(&self) -> (Cluster, Vec<String>) {
        let mut said = Vec::new();
        let cluster = Cluster::open(&self.location(), &mut |step| said.push(step.to_owned()));
        (cluster.unwrap(), said)
    }

    fn refusal(&self) -> EmbeddedError {
        Cluster::open(&self.location(), &mut |_| ()).unwrap_err()
    }

    fn pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.pg().join("postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.parse().ok()?)
    }

    fn accepts(&self) -> bool {
        UnixStream::connect(probe::socket_path(&self.pg())).is_ok()
    }

    /// A directory in the place of the cluster, owned by whoever would run it.
    fn fake_cluster(&self, version: &str) {
        fs::create_dir_all(self.pg()).unwrap();
        fs::write(self.pg().join("PG_VERSION"), version).unwrap();
        let nowhere = self.data().join("nowhere");
        if let Some(account) = Account::for_cluster(&nowhere).unwrap() {
            chown(self.pg(), Some(account.uid), Some(account.gid)).unwrap();
        }
    }
}

/// Where `scripts/setup` puts the wheel's binaries.
fn cache() -> PathBuf {
    if is_root() {
        return "/var/cache/catalog".into();
    }
    let home = PathBuf::from(option_env!("HOME").unwrap_or_default());
    home.join(".cache/catalog")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Connects as in `options`, runs the statements, and returns the text of the last one's only value.
fn ask(options: &PgConnectOptions, statements: &'static [&'static str]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{ConnectOptions, Connection};
        let mut connection = options.connect().await.unwrap();
        let mut answer = String::new();
        for statement in statements {
            let row: Option<(String,)> = sqlx::query_as(*statement).fetch_optional(&mut connection).await.unwrap();
            answer = row.map(|(text,)| text).unwrap_or_default();
        }
        connection.close().await.unwrap();
        answer
    })
}

#[test]
fn the_first_start_makes_a_durable_cluster_with_its_owner_and_no_tcp() {
    let place = Place::new();

    let (cluster, said) = place.open();

    assert!(said.iter().any(|step| step.starts_with("creating a private PostgreSQL")));
    let owner = ask(
        &cluster.connect_options(),
        &["select concat_ws(' ', current_user, current_database(), rolcreaterole, rolsuper) \
           from pg_roles where rolname = current_user"],
    );
    assert_eq!(owner, "catalog_owner catalog t f");
    let settings = ask(
        &cluster.superuser_options(),
        &["select concat_ws(' ', current_setting('fsync'), current_setting('synchronous_commit'), \
           current_setting('full_page_writes'), current_setting('data_checksums'), \
           current_setting('server_encoding'), '<' || current_setting('listen_addresses') || '>')"],
    );
    assert_eq!(settings, "on on on on UTF8 <>");
    let socket = fs::metadata(probe::socket_path(&place.pg())).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o700);
    let directory = fs::metadata(place.pg()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    cluster.release().unwrap();
}

#[test]
fn a_server_that_a_killed_start_has_left_on_its_way_up_is_as_good_as_ours() {
    let place = Place::new();
    place.open().0.release().unwrap();
    let binaries = find_binaries(&place.location(), None).unwrap();
    let server = Server::new(place.pg(), Account::for_cluster(&place.pg()).unwrap());
    for is_seen in [false, true] {
        let mut left = server.command(&binaries.path("postgres"));
        let mut left = left.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while is_seen && place.pid().is_none() {
            assert_eq!(left.try_wait().unwrap(), None);
        }

        server.start(&binaries, &mut |_| ()).unwrap();

        assert_eq!(probe::state(&place.pg()), State::Ready);
        server.stop().unwrap();
        left.wait().unwrap();
    }
    let (cluster, _) = place.open();
    assert_eq!(ask(&cluster.connect_options(), &["select current_user::text"]), OWNER_ROLE);
    cluster.release().unwrap();
}

#[test]
fn a_running_cluster_is_adopted_and_the_last_holder_stops_it() {
    let place = Place::new();
    let (first, _) = place.open();
    let pid = place.pid();

    let (second, said) = place.open();

    assert_eq!(place.pid(), pid);
    assert_eq!(said, Vec::<String>::new());
    first.release().unwrap();
    assert!(place.accepts());
    second.release().unwrap();
    assert!(!place.accepts());
    assert_eq!(place.pid(), None);
}

#[test]
fn a_holder_that_was_killed_leaves_a_cluster_to_adopt() {
    let place = Place::new();
    let (killed, _) = place.open();
    let pid = place.pid();
    // What a kill does to locks: the file closes, and nothing else happens.
    drop(killed);

    let (cluster, _) = place.open();

    assert_eq!(place.pid(), pid);
    cluster.release().unwrap();
    assert!(!place.accepts());
}

#[test]
fn a_server_that_died_is_started_again_by_whoever_looks_first_and_one_that_runs_is_left_alone() {
    let place = Place::new();
    let (first, _) = place.open();
    let (second, _) = place.open();
    let before = place.pid().unwrap();
    let left_alone = first.revive(&mut |_| ()).unwrap();
    kill_process(before, Signal::KILL).unwrap();
    // The kernel may take a moment to end it.
    while probe::running(&place.pg()).is_some() {}

    let revived = (first.revive(&mut |_| ()).unwrap(), second.revive(&mut |_| ()).unwrap());

    assert!(!left_alone);
    assert_eq!(revived, (true, false));
    assert!(place.accepts() && place.pid() != Some(before));
    first.release().unwrap();
    assert!(place.accepts(), "the other one still uses it");
    second.release().unwrap();
    assert!(!place.accepts());
}

#[test]
fn a_server_that_is_stopped_is_there_and_nobody_waits_for_it_to_come_up() {
    let place = Place::new();
    let (first, _) = place.open();
    let pid = place.pid().unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let begun = std::time::Instant::now();

    let (second, _) = place.open();

    let waited = begun.elapsed();
    kill_process(pid, Signal::CONT).unwrap();
    second.release().unwrap();
    first.release().unwrap();
    assert!(waited < std::time::Duration::from_mins(1), "it waited {waited:?}");
}

#[test]
fn what_was_committed_outlives_a_killed_server() {
    let place = Place::new();
    let (before, _) = place.open();
    ask(&before.connect_options(), &["create table kept (word text)", "insert into kept values ('yes')"]);
    let pid = place.pid().unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    // The signal is sent; the process dies, and its socket with it, a moment later.
    while place.accepts() {
        std::thread::yield_now();
    }

    let (after, _) = place.open();

    assert_ne!(place.pid(), Some(pid));
    assert_eq!(ask(&after.connect_options(), &["select word from kept"]), "yes");
    before.release().unwrap();
    after.release().unwrap();
    assert!(!place.accepts());
}

#[test]
fn a_stale_pid_that_now_belongs_to_another_process_does_not_prevent_a_start() {
    let place = Place::new();
    let (cluster, _) = place.open();
    let running = fs::read_to_string(place.pg().join("postmaster.pid")).unwrap();
    cluster.release().unwrap();
    let mut stranger = stranger(&place);
    let stale = running.replacen(&running.lines().next().unwrap().to_owned(), &stranger.id().to_string(), 1);
    fs::write(place.pg().join("postmaster.pid"), stale).unwrap();

    let (cluster, _) = place.open();

    cluster.release().unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was killed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// A process of the user who runs the server, which is not the server.
fn stranger(place: &Place) -> std::process::Child {
    let account = Account::for_cluster(&place.pg()).unwrap();
    let mut sleep: Command = account::command(std::path::Path::new("/bin/sleep"), account.as_ref());
    sleep.arg("600").spawn().unwrap()
}

#[test]
fn what_a_killed_set_up_left_is_cleared_away() {
    let place = Place::new();
    let leftover = place.data().join("pg.new-1");
    fs::create_dir_all(leftover.join("base")).unwrap();
    fs::write(leftover.join("PG_VERSION"), "15\n").unwrap();

    let (cluster, _) = place.open();

    assert!(!leftover.exists());
    cluster.release().unwrap();
}

#[test]
fn a_cluster_of_another_major_version_is_refused_by_both_names() {
    let place = Place::new();
    place.fake_cluster("9\n");

    let error = place.refusal();

    assert!(matches!(error, EmbeddedError::WrongMajor { cluster: 9, .. }));
    assert!(error.to_string().contains("was made by PostgreSQL 9, and here is 1"));
    assert!(error.hint().unwrap().contains("install PostgreSQL 9"));
}

#[test]
fn something_that_is_no_cluster_is_left_alone() {
    let place = Place::new();
    place.fake_cluster("15\n");
    fs::rename(place.pg().join("PG_VERSION"), place.pg().join("diary")).unwrap();

    let error = place.refusal();

    assert!(matches!(error, EmbeddedError::NotACluster { .. }));
    assert!(place.pg().join("diary").exists());
}

#[test]
fn a_directory_that_the_server_cannot_enter_is_refused_by_name() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let closed = place.directory.path().to_owned();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();

    let error = place.refusal();

    assert!(matches!(&error, EmbeddedError::Untraversable { directory, .. } if *directory == closed));
    assert!(error.hint().unwrap().starts_with("chmod o+x "));
}

#[test]
fn the_cluster_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    place.fake_cluster("15\n");
    chown(place.pg(), Some(54_321), None).unwrap();

    let error = place.refusal();

    assert_eq!(error.to_string(), format!("{} belongs to user 54321", place.pg().display()));
}

#[test]
fn a_socket_path_is_refused_from_the_first_byte_too_many() {
    let bytes_max = directory::SOCKET_PATH_BYTES_MAX;
    let longest = bytes_max - "/pg/.s.PGSQL.5432".len();
    let pg = |bytes: usize| PathBuf::from(format!("/{}/pg", "d".repeat(bytes - 1)));

    let fits = directory::check_socket_path(&pg(longest));
    let too_long = directory::check_socket_path(&pg(longest + 1));

    assert!(fits.is_ok());
    assert!(matches!(
        too_long,
        Err(EmbeddedError::SocketPathTooLong { bytes, .. }) if bytes == bytes_max + 1
    ));
}

#[test]
fn named_binaries_that_will_not_do_are_an_error_and_not_passed_over() {
    let place = Place::new();
    let location = Location { pg_bin: Some("/usr/bin".into()), ..place.location() };

    let error = find_binaries(&location, None).unwrap_err();

    assert!(matches!(error, EmbeddedError::NamedBinaries { .. }));
    assert!(error.to_string().contains("/usr/bin: has no "));
}

#[test]
fn processes_that_come_at_once_share_one_cluster() {
    let place = Place::new();

    let clusters: Vec<Cluster> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..4).map(|_| scope.spawn(|| place.open().0)).collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });

    assert!(place.accepts());
    for cluster in clusters {
        cluster.release().unwrap();
    }
    assert!(!place.accepts());
}
