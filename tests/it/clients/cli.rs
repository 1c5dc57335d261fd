//! `catalog clients`, by the real program: the secret is shown once, and servers hear of every change by themselves.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Secret;
use crate::support::{
    Site,
    process::{Client, OwnPostgres, answered, until},
};

/// Everywhere within a second, and a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_secs(4);

async fn status(client: &Client, secret: &Secret) -> u16 {
    let request = client.request("POST", "/introspect").header("authorization", secret.header());
    let request = request.header("content-type", "application/x-www-form-urlencoded").body("token=x");
    answered(request).await.unwrap().status.as_u16()
}

async fn becomes(client: &Client, secret: &Secret, expected: u16) -> Duration {
    let begun = Instant::now();
    until("the server knows", async || (status(client, secret).await == expected).then_some(())).await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_alone_on_stdout_and_nothing_shows_it_again() {
    let site = Site::new().await;
    site.admin();

    let added = site.cli(&["clients", "add", "edge", "--permissions", "tokens.check"]);
    let rotated = site.cli(&["clients", "rotate", "edge", "--overlap", "1h"]);

    let (first, second) = (added.stdout.trim_end().to_owned(), rotated.stdout.trim_end().to_owned());
    for (secret, done) in [(&first, &added), (&second, &rotated)] {
        assert_eq!((done.code, secret.len(), done.stdout.lines().count()), (0, 50, 1), "{done:?}");
        assert!(secret.starts_with("catsec_") && !done.stderr.contains("catsec_"), "{done:?}");
    }
    assert!(added.stderr.starts_with("client edge added, recorded at position "), "{}", added.stderr);
    assert!(rotated.stderr.contains("older secrets are good until 20"), "{}", rotated.stderr);
    for arguments in [
        &["clients", "list"][..],
        &["clients", "list", "--format", "json"],
        &["audit", "events"],
        &["audit", "events", "--format", "json"],
        &["clients", "revoke", "edge"],
        &["audit", "verify"],
    ] {
        let done = site.with("CATALOG_LOG", "trace").cli(arguments);
        assert_eq!(done.code, 0, "{done:?}");
        for secret in [&first, &second] {
            assert!(!done.stdout.contains(&**secret) && !done.stderr.contains(&**secret), "{arguments:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_listed_with_what_they_may_do_and_whether_they_still_may() {
    let site = Site::new().await;
    site.admin();
    let run = |line: &str| site.cli(&line.split(' ').collect::<Vec<_>>());
    run("clients add edge --permissions tokens.check").good();
    run("clients add portal --permissions tokens.revoke,tokens.check --teams red --teams blue").good();
    run("clients add bot --permissions tokens.revoke --all-teams").good();
    run("clients rotate portal --overlap 1h").good();
    run("clients rotate bot --overlap 1h").good();

    let revoked = run("clients revoke bot").good();
    let again = run("clients revoke bot").good();
    let listed = run("clients list --format json").json();

    assert!(revoked.starts_with("client bot is revoked, recorded at position "), "{revoked}");
    assert_eq!(again, "client bot was revoked already");
    let shown: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!([c["name"], c["status"], c["permissions"], c["teams"], c["old_secrets_until"].is_string()]))
        .collect();
    assert_eq!(
        shown,
        [
            json!(["edge", "active", ["tokens.check"], [], false]),
            json!(["portal", "active", ["tokens.check", "tokens.revoke"], ["red", "blue"], true]),
            json!(["bot", "revoked", ["tokens.revoke"], null, false]),
        ]
    );
    let lines = run("clients list").good();
    let last = lines.lines().last().unwrap();
    assert!(last.starts_with("bot\trevoked\t20") && last.ends_with("\ttokens.revoke\tevery team"), "{lines}");
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    let of_clients: Vec<_> =
        events.iter().filter(|event| event["kind"].as_str().unwrap().starts_with("client.")).collect();
    assert_eq!(of_clients.len(), 6);
    assert!(of_clients.iter().all(|e| e["path"] == "cli-admin" && e["actor"]["kind"] == "os-user"), "{of_clients:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_and_what_to_do_and_shows_no_secret() {
    let site = Site::new().await;
    site.admin();
    let run = |line: &str| site.cli(&line.split(' ').collect::<Vec<_>>());
    run("clients add edge --permissions tokens.check").good();
    run("clients add over --permissions tokens.check").good();
    run("clients revoke over").good();

    for (code, line, parts) in [
        (1, "clients add edge --permissions tokens.check", ["the name edge is taken", "'catalog clients rotate'"]),
        (1, "clients add over --permissions tokens.check", ["by a client that was revoked", "take another one"]),
        (1, "clients rotate nobody", ["no client nobody", "'catalog clients list'"]),
        (1, "clients revoke nobody", ["no client nobody", "'catalog clients list'"]),
        (1, "clients rotate over", ["the client over was revoked", "'catalog clients add'"]),
        (1, "clients rotate edge --overlap 31d", ["an overlap of 31d", "maximum of 30d"]),
        (2, "clients rotate edge --overlap 1y", ["--overlap", "90s"]),
        (2, "clients add a:b --permissions tokens.check", ["'a:b' is not", "made of letters"]),
        (
            2,
            "clients add other --permissions tokens.read",
            ["'tokens.read' is not", "tokens.check, tokens.revoke or tokens.courier"],
        ),
        (2, "clients add other --permissions tokens.revoke", ["needs the teams", "or all of them"]),
        (2, "clients add other --permissions tokens.check --teams red", ["teams bound", "tokens.revoke"]),
        (2, "clients add other --permissions tokens.revoke --teams red --all-teams", ["--teams", "--all-teams"]),
    ] {
        let said = run(line).bad(code);
        assert!(parts.iter().all(|part| said.contains(part)), "{line}: {parts:?} are not in {said}");
        assert!(!said.contains("catsec_"), "{said}");
    }
    assert_eq!(run("clients list --format json").json().as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_hear_of_every_change_at_a_shell_within_a_second() {
    let site = Site::new().await;
    let admin = site.admin();
    let servers = [site.serve().await, site.serve().await];

    let first = Secret::of("edge", &site.cli(&["clients", "add", "edge", "--permissions", "tokens.check"]).good());
    let mut waited = Vec::new();
    for server in &servers {
        waited.push(becomes(&server.client, &first, 200).await);
    }
    let second = Secret::of("edge", &site.cli(&["clients", "rotate", "edge"]).good());
    for server in &servers {
        waited.push(becomes(&server.client, &first, 401).await);
        assert_eq!(status(&server.client, &second).await, 200);
    }
    site.cli(&["clients", "revoke", "edge"]).good();
    for server in &servers {
        waited.push(becomes(&server.client, &second, 401).await);
    }

    assert!(waited.iter().all(|waited| *waited < BOUND + SLACK), "{waited:?}");
    assert_eq!(servers[0].client.get("/whoami", &admin).await.status, 200, "everybody else goes on");
    for server in servers {
        let said = server.stop().await;
        assert!(!said.contains("catsec_"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_gone_a_client_is_never_told_that_it_is_nobody() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url());
    site.admin();
    let edge = Secret::of("edge", &site.cli(&["clients", "add", "edge", "--permissions", "tokens.check"]).good());
    let server = site.serve().await;
    becomes(&server.client, &edge, 200).await;

    postgres.crash().await;

    // For a few seconds what was known is fresh enough to tell.
    until("nobody can tell", async || {
        let status = status(&server.client, &edge).await;
        assert!([200, 503].contains(&status), "could not tell is not no: {status}");
        (status == 503).then_some(())
    })
    .await;
    assert_eq!(status(&server.client, &Secret::of("edge", "wrong")).await, 503);
    postgres.restart();
    becomes(&server.client, &edge, 200).await;
}
