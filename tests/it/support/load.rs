//! Clients at work on a server, and a journal of what they were answered: what the log must hold afterwards.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    process::{Client, until},
    world::Reply,
};

/// The longest that a request may take, whatever happens behind the server.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// How many checks are under way at once when a journal is held against a server.
const CHECKS: usize = 8;

/// What the clients were answered.
#[derive(Default)]
pub struct Journal {
    issued: Mutex<Vec<Issued>>,
    revoked: Mutex<HashSet<String>>,
    /// Revocations that were asked for, answered or not.
    doomed: Mutex<HashSet<String>>,
    wrong: Mutex<Vec<String>>,
    answers: AtomicUsize,
    /// How often it was said that the log could not be reached, and how often the outcome was unknown.
    unavailable: AtomicUsize,
}

/// An acknowledged issuance.
#[derive(Clone)]
struct Issued {
    jti: String,
    position: i64,
    token: String,
}

impl Journal {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many good answers there were.
    pub fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    /// How many answers there were that the server could not say.
    pub fn unavailable(&self) -> usize {
        self.unavailable.load(Ordering::Relaxed)
    }

    pub fn issued(&self) -> usize {
        self.issued.lock().unwrap().len()
    }

    pub fn revoked(&self) -> usize {
        self.revoked.lock().unwrap().len()
    }

