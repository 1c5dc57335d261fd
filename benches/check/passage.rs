//! `/authorize` of the server and of an edge beside it, each beside a handler of the same process that returns a constant.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Arguments, Row, turns, wrk::Wrk};
use crate::support::stand::{Error, Server, Stand};

const PLACE: &str = "/authorize?permission=tools.read&out_of_band=deny&server_id=one";

/// Two tables: what the server does, and what the edge does.
pub(super) async fn run(arguments: &Arguments, stand: &Stand, server: &Server) -> Result<(), Error> {
    let narrowed = r#"{"sub":"ci@example.com","teams":["red"],"scopes":{"permissions":["tools.read"],"server_id":"one","ip_restrictions":["127.0.0.0/8"]}}"#;
    let plain = r#"{"sub":"ci@example.com","teams":["red"],"scopes":{"permissions":["tools.read"]}}"#;
    let admin = stand.admin()?;
    let [plain, narrowed] = [stand.issue(server, &admin, plain).await?, stand.issue(server, &admin, narrowed).await?];
    println!("\nForward-auth by the server:\n");
    turns(arguments, server, &mut rows(server, &plain, &narrowed))?;
    let edge = stand.edge(server, &issuer_of(&plain)?)?;
    until_passes(&edge, &plain).await?;
    println!("\nForward-auth by an edge of it: {} MiB resident\n", edge.resident_bytes()? / (1 << 20));
    turns(arguments, &edge, &mut rows(&edge, &plain, &narrowed))
}

fn rows(at: &Server, plain: &str, narrowed: &str) -> [Row; 3] {
    let get = |token: &str, path: &str| Wrk::new(&at.address, token, path, None);
    [
        Row::new("a constant: `GET /healthz`", get(plain, "/healthz")),
        Row::new("`GET /authorize`, a token seen before", get(plain, PLACE)),
        Row::new("the same, bound to a server and to addresses", get(narrowed, PLACE)),
    ]
}

/// What a token calls its issuer: a catalog that was seeded is not named after where it listens.
fn issuer_of(token: &str) -> Result<String, Error> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).ok_or("no token")?)?;
    let claims: serde_json::Value = serde_json::from_slice(&payload)?;
    Ok(claims["iss"].as_str().ok_or("no issuer")?.to_owned())
}

/// Waits until an edge has heard of its catalog.
async fn until_passes(edge: &Server, token: &str) -> Result<(), Error> {
    for _ in 0..500 {
        if reqwest::Client::new()
            .get(format!("http://{}{PLACE}", edge.address))
            .bearer_auth(token)
            .send()
            .await?
            .status()
            == 200
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("the edge lets nobody pass".into())
}
