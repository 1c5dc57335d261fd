//! The commands that need little: help, completions, decoding, keys, migrations, and what is refused before anything is done.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Site, TestDatabase, process::Done};

const COMMANDS: [&[&str]; 43] = [
    &[],
    &["serve"],
    &["edge"],
    &["bridge"],
    &["bridge", "contextforge"],
    &["issue"],
    &["list"],
    &["show"],
    &["revoke"],
    &["rotate"],
    &["suspend"],
    &["resume"],
    &["check"],
    &["whoami"],
    &["audit"],
    &["audit", "events"],
    &["audit", "export"],
    &["audit", "token"],
    &["audit", "verify"],
    &["keys"],
    &["keys", "list"],
    &["keys", "show"],
    &["keys", "history"],
    &["keys", "add"],
    &["keys", "activate"],
    &["keys", "retire"],
    &["keys", "compromise"],
    &["clients"],
    &["clients", "add"],
    &["clients", "list"],
    &["clients", "rotate"],
    &["clients", "revoke"],
    &["policy"],
    &["policy", "show"],
    &["policy", "check"],
    &["policy", "apply"],
    &["policy", "replay"],
    &["migrate"],
    &["decode"],
    &["completions"],
    &["dev"],
    &["dev", "seed"],
    &["man"],
];

