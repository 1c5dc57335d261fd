//! What the client commands make of everything that is no catalog's answer: who answers, what is lost, who can be trusted.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{
    Does, Hand, Office, Site,
    hand::answer,
    process::{Done, until_true},
    tls::Tls,
};

/// A token in shape alone: whom these servers are asked as is all the same to them.
const TOKEN: &str = "e30.eyJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6WyJjYXRhbG9nIl19.Y2FuYXJ5LXNpZ25hdHVyZQ";
const JTI: &str = "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";
const COMMANDS: [&[&str]; 6] = [
    &["issue", "--sub", "a"],
    &["list"],
    &["show", JTI],
    &["revoke", JTI, "--reason", "unspecified"],
    &["check", JTI],
    &["whoami"],
];

/// A client of the server at `url`.
fn client(url: &str) -> Site {
    Site::on("postgres://nobody@127.0.0.1:1/none").with("CATALOG_URL", url).with("CATALOG_TOKEN", TOKEN)
}

fn problem(status: &str, code: &str, headers: &str) -> String {
    let (number, _) = status.split_once(' ').unwrap();
    let body = format!(r#"{{"type":"/problems/{code}","title":"t","status":{number},"code":"{code}","detail":"d"}}"#);
    answer(status, &format!("Content-Type: application/problem+json\r\n{headers}"), &body)
}

fn html(status: &str) -> String {
    answer(status, "Content-Type: text/html; charset=utf-8\r\n", "<html>canary</html>")
}

#[test]
fn an_answer_that_is_not_a_catalogs_is_never_taken_for_one() {
    let cases = [
        (html("200 OK"), "status 200, a document of the type text/html"),
        (html("201 Created"), "status 201"),
        (html("403 Forbidden"), "status 403, a document of the type text/html"),
        (html("404 Not Found"), "status 404"),
        (
            answer("200 OK", "Content-Type: application/json\r\n", r#"{"message":"hello"}"#),
            "application/json with other members",
        ),
        (answer("404 Not Found", "Content-Type: application/json\r\n", r#"{"detail":"Not Found"}"#), "status 404"),
        (
            answer(
                "404 Not Found",
                "Content-Type: application/problem+json\r\n",
                r#"{"status":403,"code":"token_unknown","detail":"d"}"#,
            ),
            "status 404",
        ),
        (answer("200 OK", "", ""), "status 200, without a media type"),
        (answer("200 OK", "Content-Type: application/json\r\n", "[]"), "status 200"),
    ];

    for (answer, what) in cases {
        for command in COMMANDS {
            let server = Hand::saying(&answer);

            let said = client(&server.url).cli(command).bad(2);

            assert!(said.contains("did not answer as a catalog does") && said.contains(what), "{command:?}: {said}");
            assert!(
                said.contains("hint: another service or a proxy answers there") && !said.contains("canary"),
                "{said}"
            );
        }
    }
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let elsewhere = Hand::saying(&html("200 OK"));
    for (status, command) in
        [("302 Found", COMMANDS[0]), ("301 Moved Permanently", COMMANDS[1]), ("307 Temporary Redirect", COMMANDS[3])]
    {
        let server = Hand::saying(&answer(status, &format!("Location: {}/login\r\n", elsewhere.url), ""));

        let said = client(&server.url).cli(command).bad(2);

        assert!(said.contains(&format!("redirects to {}/login (status {}", elsewhere.url, &status[..3])), "{said}");
        assert!(said.contains("hint: redirects are not followed") && said.contains("CATALOG_URL"), "{said}");
        assert_eq!(server.heard().len(), 1);
    }
    assert_eq!(elsewhere.heard(), [] as [String; 0], "nobody else was shown the token");
}

#[test]
fn nothing_that_a_server_says_can_command_a_terminal() {
    let escape = "\\u001b[2J\\u202e\\nhint: forged";
    let record = |status: &str| {
        format!(
            r#"{{"jti":"{JTI}","status":"{status}","sub":"{escape}","path":"api","out_of_band":false,"elevated":[],"issued_at":"2026-03-01T12:00:00Z",
            "expires_at":"2026-03-01T12:00:00Z","aud":[],"is_admin":false,"teams":[],"namespaces":[],"position":1,
            "scopes":{{"server_id":null,"permissions":["{escape}"],"ip_restrictions":[],"time_restrictions":{{"days":["{escape}"]}},"usage_limits":{{}}}}}}"#
        )
    };
    let ok = |body: &str| answer("200 OK", "Content-Type: application/json\r\n", body);
    let refusal = format!(r#"{{"status":409,"code":"{escape}","detail":"{escape}"}}"#);
    let issued = format!(r#"{{"token":{},"access_token":"{TOKEN}","position":1}}"#, record("active"));
    let forged = format!(r#"{{"token":{},"access_token":"{escape}","position":1}}"#, record("active"));
    let listed = format!(r#"{{"tokens":[{}],"next_cursor":null}}"#, record(escape));
    let cases: [(String, &[&str]); 9] = [
        (answer("409 Conflict", "", &refusal), COMMANDS[0]),
        (answer("409 Conflict", "", &refusal), COMMANDS[3]),
        (ok(&issued), COMMANDS[0]),
        (ok(&forged), COMMANDS[0]),
        (ok(&listed), COMMANDS[1]),
        (ok(&listed), &["list", "--format", "json"]),
        (ok(&record(escape)), COMMANDS[2]),
        (ok(&format!(r#"{{"jti":"{JTI}","status":"{escape}"}}"#)), COMMANDS[4]),
        (answer("302 Found", "Location: /\u{1b}[2J\u{9b}\r\n", ""), COMMANDS[1]),
    ];

    for (answer, command) in cases {
        let server = Hand::saying(&answer);

        let Done { stdout, stderr, .. } = client(&server.url).cli(command);

        let forged = |line: &str| line.starts_with("hint: forged");
        let commands = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        for text in [&stdout, &stderr] {
            assert!(!text.contains(commands) && !text.lines().any(forged), "{command:?}: {text:?}");
        }
        assert!(stdout.len() + stderr.len() > 40, "{command:?} shows something");
    }
}

#[test]
fn an_answer_without_an_end_is_not_read_to_it() {
    let server = Hand::that([Does::NeverEnds]);

    let said = client(&server.url).cli(&["list"]).bad(2);

    assert!(said.contains("is longer than any of a catalog's (16777216 bytes)"), "{said}");
}

#[test]
fn a_server_that_says_nothing_is_asked_three_times_and_waited_for_no_longer_than_told() {
    let begun = Instant::now();
    let server = Hand::that([Does::IsSilent, Does::IsSilent, Does::IsSilent]);

    let said = client(&server.url).cli(&["whoami", "--timeout", "2s"]).bad(2);

    assert!(
        said.contains(&format!("catalog: error: {} gave no answer within 2s\nhint: try again", server.url)),
        "{said}"
    );
    assert_eq!((server.heard().len(), said.matches("; asking again\n").count()), (3, 2), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_issuance_whose_answer_is_lost_for_good_says_under_which_name_it_can_be_had() {
    for (does, command) in [
        (Does::HangsUp, COMMANDS[0]),
        (Does::Says("HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{".to_owned()), COMMANDS[0]),
    ] {
        let server = Hand::that(vec![does; 3]);

        let said = client(&server.url).cli(command).bad(2);

        let heard = server.heard();
        let key = idempotency_key(&heard[0]);
        assert!(heard.len() == 3 && heard.iter().all(|request| idempotency_key(request) == key), "{heard:?}");
        assert!(said.contains(&format!("the answer of {} was lost", server.url)), "{said}");
        assert!(
            said.contains(&format!("The same command with --idempotency-key {key} gets that very token")),
            "{said}"
        );
    }
    let other = Hand::that(vec![Does::HangsUp; 3]);
    assert!(!client(&other.url).cli(&["list"]).bad(2).contains("note: "), "a read leaves nothing to be doubted");
    let nobody = client("http://127.0.0.1:1").cli(COMMANDS[0]).bad(2);
    assert!(!nobody.contains("note: "), "nothing was asked, nothing can have been issued: {nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_that_is_interrupted_says_under_which_name_its_token_can_be_had() {
    let server = Hand::that([Does::IsSilent]);
    let mut command = client(&server.url).command(&["issue", "--sub", "a", "--timeout", "10m"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_true("the server is asked", || !server.heard().is_empty()).await;

    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let said = Done::from(child.wait_with_output().unwrap()).bad(130);

    let key = idempotency_key(&server.heard()[0]);
    assert!(said.contains(&format!("with --idempotency-key {key} gets that very token")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_token() {
    let office = Office::new().await;
    let address = office.server.client.address().to_owned();
    let [loses, passes] = [Does::LosesTheAnswerOf(address.clone()), Does::PassesTo(address)];
    let proxy = Hand::that([loses.clone(), Does::Says(html("502 Bad Gateway")), passes]);

    let done = office.through(&proxy.url).cli(&["issue", "--sub", "ci@example.com", "--name", "deploy"]);

    let heard = proxy.heard();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|request| idempotency_key(request) == idempotency_key(&heard[0])), "{heard:?}");
    assert_eq!(office.events("token.issued.v1", "api").await, 1);
    assert!(office.server.client.is_active(done.stdout.trim(), &office.admin).await);

    let broken = Hand::that([loses.clone(), Does::HangsUp, Does::HangsUp]);
    let said = office.through(&broken.url).cli(&["issue", "--sub", "ci@example.com"]).bad(2);
    let key = idempotency_key(&broken.heard()[0]);
    let found = office.run(&["issue", "--sub", "ci@example.com", "--idempotency-key", &key]).good();
    assert!(said.contains(&key), "{said}");
    assert_eq!(office.events("token.issued.v1", "api").await, 2, "the one that was lost, and no other");
    assert!(office.server.client.is_active(&found, &office.admin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_whose_answer_is_lost_counts_once() {
    let office = Office::new().await;
    let (jti, _) = office.issue(&["--sub", "ci"]);
    let address = office.server.client.address().to_owned();
    let proxy = Hand::that([Does::LosesTheAnswerOf(address.clone()), Does::PassesTo(address)]);

    let line = office.through(&proxy.url).cli(&["revoke", &jti, "--reason", "superseded"]).good();

    assert_eq!(line, format!("{jti}\trevoked\tposition 7"));
    assert_eq!((office.events("token.revoked.v1", "api").await, proxy.heard().len()), (1, 2));
    let gone = Hand::that(vec![Does::HangsUp; 3]);
    let rest = office.through(&gone.url).cli(&["revoke", &jti, JTI, "--reason", "superseded"]);
    assert_eq!(rest.code, 2);
    assert!(rest.stderr.contains(&format!("note: nothing is known of {jti} {JTI}; the same command")), "{rest:?}");
}

#[test]
fn a_server_that_cannot_now_is_asked_again_when_it_says_and_never_late() {
    let busy = |wait: &str| Does::Says(problem("503 Service Unavailable", "busy", wait));
    let found = Does::Says(answer(
        "200 OK",
        "Content-Type: application/json\r\n",
        &json!({"jti": JTI, "status": "active"}).to_string(),
    ));
    let begun = Instant::now();
    let patient = Hand::that([busy("Retry-After: 1\r\n"), found.clone()]);
    let done = client(&patient.url).cli(&["check", JTI]);
    assert_eq!((done.code, done.stdout), (0, format!("active  {JTI}\n")));
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waits as long as it is told");

    let long = Hand::that([busy("Retry-After: 60\r\n"), found.clone()]);
    let said = client(&long.url).cli(&["check", JTI]).bad(2);
    assert!(said.contains("d (busy)") && said.contains("hint: try again in a moment"), "{said}");
    assert_eq!(long.heard().len(), 1, "a minute is for whoever called to decide");

    let never = Hand::that([busy(""), busy(""), busy(""), found]);
    assert!(client(&never.url).cli(&["check", JTI]).bad(2).contains("d (busy)"));
    assert_eq!(never.heard().len(), 3);

    let keyless = Hand::saying(&problem("503 Service Unavailable", "provider_unavailable", "Retry-After: 1\r\n"));
    let said = client(&keyless.url).cli(&["whoami"]).bad(2);
    assert!(said.contains("the server's diagnostics say why: see jwks_uri in its policy"), "{said}");
    for code in ["not_configured", "key_not_here"] {
        let unready = Hand::saying(&problem("503 Service Unavailable", code, "Retry-After: 1\r\n"));
        assert!(client(&unready.url).cli(COMMANDS[0]).bad(2).contains("hint: this server cannot issue"), "{code}");
    }
}

#[test]
fn a_defect_of_the_server_is_told_with_the_name_of_the_request() {
    let server = Hand::saying(&problem("500 Internal Server Error", "internal", "x-request-id: r-1\r\n"));

    let said = client(&server.url).cli(COMMANDS[0]).bad(2);

    assert!(said.contains("d (internal)") && said.contains("in its diagnostics under r-1"), "{said}");
    assert!(said.contains("note: the token may have been issued"), "{said}");
}

#[test]
fn a_server_that_cannot_be_reached_is_an_error_with_a_hint() {
    // No resolver has to be asked to know that there is no such name.
    let unnameable = format!("http://{}.invalid", "x".repeat(64));
    let cases = [
        ("http://127.0.0.1:1", "nobody listens there (connection refused)", "start it with 'catalog serve'"),
        (unnameable.as_str(), "there is no address for its name", "is spelt right"),
        ("localhost:8080", "'localhost:8080' is not the URL of a catalog", ""),
        ("ftp://127.0.0.1", "is not the URL of a catalog", ""),
        ("http://user:canary-password@127.0.0.1", "is not the URL of a catalog", ""),
    ];

    for (url, why, hint) in cases {
        for command in COMMANDS {
            let begun = Instant::now();

            let by_variable = client(url).cli(command).bad(2);
            let by_flag = client("http://127.0.0.1:1").cli(&[command, &["--url", url]].concat());

            assert!(by_variable.contains(why) && by_variable.contains(hint), "{command:?}: {by_variable}");
            assert!(by_flag.code == 2 && by_flag.stderr.contains(why), "{command:?}: {by_flag:?}");
            assert!(!by_variable.contains("canary") && !by_flag.stderr.contains("canary"), "{by_variable} {by_flag:?}");
            assert!(
                !by_variable.contains("asking again") && begun.elapsed() < Duration::from_secs(20),
                "{by_variable}"
            );
        }
    }
}

#[test]
fn a_token_goes_unencrypted_to_this_machine_alone_without_a_warning() {
    let whoami = answer("401 Unauthorized", "", "");
    let proxy = Hand::that(vec![Does::Says(whoami.clone()); 1]);
    let beside = client("http://catalog.example.com").with("http_proxy", &proxy.url);
    let direct = Hand::saying(&whoami);

    let far = beside.cli(&["whoami"]);
    let near = client(&direct.url).with("http_proxy", "http://127.0.0.1:1").cli(&["whoami"]);

    assert!(far.stderr.contains("warning: the token goes to http://catalog.example.com unencrypted"), "{far:?}");
    assert!(proxy.heard()[0].starts_with("GET http://catalog.example.com/whoami "), "{:?}", proxy.heard());
    assert!(!near.stderr.contains("warning") && direct.heard().len() == 1, "{near:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_with_whom_the_machine_trusts_and_with_nobody_else() {
    let office = Office::new().await;
    let tls = Tls::before(office.server.client.address(), "localhost").await;
    let other = Tls::before(office.server.client.address(), "other.example.com").await;
    let trusting = |tls: &Tls| {
        let file = office.client.data().join("ca.pem");
        std::fs::write(&file, &tls.certificate).unwrap();
        office.through(&tls.url).with("SSL_CERT_FILE", file.to_str().unwrap())
    };
    let nobody = |url: &str| {
        office.through(url).with("SSL_CERT_FILE", "/nonexistent/ca.pem").with("SSL_CERT_DIR", "/nonexistent")
    };

    let trusted = trusting(&tls).cli(&["whoami", "--format", "json"]);
    let stranger = trusting(&other).with("CATALOG_URL", &tls.url).cli(&["whoami"]).bad(2);
    let misnamed = trusting(&other).cli(&["whoami"]).bad(2);
    let plain = office.through(&office.server.client.url.replace("http:", "https:")).cli(&["whoami"]).bad(2);
    let encrypted = office.through(&tls.url.replace("https:", "http:")).cli(&["whoami"]).bad(2);
    let trustless = nobody(&tls.url).cli(&["whoami"]).bad(2);
    let without = nobody(&office.server.client.url).cli(&["whoami"]);

    assert_eq!(trusted.stderr, "");
    assert_eq!(trusted.json()["sub"], "root@localhost");
    for (said, why, hint) in [
        (stranger, "UnknownIssuer", "hint: its certificate is signed by nobody whom this machine trusts"),
        (misnamed, "not valid for name", "hint: see that --url (CATALOG_URL) has the name"),
        (plain, "corrupt message", "hint: it does not speak TLS there: write http://"),
        (encrypted, "was lost", "scheme and port of --url"),
        (trustless, "no connection can be made", "hint: install your system's CA certificates"),
    ] {
        assert!(said.contains(why) && said.contains(hint), "{why}: {said}");
    }
    without.good();
}

#[test]
fn a_server_that_was_there_a_moment_ago_is_asked_again_although_nobody_listens_now() {
    let server = Hand::that([Does::HangsUp]);

    let said = client(&server.url).cli(COMMANDS[0]).bad(2);

    assert_eq!(said.matches("; asking again\n").count(), 2, "{said}");
    assert!(said.contains(&format!("catalog: error: {} cannot be reached", server.url)), "{said}");
    assert!(said.contains("note: the token may have been issued"), "the first request did reach it: {said}");
}

/// What a request names itself.
fn idempotency_key(request: &str) -> String {
    let line = request.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
    line.unwrap_or_else(|| panic!("{request} has no name")).to_owned()
}

#[test]
fn a_proxy_that_wants_a_login_is_told_from_the_catalog() {
    for url in ["http://catalog.example.com", "https://catalog.example.com"] {
        let proxy = Hand::saying(&html("407 Proxy Authentication Required"));
        let site = client(url).with("http_proxy", &proxy.url).with("https_proxy", &proxy.url);

        let said = site.cli(&["whoami"]).bad(2);

        assert!(said.contains("407") && said.contains("hint: a proxy on the way wants a login: "), "{said}");
        assert!(said.contains("no_proxy") && !said.contains("canary"), "{said}");
    }
}
