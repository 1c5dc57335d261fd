//! The gateway's Redis: keys and messages, and what is done about a Redis that forgets.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{Scene, contextforge::Way, figure, figure_becomes, ready, trouble};
use crate::support::process::{Server, until};

/// What stands for a Redis: the commands that a bridge sends, with the meaning that Redis gives them, but that nothing expires.
struct Redis {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    task: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Kept {
    /// Values, and for how many seconds they were to stay.
    values: HashMap<String, (String, i64)>,
    messages: Vec<(String, String)>,
    commands: Vec<String>,
}

impl Redis {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Arc::<Mutex<Kept>>::default());
        let task = Some(tokio::spawn(accept(listener, kept.clone())));
        Self { address, kept, task }
    }

    fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// The remaining life of the key by which a gateway refuses a token.
    fn ttl(&self, jti: &str) -> Option<i64> {
        self.kept.lock().unwrap().values.get(&format!("mcpgw:auth:revoke:{jti}")).map(|(_, ttl)| *ttl)
    }

    async fn refuses(&self, jti: &str) {
        until("the key is there", async || self.ttl(jti).map(drop)).await;
    }

    fn messages(&self) -> Vec<(String, String)> {
        self.kept.lock().unwrap().messages.clone()
    }

    fn flush(&self) {
        self.kept.lock().unwrap().values.clear();
    }

    /// Ends as a process does: its connections and what it knew are gone.
    async fn end(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        self.flush();
    }

    async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.task = Some(tokio::spawn(accept(listener, self.kept.clone())));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.task.take().inspect(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    let mut peers = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        peers.spawn(speak(stream, kept.clone()));
    }
}

