//! An open catalog with a clock that stands still until it is told, known entropy, and its HTTP door.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use catalog::{
    app::{Ambient, Catalog, IssuedToken, Opening, Requester, SigningKey, policy_file},
    domain::{
        Actor, Authority, Claims, Header, IssueToken, Origin, Path,
        ambient::{Clock, Entropy},
        claims::signing_input,
        configure::ApplyPolicy,
        event::KeyAdded,
        key::Algorithm,
        origin::OsUser,
        text::{Kid, RequestId, Subject},
    },
    signing::Keyring,
    store::{follower::Staleness, log},
};
use chrono::{DateTime, TimeDelta, Utc};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{sync::OnceCell, task::JoinHandle};
use tower::ServiceExt;
use uuid::Uuid;

use super::{Site, TestDatabase, cluster::open_directory, contract::Contract};

/// One for the whole run: the document is the program's, not the catalog's.
static CONTRACT: OnceCell<Contract> = OnceCell::const_new();

/// The proxies whose word is taken for where a request comes from.
const PROXIES: &str = "10.1.0.0/16,::1";

/// What a catalog calls itself unless a test is about that.
const ISSUER: &str = "https://catalog.example.com";

/// A clock that stands still until it is told.
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Bytes that are known to nobody but the run: a hash over a count.
#[derive(Default)]
struct CountedEntropy(AtomicU64);

impl Entropy for CountedEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// One catalog, opened once or more.
pub struct World {
    pub database: TestDatabase,
    pub clock: Arc<TestClock>,
    pub catalog: Arc<Catalog>,
    pub router: Router,
    entropy: Arc<dyn Entropy>,
    directory: Arc<tempfile::TempDir>,
}

