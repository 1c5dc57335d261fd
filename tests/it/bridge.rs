//! A bridge to a gateway that asks nobody: what is revoked here ends there, whatever stops or restarts on the way.

mod contextforge;
mod faults;
mod redis;
mod routes;
mod set_up;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use self::contextforge::ContextForge;
use crate::support::{
    Site,
    process::{Client, Server, until},
};

const SECRET: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";

/// A catalog, a gateway with its secret, and what a bridge between them is told.
struct Scene {
    site: Site,
    server: Server,
    admin: String,
    gateway: ContextForge,
    /// Of the client `bridge`.
    secret: String,
}

impl Scene {
    async fn set() -> Self {
        Self::at(Site::new().await).await
    }

    async fn at(site: Site) -> Self {
        let site = site.with("JWT_SECRET_KEY", SECRET).with("JWT_ISSUER", "mcpgateway");
        let site = site.with("JWT_AUDIENCE", "mcpgateway-api");
        let (admin, server) = (site.admin(), site.serve().await);
        let permissions = "tokens.check,tokens.courier";
        let secret = site.cli(&["clients", "add", "bridge", "--permissions", permissions, "--all-teams"]).good();
        Self { site, server, admin, gateway: ContextForge::start(SECRET).await, secret }
    }

    fn file(&self) -> PathBuf {
        self.site.data().join("bridge.position")
    }

    /// What a bridge is told: neither a database nor a key.
    fn outpost(&self) -> Site {
        let site = self.site.without("CATALOG_DATABASE_URL").without("JWT_SECRET_KEY").without("JWT_ISSUER");
        let site = site.without("JWT_AUDIENCE").with("CATALOG_CLIENT", "bridge");
        site.with("CATALOG_CLIENT_SECRET", &self.secret).with("CATALOG_POSITION_FILE", self.file().to_str().unwrap())
    }

    /// A bridge that listens, ready or not.
    async fn start(&self, site: &Site) -> Server {
        let (url, gateway) = (&self.server.client.url, self.gateway.url());
        let arguments = ["bridge", "contextforge", "--listen", "127.0.0.1:0", "--url", url, "--gateway", &gateway];
        Server::start(site.command(&arguments)).await
    }

    /// A bridge that is ready.
    async fn bridge(&self) -> Server {
        let bridge = self.start(&self.outpost()).await;
        ready(&bridge).await;
        bridge
    }

    async fn issue(&self, sub: &str) -> String {
        issue(&self.server.client, &self.admin, sub).await
    }

    async fn revoked(&self, sub: &str) -> String {
        let jti = self.issue(sub).await;
        self.revoke(&jti).await;
        jti
    }

    async fn revoke(&self, jti: &str) {
        revoke(&self.server.client, &self.admin, jti).await;
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let reply = self.server.client.post(path, &self.admin, body).await;
        assert!(reply.status.is_success(), "{reply:?}");
        if reply.text.is_empty() { Value::Null } else { reply.json() }
    }

    /// Waits until the gateway refuses a token.
    async fn ends(&self, jti: &str) {
        until("the gateway refuses it", async || self.gateway.has_ended(jti).then_some(())).await;
    }

    /// How many couriers the catalog has made.
    async fn couriers(&self) -> Vec<Value> {
        let events = self.server.client.events(0, &self.admin).await;
        events
            .into_iter()
            .filter(|event| event["kind"] == "courier.issued.v1")
            .map(|event| event["jti"].clone())
            .collect()
    }

    /// Waits until the position file says that the gateway was told everything that there is.
    async fn is_kept(&self) {
        let head = self.server.client.events(0, &self.admin).await.last().unwrap()["position"].as_i64();
        until("the position file says so", async || (place(&self.file())["position"].as_i64() >= head).then_some(()))
            .await;
    }
}

async fn issue(client: &Client, admin: &str, sub: &str) -> String {
    let reply = client.post("/tokens", admin, json!({ "sub": sub })).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()["token"]["jti"].as_str().unwrap().to_owned()
}

async fn revoke(client: &Client, admin: &str, jti: &str) {
    assert_eq!(client.delete(&format!("/tokens/{jti}"), admin).await.status, 204);
}

/// What a position file says; nothing before it is there.
fn place(file: &std::path::Path) -> Value {
    fs::read(file).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap())
}

async fn ready(bridge: &Server) {
    until("the bridge is ready", async || (bridge.client.get("/readyz", "").await.status == 200).then_some(())).await;
}

/// Waits until a bridge says that something is wrong with one of those that it has to do with.
async fn trouble(bridge: &Server, side: &str, words: &str) {
    until(&format!("{side}: {words}"), async || {
        let reply = bridge.client.get("/readyz", "").await;
        let said = reply.json()["troubles"][side].as_str().is_some_and(|why| why.contains(words));
        assert!(!said || reply.status == 503);
        said.then_some(())
    })
    .await;
}

/// A figure among the metrics.
async fn figure(bridge: &Server, series: &str) -> Option<f64> {
    let text = bridge.client.get("/metrics", "").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn figure_becomes(bridge: &Server, series: &str, value: f64) {
    let is_so = async || figure(bridge, series).await.is_some_and(|found| (found - value).abs() < 1e-9).then_some(());
    until(&format!("{series} is {value}"), is_so).await;
}
