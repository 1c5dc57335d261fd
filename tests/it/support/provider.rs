//! An identity provider on loopback: keys made at run time, a JWK Set, and whatever it is told to do wrong.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog::{
    app::policy_file,
    domain::{Path, configure::ApplyPolicy},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{World, world::shell};

/// What the provider calls the catalog.
pub const AUDIENCE: &str = "https://catalog.example.com";

/// What a provider answers that is asked for its keys.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Its keys.
    Keys,
    /// This text.
    Text(String),
    /// That it cannot.
    Broken,
    /// Somewhere else, where its keys are.
    Away,
    /// Nothing, for as long as anybody waits.
    Never,
}

struct Desk {
    answer: Answer,
    keys: Vec<Key>,
}

struct Key {
    kid: String,
    pair: Ed25519KeyPair,
}

/// A provider; its last key signs.
pub struct Provider {
    pub issuer: String,
    desk: Arc<Mutex<Desk>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    pub async fn new() -> Self {
        let desk = Arc::new(Mutex::new(Desk { answer: Answer::Keys, keys: Vec::new() }));
        let asked = Arc::new(AtomicUsize::new(0));
        let router = Router::new()
            .route("/jwks", get(answer))
            .route("/elsewhere", get(|State((desk, _)): State<Shared>| async move { set(&desk) }))
            .with_state((desk.clone(), asked.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let provider = Self { issuer, desk, asked, task };
        provider.add_key("k1");
        provider
    }

    /// Signs with another key from here on, beside those before.
    pub fn add_key(&self, kid: &str) {
        let key = Key { kid: kid.to_owned(), pair: Ed25519KeyPair::generate().unwrap() };
        self.desk.lock().unwrap().keys.push(key);
    }

    /// Withdraws a key.
    pub fn drop_key(&self, kid: &str) {
        self.desk.lock().unwrap().keys.retain(|key| key.kid != kid);
    }

    pub fn answers(&self, answer: Answer) {
        self.desk.lock().unwrap().answer = answer;
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Its JWK Set.
    pub fn set(&self) -> Value {
        serde_json::from_str(&set(&self.desk)).unwrap()
    }

    /// A policy that trusts it for `example.com`.
    pub fn policy(&self) -> String {
        format!(
            "[[trusted_issuer]]\nissuer = \"{0}\"\njwks_uri = \"{0}/jwks\"\naudience = \"{AUDIENCE}\"\n\
             email_domains = [\"example.com\"]\npermissions = [\"tokens.create\", \"tokens.read\", \"tools.*\"]\n\
             [trusted_issuer.teams]\nengineers = \"red\"\n\"site/ops\" = \"blue\"\n\
             [trusted_issuer.roles]\nroot = \"admin\"\nrevoker = [\"tokens.revoke\"]\n",
            self.issuer
        )
    }

    /// What it says of Alice, who has just logged in.
    pub fn claims(&self, now: i64) -> Value {
        json!({
            "iss": self.issuer, "aud": AUDIENCE, "sub": "248289761001", "client_id": "cli", "jti": "j", "iat": now,
            "exp": now + 300, "email": "alice@example.com", "email_verified": true, "groups": ["engineers"], "roles": [],
        })
    }

    /// An access token of these claims, signed with its last key.
    pub fn token(&self, claims: &Value) -> String {
        let kid = self.desk.lock().unwrap().keys.last().unwrap().kid.clone();
        self.sign(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": kid}), claims)
    }

    /// Signs whatever it is given, with its last key.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(header), part(claims));
        let desk = self.desk.lock().unwrap();
        let signature = desk.keys.last().unwrap().pair.sign(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Has a catalog trust it.
    pub async fn trusted_by(&self, world: &World) {
        apply(world, &self.policy()).await;
    }

    /// A file with its keys.
    pub fn file(&self, directory: &tempfile::TempDir) -> PathBuf {
        let path = directory.path().join("jwks.json");
        std::fs::write(&path, self.set().to_string()).unwrap();
        path
    }
}

/// Applies a policy.
pub async fn apply(world: &World, text: &str) {
    let (text, rules) = (text.to_owned(), policy_file::parse(text).unwrap());
    world.catalog.apply_policy(ApplyPolicy { rules, text }, shell(Path::CliAdmin)).await.unwrap();
    world.catalog.follow_settings().await.unwrap();
}

type Shared = (Arc<Mutex<Desk>>, Arc<AtomicUsize>);

async fn answer(State((desk, asked)): State<Shared>) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let answer = desk.lock().unwrap().answer.clone();
    match answer {
        Answer::Keys => set(&desk).into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Answer::Away => Redirect::temporary("/elsewhere").into_response(),
        Answer::Never => std::future::pending().await,
    }
}

fn set(desk: &Mutex<Desk>) -> String {
    let keys = &desk.lock().unwrap().keys;
    let jwk = |key: &Key| {
        let x = URL_SAFE_NO_PAD.encode(key.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.kid, "use": "sig", "alg": "EdDSA"})
    };
    json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()}).to_string()
}
