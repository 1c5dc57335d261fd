//! The formats: what their readers may rely on is there, and nothing that stands in them can act.

use std::{collections::BTreeSet, fs};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::{
    Site, TestDatabase,
    process::{Server, until_true},
};

/// OCSF 1.3.0, class Entity Management (3004): the members that are required of it, with those it has from the base event,
/// and of each object that we write the ones that are required there.
const REQUIRED: [&str; 8] =
    ["activity_id", "category_uid", "class_uid", "entity", "metadata", "severity_id", "time", "type_uid"];
const REQUIRED_OF_METADATA: [&str; 2] = ["product", "version"];
const REQUIRED_OF_PRODUCT: [&str; 2] = ["name", "vendor_name"];
/// An entity has one of these at least.
const ONE_OF_ENTITY: [&str; 2] = ["name", "uid"];
/// And an actor one of these.
const ONE_OF_ACTOR: [&str; 6] = ["process", "user", "invoked_by", "session", "app_name", "app_uid"];
const ONE_OF_USER: [&str; 2] = ["name", "uid"];
/// Every member that the class and its base event have, of those that we write.
const KNOWN: [&str; 20] = [
    "activity_id",
    "activity_name",
    "actor",
    "category_name",
    "category_uid",
    "class_name",
    "class_uid",
    "entity",
    "message",
    "metadata",
    "severity",
    "severity_id",
    "src_endpoint",
    "status",
    "status_code",
    "status_id",
    "time",
    "type_name",
    "type_uid",
    "unmapped",
];
const ACTIVITIES: [i64; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99];

fn has(value: &Value, members: &[&str]) -> bool {
    members.iter().all(|member| !value[*member].is_null())
}

fn has_one_of(value: &Value, members: &[&str]) -> bool {
    members.iter().any(|member| !value[*member].is_null())
}

/// A log with something of most kinds in it.
async fn lively() -> Site {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let issue = async |body: Value| server.client.post("/tokens", &admin, body).await.json();
    let jti = |issued: &Value| issued["token"]["jti"].as_str().unwrap().to_owned();
    let first = jti(&issue(json!({"sub": "alice@example.com", "name": "=cmd()", "reason": "say \"x\", twice"})).await);
    let second = jti(&issue(json!({"sub": "=1+1"})).await);
    server.client.post(&format!("/tokens/{first}/suspend"), &admin, json!({"note": "looking"})).await;
    server.client.post(&format!("/tokens/{first}/resume"), &admin, json!({})).await;
    server.client.post(&format!("/tokens/{second}/rotate"), &admin, json!({"overlap": "1m"})).await;
    issue(json!({"sub": "bob@example.com", "expires_in": 2_000_000_000})).await;
    server.client.delete(&format!("/tokens/{first}"), &admin).await;
    server.stop().await;
    site.cli(&["keys", "add"]).good();
    site
}

