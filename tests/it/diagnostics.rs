//! Diagnostics: one line for each answered request, and every line of a request's work bears its name.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    Site, TestDatabase,
    process::{Client, Server, answered},
    world::Reply,
};

const JSON: [&str; 2] = ["--log-format", "json"];

/// The lines of a server that writes JSON. That it writes nothing else is a part of every test here.
fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

/// The one line about the answer to the request of this name.
fn answer<'a>(lines: &'a [Value], id: &str) -> &'a Value {
    let mut found = lines.iter().filter(|line| {
        line["message"] == "a request was answered" && line["span"]["request_id"] == id && line["level"] == "INFO"
    });
    let line = found.next().unwrap_or_else(|| panic!("no line about {id} in {lines:#?}"));
    assert_eq!(found.next(), None, "{id} is there twice");
    line
}

async fn ask(client: &Client, method: &str, path: &str, token: &str, id: &str, body: Value) -> Reply {
    let request = client.request(method, path).bearer_auth(token).header("x-request-id", id);
    let reply = answered(if body.is_null() { request } else { request.json(&body) }).await.unwrap();
    assert_eq!(reply.header("x-request-id"), id);
    reply
}

fn jti(site: &Site, token: &str) -> String {
    site.cli(&["decode", token]).json()["claims"]["jti"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answered_request_is_one_line_with_what_is_known_of_it() {
    let site = Site::new().await;
    let admin = site.admin();
    let actor = json!(jti(&site, &admin));
    let server = site.serve_with(&JSON).await;
    let client = &server.client;

    let body = json!({"sub": "alice@example.com", "name": "ci"});
    let issued = ask(client, "POST", "/tokens", &admin, "issue-1", body.clone()).await.json();
    let jti = &issued["token"]["jti"];
    ask(client, "POST", "/tokens", &admin, "taken-1", body).await;
    let checked = format!("/revocations/{}", jti.as_str().unwrap());
    let spelt = checked.replacen("/0", "/%30", 1);
    assert_ne!(spelt, checked);
    ask(client, "GET", &checked, "nobody", "stray-1", Value::Null).await;
    ask(client, "GET", &checked, &admin, "check-1", Value::Null).await;
    ask(client, "GET", &spelt, &admin, "spelt-1", Value::Null).await;
    let path = format!("/tokens/{}?", jti.as_str().unwrap());
    ask(client, "DELETE", &path, &admin, "revoke-1", Value::Null).await;
    ask(client, "GET", "/nowhere/at/all", "", "lost-1", Value::Null).await;
    let checked = client.introspect(issued["access_token"].as_str().unwrap(), &admin).await;
    let given = checked.header("x-request-id").to_owned();

    let lines = lines(&server.stop().await);
    for (id, method, route, status, jti, actor, code) in [
        ("issue-1", "POST", "/tokens", 201, jti, &actor, &Value::Null),
        ("taken-1", "POST", "/tokens", 409, &Value::Null, &actor, &json!("name_in_use")),
        ("check-1", "GET", "/revocations/{jti}", 200, jti, &actor, &Value::Null),
        ("stray-1", "GET", "/revocations/{jti}", 401, jti, &Value::Null, &json!("credential_invalid")),
        ("spelt-1", "GET", "/revocations/{jti}", 200, jti, &actor, &Value::Null),
        ("revoke-1", "DELETE", "/tokens/{jti}", 204, jti, &actor, &Value::Null),
        ("lost-1", "GET", "unmatched", 404, &Value::Null, &Value::Null, &json!("route_unknown")),
        (&given, "POST", "/introspect", 200, jti, &actor, &Value::Null),
    ] {
        let line = answer(&lines, id);
        let span = &line["span"];
        assert_eq!((&span["method"], &span["route"], &line["status"]), (&json!(method), &json!(route), &json!(status)));
        assert_eq!((&span["jti"], &span["actor"], &line["code"]), (jti, actor, code), "{line}");
        assert!(line["elapsed_ms"].is_u64(), "{line}");
    }
    let recorded = lines.iter().find(|line| line["message"] == "a token was issued").unwrap();
    assert_eq!((&recorded["span"]["request_id"], &recorded["path"]), (&json!("issue-1"), &json!("api")));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_one_connection_each_request_names_the_token_that_it_presents_itself_and_once() {
    let site = Site::new().await;
    let [one, two] = [site.admin(), site.admin()];
    let unsound = format!("{one}A");
    let presented = [
        ("a", "/whoami", &one),
        ("b", "/whoami", &one),
        ("c", "/whoami", &two),
        ("d", "/whoami", &unsound),
        ("e", "/whoami", &two),
        ("f", "/whoami", &one),
        // Here it is not the caller's, but what is asked about.
        ("gateway", "/authorize", &one),
        ("g", "/whoami", &one),
    ];
    let asked = presented.map(|(id, path, token)| {
        let last = if id == "g" { "connection: close\r\n" } else { "" };
        let named = format!("host: catalog\r\nx-request-id: {id}\r\n{last}");
        format!("GET {path} HTTP/1.1\r\n{named}authorization: Bearer {token}\r\n\r\n")
    });
    let server = site.serve().await;
    let mut stream = TcpStream::connect(server.client.address()).await.unwrap();
    let mut answers = String::new();

    stream.write_all(asked.concat().as_bytes()).await.unwrap();
    stream.read_to_string(&mut answers).await.unwrap();

    assert_eq!((answers.matches("HTTP/1.1 200").count(), answers.matches("HTTP/1.1 401").count()), (6, 2));
    let said = server.stop().await;
    for (id, path, token) in presented {
        let name = format!("request_id=\"{id}\"");
        let line = said.lines().find(|line| line.contains(&name) && line.contains("a request was answered")).unwrap();
        let named: Vec<&str> = line.split(' ').filter_map(|word| word.strip_prefix("actor=")).collect();
        let named: Vec<&str> = named.iter().map(|word| word.trim_end_matches("}:")).collect();
        let is_caller = token != &unsound && path != "/authorize";
        let expected = if is_caller { vec![jti(&site, token)] } else { vec![] };
        assert_eq!(named, expected, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_appender_name_the_requests_that_they_are_about() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve_with(&JSON).await;
    database
        .tamper(
            "create function refuse() returns trigger language plpgsql as
               $$ begin raise exception 'not now' using errcode = 'insufficient_resources'; end $$;
             create trigger refuse before insert on events execute function refuse();",
        )
        .await;

    let refused =
        ask(&server.client, "POST", "/tokens", &admin, "refused-1", json!({"sub": "alice@example.com"})).await;

    assert_eq!(refused.status, 503);
    let lines = lines(&server.stop().await);
    let line = lines.iter().find(|line| line["message"] == "nothing could be recorded").unwrap();
    assert_eq!(line["request_ids"], "refused-1");
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("the database cannot do it at the moment: ") && error.contains("not now"), "{error}");
    assert_eq!(answer(&lines, "refused-1")["code"], "unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_named_also_where_only_errors_are_said() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let (admin, stray) = (site.admin(), site.admin());
    database.tamper(&format!("delete from issued_tokens where jti = '{}'", jti(&site, &stray))).await;
    // Besides errors, where it listens.
    let server = site.with("CATALOG_LOG", "error,catalog::cli::banner=info").serve_with(&JSON).await;

    let id = server.client.introspect(&stray, &admin).await.header("x-request-id").to_owned();

    let lines = lines(&server.stop().await);
    let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{lines:#?}");
    assert_eq!((&errors[0]["span"]["request_id"], &errors[0]["jti"]), (&json!(id), &jti(&site, &stray).into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_server_says_is_json_from_its_first_start_to_its_error() {
    let site = Site::embedded();
    let server = site.serve_with(&JSON).await;
    let mut command = site.command(&["serve", "--listen", server.client.address()]);
    command.args(JSON);

    let mut refused = Server::spawn(command);
    let code = refused.ended().await;
    let first_start = server.stop().await;

    assert_eq!(code, 2);
    let told = lines(&refused.said());
    let error = told.last().unwrap();
    assert_eq!(error["level"], "ERROR");
    assert!(error["message"].as_str().unwrap().starts_with("cannot listen at "), "{error}");
    assert!(error["hint"].as_str().unwrap().starts_with("another process listens there"), "{error}");
    assert!(lines(&first_start).len() > 2, "{first_start}");
}
