//! A sidecar without a database: it says what the catalog would say, or that it cannot tell.

mod answers;
mod faults;
mod settings;

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Site,
    process::{Client, Server, answered, until},
    world::Reply,
};

const ISSUER: &str = "https://catalog.example.com";
/// With that the tests do not wait for long.
const STALENESS_MAX: Duration = Duration::from_secs(2);

/// A catalog, and who may do everything there.
struct Scene {
    site: Site,
    server: Server,
    admin: String,
    /// Of the client `edge`.
    secret: String,
}

/// A token as its bearer has it, and its identifier.
struct Token {
    jti: String,
    text: String,
}

impl Scene {
    async fn set() -> Self {
        Self::at(Site::new().await).await
    }

    async fn at(site: Site) -> Self {
        let site = site.with("CATALOG_ISSUER", ISSUER);
        let (admin, server) = (site.admin(), site.serve().await);
        let secret = site.cli(&["clients", "add", "edge", "--permissions", "tokens.check"]).good();
        Self { site, server, admin, secret }
    }

    /// The settings of an edge: no database, and a credential by the environment.
    fn outpost(&self) -> Site {
        let site = self.site.without("CATALOG_DATABASE_URL").with("CATALOG_CLIENT", "edge");
        site.with("CATALOG_CLIENT_SECRET", &self.secret).with("CATALOG_MAX_STALENESS", "2s")
    }

    async fn edge(&self) -> Server {
        self.outpost().edge_of(&self.server.client.url, &[]).await
    }

    async fn issue(&self, sub: &str) -> Token {
        issue(&self.server.client, &self.admin, sub).await
    }

    /// Kills the server; what brings another one to its place.
    async fn end(self) -> (Site, String) {
        let address = self.server.client.address().to_owned();
        self.server.kill().await;
        (self.site, address)
    }
}

async fn issue(client: &Client, admin: &str, sub: &str) -> Token {
    let reply = client.post("/tokens", admin, json!({ "sub": sub, "scopes": { "permissions": ["tools.read"] } })).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let answer = reply.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Token { jti: text(&answer["token"]["jti"]), text: text(&answer["access_token"]) }
}

async fn revoke(client: &Client, admin: &str, token: &Token) {
    assert_eq!(client.delete(&format!("/tokens/{}", token.jti), admin).await.status, 204);
}

async fn restart(site: &Site, address: &str) -> Server {
    Server::start(site.command(&["serve", "--listen", address])).await
}

/// What an edge says of a token that is presented.
async fn passes(edge: &Server, token: &Token) -> u16 {
    edge.client.get("/authorize", &token.text).await.status.as_u16()
}

async fn becomes(edge: &Server, token: &Token, status: u16) {
    until(&format!("it is {status}"), async || (passes(edge, token).await == status).then_some(())).await;
}

/// Asks an edge about a token, as the client that the edge itself is.
async fn introspect(client: &Client, secret: &str, presented: &str) -> Reply {
    let request = client.request("POST", "/introspect").basic_auth("edge", Some(secret));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    answered(request.body(format!("token={presented}"))).await.unwrap()
}

/// Waits until a known token is 503, while one that was revoked at some instant is good for no longer than the bound.
async fn stale_beside(edge: &Server, known: &Token, (revoked, at): (&Token, Instant)) {
    until("it cannot tell", async || {
        let elapsed = at.elapsed();
        let is_late = elapsed > STALENESS_MAX + Duration::from_secs(1);
        let verdict = passes(edge, revoked).await;
        assert!(!is_late || verdict != 200, "good {elapsed:?} after it was revoked");
        (passes(edge, known).await == 503).then_some(())
    })
    .await;
}

/// Writes a file that nobody else can open.
fn write_private(path: &Path, text: &str) {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A figure among the metrics.
async fn figure(edge: &Server, series: &str) -> Option<f64> {
    let text = edge.client.get("/metrics", "").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}