fn log_id(site: &Site) -> String {
    site.cli(&["audit", "verify", "--format", "json"]).json()["head"]["log_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_is_what_the_audit_shows_and_the_same_goes_to_a_file() {
    let site = lively().await;
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).good();
    let file = site.data().join("log.ndjson");

    let exported = site.cli(&["audit", "export"]);
    site.cli(&["audit", "export", "-o", file.to_str().unwrap()]).good();

    assert_eq!(exported.stderr, "", "nothing is drawn in a pipe");
    assert_eq!(exported.good(), events);
    assert_eq!(fs::read_to_string(&file).unwrap().trim_end(), events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_event_has_what_the_specification_requires_and_is_named_once() {
    let site = lively().await;
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    let log_id = log_id(&site);

    let exported = site.cli(&["audit", "export", "--format", "cloudevents"]).ndjson();

    assert_eq!(exported.len(), events.len());
    for (cloud, event) in exported.iter().zip(&events) {
        assert_eq!(cloud["specversion"], "1.0");
        assert_eq!(cloud["id"], format!("{log_id}/{}", event["position"]));
        assert_eq!(cloud["source"], format!("urn:uuid:{log_id}"));
        assert_eq!((&cloud["type"], &cloud["time"]), (&event["kind"], &event["occurred_at"]));
        assert_eq!((&cloud["datacontenttype"], &cloud["data"]), (&json!("application/json"), event));
        assert_eq!(cloud.get("subject").unwrap_or(&Value::Null), &event["jti"], "absent where there is none");
        // Names of attributes are lower-case letters and digits.
        let names = cloud.as_object().unwrap().keys();
        assert!(names.into_iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())));
    }
    let ids: BTreeSet<&str> = exported.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), exported.len());
    let sequences: Vec<&str> = exported.iter().map(|event| event["sequence"].as_str().unwrap()).collect();
    assert!(sequences.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ocsf_event_has_every_member_that_its_class_requires_and_none_that_it_does_not_know() {
    let site = lively().await;
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();

    let exported = site.cli(&["audit", "export", "--format", "ocsf"]).ndjson();

    assert_eq!(exported.len(), events.len());
    for (ocsf, event) in exported.iter().zip(&events) {
        assert!(has(ocsf, &REQUIRED), "{ocsf}");
        assert!(ocsf.as_object().unwrap().keys().all(|member| KNOWN.contains(&member.as_str())), "{ocsf}");
        let (metadata, entity, actor) = (&ocsf["metadata"], &ocsf["entity"], &ocsf["actor"]);
        assert!(has(metadata, &REQUIRED_OF_METADATA) && has(&metadata["product"], &REQUIRED_OF_PRODUCT), "{ocsf}");
        assert!(has_one_of(entity, &ONE_OF_ENTITY) && has_one_of(actor, &ONE_OF_ACTOR), "{ocsf}");
        assert!(actor["user"].is_null() || has_one_of(&actor["user"], &ONE_OF_USER), "{ocsf}");
        assert_eq!((&ocsf["class_uid"], &ocsf["category_uid"]), (&json!(3004), &json!(3)));
        assert_eq!(metadata["version"], "1.3.0");
        let activity = ocsf["activity_id"].as_i64().unwrap();
        assert!(ACTIVITIES.contains(&activity));
        assert_eq!(ocsf["type_uid"], 300_400 + activity);
        let at: chrono::DateTime<chrono::Utc> = event["occurred_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(ocsf["time"], at.timestamp_millis());
        assert_eq!(entity["data"], event["data"]);
    }
    let of = |kind: &str| {
        let at = events.iter().position(|event| event["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
        let ocsf = &exported[at];
        (ocsf["activity_id"].as_i64().unwrap(), ocsf["entity"]["type"].clone(), ocsf["status_id"].as_i64().unwrap())
    };
    assert_eq!(of("token.issued.v1"), (1, json!("token"), 1));
    assert_eq!(of("token.revoked.v1"), (4, json!("token"), 1));
    assert_eq!(of("token.suspended.v1"), (12, json!("token"), 1));
    assert_eq!(of("token.resumed.v1"), (13, json!("token"), 1));
    assert_eq!(of("key.activated.v1"), (10, json!("key"), 1));
    assert_eq!(of("issuance.refused.v1"), (1, json!("token"), 2));
    let refused = exported.iter().find(|event| event["status_id"] == 2).unwrap();
    assert_eq!(refused["status_code"], "ttl_too_long");
    // What came past the API's controls, with elevated claims.
    let by_shell = exported.iter().find(|event| event["unmapped"]["path"] == "cli-dev").unwrap();
    assert_eq!((&by_shell["severity"], &by_shell["severity_id"]), (&json!("Medium"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_of_csv_is_a_formula_and_every_line_has_every_column() {
    let site = lively().await;
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();

    let csv = site.cli(&["audit", "export", "--format", "csv"]).stdout;

    let lines: Vec<Vec<String>> = csv.strip_suffix("\r\n").unwrap().split("\r\n").map(cells).collect();
    assert_eq!(lines[0][0], "position");
    assert_eq!(lines.len(), events.len() + 1);
    assert!(lines.iter().all(|cells| cells.len() == lines[0].len()));
    for (cells, event) in lines[1..].iter().zip(&events) {
        assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{cells:?}");
        assert_eq!(serde_json::from_str::<Value>(cells.last().unwrap()).unwrap(), *event, "the whole event is there");
    }
    assert!(lines.iter().any(|cells| cells[6] == "'=1+1"), "the subject is shown and inert");
}

/// The cells of a line as RFC 4180 has them.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut is_quoted, mut characters) = (vec![String::new()], false, line.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                cells.last_mut().unwrap().push(characters.next().unwrap());
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_interrupted_leaves_what_was_there_before_and_nothing_else() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.admin();
    let directory = site.data().join("out");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("log.csv");
    fs::write(&file, "before").unwrap();
    let names = || fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let mut holder = database.superuser().connect().await.unwrap();
    holder.execute("begin; lock table events in access exclusive mode").await.unwrap();
    let command = site.command(&["audit", "export", "--format", "csv", "-o", file.to_str().unwrap()]);

    let mut export = Server::spawn(command);
    until_true("the export has begun", || names().len() == 2).await;
    export.signal(Signal::INT);
    let code = export.ended().await;
    holder.close().await.unwrap();

    assert_eq!(code, 130, "{}", export.said());
    assert_eq!((names(), fs::read_to_string(&file).unwrap()), (vec!["log.csv".into()], "before".to_owned()));
    site.cli(&["audit", "export", "--format", "csv", "-o", file.to_str().unwrap()]).good();
    assert_eq!(fs::read_to_string(&file).unwrap(), site.cli(&["audit", "export", "--format", "csv"]).stdout);
    assert_eq!(names(), ["log.csv"]);
}
