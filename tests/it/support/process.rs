//! The real program: servers and commands in processes of their own, and a small client of the API.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::http::Method;
use catalog::store::embedded::Cluster;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    TestDatabase,
    cluster::{location, open_directory},
    world::Reply,
};

/// Longer than anything here takes on a busy machine: past it a test says what it waited for in vain.
const PATIENCE: Duration = Duration::from_mins(1);
/// How soon a condition is looked at again.
const POLL: Duration = Duration::from_millis(3);

/// Waits until `look` finds something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until something holds.
pub async fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, async || look().then_some(())).await;
}

/// What processes share: a state directory, and what they are told about the rest.
#[derive(Clone)]
pub struct Site {
    settings: Vec<(String, String)>,
    // Goes before the directory, which it uses to its end.
    _janitor: Option<Arc<Janitor>>,
    directory: Arc<TempDir>,
}

/// Stops the private cluster of a directory when the test is over, however it ended: its standard input closes then.
struct Janitor(Child);

impl Janitor {
    fn of(data: &Path) -> Self {
        let script = "cat >/dev/null; pid=$(head -n 1 \"$1/pg/postmaster.pid\" 2>/dev/null) || exit 0; \
                      [ \"$(readlink \"/proc/$pid/cwd\")\" = \"$1/pg\" ] || exit 0; kill -QUIT \"$pid\"; \
                      while [ \"$(readlink \"/proc/$pid/cwd\")\" = \"$1/pg\" ]; do sleep 0.01; done";
        let mut command = Command::new("sh");
        command.args(["-c", script, "janitor"]).arg(data.canonicalize().unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A Ctrl-C that ends the tests must not end it first.
        Self(command.process_group(0).spawn().unwrap())
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Site {
    /// A state directory beside a database of the test's own, in which there is a schema and nothing else.
    pub async fn new() -> Self {
        Self::on(&TestDatabase::migrated().await.url())
    }

    /// A state directory beside the database at `url`.
    pub fn on(url: &str) -> Self {
        Self::in_directory(url, Arc::new(open_directory()))
    }

    /// A state directory that is there, beside the database at `url`.
    pub fn in_directory(url: &str, directory: Arc<TempDir>) -> Self {
        Self { settings: Vec::new(), _janitor: None, directory }.with("CATALOG_DATABASE_URL", url)
    }

    /// A state directory in which the program runs a private cluster.
    pub fn embedded() -> Self {
        let directory = Arc::new(open_directory());
        let janitor = Some(Arc::new(Janitor::of(directory.path())));
        Self { settings: Vec::new(), _janitor: janitor, directory }
    }

    /// The same, with a variable set, or set otherwise.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut site = self.without(name);
        site.settings.push((name.to_owned(), value.to_owned()));
        site
    }

    /// The same, with a variable not set.
    pub fn without(&self, name: &str) -> Self {
        let mut site = self.clone();
        site.settings.retain(|(set, _)| set != name);
        site
    }

    /// What a variable is set to.
    pub fn setting(&self, name: &str) -> &str {
        &self.settings.iter().find(|(set, _)| set == name).unwrap().1
    }

    pub fn data(&self) -> &Path {
        self.directory.path()
    }

    /// The program, in an environment in which nothing but this site is set.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_catalog"), arguments)
    }

    /// Another program in the same environment.
    pub fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(arguments).env_clear().env("CATALOG_DATA", self.data());
        for kept in ["PATH", "HOME", "XDG_CACHE_HOME", "CATALOG_PG_BIN"] {
            command.envs(env::var_os(kept).map(|value| (kept, value)));
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn cli(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a command to its end, with something on its standard input.
    pub fn cli_fed(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// An administrator's token for the API, issued by the real command.
    pub fn admin(&self) -> String {
        self.cli(&["issue", "--dev", "--admin", "--aud", "catalog", "--sub", "root@localhost", "--ttl", "8h"]).good()
    }

    /// Starts a server on any free port and waits until it listens.
    pub async fn serve(&self) -> Server {
        self.serve_with(&[]).await
    }

    /// Starts an edge of the catalog at `url` on any free port and waits until it has heard of it.
    pub async fn edge_of(&self, url: &str, more: &[&str]) -> Server {
        let arguments = ["edge", "--listen", "127.0.0.1:0", "--url", url];
        let edge = Server::start(self.command(&arguments.iter().chain(more).copied().collect::<Vec<_>>())).await;
        let is_ready = async || (edge.client.get("/readyz", "").await.status == 200).then_some(());
        until("the edge is ready", is_ready).await;
        edge
    }

    pub async fn serve_with(&self, more: &[&str]) -> Server {
        let arguments: Vec<&str> = ["serve", "--listen", "127.0.0.1:0"].iter().chain(more).copied().collect();
        Server::start(self.command(&arguments)).await
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Done {
    /// The exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let status = output.status;
        Self {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    /// What a command that did what it was asked for wrote, less the last line break.
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout.trim_end_matches('\n').to_owned()
    }

    /// The same as JSON.
    pub fn json(self) -> Value {
        let text = self.good();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }

    /// The same, JSON line by line.
    pub fn ndjson(self) -> Vec<Value> {
        self.good().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a command says that did not do what it was asked for: nothing on stdout, and one error.
    pub fn bad(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        assert_eq!(self.stderr.matches("catalog: error: ").count(), 1, "{self:?}");
        self.stderr
    }
}

/// `catalog serve` as a process, killed when it goes out of scope.
pub struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    pub client: Client,
}

impl Server {
    /// Starts a server by this command and waits until it listens.
    pub async fn start(command: Command) -> Self {
        let mut server = Self::spawn(command);
        let url = until("the server listens", async || {
            server.assert_alive();
            listening(&server.said())
        })
        .await;
        server.client = Client::new(&url);
        server
    }

    /// Starts a server and waits for nothing: nobody can speak to it yet.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = drain(child.stderr.take().unwrap(), said.clone());
        let stdout = drain(child.stdout.take().unwrap(), said.clone());
        Self { child, said, readers: vec![stderr, stdout], client: Client::new("") }
    }

    /// Whoever waits for what the server does need not wait for one that has ended.
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the server ended: {}", self.said());
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has written, all of it to stderr if it is as it should be.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// As a terminal does it on Ctrl-C. The server must have been started in a process group of its own.
    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// Waits for its end; the exit code, 128 and the signal's number when a signal ended it.
    pub async fn ended(&mut self) -> i32 {
        let status = until("the server ends", async || self.child.try_wait().unwrap()).await;
        // All it said is read when it is gone.
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }

    /// Kills it where it stands.
    pub async fn kill(mut self) {
        self.signal(Signal::KILL);
        assert_eq!(self.ended().await, 128 + 9);
    }

    /// Asks it to end, and returns what it had to say in its life.
    pub async fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert_eq!(self.ended().await, 0, "{}", self.said());
        self.said()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on, so that a full pipe never stops the server.
fn drain(output: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            said.lock().unwrap().push_str(&(line.unwrap() + "\n"));
        }
    })
}

fn listening(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("listening on ")?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '"')?;
    Some(rest[..end].to_owned())
}

/// Speaks to a server. Connections are kept and shared among clones.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub url: String,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { http, url: url.to_owned() }
    }

