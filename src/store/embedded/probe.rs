//! What the server in a data directory is doing, found out without a child process.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

/// Names the socket; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// Less than the time for the whole, and far more than a server takes that runs.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);
/// `SSLRequest` of PostgreSQL's protocol: the one message that any server answers before it asks who is there.
const GREETING: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It accepts connections.
    Ready,
    /// It is starting, recovering or stopping: nothing to do but wait.
    Busy,
    /// There is none.
    Down,
}

/// Where the server of the cluster `pg` listens.
pub(super) fn socket_path(pg: &Path) -> PathBuf {
    pg.join(format!(".s.PGSQL.{PORT}"))
}

/// What the server in `pg` is doing. An answer on the socket outweighs everything: in a container we may see neither
/// its process nor its shared memory, and a second server on the same files would destroy them.
pub(super) fn state(pg: &Path) -> State {
    let Some(file) = PidFile::read(pg) else {
        return State::Down;
    };
    match (accepts(pg), file.ready) {
        (true, true) => State::Ready,
        (true, false) => State::Busy,
        (false, _) if is_inhabited(pg, file.pid) => State::Busy,
        (false, _) => State::Down,
    }
}

/// Whether the server in `pg` runs as process `pid` and accepts connections.
pub(super) fn is_ready_as(pg: &Path, pid: u32) -> bool {
    let ready = PidFile::read(pg).filter(|file| file.ready);
    let ours = |file: PidFile| u32::try_from(file.pid.as_raw_nonzero().get()) == Ok(pid);
    ready.is_some_and(ours) && accepts(pg)
}

/// The process of the server in `pg`, when it is certain: a file that a crash left may name a process that has nothing
/// to do with us, and so may the file of a server in another container.
pub(super) fn running(pg: &Path) -> Option<Pid> {
    let pid = PidFile::read(pg)?.pid;
    let certain = works_in(pg, pid).unwrap_or_else(|| accepts(pg));
    certain.then_some(pid)
}

/// Whether the server that runs in `pg` as `pid` is done. Its process may outlive that as a zombie, for ever in a
/// container whose first process reaps nobody.
pub(super) fn has_ended(pg: &Path, pid: Pid) -> bool {
    let named = PidFile::read(pg).is_some_and(|file| file.pid == pid);
    !named || !alive(pid) || works_in(pg, pid) == Some(false)
}

/// The process that `postmaster.pid` names, if one of that number exists, whatever it is.
pub(super) fn named_in_pid_file(pg: &Path) -> Option<Pid> {
    let file = PidFile::read(pg)?;
    alive(file.pid).then_some(file.pid)
}

/// Where the server writes who it is: first when it starts, and removed last.
pub(super) fn pid_path(pg: &Path) -> PathBuf {
    pg.join("postmaster.pid")
}

#[derive(Debug, Clone, Copy)]
struct PidFile {
    pid: Pid,
    ready: bool,
}

impl PidFile {
    /// Line 1 is the process, line 8 its status; a file that is being written may lack the latter.
    fn read(pg: &Path) -> Option<Self> {
        let text = fs::read_to_string(pid_path(pg)).ok()?;
        let mut lines = text.lines();
        let pid: i32 = lines.next()?.trim().parse().ok()?;
        let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
        // A negative number would be a process group.
        let pid = Pid::from_raw(pid).filter(|_| pid > 0)?;
        Some(Self { pid, ready })
    }
}

/// Whether the process exists, one that ended and was not reaped included.
fn alive(pid: Pid) -> bool {
    test_kill_process(pid).is_ok()
}

/// Whether a server answers on the socket. On a thread, because connecting to a stopped process may never return.
fn accepts(pg: &Path) -> bool {
    let socket = socket_path(pg);
    let (sender, receiver) = mpsc::channel();
    let asked = thread::Builder::new().spawn(move || sender.send(greet(&socket).is_ok())).is_ok();
    asked && receiver.recv_timeout(CONNECT_TIME_MAX) == Ok(true)
}

/// A connection alone proves nothing: the kernel closes a killed server's socket only after its process has gone from
/// sight, and until then it takes connections that nobody will answer.
fn greet(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.write_all(&GREETING)?;
    match stream.read_exact(&mut [0]) {
        // Somebody holds the socket and says nothing, such as a server that was stopped: it is there, and whoever asks it
        // for something has a time limit of its own.
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        outcome => outcome,
    }
}

/// Whether any process works in `pg`, as every process of its server does: also the last ones of a killed server, that
/// have not noticed yet. `pid` is what there is to go by without `/proc`.
fn is_inhabited(pg: &Path, pid: Pid) -> bool {
    if works_in(pg, pid) == Some(true) {
        return true;
    }
    let Some(processes) = proc_fs().and_then(|proc_fs| fs::read_dir(proc_fs).ok()) else {
        return alive(pid);
    };
    let mut processes = processes.filter_map(Result::ok);
    processes.any(|process| is_directory_of(pg, &process.path()))
}

/// Whether process `pid` works in `pg`; `None` where the system does not tell.
fn works_in(pg: &Path, pid: Pid) -> Option<bool> {
    let process = proc_fs()?.join(pid.as_raw_nonzero().to_string());
    Some(is_directory_of(pg, &process))
}

fn is_directory_of(pg: &Path, process: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok_and(|directory| directory == pg)
}

fn proc_fs() -> Option<&'static Path> {
    let proc_fs = Path::new("/proc");
    proc_fs.join("self/cwd").exists().then_some(proc_fs)
}
