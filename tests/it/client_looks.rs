//! What people and programs see of the client commands, word for word but for identifiers and times.

use serde_json::Value;

use crate::support::{Office, process::Done, terminal};

/// Identifiers, times and names that differ from run to run, each by one of the same width.
const MASKS: [(&str, &str); 4] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "00000000-0000-7000-8000-000000000000"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-03-01T12:00:00Z"),
    (r#""kid":( ?)"[^"]+""#, r#""kid":$1"(kid)""#),
    (r#"(by |"issued_by": ?")[a-z0-9_-]+@[A-Za-z0-9._-]+"#, "${1}user@host"),
];

macro_rules! looks {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ filters => MASKS.to_vec() }, { insta::assert_snapshot!($name, $text) })
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_cards_and_json_look_like_this() {
    let office = Office::new().await;
    let laptop =
        office.home.cli(&["issue", "--dev", "--sub", "alice@example.com", "--teams", "red", "--name", "laptop"]).good();
    let issuance = office.run(&["issue", "--sub", "ci@example.com", "--name", "deploy", "--permissions", "tools.read"]);
    let jti = |name: &str| office.run(&["list", "--name", name]).good().split('\t').next().unwrap().to_owned();
    let (lost, kept) = (jti("laptop"), jti("deploy"));
    let why = ["--reason", "cessation_of_operation", "--note", "the laptop went back"];
    let unknown = "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";

    looks!("issue_talk", issuance.stderr);
    looks!("check_token", office.client.cli_fed(&["check", "-"], &laptop).stdout);
    looks!(
        "revoke_table",
        terminal::seen(office.client.command(&[&["revoke", &lost, unknown][..], &why].concat()), 120)
    );
    looks!("revoke_lines", office.run(&[&["revoke", &lost, unknown][..], &why].concat()).stdout);
    looks!("revoke_json", pretty(&office.run(&[&["revoke", &lost, unknown, "--format", "json"][..], &why].concat())));
    looks!("list_table", terminal::seen(office.client.command(&["list"]), 120));
    looks!("list_narrow", terminal::seen(office.client.command(&["list"]), 60));
    looks!("list_lines", office.run(&["list"]).stdout);
    looks!("list_json", pretty(&office.run(&["list", "--format", "json"])));
    looks!("list_ndjson", office.run(&["list", "--format", "ndjson", "--name", "deploy"]).stdout);
    looks!("show_card", office.run(&["show", &lost]).stdout);
    looks!("show_json", pretty(&office.run(&["show", &kept, "--format", "json"])));
    looks!("check_jti", office.run(&["check", &lost]).stdout);
    looks!("check_json", pretty(&office.client.cli_fed(&["check", "-", "--format", "json"], &laptop)));
    looks!("whoami_card", office.run(&["whoami"]).stdout);
    looks!("whoami_json", pretty(&office.run(&["whoami", "--format", "json"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_shows_every_restriction_and_none_that_is_not_there() {
    let office = Office::new().await;
    let scopes = r#"{"server_id":"s-1","permissions":["tools.read"],"ip_restrictions":["10.0.0.0/8"],
                     "time_restrictions":{"weekdays_only":true},"usage_limits":{"requests_per_hour":9}}"#;
    let flags = ["--sub", "ci", "--teams", "[]", "--namespaces", "n", "--description", "d", "--reason", "r"];
    let (jti, _) = office.issue(&[&flags[..], &["--scopes", scopes]].concat());

    looks!("show_restricted", office.run(&["show", &jti]).stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_says_by_which_rule_a_token_ended_and_at_which_deadline() {
    let office = Office::new().await;
    let (ruled, _) = office.issue(&["--sub", "alice@example.com"]);
    let (rotated, _) = office.issue(&["--sub", "bob@example.com"]);
    office.run(&["revoke", "--sub", "alice@example.com", "--reason", "superseded", "--yes"]).good();
    office.run(&["rotate", &rotated, "--overlap", "0s"]).good();

    let listed = office.run(&["list"]).good();
    let status = |jti: &str| {
        let row = listed.lines().find(|row| row.starts_with(jti)).unwrap();
        row.split('\t').nth(1).unwrap().to_owned()
    };
    let why = |jti: &str| office.run(&["show", jti, "--format", "json"]).json()["inactive_because"].clone();
    assert_eq!(status(&ruled), format!("revoked by rule @{}", why(&ruled)["position"]));
    let deadline = why(&rotated)["deadline"].as_str().unwrap()[..19].to_owned();
    assert_eq!(status(&rotated), format!("revoked by rotation at {deadline}Z"));
}

fn pretty(done: &Done) -> String {
    let value: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("not JSON: {done:?}"));
    serde_json::to_string_pretty(&value).unwrap()
}
