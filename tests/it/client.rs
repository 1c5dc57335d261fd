//! The commands that ask a server: the same objects and verdicts as the API's, and nothing left behind on their machine.

use std::{fs, process::Stdio};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::support::{Office, process::until, terminal};

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_writes_the_token_alone_to_stdout_and_is_the_callers_in_the_log() {
    let office = Office::new().await;

    let done = office.run(&["issue", "--sub", "ci@example.com", "--name", "deploy", "--reason", "rollout"]);

    let said = done.stderr.clone();
    let token = done.good();
    let claims = office.client.cli_fed(&["decode", "-"], &token).json()["claims"].clone();
    assert_eq!((token.lines().count(), &claims["sub"]), (1, &json!("ci@example.com")));
    assert!(
        said.starts_with(&format!("issued {} for ci@example.com, expires ", claims["jti"].as_str().unwrap())),
        "{said}"
    );
    assert!(said.ends_with("recorded at position 6 (path api, as root@localhost)\n"), "{said}");
    let event = office.server.client.events(5, &office.admin).await.remove(0);
    assert_eq!((&event["path"], &event["data"]["reason"]), (&json!("api"), &json!("rollout")));
    assert_eq!(event["actor"]["sub"], "root@localhost");
    assert_eq!(event["user_agent"], concat!("catalog/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_what_the_api_answers() {
    let office = Office::new().await;
    let api = async |path: &str| office.server.client.get(path, &office.admin).await.json();
    let issued = office.run(&["issue", "--sub", "a", "--teams", "red", "--format", "json"]).json();
    let jti = issued["token"]["jti"].as_str().unwrap();

    let shown = office.run(&["show", jti, "--format", "json"]).json();
    let listed = office.run(&["list", "--format", "json"]).json();
    let lines = office.run(&["list", "--format", "ndjson"]).ndjson();
    let caller = office.run(&["whoami", "--format", "json"]).json();
    let by_jti = office.run(&["check", jti, "--format", "json"]).json();
    let token = issued["access_token"].as_str().unwrap();
    let by_token = office.client.cli_fed(&["check", "-", "--format", "json"], token).json();

    assert_eq!((&issued["token_type"], &issued["position"]), (&json!("Bearer"), &json!(6)));
    assert_eq!(shown, api(&format!("/tokens/{jti}")).await);
    assert_eq!(issued["token"], shown);
    assert_eq!(listed, api("/tokens").await["tokens"]);
    assert_eq!(Value::Array(lines), listed);
    assert_eq!(caller, api("/whoami").await);
    assert_eq!(by_jti, api(&format!("/revocations/{jti}")).await);
    assert_eq!(by_token, office.server.client.introspect(token, &office.admin).await.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_of_an_issuance_arrives() {
    let office = Office::new().await;
    let scopes = r#"{"server_id":"s","permissions":["tools.read"],"ip_restrictions":["10.0.0.0/8"],
                     "time_restrictions":{"weekdays_only":true},"usage_limits":{"requests_per_hour":9}}"#;

    let issued = office
        .run(&[
            "issue",
            "--sub",
            "alice@example.com",
            "--name",
            "n",
            "--description",
            "d",
            "--aud",
            "x,y",
            "--ttl",
            "2h",
            "--admin",
            "--teams",
            "null",
            "--scopes",
            scopes,
            "--namespaces",
            "a,b",
            "--full-name",
            "Alice",
            "--reason",
            "r",
            "--format",
            "json",
        ])
        .json();

    let token = &issued["token"];
    assert_eq!(issued["expires_in"], 7_200);
    for (member, expected) in [
        ("sub", json!("alice@example.com")),
        ("name", json!("n")),
        ("description", json!("d")),
        ("aud", json!(["x", "y"])),
        ("is_admin", json!(true)),
        ("teams", json!(null)),
        ("namespaces", json!(["a", "b"])),
        ("full_name", json!("Alice")),
        ("reason", json!("r")),
        ("scopes", serde_json::from_str(scopes).unwrap()),
    ] {
        assert_eq!(token[member], expected, "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_the_same_name_gets_the_same_token_and_another_one_is_refused() {
    let office = Office::new().await;
    let issue = |more: &[&str]| office.run(&[&["issue", "--sub", "a", "--idempotency-key", "build-7"], more].concat());

    let first = issue(&[]).good();
    let again = issue(&[]).good();
    let other = issue(&["--ttl", "5m"]).bad(1);

    assert_eq!(first, again);
    assert!(
        other.contains("(idempotency_key_reused)") && other.contains("hint: take another --idempotency-key"),
        "{other}"
    );
    assert_eq!(office.events("token.issued.v1", "api").await, 1);
    assert_ne!(office.run(&["issue", "--sub", "a"]).good(), office.run(&["issue", "--sub", "a"]).good());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_takes_every_filter_of_the_api() {
    let office = Office::new().await;
    let (jti, _) =
        office.issue(&["--sub", "ci", "--name", "deploy now", "--teams", "red", "--permissions", "tools.read"]);
    office.issue(&["--sub", "ci", "--name", "other", "--ttl", "5m", "--teams", "[]", "--permissions", "servers.use"]);
    office.run(&["revoke", &jti, "--reason", "superseded"]).good();
    let kid = office.run(&["show", &jti, "--format", "json"]).json()["kid"].as_str().unwrap().to_owned();
    let of_key = format!("kid={kid}");
    let cases: [(&[&str], &str, usize); 14] = [
        (&["--sub", "ci"], "sub=ci", 2),
        (&["--sub", "nobody"], "sub=nobody", 0),
        (&["--status", "revoked"], "status=revoked", 1),
        (&["--status", "active"], "status=active", 2),
        (&["--path", "cli-dev"], "path=cli-dev", 1),
        (&["--name", "deploy now"], "name=deploy%20now", 1),
        (&["--team", "red"], "team=red", 2),
        (&["--permission", "servers.use"], "permission=servers.use", 2),
        (&["--kid", &kid], &of_key, 3),
        (&["--kid", "-another"], "kid=-another", 0),
        (&["--issued-after", "2020-01-01"], "issued_after=2020-01-01T00:00:00Z", 3),
        (&["--issued-before", "2020-01-01T00:00:00Z"], "issued_before=2020-01-01T00:00:00Z", 0),
        (&["--expires-before", "2100-01-01"], "expires_before=2100-01-01T00:00:00Z", 3),
        (&["--sub", "ci", "--status", "active", "--path", "api"], "sub=ci&status=active&path=api", 1),
    ];

    for (flags, query, found) in cases {
        let listed = office.run(&[&["list", "--format", "json"], flags].concat()).json();

        let of_api = office.server.client.get(&format!("/tokens?{query}"), &office.admin).await.json();
        assert_eq!(listed, of_api["tokens"], "{flags:?}");
        assert_eq!(listed.as_array().unwrap().len(), found, "{flags:?}");
    }
    let count = |flags: &[&str]| office.run(&[&["list"], flags].concat()).good().lines().count();
    assert_eq!((count(&["--expires-before", "10m"]), count(&["--expires-before", "2h"])), (1, 2), "a span lies ahead");
    assert_eq!((count(&["--issued-after", "1h"]), count(&["--issued-before", "1h"])), (3, 0), "a span lies behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_all_goes_through_every_page_and_a_shorter_one_says_that_there_is_more() {
    const TOKENS: usize = 502;
    let office = Office::new().await;
    let (client, admin) = (&office.server.client, office.admin.as_str());
    let issued =
        stream::iter(1..TOKENS).map(|_| client.post("/tokens", admin, json!({"sub": "ci"}))).buffer_unordered(16);
    assert_eq!(issued.filter(|reply| std::future::ready(reply.status == 201)).count().await, TOKENS - 1);
    let positions = |done: &[Value]| done.iter().map(|token| token["position"].as_i64().unwrap()).collect::<Vec<_>>();

    let all = office.run(&["list", "--all", "--format", "ndjson"]);
    let most = office.run(&["list", "--limit", "501", "--format", "ndjson"]);
    let few = office.run(&["list"]);
    let ours = office.run(&["list", "--all", "--sub", "ci", "--format", "json"]);
    let watched = terminal::seen(office.client.command(&["list", "--all", "--format", "ndjson"]), 120);

    assert_eq!((all.stderr.as_str(), ours.stderr.as_str()), ("", ""), "nobody looks at a pipe");
    assert!(watched.contains(" 500 tokens"), "a terminal shows how far it has come");
    assert_eq!(positions(&all.ndjson()), (5..5 + i64::try_from(TOKENS).unwrap()).rev().collect::<Vec<_>>());
    assert_eq!(ours.json().as_array().unwrap().len(), TOKENS - 1);
    for (done, shown) in [(most, 501), (few, 50)] {
        assert_eq!(done.stderr, format!("note: these are the newest {shown}; for more there are --limit and --all\n"));
        assert_eq!(done.good().lines().count(), shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_revocations_get_a_verdict_each_and_1_when_any_was_not_to_be_had() {
    let office = Office::new().await;
    let [(first, token), (second, _)] = [office.issue(&["--sub", "a"]), office.issue(&["--sub", "b"])];
    let unknown = "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";

    let mixed = office.run(&["revoke", &first, unknown, &second, "--reason", "key_compromise", "--note", "in a log"]);
    let again = office.run(&["revoke", &second, &first, "--reason", "superseded", "--format", "json"]).json();

    assert_eq!(mixed.code, 1);
    let rows: Vec<Vec<&str>> = mixed.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], [&first, "revoked", "position 8"]);
    assert_eq!(rows[1], [unknown, "unknown", &format!("no token {unknown}")]);
    assert_eq!(rows[2], [&second, "revoked", "position 9"]);
    assert_eq!(again[0], json!({"jti": second, "outcome": "already_revoked", "position": 9}));
    assert_eq!(again[1], json!({"jti": first, "outcome": "already_revoked", "position": 8}));
    assert_eq!(office.events("token.revoked.v1", "api").await, 2, "again changes nothing");
    let revocation = office.run(&["show", &first, "--format", "json"]).json()["revocation"].clone();
    assert_eq!((&revocation["reason"], &revocation["note"]), (&json!("key_compromise"), &json!("in a log")));
    assert!(!office.server.client.is_active(&token, &office.admin).await);
    let malformed = office.run(&["revoke", &unknown.to_uppercase(), &first, "--reason", "superseded"]).bad(2);
    assert!(malformed.contains("UUID in lower case"), "{malformed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_callers_to_revoke_is_refused_with_the_apis_problem() {
    let office = Office::new().await;
    let (jti, _) = office.issue(&["--sub", "ci"]);
    let reader = office.caller(&["--sub", "ci", "--permissions", "tokens.read"]);

    let done = reader.cli(&["revoke", &jti, "--reason", "unspecified", "--format", "ndjson"]);

    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.contains("the permission tokens.revoke (permission_missing)"), "{}", done.stderr);
    assert_eq!(office.run(&["check", &jti]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_ends_with_0_for_active_1_for_not_and_2_when_it_cannot_tell() {
    let office = Office::new().await;
    let (jti, token) = office.issue(&["--sub", "ci@example.com"]);
    let check = |what: &str| office.client.cli_fed(&["check", "-"], what);
    let unknown = "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";

    let active =
        [check(&token), check(&format!("\n {jti}\n")), office.run(&["check", &jti]), office.run(&["check", &token])];
    office.run(&["revoke", &jti, "--reason", "unspecified"]).good();
    let over = [
        (check(&token), "inactive\n"),
        (check(&jti), "revoked "),
        (check(unknown), "unknown "),
        (check("a.b.c"), "inactive\n"),
    ];
    let reader = office.caller(&["--sub", "ci", "--permissions", "tokens.read"]);
    let may_not = [reader.cli(&["check", &jti]), reader.cli_fed(&["check", "-"], &token)];

    for done in active {
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done:?}");
        assert!(done.stdout.starts_with("active  ") && done.stdout.contains(&jti), "{done:?}");
    }
    for (done, word) in over {
        assert_eq!((done.code, done.stderr.as_str()), (1, ""), "{done:?}");
        assert!(done.stdout.starts_with(word), "{done:?}");
    }
    for done in may_not {
        let said = done.bad(2);
        assert!(said.contains("(permission_missing)") && said.contains("hint: 'catalog whoami' shows"), "{said}");
    }
    for no_token in ["", "word", &unknown.to_uppercase()] {
        assert!(check(no_token).bad(2).contains("not a token"), "{no_token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refuses_ends_with_1_and_what_it_does_not_understand_with_2() {
    let office = Office::new().await;
    office.issue(&["--sub", "ci", "--name", "deploy"]);
    let member = office.caller(&["--sub", "ci", "--teams", "red", "--permissions", "tokens.*,tools.read"]);
    let many = (0..200)
        .map(|n| format!("permission-{n}.of-a-rather-long-name.that-fills-the-token"))
        .collect::<Vec<_>>()
        .join(",");
    let cases: [(&[&str], u8, &str, &str); 9] = [
        (&["--sub", "ci", "--permissions", "tools.read"], 1, "teams_required", "name them with --teams"),
        (&["--sub", "ci", "--teams", "blue", "--permissions", "tools.read"], 1, "teams_not_yours", ""),
        (&["--sub", "ci", "--teams", "red"], 1, "permissions_required", "name them with --permissions"),
        (&["--sub", "ci", "--teams", "red", "--permissions", "a"], 1, "permissions_not_yours", ""),
        (&["--sub", "bob", "--teams", "red"], 1, "subject_not_yours", "'catalog whoami' shows"),
        (&["--sub", "ci", "--admin"], 1, "admin_not_yours", "'catalog whoami' shows"),
        (
            &["--sub", "ci", "--teams", "red", "--permissions", "tools.read", "--name", "deploy"],
            1,
            "name_in_use",
            "take another --name",
        ),
        (
            &["--sub", "ci", "--teams", "red", "--permissions", "tools.read", "--ttl", "9999d"],
            1,
            "ttl_too_long",
            "ask for less with --ttl",
        ),
        (&["--sub", "ci", "--teams", "red", "--permissions", &many], 1, "permissions_not_yours", ""),
    ];

    for (flags, code, rule, hint) in cases {
        let said = member.cli(&[&["issue"], flags].concat()).bad(code.into());

        assert!(said.contains(&format!(" ({rule})\n")), "{flags:?}: {said}");
        assert_eq!(said.contains("hint: "), !hint.is_empty(), "{said}");
        assert!(said.contains(hint), "{said}");
    }
    let too_large = office.run(&["issue", "--sub", "ci", "--permissions", &many]).bad(2);
    assert!(too_large.contains(" (token_too_large)\n"), "{too_large}");
    let unknown = office.run(&["show", "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10"]).bad(1);
    assert!(unknown.contains(" (token_unknown)\n") && unknown.contains("hint: see 'catalog list'"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_not_taken_is_told_why_as_far_as_can_be_seen() {
    let office = Office::new().await;
    let short = office.caller(&["--sub", "ci", "--ttl", "1s"]);
    let [(revoked, token)] = [office.issue(&["--sub", "root@localhost", "--admin", "--aud", "catalog"])];
    office.run(&["revoke", &revoked, "--reason", "key_compromise"]).good();
    let elsewhere = office.issue(&["--sub", "ci"]).1;
    let expired = until("the credential is expired", async || {
        let done = short.cli(&["whoami"]);
        (done.code != 0).then_some(done)
    })
    .await;

    for (done, why) in [
        (expired, "hint: the token in CATALOG_TOKEN expired at 20"),
        (
            office.client.with("CATALOG_TOKEN", &token).cli(&["list"]),
            "hint: the token in CATALOG_TOKEN was revoked, or is another",
        ),
        (office.client.with("CATALOG_TOKEN", &elsewhere).cli(&["list"]), "have one issued with --aud catalog"),
        (
            office.client.with("CATALOG_TOKEN", &elsewhere).cli(&["check", &revoked]),
            "have one issued with --aud catalog",
        ),
        (
            office.client.with("CATALOG_TOKEN", "a.b.c").cli(&["list"]),
            "hint: what is in CATALOG_TOKEN is no token of a catalog",
        ),
        (office.client.with("CATALOG_TOKEN", "secret").cli(&["list"]), "CATALOG_TOKEN does not hold a token"),
        (office.client.without("CATALOG_TOKEN").cli(&["list"]), "there is no credential"),
        (office.client.without("CATALOG_TOKEN").cli(&["issue", "--sub", "a"]), "'catalog issue --dev"),
    ] {
        let said = done.bad(2);

        assert!(said.contains(why), "{why} is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_a_file_wins_over_the_variable_and_no_argument_carries_one() {
    let office = Office::new().await;
    let file = office.client.data().join("token");
    fs::write(&file, format!("\n{}\n", office.admin)).unwrap();
    let path = file.to_str().unwrap();
    let client = office.client.with("CATALOG_TOKEN", "a.b.c");

    let caller = client.cli(&["whoami", "--token-file", path, "--format", "json"]).json();
    let missing = client.cli(&["whoami", "--token-file", "/nonexistent/token"]).bad(2);
    fs::write(&file, "not a token").unwrap();
    let no_token = client.cli(&["whoami", "--token-file", path]).bad(2);

    assert_eq!(caller["sub"], "root@localhost");
    assert!(missing.contains("/nonexistent/token cannot be read"), "{missing}");
    assert!(no_token.contains("/token does not hold a token") && !no_token.contains("not a token\n"), "{no_token}");
    assert!(client.cli(&["whoami", "--token", "a.b.c"]).bad(2).contains("unexpected argument '--token'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_opens_no_log_and_leaves_nothing_on_its_machine() {
    let office = Office::new().await;
    let (jti, token) = office.issue(&["--sub", "ci"]);
    office.run(&["list"]).good();
    office.run(&["show", &jti]).good();
    office.client.cli_fed(&["check", "-"], &token).good();
    office.run(&["revoke", &jti, "--reason", "unspecified"]).good();
    office.run(&["whoami"]).good();

    assert_eq!(fs::read_dir(office.client.data()).unwrap().count(), 0);
    for flag in ["--data", "--database-url", "--schema", "--issuer", "--audience", "--environment"] {
        for line in [&["list", flag, "x"][..], &[flag, "x", "list"], &["issue", "--sub", "a", flag, "x"]] {
            let said = office.run(line).bad(2);

            assert!(said.contains(&format!("{flag} is for commands that open the log themselves")), "{line:?}: {said}");
        }
    }
    let both = office.run(&["issue", "--dev", "--sub", "a", "--url", "http://127.0.0.1:1"]).bad(2);
    assert!(both.contains("cannot be used with"), "{both}");
    assert!(office.run(&["issue", "--sub", "a", "--no-migrate"]).bad(2).contains("--dev"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_had_enough_ends_no_client_command_with_an_error() {
    let office = Office::new().await;
    let (jti, _) = office.issue(&["--sub", "ci"]);

    for arguments in [
        &["list"][..],
        &["list", "--all", "--format", "json"],
        &["show", &jti],
        &["whoami"],
        &["check", &jti],
        &["revoke", &jti, "--reason", "unspecified"],
    ] {
        let mut child = office.client.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();

        assert_eq!(
            (done.status.code(), String::from_utf8(done.stderr).unwrap().as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}