    /// As another program: with connections of its own.
    pub fn another(&self) -> Self {
        Self::new(&self.url)
    }

    /// The address and port.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// A request that is shaped further, to be sent by [`answered`].
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse::<Method>().unwrap(), format!("{}{path}", self.url))
    }

    /// Sends a request, with a JSON body unless it is null; an error when there is no answer.
    pub async fn try_send(&self, method: &str, path: &str, token: &str, body: &Value) -> reqwest::Result<Reply> {
        let mut request = self.request(method, path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        answered(request).await
    }

    /// Issues under an `Idempotency-Key`; an error when there is no answer.
    pub async fn try_issue_named(&self, token: &str, key: &str, body: &Value) -> reqwest::Result<Reply> {
        let request = self.request("POST", "/tokens").bearer_auth(token);
        answered(request.header("idempotency-key", key).json(body)).await
    }

    pub async fn issue_named(&self, token: &str, key: &str, body: &Value) -> Reply {
        self.try_issue_named(token, key, body).await.unwrap()
    }

    pub async fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        self.try_send(method, path, token, body).await.unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send("GET", path, token, &Value::Null).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send("POST", path, token, &body).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Reply {
        self.send("DELETE", path, token, &Value::Null).await
    }

    /// Asks `POST /introspect` about a token; an error when there is no answer.
    pub async fn try_introspect(&self, presented: &str, caller: &str) -> reqwest::Result<Reply> {
        let request = self.request("POST", "/introspect").bearer_auth(caller);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        answered(request.body(format!("token={presented}"))).await
    }

    pub async fn introspect(&self, presented: &str, caller: &str) -> Reply {
        self.try_introspect(presented, caller).await.unwrap()
    }

    /// Whether a token is active. That the server cannot tell is no answer.
    pub async fn is_active(&self, presented: &str, caller: &str) -> bool {
        let reply = self.introspect(presented, caller).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["active"].as_bool().unwrap()
    }

    /// The events after a position, to the end of the log.
    pub async fn events(&self, after: i64, admin: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut next = Some(after);
        while let Some(after) = next {
            let reply = self.get(&format!("/audit/events?limit=1000&after={after}"), admin).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            let mut page = reply.json();
            events.append(page["events"].as_array_mut().unwrap());
            next = page["next_after"].as_i64();
        }
        events
    }
}

/// Sends a request and reads its answer; an error when there is none.
pub async fn answered(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

/// A private Postgres of a test's own, to be stopped and started under a server that was only told its address.
pub struct OwnPostgres {
    cluster: Option<Cluster>,
    _janitor: Janitor,
    directory: TempDir,
}

impl OwnPostgres {
    pub fn start() -> Self {
        let directory = open_directory();
        let mut postgres = Self { cluster: None, _janitor: Janitor::of(directory.path()), directory };
        postgres.restart();
        postgres
    }

    /// Brings it back after [`Self::crash`].
    pub fn restart(&mut self) {
        let location = location(self.directory.path().to_owned());
        self.cluster = Some(Cluster::open(&location, &mut |_| ()).unwrap());
    }

    /// The address for the program's own settings, with a password that a socket never asks for.
    pub fn url(&self) -> String {
        let options = self.cluster.as_ref().unwrap().connect_options();
        let socket = options.get_socket().unwrap().display().to_string();
        format!("postgres://catalog_owner@localhost/catalog?host={}", socket.replace('/', "%2F"))
    }

    /// Ends it as `pg_ctl stop -m immediate` does: no checkpoint, everybody cut off.
    pub async fn crash(&mut self) {
        crash_postgres(self.directory.path()).await;
        self.cluster = None;
    }
}

/// The process of the private cluster in a state directory.
pub fn postmaster(data: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data.join("pg/postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    (works_in(pid)? == data.join("pg").canonicalize().ok()?).then_some(pid)
}

/// Ends the private cluster of a state directory as `pg_ctl stop -m immediate` does.
pub async fn crash_postgres(data: &Path) {
    let pid = postmaster(data).unwrap();
    kill_process(pid, Signal::QUIT).unwrap();
    until_true("Postgres is gone", || postmaster(data) != Some(pid)).await;
}

fn works_in(pid: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()
}
