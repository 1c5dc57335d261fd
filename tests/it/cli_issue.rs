//! `catalog issue --dev`: a token in one command, recorded before anybody sees it, with a warning when it is elevated.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Site, process::OwnPostgres};

#[tokio::test(flavor = "multi_thread")]
async fn the_token_alone_is_on_stdout_and_everything_else_on_stderr() {
    let site = Site::new().await;

    let done = site.cli(&["issue", "--dev", "--sub", "alice@example.com", "--name", "ci"]);

    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!((done.code, lines.len(), lines[0].split('.').count()), (0, 1, 3));
    assert!(done.stderr.contains("recorded at position 5 (path cli-dev, as "), "{}", done.stderr);
    assert!(!done.stderr.contains("WARNING"), "{}", done.stderr);
    assert!(!done.stderr.contains(lines[0].rsplit('.').next().unwrap()), "no part of the token is on stderr");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_the_answer_of_the_api() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let body = json!({"sub": "alice@example.com", "name": "by api", "teams": ["red"], "expires_in": 60});

    let of_api = server.client.post("/tokens", &admin, body).await.json();
    let arguments = ["--sub", "alice@example.com", "--name", "by shell", "--teams", "red", "--ttl", "60"];
    let of_shell = site.cli(&[&["issue", "--dev", "--format", "json"], arguments.as_slice()].concat()).json();

    for object in [&["token"][..], &[]] {
        let members = |answer: &Value| {
            let answer = object.iter().fold(answer, |value, member| &value[member]);
            answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(members(&of_api), members(&of_shell));
    }
    assert_eq!((&of_shell["token_type"], &of_shell["expires_in"]), (&json!("Bearer"), &json!(60)));
    let jti = of_shell["token"]["jti"].as_str().unwrap();
    assert_eq!(server.client.get(&format!("/tokens/{jti}"), &admin).await.json(), of_shell["token"]);
    assert!(server.client.is_active(of_shell["access_token"].as_str().unwrap(), &admin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn elevated_claims_are_warned_of_with_what_where_and_who() {
    let site = Site::new().await;
    let user = os_user();
    let cases: [(&[&str], &str); 7] = [
        (&["--admin"], "administrator, every team"),
        (&["--admin", "--teams", "[]"], "administrator"),
        (&["--teams", "red,blue"], "teams red, blue"),
        (&["--permissions", "tools.read,servers.use"], "permissions tools.read, servers.use"),
        (&["--scopes", r#"{"permissions":["*"]}"#], "permissions *"),
        (&["--scopes", r#"{"ip_restrictions":["10.0.0.0/8"]}"#], "scopes without permissions (everything"),
        (&["--admin", "--teams", "red", "--permissions", "a"], "administrator; teams red; permissions a"),
    ];

    for (number, (arguments, what)) in cases.into_iter().enumerate() {
        let done = site.cli(&[&["issue", "--dev", "--sub", "alice@example.com"], arguments].concat());

        let position = 5 + number;
        assert_eq!(done.stdout.lines().count(), 1, "{done:?}");
        for part in [
            &format!("SECURITY WARNING: this token has elevated claims: {what}"),
            "for development and testing only",
            "Production tokens belong to the API (POST /tokens)",
            &format!("recorded at position {position} as issued by {user}@"),
        ] {
            assert!(done.stderr.contains(part), "{part:?} is not in {}", done.stderr);
        }
    }
    for plain in [&["--teams", "[]"][..], &["--namespaces", "n"], &["--full-name", "Alice"], &["--aud", "other"]] {
        let done = site.cli(&[&["issue", "--dev", "--sub", "alice@example.com"], plain].concat());
        assert!(done.code == 0 && !done.stderr.contains("WARNING"), "{plain:?}: {done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_was_at_the_shell() {
    let site = Site::new().await.with("SUDO_USER", "mallory");

    site.cli(&["issue", "--dev", "--sub", "alice@example.com", "--reason", "on call"]).good();

    let events = site.cli(&["audit", "events", "--format", "json", "--path", "cli-dev"]).json();
    let event = &events[0];
    let (actor, data) = (&event["actor"], &event["data"]);
    assert_eq!(actor["kind"], "os-user");
    assert_eq!(actor["name"], os_user());
    assert_eq!(actor["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(actor["host"], rustix::system::uname().nodename().to_str().unwrap());
    assert_eq!(actor["sudo_user"], "mallory");
    assert_eq!((&data["out_of_band"], &data["reason"]), (&json!(true), &json!("on call")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_refuses_ends_with_1_and_says_how_far_one_may_go() {
    let site = Site::new().await;
    let issue = |more: &[&str]| site.cli(&[&["issue", "--dev", "--sub", "alice@example.com"], more].concat());

    issue(&["--ttl", "7d", "--name", "ci"]).good();
    let too_long = issue(&["--ttl", "604801"]).bad(1);
    let taken = issue(&["--name", "ci"]).bad(1);

    assert!(too_long.contains("604801s exceeds the maximum of 604800s") && too_long.contains("hint: "), "{too_long}");
    assert!(taken.contains("the name 'ci' is in use") && taken.contains("hint: "), "{taken}");
    issue(&["--name", "ci 2"]).good();
    let events = site.cli(&["audit", "events", "--path", "cli-dev", "--format", "json"]).json();
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["token.issued.v1", "issuance.refused.v1", "token.issued.v1"]);
    let refused = &events[1]["data"];
    assert_eq!((&refused["rule"], &refused["count"]), (&json!("ttl_too_long"), &json!(1)));
    assert_eq!((&refused["sub"], &refused["expires_in"]), (&json!("alice@example.com"), &json!(604_801)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_there_is_no_token() {
    let mut postgres = OwnPostgres::start();
    let there = Site::on(&postgres.url());
    there.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    postgres.crash().await;
    let nobody_listens = there.with("CATALOG_DATABASE_URL", "postgres://u:canary-password@127.0.0.1:1/d");

    for site in [&there, &nobody_listens] {
        for command in [&["issue", "--dev", "--sub", "a"][..], &["audit", "events"], &["audit", "verify"], &["migrate"]]
        {
            let begun = Instant::now();
            let said = site.cli(command).bad(2);

            assert!(said.contains("cannot be reached") && said.contains("hint: "), "{command:?}: {said}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{command:?}");
            assert!(!said.contains("canary-password"));
        }
    }
    postgres.restart();
    there.cli(&["audit", "verify"]).good();
    assert_eq!(there.cli(&["audit", "events"]).good().lines().count(), 5, "only the first one is in the log");
}

fn os_user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
