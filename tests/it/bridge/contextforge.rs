//! What stands for a `ContextForge`: `POST /auth/logout`, as that route answers there, and what it can be made to do wrong.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it should be.
    Open,
    /// It answers 503.
    Down,
    /// It is another program, which has no such route.
    Elsewhere,
    /// It is another program, which has an answer for everything.
    Obliging,
}

/// A call with a courier that was believed.
#[derive(Debug, Clone)]
pub struct Call {
    pub claims: Value,
    /// What it was answered.
    pub status: u16,
    pub at: DateTime<Utc>,
}

impl Call {
    pub fn jti(&self) -> &str {
        self.claims["jti"].as_str().unwrap()
    }
}

/// Serves until it goes out of scope.
pub struct ContextForge {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    secret: String,
    state: Mutex<Inside>,
}

struct Inside {
    way: Way,
    calls: Vec<Call>,
    unknown: Option<String>,
}

impl ContextForge {
    pub async fn start(secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(Inside { way: Way::Open, calls: Vec::new(), unknown: None });
        let inner = Arc::new(Inner { secret: secret.to_owned(), state });
        let router = Router::new().route("/auth/logout", post(logout)).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, way: Way) {
        self.inner.state.lock().unwrap().way = way;
    }

    /// It does not know this user, or knows all of them.
    pub fn forget(&self, email: Option<&str>) {
        self.inner.state.lock().unwrap().unknown = email.map(str::to_owned);
    }

    /// Every call with a courier that was believed.
    pub fn calls(&self) -> Vec<Call> {
        self.inner.state.lock().unwrap().calls.clone()
    }

    /// The calls that ended a token, or found it ended.
    pub fn calls_of(&self, jti: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.jti() == jti).collect()
    }

    pub fn has_ended(&self, jti: &str) -> bool {
        self.calls_of(jti).iter().any(|call| call.status == 200)
    }
}

impl Drop for ContextForge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn refusal(detail: &str) -> (u16, Value) {
    (401, json!({ "detail": detail }))
}

async fn logout(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    let mut state = inner.state.lock().unwrap();
    let (status, body) = match state.way {
        Way::Down => (503, json!({ "detail": "down" })),
        Way::Elsewhere => (404, json!({ "detail": "Not Found" })),
        Way::Obliging => (200, json!({ "message": "welcome" })),
        Way::Open => answer(&inner.secret, &mut state, &headers),
    };
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

/// The checks of that gateway, in its order: signature, audience, issuer, times; then its records.
fn answer(secret: &str, state: &mut Inside, headers: &HeaderMap) -> (u16, Value) {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(bearer) = bearer else { return refusal("Authentication required") };
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["mcpgateway-api"]);
    validation.set_issuer(&["mcpgateway"]);
    validation.leeway = 0;
    let Ok(token) = decode::<Value>(bearer, &DecodingKey::from_secret(secret.as_bytes()), &validation) else {
        return refusal("Invalid authentication credentials");
    };
    let claims = token.claims;
    let jti = claims["jti"].as_str().unwrap().to_owned();
    let (status, body) = if state.calls.iter().any(|call| call.status == 200 && call.jti() == jti) {
        refusal("Token has been revoked")
    } else if state.unknown.is_some() && state.unknown.as_deref() == claims["user"]["email"].as_str() {
        refusal("User not found in database")
    } else {
        (200, json!({ "message": "Logged out successfully", "revoked_token": jti }))
    };
    state.calls.push(Call { claims, status, at: Utc::now() });
    (status, body)
}