/// What a request was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    /// A new catalog at noon on the first of March 2026, its key made at run time.
    pub async fn new() -> Self {
        Self::signing_with(SigningKey::FromLog(Algorithm::EdDsa)).await
    }

    /// The same, with a key of another kind.
    pub async fn signing_with(key: SigningKey) -> Self {
        let directory = Arc::new(open_directory());
        let clock = Arc::new(TestClock(Mutex::new("2026-03-01T12:00:00Z".parse().unwrap())));
        let database = TestDatabase::migrated().await;
        Self::open(database, clock, Arc::new(CountedEntropy::default()), directory, (key, ISSUER)).await
    }

    /// The same, that calls itself by this name.
    pub async fn issuing_as(issuer: &str) -> Self {
        let directory = Arc::new(open_directory());
        let clock = Arc::new(TestClock(Mutex::new("2026-03-01T12:00:00Z".parse().unwrap())));
        let (database, key) = (TestDatabase::migrated().await, SigningKey::FromLog(Algorithm::EdDsa));
        Self::open(database, clock, Arc::new(CountedEntropy::default()), directory, (key, issuer)).await
    }

    /// Another process on the same log and the same keys.
    pub async fn another_process(&self) -> Self {
        let key = SigningKey::FromLog(Algorithm::EdDsa);
        let (clock, entropy, directory) = (self.clock.clone(), self.entropy.clone(), self.directory.clone());
        Self::open(self.database.clone(), clock, entropy, directory, (key, ISSUER)).await
    }

    async fn open(
        database: TestDatabase,
        clock: Arc<TestClock>,
        entropy: Arc<dyn Entropy>,
        directory: Arc<tempfile::TempDir>,
        (signing_key, issuer): (SigningKey, &str),
    ) -> Self {
        let catalog = Catalog::open(Opening {
            database: database.open(),
            migrate: false,
            keys: keys(&directory),
            passphrase: None,
            signing_key,
            issuer: None,
            issuer_default: issuer.parse().unwrap(),
            audience: None,
            audience_default: "gateway".parse().unwrap(),
            env: None,
            staleness: Staleness::default(),
            origin: shell(Path::System),
            ambient: Ambient { clock: clock.clone(), entropy: entropy.clone() },
        })
        .await
        .unwrap();
        let catalog = Arc::new(catalog);
        // Nobody records: what the library counts goes nowhere, and nothing depends on it.
        let recorder = PrometheusBuilder::new().build_recorder();
        let router = catalog::http::router(catalog.clone(), recorder.handle(), PROXIES.parse().unwrap());
        Self { database, clock, catalog, router, entropy, directory }
    }

    /// The directory of the private keys.
    pub fn keys(&self) -> PathBuf {
        keys(&self.directory)
    }

    /// Makes a key and has the log know it; with `dev` one for tokens from a shell alone.
    pub async fn add_key(&self, alg: Algorithm, dev: bool) -> Kid {
        let mut keyring = Keyring::open(&self.keys()).unwrap();
        let kid = keyring.add_generated(alg).unwrap();
        let facts = keyring.facts(&kid).unwrap();
        let key = KeyAdded { kid: facts.kid, alg, jwk: facts.jwk, dev };
        self.catalog.add_key(key, shell(Path::CliAdmin)).await.unwrap().now
    }

    /// Serves the HTTP door on loopback until the task is aborted.
    pub async fn listen(&self) -> (String, JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router.clone();
        (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
    }

    /// The program beside this catalog: on the same log and the same keys.
    pub fn site(&self) -> Site {
        Site::in_directory(&self.database.url(), self.directory.clone())
    }

    /// Issues through the shell's door.
    pub async fn issue_dev(&self, command: IssueToken) -> IssuedToken {
        self.catalog.issue(command, Requester::new(Authority::of_shell(), shell(Path::CliDev))).await.unwrap()
    }

    /// Signs whatever it is given with the catalog's own key, as a thief of the key would.
    pub fn forge(&self, claims: &Claims) -> String {
        let kid = Keyring::open(&self.keys()).unwrap().kids().next().unwrap().clone();
        self.forge_with(&kid, claims)
    }

    /// The same, with one of several keys.
    pub fn forge_with(&self, kid: &Kid, claims: &Claims) -> String {
        let keyring = Keyring::open(&self.keys()).unwrap();
        let facts = keyring.facts(kid).unwrap();
        let header = Header { typ: "at+jwt".to_owned(), alg: facts.alg, kid: kid.clone() };
        keyring.sign(kid, &signing_input(&header, claims).unwrap()).unwrap().expose().to_owned()
    }

    /// An administrator's token for the catalog's own API.
    pub async fn admin(&self) -> String {
        self.caller("root@localhost", |command| command.is_admin = true).await
    }

    /// A caller's token with `aud` `catalog`, shaped further by `shape`.
    pub async fn caller(&self, sub: &str, shape: impl FnOnce(&mut IssueToken)) -> String {
        let mut command = plain(sub);
        command.aud = vec!["catalog".parse().unwrap()];
        shape(&mut command);
        self.issue_dev(command).await.signed.expose().to_owned()
    }

    /// Sends a request to the HTTP door, with a JSON body unless it is null.
    pub async fn send(&self, method: &str, path: &str, token: &str, body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_null() {
            return self.raw(request.body(Body::empty()).unwrap()).await;
        }
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let reply = self.raw(request).await;
        self.contract().await.check_request(&method, &path, &body, &reply);
        reply
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send("GET", path, token, Value::Null).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send("POST", path, token, body).await
    }

    pub async fn delete(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send("DELETE", path, token, body).await
    }

    /// Asks `POST /introspect` about a token.
    pub async fn introspect(&self, presented: &str, caller: &str) -> Reply {
        let request = Request::post("/introspect")
            .header(header::AUTHORIZATION, format!("Bearer {caller}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={presented}")))
            .unwrap();
        self.raw(request).await
    }

    /// Sends a request to the HTTP door, and holds the answer against the OpenAPI document.
    pub async fn raw(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let reply = self.answer(request).await;
        self.contract().await.check_answer(&method, &path, &reply);
        reply
    }

    /// What the OpenAPI document says.
    pub async fn contract(&self) -> &Contract {
        let document = async || self.answer(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.json();
        CONTRACT.get_or_init(async || Contract::new(document().await)).await
    }

    async fn answer(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// The whole log as the API shows it.
    pub async fn events(&self, admin: &str) -> Vec<Value> {
        let reply = self.get("/audit/events?limit=1000", admin).await;
        reply.json()["events"].as_array().unwrap().clone()
    }

    /// Has tokens get entries in status lists from here on, and the first list begin and published.
    pub async fn begin_list(&self) {
        let text = "[status-lists]\nurl = \"https://catalog.example.com/status-lists\"\n".to_owned();
        let rules = policy_file::parse(&text).unwrap();
        self.catalog.apply_policy(ApplyPolicy { rules, text }, shell(Path::CliAdmin)).await.unwrap();
        self.issue_dev(plain("first@example.com")).await;
        self.publish().await;
    }

    /// Does once what a server does again and again: it follows the log, and publishes the lists.
    pub async fn publish(&self) {
        self.catalog.follow_settings().await.unwrap();
        self.catalog.load_live_tokens().await;
        self.catalog.publish_status_lists().await.unwrap();
    }

    /// The status list in which tokens get their entries.
    pub async fn list_begun(&self) -> Option<Uuid> {
        log::settings(self.catalog.database().reads()).await.unwrap().status_lists.last().map(|list| list.id)
    }

    /// Asserts that the log is whole and the projections are its fold.
    pub async fn verify(&self) -> catalog::store::verify::Verification {
        let database = self.catalog.database();
        let verification = catalog::store::verify::verify(database, &[], &mut |_, _| ()).await.unwrap();
        assert_eq!(verification.findings, [], "the log does not verify");
        let by_few = catalog::store::verify::verify_by(database, &[], 97, &mut |_, _| ()).await.unwrap();
        assert_eq!(
            (by_few.findings, by_few.tokens),
            (vec![], verification.tokens),
            "nor does it a few events at a time"
        );
        verification
    }
}

fn keys(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("keys")
}

/// A request for a token of `sub`, everything else as the policy has it.
pub fn plain(sub: &str) -> IssueToken {
    IssueToken::plain(Subject::parse(sub).unwrap())
}

/// Somebody at a shell.
pub fn shell(path: Path) -> Origin {
    Origin {
        path,
        actor: Actor::OsUser(OsUser {
            name: Some("alice".to_owned()),
            uid: Some(1000),
            login: Some("alice".to_owned()),
            sudo_user: None,
            host: Some("workstation".to_owned()),
        }),
        request_id: RequestId::parse("test").unwrap(),
        address: None,
        user_agent: None,
    }
}
