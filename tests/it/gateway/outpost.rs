//! A gateway in a few lines, its catalog, and the way between them.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use catalog_gateway::{
    Now, RevocationSet, Verdict,
    client::{Catalog, Credential},
    follow::{Follower, Settings},
    jwt::{Rules, Verifier},
    tower::{Guard, Refusal},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::proxy::Proxy;
use crate::support::{
    Site,
    process::{Client, Server, until},
};

pub const ISSUER: &str = "https://catalog.example.com";
/// A server says every second that it is there.
pub const STALENESS_MAX: Duration = Duration::from_millis(2_500);

/// A token as its bearer has it, and its identifier.
#[derive(Debug, Clone)]
pub struct Token {
    pub jti: Uuid,
    pub text: String,
}

/// A gateway that follows a server by way of a proxy.
pub struct Outpost {
    pub proxy: Proxy,
    pub set: RevocationSet,
    pub follower: Follower,
    pub guard: Guard,
}

/// A site with a server, and an administrator's token for it.
pub async fn site() -> (Site, Server, String) {
    let site = Site::new().await.with("CATALOG_ISSUER", ISSUER);
    let admin = site.admin();
    let server = site.serve().await;
    (site, server, admin)
}

pub async fn issue(client: &Client, admin: &str, sub: &str) -> Token {
    let body = json!({ "sub": sub, "aud": ["gateway"], "scopes": { "permissions": ["tools.read"] } });
    let issued = client.post("/tokens", admin, body).await;
    assert_eq!(issued.status, 201, "{}", issued.text);
    let issued: Value = issued.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Token { jti: text(&issued["token"]["jti"]).parse().unwrap(), text: text(&issued["access_token"]) }
}

pub async fn revoke(client: &Client, admin: &str, token: &Token) {
    let revoked = client.delete(&format!("/tokens/{}", token.jti), admin).await;
    assert_eq!(revoked.status, 204, "{}", revoked.text);
}

impl Outpost {
    /// One that has heard of its server.
    pub async fn of(server: &Server, credential: &str) -> Self {
        let proxy = Proxy::before(server.client.address().parse().unwrap()).await;
        let address = format!("http://{}", proxy.address);
        let catalog = Catalog::new(&address, Credential::bearer(credential.to_owned().into())).unwrap();
        let set = RevocationSet::new(STALENESS_MAX);
        let settings = Settings {
            silence_max: Duration::from_millis(1_800),
            stream_again_after: Duration::from_secs(3),
            pause_max: Duration::from_millis(300),
            ..Settings::default()
        };
        let follower = Follower::start(catalog.clone(), set.clone(), settings);
        let rules = Rules { issuer: ISSUER.to_owned(), audience: "gateway".to_owned() };
        let guard = Guard::new(Verifier::new(catalog, rules), set.clone());
        follower.loaded().await;
        Self { proxy, set, follower, guard }
    }

    /// What a request with this token comes to.
    pub async fn admit(&self, token: &Token) -> Result<Uuid, Refusal> {
        admitted(&self.guard, token).await
    }

    pub fn check(&self, token: &Token) -> Verdict {
        self.set.check(token.jti, "of no concern", Now::read())
    }

    pub async fn until(&self, token: &Token, expected: Verdict) {
        let what = format!("{} is {expected:?}", token.jti);
        until(&what, async || (self.check(token) == expected).then_some(())).await;
    }

    /// Waits for that while a token, revoked at some instant, may be good for no longer than the bound.
    pub async fn until_beside(&self, token: &Token, expected: Verdict, (revoked, at): (&Token, Instant)) {
        let what = format!("{} is {expected:?}", token.jti);
        until(&what, async || {
            let elapsed = at.elapsed();
            let is_late = elapsed > STALENESS_MAX + Duration::from_millis(300);
            let verdict = self.check(revoked);
            assert!(!is_late || verdict != Verdict::NotRevoked, "good {elapsed:?} after it was revoked");
            (self.check(token) == expected).then_some(())
        })
        .await;
    }
}

pub async fn admitted(guard: &Guard, token: &Token) -> Result<Uuid, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", token.text)).unwrap());
    guard.admit(&headers).await.map(|verified| verified.claims.jti)
}
