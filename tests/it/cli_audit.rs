//! `catalog audit`: the log straight from the log, beside a running server and without one.

use serde_json::{Value, json};

use crate::support::{Site, TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn every_format_shows_the_events_as_the_api_does() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let body = json!({"sub": "alice@example.com", "name": "naïve \u{1f511}", "reason": "on call"});
    let issued = server.client.post("/tokens", &admin, body).await.json();
    let jti = issued["token"]["jti"].as_str().unwrap();
    server.client.delete(&format!("/tokens/{jti}"), &admin).await;
    let of_api = server.client.events(0, &admin).await;

    let json = site.cli(&["audit", "events", "--format", "json"]).json();
    let ndjson = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    let text = site.cli(&["audit", "events"]).good();

    assert_eq!(json, Value::Array(of_api.clone()));
    assert_eq!(ndjson, of_api);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), of_api.len());
    for (line, event) in lines.iter().zip(&of_api) {
        assert_eq!(line.len(), 8, "{line:?}");
        assert_eq!(line[0], event["position"].to_string());
        assert_eq!((json!(line[2]), json!(line[3])), (event["kind"].clone(), event["path"].clone()));
    }
    assert!(!text.contains(issued["access_token"].as_str().unwrap()));
    server.stop().await;
    assert_eq!(site.cli(&["audit", "events", "--format", "ndjson"]).ndjson(), of_api, "without a server the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_is_by_position_token_and_path() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let issued = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
    let jti = issued["token"]["jti"].as_str().unwrap();
    server.client.delete(&format!("/tokens/{jti}"), &admin).await;
    let positions = |more: &[&str]| {
        let events = site.cli(&[&["audit", "events", "--format", "ndjson"], more].concat()).ndjson();
        events.iter().map(|event| event["position"].as_i64().unwrap()).collect::<Vec<_>>()
    };

    assert_eq!(positions(&[]), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(positions(&["--after", "5"]), [6, 7]);
    assert!(positions(&["--after", "7"]).is_empty());
    let beyond = site.cli(&["audit", "events", "--after", "8"]).bad(2);
    assert!(beyond.contains("@8 is beyond the end of the log, which goes from @1 to @7"), "{beyond}");
    assert_eq!(positions(&["--jti", jti]), [6, 7]);
    assert_eq!(positions(&["--path", "cli-dev"]), [5]);
    assert_eq!(positions(&["--path", "system", "--after", "2"]), [3, 4]);
    assert!(positions(&["--jti", "01990000-0000-7000-8000-000000000000"]).is_empty());
    assert_eq!(site.cli(&["audit", "events", "--format", "json", "--after", "7"]).json(), json!([]));
    assert_eq!(site.cli(&["audit", "events", "--after", "7"]).good(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_holds_verifies_with_0_and_its_head_can_be_kept_outside() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let head = server.client.get("/audit/events", &admin).await.json()["head"].clone();

    let done = site.cli(&["audit", "verify"]);
    let said = done.stderr.clone();
    let text = done.good();
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();

    let whole = json!({
        "holds": true, "head": head, "events": 5, "tokens": 1, "erased": 0, "erased_rules": [], "findings": [], "more": 0,
    });
    assert_eq!(verified, whole);
    for part in ["verified", "density", "digest chain", "commitments", "projections"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let (_, kept) = text.split_once("\nhead ").unwrap();
    assert_eq!(serde_json::from_str::<Value>(kept).unwrap(), head);
    assert!(said.contains("Whoever owns the database could rewrite all of it"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_tampered_with_ends_with_1_and_names_the_first_bad_position() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    for sub in ["alice@example.com", "bob@example.com", "carol@example.com"] {
        site.cli(&["issue", "--dev", "--sub", sub]).good();
    }
    database
        .tamper(
            "alter table events disable trigger all;
             update events set recorded_at = recorded_at - interval '1 hour' where position = 7;
             update events set personal = convert_to('{}', 'UTF8') where position = 6",
        )
        .await;

    let text = site.cli(&["audit", "verify"]);
    let verified = site.cli(&["audit", "verify", "--format", "json"]);

    assert_eq!((text.code, verified.code), (1, 1));
    assert!(text.stdout.starts_with("BROKEN    the first finding is at position 6\n"), "{}", text.stdout);
    assert!(!text.stdout.contains("verified"), "{}", text.stdout);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(verified["holds"], false);
    assert_eq!(verified["findings"][0]["position"], 6);
    let at: Vec<i64> = verified["findings"].as_array().unwrap().iter().filter_map(|f| f["position"].as_i64()).collect();
    assert!(at.contains(&7) && at.iter().all(|position| [6, 7].contains(position)), "{verified}");
}