    /// Notes an acknowledged issuance.
    pub fn note_issued(&self, answer: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.issued.lock().unwrap().push(Issued {
            jti: text(&answer["token"]["jti"]),
            position: answer["position"].as_i64().unwrap(),
            token: text(&answer["access_token"]),
        });
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    fn fault(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// Asserts that no answer was wrong or late.
    pub fn assert_sound(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} wrong answers, such as {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    }

    /// Waits for that many more good answers.
    pub async fn goes_on(&self, more: usize) {
        let before = self.answers();
        until(&format!("{more} more answers came"), async || {
            self.assert_sound();
            (self.answers() >= before + more).then_some(())
        })
        .await;
    }

    /// Asserts that everything acknowledged is in the log, once, where it was said to be, and that the log is dense.
    pub async fn assert_logged(&self, client: &Client, admin: &str) {
        self.assert_sound();
        let events = client.events(0, admin).await;
        let positions: Vec<i64> = events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
        assert_eq!(positions, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
        let mut at: HashMap<(&str, &str), Vec<i64>> = HashMap::new();
        for (event, position) in events.iter().zip(positions) {
            let key = (event["kind"].as_str().unwrap(), event["jti"].as_str().unwrap_or_default());
            at.entry(key).or_default().push(position);
        }
        for issued in self.issued.lock().unwrap().iter() {
            assert_eq!(at.get(&("token.issued.v1", issued.jti.as_str())), Some(&vec![issued.position]));
        }
        for jti in self.revoked.lock().unwrap().iter() {
            assert_eq!(at.get(&("token.revoked.v1", jti.as_str())).map(Vec::len), Some(1), "{jti}");
        }
    }

    /// Asserts that a server says of every token what was acknowledged of it.
    pub async fn assert_checked(&self, client: &Client, admin: &str) {
        let issued = self.issued.lock().unwrap().clone();
        let mut checks = stream::iter(issued)
            .map(|issued| async move { (client.is_active(&issued.token, admin).await, issued.jti) })
            .buffer_unordered(CHECKS);
        while let Some((is_active, jti)) = checks.next().await {
            self.judge(&jti, is_active);
        }
        self.assert_sound();
    }

    /// A revocation whose outcome nobody was told may have happened or not; everything else is certain.
    fn judge(&self, jti: &str, is_active: bool) {
        let is_doomed = self.doomed.lock().unwrap().contains(jti);
        let is_revoked = self.revoked.lock().unwrap().contains(jti);
        if (is_active && is_revoked) || (!is_active && !is_doomed) {
            self.fault(format!("{jti} is said to be active: {is_active}, revoked: {is_revoked}, doomed: {is_doomed}"));
        }
    }
}

/// Clients at work until they are told to stop or the server is gone.
pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    /// Sets so many clients to work: they issue, revoke and introspect. Every answer has to come in time.
    pub fn start(client: &Client, clients: usize, admin: &str, journal: &Arc<Journal>) -> Self {
        Self::start_within(ANSWERED_WITHIN, client, clients, admin, journal)
    }

    /// The same on a server that cannot answer while it is stopped.
    pub fn start_patient(client: &Client, clients: usize, admin: &str, journal: &Arc<Journal>) -> Self {
        Self::start_within(Duration::MAX, client, clients, admin, journal)
    }

    fn start_within(within: Duration, client: &Client, clients: usize, admin: &str, journal: &Arc<Journal>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..clients)
            .map(|_| {
                let worker = Worker {
                    client: client.clone(),
                    admin: admin.to_owned(),
                    journal: journal.clone(),
                    stop: stop.clone(),
                    within,
                };
                tokio::spawn(worker.run())
            })
            .collect();
        Self { stop, tasks }
    }

    /// Waits until every client has found the server gone.
    pub async fn broken_off(self) {
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    /// Has every client finish what it is at.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

struct Worker {
    client: Client,
    admin: String,
    journal: Arc<Journal>,
    stop: Arc<AtomicBool>,
    within: Duration,
}

/// The server is gone.
struct Gone;

impl Worker {
    async fn run(self) {
        let mut turn = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if self.turn(turn).await.is_err() {
                return;
            }
            turn += 1;
        }
    }

    /// One token's life: issued, checked, every other one revoked, checked again.
    async fn turn(&self, turn: usize) -> Result<(), Gone> {
        let Some(jti) = self.issue().await? else { return Ok(()) };
        self.check(&jti).await?;
        if turn.is_multiple_of(2) {
            self.journal.doomed.lock().unwrap().insert(jti.clone());
            let path = format!("/tokens/{jti}");
            let request = self.client.try_send("DELETE", &path, &self.admin, &Value::Null);
            if self.judged(204, request).await?.is_some() {
                self.journal.revoked.lock().unwrap().insert(jti.clone());
                self.journal.answers.fetch_add(1, Ordering::Relaxed);
            }
            self.check(&jti).await?;
        }
        Ok(())
    }

    async fn issue(&self) -> Result<Option<String>, Gone> {
        let body = json!({"sub": "load@example.com", "reason": "a journal is kept"});
        // A batch with a named request is more than one statement.
        let key = Uuid::now_v7().to_string();
        let Some(reply) = self.judged(201, self.client.try_issue_named(&self.admin, &key, &body)).await? else {
            return Ok(None);
        };
        let answer = reply.json();
        self.journal.note_issued(&answer);
        Ok(answer["token"]["jti"].as_str().map(str::to_owned))
    }

    async fn check(&self, jti: &str) -> Result<(), Gone> {
        let token = {
            let issued = self.journal.issued.lock().unwrap();
            issued.iter().rev().find(|issued| issued.jti == jti).unwrap().token.clone()
        };
        if let Some(reply) = self.judged(200, self.client.try_introspect(&token, &self.admin)).await? {
            self.journal.judge(jti, reply.json()["active"] == true);
        }
        Ok(())
    }

    /// The answer if it is a good one. That the server cannot say is in order, soon and with a word when to ask again.
    async fn judged(
        &self,
        good: u16,
        request: impl Future<Output = reqwest::Result<Reply>>,
    ) -> Result<Option<Reply>, Gone> {
        let begun = Instant::now();
        let answered = request.await;
        let elapsed = begun.elapsed();
        let Ok(reply) = answered else { return Err(Gone) };
        if elapsed >= self.within {
            self.journal.fault(format!("answered after {elapsed:?}: {reply:?}"));
        }
        match reply.status.as_u16() {
            status if status == good => return Ok(Some(reply)),
            503 if reply.header("retry-after") == "1" => {
                self.journal.unavailable.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.journal.fault(format!("{reply:?}")),
        }
        Ok(None)
    }
}
