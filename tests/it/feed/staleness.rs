//! What a server that has not heard from the log for too long tells of tokens: nothing, or where that is allowed what it knew.

use serde_json::json;

use crate::support::{
    Site,
    process::{Client, OwnPostgres, until},
};

async fn issue(client: &Client, admin: &str, sub: &str) -> (String, String) {
    let issued = client.post("/tokens", admin, json!({ "sub": sub })).await.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&issued["token"]["jti"]), text(&issued["access_token"]))
}

/// A server that goes on this way, and whose log is away for too long.
async fn stale(way: &str) -> (OwnPostgres, Site, crate::support::process::Server, String, [(String, String); 2]) {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url()).with("CATALOG_MAX_STALENESS", "1s").with("CATALOG_STALE", way);
    let admin = site.admin();
    let server = site.serve().await;
    let tokens = [issue(&server.client, &admin, "a").await, issue(&server.client, &admin, "b").await];
    server.client.delete(&format!("/tokens/{}", tokens[1].0), &admin).await;
    let ready = server.client.get("/readyz", "").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["max_staleness_ms"]), (200, &json!(1_000)));
    postgres.crash().await;
    until("its memory is too old", async || {
        let ready = server.client.get("/readyz", "").await;
        assert_eq!(ready.json()["stale"], way);
        (ready.json()["staleness_ms"].as_u64().unwrap() > 1_000).then(|| assert_eq!(ready.status, 503))
    })
    .await;
    (postgres, site, server, admin, tokens)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_not_ready_and_tells_nothing_when_it_has_not_heard_from_the_log_for_as_long_as_it_was_told() {
    let (_postgres, _site, server, admin, tokens) = stale("deny").await;

    for (jti, text) in &tokens {
        assert_eq!(server.client.introspect(text, &admin).await.status, 503, "could not tell is not no");
        let checked = server.client.get(&format!("/revocations/{jti}"), &admin).await;
        assert_eq!(checked.json()["code"], "unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_that_is_allowed_checks_go_on_from_what_is_known_and_say_so() {
    let (mut postgres, _site, server, admin, tokens) = stale("allow").await;
    let client = &server.client;

    for ((jti, text), (is_active, status)) in tokens.iter().zip([(true, "active"), (false, "revoked")]) {
        let introspected = client.introspect(text, &admin).await;
        assert_eq!(introspected.json()["active"], is_active, "{introspected:?}");
        assert!(introspected.header("catalog-staleness").parse::<u64>().unwrap() >= 1, "{introspected:?}");
        assert_eq!(client.get(&format!("/revocations/{jti}"), &admin).await.json()["status"], status);
    }
    // What was never known cannot be told, and nothing is written.
    let unknown = client.get("/revocations/01990000-0000-7000-8000-000000000000", &admin).await;
    assert_eq!(unknown.status, 503, "could not tell is not unknown");
    assert_eq!(client.post("/tokens", &admin, json!({ "sub": "c" })).await.status, 503);
    let metrics = client.get("/metrics", "").await.text;
    let counted = metrics.lines().find_map(|line| line.strip_prefix(r#"catalog_check_answers_total{from="stale"} "#));
    assert!(counted.unwrap().parse::<u64>().unwrap() >= 8, "{metrics}");
    let warnings = || server.said().matches("memory that is too old, as stale = allow says").count();
    until("an operator is told", async || (warnings() > 0).then_some(())).await;

    postgres.restart();
    until("it follows again", async || (client.get("/readyz", "").await.status == 200).then_some(())).await;
    assert_eq!(client.introspect(&tokens[0].1, &admin).await.header("catalog-staleness"), "");
    until("it says so", async || server.said().contains("that is up to date again").then_some(())).await;
    assert_eq!(warnings(), 1);
}