#[tokio::test(flavor = "multi_thread")]
async fn every_command_explains_itself_on_stdout() {
    let site = Site::new().await;

    for command in COMMANDS {
        let done = site.cli(&[command, &["--help"]].concat());

        assert_eq!((done.code, done.stderr.as_str()), (0, ""));
        insta::assert_snapshot!(["help", &command.join("_")].join("_").trim_end_matches('_'), done.stdout);
    }
    assert_eq!(site.cli(&["--version"]).good(), format!("catalog {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_command_line_ends_with_2_and_says_what_is_wrong() {
    let site = Site::new().await;
    let cases: [(&[&str], &str); 22] = [
        (&["mint"], "unrecognized subcommand 'mint'"),
        (&["issue", "--sub", "a", "--dev", "--unknown"], "unexpected argument '--unknown'"),
        (&["issue", "--dev"], "--sub <SUB>"),
        (&["issue", "--sub", "a"], "there is no credential"),
        (&["issue", "--dev", "--sub", "a b"], "--sub"),
        (&["issue", "--dev", "--sub", "a\u{202e}b"], "--sub"),
        (&["issue", "--dev", "--sub", "a", "--name", " ci"], "--name"),
        (&["issue", "--dev", "--sub", "a", "--ttl", "0"], "--ttl"),
        (&["issue", "--dev", "--sub", "a", "--ttl", "4294967296"], "--ttl"),
        (&["issue", "--dev", "--sub", "a", "--ttl", "soon"], "--ttl"),
        (&["issue", "--dev", "--sub", "a", "--teams", "red,"], "--teams"),
        (&["issue", "--dev", "--sub", "a", "--teams", "null"], "only an is_admin token"),
        (&["issue", "--dev", "--sub", "a", "--permissions", "Tools"], "--permissions"),
        (&["issue", "--dev", "--sub", "a", "--scopes", "{"], "--scopes"),
        (&["issue", "--dev", "--sub", "a", "--scopes", r#"{"unknown":1}"#], "unknown"),
        (&["issue", "--dev", "--sub", "a", "--scopes", "{}", "--permissions", "a"], "cannot be used with"),
        (&["issue", "--dev", "--sub", "a", "--format", "xml"], "--format"),
        (&["audit", "events", "--after", "-1"], "--after"),
        (&["audit", "events", "--jti", "not-a-uuid"], "--jti"),
        (&["audit", "events", "--path", "ui"], "--path"),
        (&["audit", "verify", "--schema", "Bad-Name"], "--schema"),
        (&["serve", "--listen", "nowhere"], "--listen"),
    ];

    for (arguments, named) in cases {
        let said = site.cli(arguments).bad(2);

        assert!(said.contains(named), "{arguments:?}: {said}");
    }
    assert_eq!(events(&site), [] as [Value; 0], "none of them left a trace in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_had_enough_ends_no_command_with_an_error() {
    let site = Site::new().await;
    site.admin();

    for arguments in [
        ["--help"].as_slice(),
        &["audit", "events"],
        &["audit", "export"],
        &["audit", "events", "--format", "json"],
        &["audit", "events", "--format", "ndjson"],
        &["audit", "verify"],
        &["keys", "list"],
        &["completions", "zsh"],
    ] {
        let mut child = site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();

        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("error") && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_for_the_shell_that_was_named() {
    let site = Site::new().await;

    let [bash, zsh, fish] = ["bash", "zsh", "fish"].map(|shell| site.cli(&["completions", shell]).good());

    assert!(
        bash.contains("complete -F") && zsh.starts_with("#compdef catalog") && fish.contains("complete -c catalog")
    );
    for script in [&bash, &zsh, &fish] {
        assert!(["serve", "issue", "audit", "keys", "migrate", "decode"].iter().all(|name| script.contains(name)));
    }
    let path = site.data().join("catalog.bash");
    fs::write(&path, bash).unwrap();
    assert!(Command::new("bash").arg("-n").arg(&path).status().unwrap().success(), "bash can read it");
    assert!(site.cli(&["completions", "tcsh"]).bad(2).contains("tcsh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn decode_shows_what_a_token_says_and_that_nothing_was_verified() {
    let site = Site::new().await;
    let issued = site.cli(&["issue", "--dev", "--sub", "alice@example.com", "--format", "json"]).json();
    let token = issued["access_token"].as_str().unwrap();
    // Nothing of this needs a database, a directory or a key.
    let nowhere = site.with("CATALOG_DATABASE_URL", "postgres://u@127.0.0.1:1/d").with("CATALOG_DATA", "/nonexistent");

    let by_argument = nowhere.cli(&["decode", token]);
    let by_stdin = nowhere.cli_fed(&["decode", "-"], &format!("{token}\n"));

    assert_eq!(by_argument.stdout, by_stdin.stdout);
    assert!(by_argument.stderr.contains("NOT VERIFIED") && by_stdin.stderr.contains("NOT VERIFIED"));
    assert!(by_argument.stderr.contains("in 19m") || by_argument.stderr.contains("in 20m"), "{}", by_argument.stderr);
    let decoded = by_argument.json();
    assert_eq!(decoded["header"]["typ"], "at+jwt");
    assert_eq!(decoded["claims"]["sub"], "alice@example.com");
    assert_eq!(decoded["claims"]["jti"], issued["token"]["jti"]);
    for bad in ["", "a.b", "a.b.c", &format!("{token}.x")] {
        let said = nowhere.cli_fed(&["decode", "-"], bad).bad(2);
        assert!(said.contains("not a token"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_as_the_api_publishes_them_and_never_their_private_halves() {
    let site = Site::new().await;
    let server = site.serve().await;
    let jwks = server.client.get("/.well-known/jwks.json", "").await.json();
    let kid = jwks["keys"][0]["kid"].as_str().unwrap().to_owned();

    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    let shown = site.cli(&["keys", "show", &kid]).json();
    let text = site.cli(&["keys", "list"]).good();

    assert_eq!(shown, jwks["keys"][0]);
    assert_eq!(listed[0]["jwk"]["x"], shown["x"]);
    assert_eq!((&listed[0]["active"], &listed[0]["private_half"]), (&json!(true), &json!(true)));
    assert_eq!(text.split('\t').collect::<Vec<_>>(), [&kid, "EdDSA", "signs", "here", "3", "4"]);
    assert!(shown.get("d").is_none());
    for unknown in ["nothing", "-M6mV", "--x"] {
        assert!(site.cli(&["keys", "show", unknown]).bad(1).contains(&format!("no key {unknown}")));
    }
    let elsewhere = Site::on(&url(&site));
    assert_eq!(elsewhere.cli(&["keys", "list", "--format", "json"]).json()[0]["private_half"], false);
    assert!(!elsewhere.data().join("keys").exists(), "looking made no directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_changes_nothing_and_without_it_a_server_refuses_an_empty_database() {
    let site = Site::on(&TestDatabase::empty().await.url());

    let refused = site.cli(&["serve", "--listen", "127.0.0.1:0", "--no-migrate"]).bad(2);
    let not_issued = site.cli(&["issue", "--dev", "--sub", "a", "--no-migrate"]).bad(2);
    let first = site.cli(&["migrate"]).good();
    let again = site.cli(&["migrate"]).good();

    for said in [refused, not_issued] {
        assert!(said.contains("is at version 0") && said.contains("hint: run 'catalog migrate'"), "{said}");
    }
    assert!(first.contains("went from version 0 to version"), "{first}");
    assert!(again.contains("as before"), "{again}");
    let server = site.serve_with(&["--no-migrate"]).await;
    assert_eq!(server.client.get("/readyz", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_reads_makes_no_catalog() {
    let site = Site::new().await.without("CATALOG_DATABASE_URL");
    let data = site.data().join("not/there");
    let site = site.with("CATALOG_DATA", data.to_str().unwrap());

    for arguments in [["audit", "events"], ["audit", "verify"], ["keys", "list"]] {
        let said = site.cli(&arguments).bad(2);

        assert!(said.contains("there is no catalog in") && said.contains("hint: make one"), "{said}");
    }
    let empty = Site::on(&TestDatabase::empty().await.url());
    assert!(empty.cli(&["audit", "events"]).bad(2).contains("there is no catalog in"));
    assert!(!data.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_ends_with_2_and_a_hint() {
    let site = Site::new().await;
    let server = site.serve().await;

    let said = site.cli(&["serve", "--listen", server.client.address()]).bad(2);

    assert!(said.contains(server.client.address()) && said.contains("hint: another process listens there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_offers_to_paste_works_as_it_stands() {
    let site = Site::new().await;
    let server = site.serve().await;
    let said = server.said();
    let (_, offered) = said.split_once("in another terminal").unwrap();
    let (commands, _) = offered.split_once("listening on").unwrap();
    let commands = commands.split_once('\n').unwrap().1;

    let done: Done = site.program("bash", &["--norc", "-e", "-c", commands]).output().unwrap().into();

    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(commands.trim().lines().count(), 5, "{commands}");
    assert_eq!(done.stdout.lines().count(), 1 + 2 + 6, "a token, two in the list, six events: {}", done.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnostics_can_be_had_as_json_and_scripts_still_find_the_address() {
    let site = Site::new().await;

    let server = site.serve_with(&["--log-format", "json"]).await;
    let admin = site.admin();
    server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;
    let said = server.stop().await;

    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let issued = lines.iter().find(|line| line["message"] == "a token was issued").unwrap();
    assert_eq!((&issued["path"], &issued["position"]), (&json!("api"), &json!(6)));
}

fn events(site: &Site) -> Vec<Value> {
    let done: Done = site.cli(&["audit", "events", "--format", "ndjson"]);
    done.ndjson()
}

fn url(site: &Site) -> String {
    site.setting("CATALOG_DATABASE_URL").to_owned()
}
