//! What an edge answers while all is well.

use serde_json::{Value, json};

use super::{ISSUER, Scene, becomes, figure, introspect, passes, revoke};
use crate::support::process::{answered, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_says_of_a_token_what_its_catalog_says() {
    let scene = Scene::set().await;
    let (edge, server) = (scene.edge().await, &scene.server.client);
    let token = scene.issue("alice@example.com").await;
    let of_shell = scene.site.cli(&["issue", "--dev", "--sub", "jos\u{e9}", "--teams", "red,blue"]).good();

    for presented in [&token.text, &of_shell] {
        let [there, here] = [server, &edge.client].map(|client| introspect(client, &scene.secret, presented));
        let (there, here) = (there.await, here.await);
        assert_eq!((here.status.as_u16(), here.text), (200, there.text));
        let [there, here] = [server, &edge.client].map(|client| client.get("/authorize", presented));
        let (there, here) = (there.await, here.await);
        assert_eq!(here.status, 200);
        for name in ["subject", "teams", "permissions", "jti", "path"] {
            let name = format!("x-auth-{name}");
            assert_eq!(here.header(&name), there.header(&name), "{name}");
        }
    }
    revoke(server, &scene.admin, &token).await;
    becomes(&edge, &token, 401).await;
    for presented in [&token.text, "nonsense", &format!("{of_shell}A")] {
        let here = introspect(&edge.client, &scene.secret, presented).await;
        assert_eq!((here.status.as_u16(), here.text.as_str()), (200, r#"{"active":false}"#));
        let [there, here] = [server, &edge.client].map(|client| client.get("/authorize", presented));
        assert_eq!((here.await.text, 401), {
            let there = there.await;
            (there.text, there.status.as_u16())
        });
    }
    let said = edge.stop().await;
    for secret in [&scene.secret, &token.text, &of_shell] {
        assert!(!said.contains(secret.as_str()), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_asked_once_about_a_token_and_not_at_all_about_what_it_did_not_sign() {
    let scene = Scene::set().await;
    let edge = scene.edge().await;
    let token = scene.issue("alice@example.com").await;
    let asked = async || {
        let text = scene.server.client.get("/metrics", "").await.text;
        let series = "catalog_http_requests_total{route=\"/introspect\"";
        text.lines().filter(|line| line.starts_with(series)).count()
    };
    assert_eq!(asked().await, 0);
    assert_eq!(edge.client.get("/authorize", "nonsense").await.status, 401);
    assert_eq!(edge.client.get("/authorize", &format!("{}A", token.text)).await.status, 401);
    assert_eq!(asked().await, 0);

    for _ in 0..5 {
        assert_eq!(passes(&edge, &token).await, 200);
    }

    let text = scene.server.client.get("/metrics", "").await.text;
    let line = text.lines().find(|line| line.starts_with("catalog_http_requests_total{route=\"/introspect\""));
    assert!(line.unwrap().ends_with(" 1"), "{line:?}");
    assert_eq!(figure(&edge, "catalog_authorizations_total{told=\"allowed\"}").await, Some(5.0));
    assert_eq!(figure(&edge, "catalog_authorizations_total{told=\"credential_invalid\"}").await, Some(2.0));
    assert_eq!(figure(&edge, "catalog_edge_feed{connection=\"streaming\"}").await, Some(1.0));
    assert_eq!(figure(&edge, "catalog_edge_fresh").await, Some(1.0));
    let page = include_str!("../../../docs/integrations/edge.md");
    let figures = edge.client.get("/metrics", "").await.text;
    for line in figures.lines().filter_map(|line| line.strip_prefix("# TYPE catalog_")) {
        let name = format!("catalog_{}", line.split(' ').next().unwrap());
        assert!(
            page.contains(&format!("`{name}`")) || name == "catalog_build_info",
            "{name} is not on the edge's page"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn about_tokens_it_is_asked_by_whom_the_catalog_lets_ask_and_by_whoever_has_its_own_secret() {
    let scene = Scene::set().await;
    let edge = scene.edge().await;
    let token = scene.issue("alice@example.com").await;
    let issued = |permission: &str| {
        scene.site.cli(&["issue", "--dev", "--sub", "a", "--aud", "catalog", "--permissions", permission]).good()
    };
    let (checker, reader) = (issued("tokens.check"), issued("tokens.read"));

    for caller in [&checker, &scene.admin] {
        assert!(edge.client.is_active(&token.text, caller).await);
    }
    for caller in [&reader, &token.text, "nonsense"] {
        let reply = edge.client.introspect(&token.text, caller).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (401, &json!("invalid_client")));
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{reply:?}");
    }
    for secret in ["", "hush", &scene.secret[1..]] {
        let reply = introspect(&edge.client, secret, &token.text).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (401, &json!("invalid_client")));
    }
    let nobody = answered(edge.client.request("POST", "/introspect").body(format!("token={}", token.text))).await;
    assert_eq!(nobody.unwrap().status, 401);
    let unformed = edge.client.request("POST", "/introspect").bearer_auth(&checker);
    assert_eq!(answered(unformed.body("{}")).await.unwrap().json()["error"], "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_edge_does_not_have_it_says_in_a_problem() {
    let scene = Scene::set().await;
    let edge = scene.edge().await;

    for (method, path, status, code) in [
        ("GET", "/tokens", 404, "route_unknown"),
        ("POST", "/readyz", 405, "method_not_allowed"),
        ("GET", "/authorize?permissions=x", 400, "malformed"),
    ] {
        let reply = edge.client.send(method, path, &scene.admin, &Value::Null).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (status, &json!(code)), "{method} {path}");
        assert_eq!(reply.json()["type"], format!("{ISSUER}/problems/{code}"));
        assert!(!reply.header("x-request-id").is_empty());
    }
    assert_eq!(edge.client.get("/healthz", "").await.json(), json!({ "status": "ok" }));
    until("an edge that is ready and follows the stream", async || {
        let ready = edge.client.get("/readyz", "").await.json();
        (ready["status"] == "ready" && ready["connection"] == "streaming").then_some(())
    })
    .await;
}