async fn speak(mut stream: TcpStream, kept: Arc<Mutex<Kept>>) {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut queued: Option<Vec<Vec<String>>> = None;
    while let Some(command) = command(&mut reader).await {
        let name = command[0].to_uppercase();
        let answer = match (name.as_str(), &mut queued) {
            ("MULTI", _) => {
                queued = Some(Vec::new());
                "+OK\r\n".to_owned()
            }
            ("EXEC", _) => {
                let commands = queued.take().unwrap();
                let mut kept = kept.lock().unwrap();
                let answers: Vec<String> = commands.iter().map(|command| kept.answer(command)).collect();
                format!("*{}\r\n{}", answers.len(), answers.concat())
            }
            (_, Some(commands)) => {
                commands.push(command);
                "+QUEUED\r\n".to_owned()
            }
            (_, None) => kept.lock().unwrap().answer(&command),
        };
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next command of a client: an array of bulk strings.
async fn command(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Vec<String>> {
    let count = number(reader, '*').await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = number(reader, '$').await?;
        let mut word = vec![0; length + 2];
        reader.read_exact(&mut word).await.ok()?;
        word.truncate(length);
        words.push(String::from_utf8(word).unwrap());
    }
    Some(words)
}

async fn number(reader: &mut (impl AsyncBufReadExt + Unpin), sign: char) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    line.strip_prefix(sign)?.trim_end().parse().ok()
}

impl Kept {
    fn answer(&mut self, command: &[String]) -> String {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        self.commands.push(words[0].to_uppercase());
        match words.as_slice() {
            ["GET", key] => match self.values.get(*key) {
                Some((value, _)) => format!("${}\r\n{value}\r\n", value.len()),
                None => "$-1\r\n".to_owned(),
            },
            ["SETEX", key, ttl, value] => {
                self.values.insert((*key).to_owned(), ((*value).to_owned(), ttl.parse().unwrap()));
                "+OK\r\n".to_owned()
            }
            ["EXPIRE", key, _] => format!(":{}\r\n", u8::from(self.values.contains_key(*key))),
            ["PUBLISH", channel, message] => {
                self.messages.push(((*channel).to_owned(), (*message).to_owned()));
                ":3\r\n".to_owned()
            }
            // How a client introduces itself.
            ["CLIENT" | "SELECT", ..] => "+OK\r\n".to_owned(),
            _ => "-ERR unknown command\r\n".to_owned(),
        }
    }
}

async fn bridge(scene: &Scene, redis: &Redis) -> Server {
    let bridge = scene.start(&scene.outpost().with("CATALOG_REDIS_URL", &redis.url())).await;
    ready(&bridge).await;
    bridge
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_a_key_for_as_long_as_the_token_lives_and_a_message_after_the_courier() {
    let (scene, redis) = (Scene::set().await, Redis::start().await);
    let bridge = bridge(&scene, &redis).await;
    let (jti, active) = (scene.issue("alice@example.com").await, scene.issue("bob@example.com").await);

    scene.revoke(&jti).await;
    redis.refuses(&jti).await;

    assert!(scene.gateway.has_ended(&jti), "where the key is, the gateway would have refused the courier");
    let token = scene.server.client.get(&format!("/tokens/{jti}"), &scene.admin).await.json();
    let expires_at = token["expires_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let left = (expires_at - chrono::Utc::now()).num_seconds();
    let ttl = redis.ttl(&jti).unwrap();
    assert!((left..=left + 65).contains(&ttl), "{ttl} of {left}");
    assert_eq!(redis.messages(), [("mcpgw:auth:invalidate".to_owned(), format!("revoke:{jti}"))]);
    assert_eq!(redis.ttl(&active), None);
    assert_eq!(figure(&bridge, "catalog_bridge_told_total{how=\"key\"}").await, Some(1.0));
    assert_eq!(figure(&bridge, "catalog_bridge_redis_listeners").await, Some(3.0));
    let used: HashSet<String> = redis.kept.lock().unwrap().commands.iter().cloned().collect();
    let known: HashSet<String> =
        ["GET", "SETEX", "EXPIRE", "PUBLISH", "CLIENT", "SELECT", "HELLO"].map(str::to_owned).into();
    assert!(used.is_subset(&known), "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_flushed_or_started_again_empty_has_every_key_again() {
    let (scene, mut redis) = (Scene::set().await, Redis::start().await);
    let before = scene.revoked("alice@example.com").await;
    let old = scene.issue("carol@example.com").await;
    let bridge = bridge(&scene, &redis).await;
    let after = scene.revoked("bob@example.com").await;
    scene.post(&format!("/tokens/{old}/rotate"), serde_json::json!({ "overlap": "30m" })).await;
    for jti in [&before, &after] {
        redis.refuses(jti).await;
    }
    figure_becomes(&bridge, "catalog_bridge_redis_set_again_total", 1.0).await;
    let calls = scene.gateway.calls().len();

    redis.flush();
    for jti in [&before, &after] {
        redis.refuses(jti).await;
    }
    figure_becomes(&bridge, "catalog_bridge_redis_set_again_total", 2.0).await;
    redis.end().await;
    trouble(&bridge, "redis", "cannot be used").await;
    let meanwhile = scene.revoked("dave@example.com").await;
    scene.ends(&meanwhile).await;
    figure_becomes(&bridge, "catalog_bridge_owed{to=\"redis\"}", 1.0).await;
    assert_eq!(figure(&bridge, "catalog_bridge_owed{to=\"gateway\"}").await, Some(0.0));
    redis.restart().await;

    for jti in [&before, &after, &meanwhile] {
        redis.refuses(jti).await;
    }
    ready(&bridge).await;
    assert_eq!(redis.ttl(&old), None, "its deadline is yet to come");
    assert_eq!(scene.gateway.calls().len(), calls + 1, "the gateway need not be told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_between_two_keys_is_noticed_however_soon_the_second_one_comes() {
    let (scene, redis) = (Scene::set().await, Redis::start().await);
    let bridge = bridge(&scene, &redis).await;
    let first = scene.revoked("alice@example.com").await;
    redis.refuses(&first).await;

    for _ in 0..5 {
        let next = scene.issue("bob@example.com").await;
        redis.flush();
        scene.revoke(&next).await;
        redis.refuses(&next).await;
        redis.refuses(&first).await;
    }

    assert_eq!(redis.messages().len(), 6, "what is set again needs no message");
    // A flush while all are being set is noticed, too, and then it takes another round.
    let is_whole = async || (figure(&bridge, "catalog_bridge_redis_set_again_total").await >= Some(1.0)).then_some(());
    until("all are there again", is_whole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_gateway_is_down_its_redis_is_told_all_the_same() {
    let (scene, redis) = (Scene::set().await, Redis::start().await);
    let bridge = bridge(&scene, &redis).await;
    scene.gateway.set(Way::Down);
    let jti = scene.revoked("alice@example.com").await;

    redis.refuses(&jti).await;
    figure_becomes(&bridge, "catalog_bridge_owed{to=\"redis\"}", 0.0).await;
    assert_eq!(figure(&bridge, "catalog_bridge_owed{to=\"gateway\"}").await, Some(1.0));
    scene.gateway.set(Way::Open);

    scene.ends(&jti).await;
    scene.is_kept().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_comes_back_finds_out_what_the_redis_lost_meanwhile() {
    let (scene, redis) = (Scene::set().await, Redis::start().await);
    let first = bridge(&scene, &redis).await;
    let jti = scene.revoked("alice@example.com").await;
    redis.refuses(&jti).await;
    scene.is_kept().await;
    first.kill().await;
    redis.flush();
    let meanwhile = scene.revoked("bob@example.com").await;

    let _bridge = bridge(&scene, &redis).await;

    redis.refuses(&jti).await;
    redis.refuses(&meanwhile).await;
    assert!(scene.gateway.has_ended(&meanwhile), "its courier came first");
    assert_eq!(scene.gateway.calls_of(&jti).len(), 1);
}
