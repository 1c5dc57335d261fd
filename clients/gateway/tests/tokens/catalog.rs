//! A catalog with one key, which signs whatever it is given.

use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog_gateway::{
    Loader, Now, RevocationSet,
    client::{self, Credential},
    jwt::Rules,
    wire::{Digest, Item, Mark, Page},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

pub const ISSUER: &str = "https://tokens.example.com";
pub const JTI: &str = "0197f3a0-5b1c-7c3e-8d4f-0123456789ab";

/// A key and its name.
pub struct Key {
    pub kid: &'static str,
    pair: Ed25519KeyPair,
}

impl Key {
    pub fn new(kid: &'static str) -> Self {
        Self { kid, pair: Ed25519KeyPair::generate().unwrap() }
    }

    pub fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig", "kid": self.kid })
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": self.kid })
    }

    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    pub fn sign(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(input.as_bytes()).as_ref());
        format!("{input}.{signature}")
    }
}

/// Claims with every member that there is, good for an hour from now.
pub fn claims() -> Value {
    let now = Now::read().wall().timestamp();
    json!({
        "iss": ISSUER, "aud": ["gateway", "other"], "sub": "alice@example.com", "client_id": "catalog", "jti": JTI,
        "iat": now, "exp": now + 3_600, "scope": "tools.read", "token_use": "api", "env": "production",
        "user": {"email": "alice@example.com", "full_name": "Alice", "is_admin": false, "auth_provider": "api_token"},
        "teams": ["red"], "namespaces": ["blue"],
        "scopes": {
            "server_id": "one", "permissions": ["tools.read", "servers.*"], "ip_restrictions": ["10.0.0.0/8"],
            "time_restrictions": {"start_time": "09:00", "end_time": "17:00", "timezone": "Europe/Zurich", "days": ["Monday"]},
            "usage_limits": {"requests_per_hour": 10}
        }
    })
}

/// The same without what binds a token to a place or a time.
pub fn free() -> Value {
    let mut claims = claims();
    claims["scopes"]["server_id"] = Value::Null;
    claims["scopes"]["ip_restrictions"] = json!([]);
    claims["scopes"]["time_restrictions"] = json!({});
    claims
}

pub fn rules() -> Rules {
    Rules { issuer: ISSUER.to_owned(), audience: "gateway".to_owned() }
}

/// What the catalog serves, and how often it was asked.
#[derive(Default)]
pub struct Served {
    pub keys: Vec<Value>,
    pub is_down: bool,
    pub asked_for_keys: u32,
    pub unchanged: u32,
    /// What was issued and is active.
    pub active: Vec<String>,
    pub asked_about: u32,
}

pub struct Catalog {
    pub client: client::Catalog,
    served: Arc<Mutex<Served>>,
    task: JoinHandle<()>,
}

impl Catalog {
    pub async fn with_keys(keys: &[&Key]) -> Self {
        let served = Served { keys: keys.iter().map(|key| key.jwk()).collect(), ..Served::default() };
        let served = Arc::new(Mutex::new(served));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .route("/introspect", post(introspect))
            .with_state(served.clone());
        let task = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let client = client::Catalog::new(&address, Credential::client("edge", "hush".into())).unwrap();
        Self { client, served, task }
    }

    pub fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap()
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn jwks(State(served): State<Arc<Mutex<Served>>>, headers: HeaderMap) -> Response {
    let mut served = served.lock().unwrap();
    served.asked_for_keys += 1;
    if served.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let tag = format!("\"{}\"", served.keys.len());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        served.unchanged += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, tag)], json!({ "keys": served.keys }).to_string()).into_response()
}

#[derive(Deserialize)]
struct Asked {
    token: String,
}

async fn introspect(
    State(served): State<Arc<Mutex<Served>>>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    // "edge:hush"
    assert_eq!(headers[header::AUTHORIZATION], "Basic ZWRnZTpodXNo");
    let mut served = served.lock().unwrap();
    served.asked_about += 1;
    if served.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let issued = json!({ "active": true, "jti": JTI, "path": "cli-dev", "out_of_band": true, "position": 7 });
    let is_active = served.active.contains(&asked.token);
    let answer = if is_active { issued } else { json!({ "active": false }) };
    answer.to_string().into_response()
}

/// A set that was just heard of, and knows these as revoked.
pub fn set(revoked: &[&str]) -> RevocationSet {
    let revoked = revoked.iter().map(|jti| jti.parse().unwrap());
    set_of(revoked.map(|jti| Item::Revoked { jti, exp: 4_000_000_000, effective_from: None }))
}

/// A set that was just heard of, and knows this.
pub fn set_of(items: impl IntoIterator<Item = Item>) -> RevocationSet {
    let set = RevocationSet::new(std::time::Duration::from_mins(1));
    let mut loader = Loader::new(Now::read());
    items.into_iter().for_each(|item| loader.push(&item));
    let mark = Mark { log_id: Uuid::nil(), position: 1, digest: Digest([0; 32]) };
    let (time, next, items) = (Now::read().wall(), None, Vec::new());
    let head =
        Page { mark, after: None, piece: 0, is_partial: false, time, staleness_ms: 0, next, has_more: false, items };
    set.replace(loader, &head, Now::read()).unwrap();
    set
}
