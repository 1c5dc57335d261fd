//! `GET /metrics`: every figure that the manual names is there and right, and no other is.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::{
    Site, TestDatabase,
    process::{Client, OwnPostgres, until},
};

/// What one scrape said: the value of each series, and what kind of metric each name is.
struct Scrape {
    kinds: BTreeMap<String, String>,
    series: BTreeMap<String, String>,
    text: String,
}

impl Scrape {
    async fn of(client: &Client) -> Self {
        let reply = client.get("/metrics", "").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let mut scrape = Self { kinds: BTreeMap::new(), series: BTreeMap::new(), text: reply.text };
        for line in scrape.text.lines().filter(|line| !line.is_empty()) {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                let (name, kind) = described.split_once(' ').unwrap();
                scrape.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let twice = scrape.series.insert(canonical(series), value.to_owned());
                assert_eq!(twice, None, "{series} is there twice");
            }
        }
        scrape
    }

    /// The value of a series, as Prometheus would write it with its labels in order; nought if it is not there.
    fn value(&self, series: &str) -> &str {
        self.series.get(series).map_or("0", String::as_str)
    }

    fn number(&self, series: &str) -> f64 {
        self.value(series).parse().unwrap()
    }

    /// Every name with its kind and the labels that occur on it, but for a bucket's bound.
    fn shapes(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let mut shapes: BTreeMap<_, _> =
            self.kinds.iter().map(|(name, kind)| (name.clone(), (kind.clone(), BTreeSet::new()))).collect();
        for series in self.series.keys() {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let name = base.filter(|base| self.kinds.contains_key(*base)).unwrap_or(name);
            let labels = labels.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            let shape = shapes.get_mut(name).unwrap_or_else(|| panic!("{name} has no # TYPE"));
            shape.1.extend(labels.filter(|label| label != "le"));
        }
        shapes
    }
}

/// A series with its labels in order. No value of ours has a comma in it.
fn canonical(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
    let mut labels: Vec<&str> = labels.strip_suffix('}').unwrap().split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

/// The table of the manual: the kind and the labels of each metric.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let manual = include_str!("../../docs/operations.md");
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let table = manual.split_once("\n| metric | type | labels | meaning |\n").unwrap().1;
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (quoted(cells[1]).remove(0), (cells[2].to_owned(), quoted(cells[3]).into_iter().collect()))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_in_the_figures_and_the_manual_names_them_all_and_no_other() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let gone = site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    // As if it had been signed past the catalog.
    database.tamper("delete from issued_tokens where issued_pos = (select max(issued_pos) from tokens)").await;
    let policy = site.data().join("policy.toml");
    std::fs::write(&policy, TRUSTING).unwrap();
    site.cli(&["policy", "apply", policy.to_str().unwrap()]).good();
    let server = site.serve().await;
    let client = &server.client;

    tell(gone.trim(), &site, client, &admin).await;
    // The record of the shadow token does not hold up the answer, so it may come a little later.
    until("the whole story is in the log", async || {
        (Scrape::of(client).await.value("catalog_log_position") == "14").then_some(())
    })
    .await;
    // Scrapes at the same time count nothing twice.
    tokio::join!(Scrape::of(client), Scrape::of(client), Scrape::of(client), Scrape::of(client));
    let scrape = Scrape::of(client).await;

    for (series, expected) in EXPECTED {
        assert_eq!(scrape.value(series), *expected, "{series} in:\n{}", scrape.text);
    }
    let batches = scrape.number("catalog_append_batch_commands_count");
    assert!((1.0..=10.0).contains(&batches) && scrape.number("catalog_append_commit_duration_seconds_sum") > 0.0);
    assert!(scrape.number("catalog_append_commit_duration_seconds_count") <= batches);
    assert!(scrape.number("process_start_time_seconds") > 1_700_000_000.0);
    assert_eq!(scrape.shapes(), documented());
    for never in ["alice", "root@localhost", "nowhere", "BREW", "ci", "localhost"] {
        assert!(!scrape.text.contains(never), "{never} is in:\n{}", scrape.text);
    }
}

/// What the story comes to. `of="credential"` are the callers, one a request that presents a token.
const EXPECTED: &[(&str, &str)] = &[
    (r#"catalog_tokens_issued_total{path="api"}"#, "2"),
    (r#"catalog_tokens_issued_total{path="cli-dev"}"#, "1"),
    (r#"catalog_tokens_issued_total{path="system"}"#, "0"),
    (r#"catalog_tokens_revoked_total{path="api"}"#, "1"),
    (r#"catalog_revocation_rules_total{path="api"}"#, "1"),
    (r#"catalog_revocation_rules_total{path="cli-dev"}"#, "0"),
    (r#"catalog_append_outcomes_total{outcome="recorded"}"#, "6"),
    (r#"catalog_append_outcomes_total{outcome="repeated"}"#, "1"),
    (r#"catalog_append_outcomes_total{outcome="unchanged"}"#, "1"),
    (r#"catalog_append_outcomes_total{outcome="refused"}"#, "2"),
    (r#"catalog_append_outcomes_total{outcome="unknown"}"#, "0"),
    ("catalog_append_batch_commands_sum", "10"),
    (r#"catalog_refusals_total{path="api",rule="name_in_use"}"#, "1"),
    (r#"catalog_refusals_total{path="api",rule="token_unknown"}"#, "1"),
    (r#"catalog_refusals_total{path="api",rule="permission_missing"}"#, "1"),
    (r#"catalog_checks_total{of="token",verdict="active"}"#, "1"),
    (r#"catalog_checks_total{of="token",verdict="revoked"}"#, "1"),
    (r#"catalog_checks_total{of="token",verdict="invalid"}"#, "1"),
    (r#"catalog_checks_total{of="token",verdict="foreign"}"#, "1"),
    (r#"catalog_checks_total{of="token",verdict="shadow"}"#, "1"),
    (r#"catalog_checks_total{of="credential",verdict="active"}"#, "16"),
    (r#"catalog_checks_total{of="credential",verdict="foreign"}"#, "1"),
    (r#"catalog_checks_total{of="credential",verdict="unavailable"}"#, "1"),
    (r#"catalog_provider_keys_total{answer="none"}"#, "1"),
    (r#"catalog_provider_keys_total{answer="good"}"#, "0"),
    (r#"catalog_checks_total{of="jti",verdict="revoked"}"#, "2"),
    (r#"catalog_checks_total{of="jti",verdict="unknown"}"#, "1"),
    (r#"catalog_http_requests_total{method="POST",route="/tokens",status="201"}"#, "3"),
    (r#"catalog_http_requests_total{method="POST",route="/tokens",status="409"}"#, "1"),
    (r#"catalog_http_requests_total{method="DELETE",route="/tokens/{jti}",status="204"}"#, "2"),
    (r#"catalog_http_requests_total{method="POST",route="/introspect",status="200"}"#, "5"),
    (r#"catalog_http_requests_total{method="GET",route="/audit/events",status="403"}"#, "1"),
    (r#"catalog_http_requests_total{method="GET",route="unmatched",status="404"}"#, "2"),
    (r#"catalog_http_requests_total{method="other",route="unmatched",status="404"}"#, "1"),
    (r#"catalog_http_requests_total{method="other",route="/tokens",status="405"}"#, "1"),
    (r#"catalog_http_request_duration_seconds_count{method="POST",route="/tokens"}"#, "4"),
    (r#"catalog_http_request_duration_seconds_bucket{le="+Inf",method="POST",route="/tokens"}"#, "4"),
    ("catalog_append_queue_commands", "0"),
    ("catalog_append_queue_commands_max", "4096"),
    (r#"catalog_database_connections_max{pool="checks"}"#, "2"),
    (r#"catalog_database_connections_max{pool="reads"}"#, "14"),
    ("catalog_check_queue_tokens", "0"),
    ("catalog_database_up", "1"),
    // Five of the first start, one each for the policy, the administrator's token, the four that were issued, the revocation, the one
    // that was refused, and the shadow token.
    ("catalog_log_position", "14"),
    (concat!(r#"catalog_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""}"#), "1"),
];

/// A policy that trusts a provider whose keys cannot be had.
const TRUSTING: &str = "[[trusted_issuer]]
issuer = \"http://127.0.0.1:1\"
jwks_uri = \"http://127.0.0.1:1/jwks\"
audience = \"here\"
email_domains = [\"example.com\"]
permissions = [\"tokens.create\"]
";

/// A token of that provider, as far as anybody can say.
fn of_provider() -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "k"});
    format!("{}.{}.AA", part(header), part(json!({"iss": "http://127.0.0.1:1"})))
}

/// One of each: issued, issued again, in use, out-of-band, revoked twice, checked, revoked by rule, refused, lost.
async fn tell(gone: &str, site: &Site, client: &Client, admin: &str) {
    let issued = client.issue_named(admin, "first", &json!({"sub": "alice@example.com", "name": "ci"})).await.json();
    client.issue_named(admin, "first", &json!({"sub": "alice@example.com", "name": "ci"})).await;
    client.post("/tokens", admin, json!({"sub": "alice@example.com", "name": "ci"})).await;
    let plain = client.post("/tokens", admin, json!({"sub": "alice@example.com", "aud": ["catalog"]})).await.json();
    site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    let token = |answer: &Value| answer["access_token"].as_str().unwrap().to_owned();
    let jti = |answer: &Value| answer["token"]["jti"].as_str().unwrap().to_owned();

    assert!(client.is_active(&token(&issued), admin).await);
    for _ in 0..2 {
        client.delete(&format!("/tokens/{}", jti(&issued)), admin).await;
    }
    client.delete(&format!("/tokens/{}", uuid::Uuid::from_u128(404)), admin).await;
    assert!(!client.is_active(&token(&issued), admin).await);
    let (input, _) = token(&issued).rsplit_once('.').map(|(input, end)| (input.to_owned(), end.len())).unwrap();
    assert!(!client.is_active(&format!("{input}.{}", "A".repeat(86)), admin).await);
    assert!(!client.is_active("eyJhbGciOiJub25lIn0.e30.AA", admin).await);
    assert!(!client.is_active(gone, admin).await);
    client.get(&format!("/revocations/{}", jti(&issued)), admin).await;
    let ids = [jti(&issued), uuid::Uuid::from_u128(404).to_string()];
    client.post("/revocations/check", admin, json!({ "jtis": ids })).await;
    client.post("/revocations", admin, json!({"where": {"sub": "alice@example.com", "path": "cli-dev"}})).await;

    assert_eq!(client.get("/audit/events", &token(&plain)).await.status, 403);
    assert_eq!(client.get("/tokens", "eyJhbGciOiJub25lIn0.e30.AA").await.status, 401);
    assert_eq!(client.get("/whoami", &of_provider()).await.status, 503);
    for path in ["/nowhere", "/nowhere/else"] {
        client.get(path, "").await;
    }
    client.send("BREW", "/nowhere", "", &Value::Null).await;
    client.send("BREW", "/tokens", "", &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_given_while_the_database_is_gone_and_say_so() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    let before = Scrape::of(client).await;
    postgres.crash().await;

    client.get("/revocations/00000000-0000-7000-8000-000000000000", &admin).await;
    let gone = Scrape::of(client).await;
    postgres.restart();
    let issued = until("a token is issued again", async || {
        let reply = client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;
        (reply.status == 201).then_some(reply)
    })
    .await;
    let back = Scrape::of(client).await;

    assert_eq!(gone.value("catalog_database_up"), "0");
    assert_eq!(gone.value("catalog_log_position"), before.value("catalog_log_position"));
    assert_eq!(gone.value(r#"catalog_checks_total{of="jti",verdict="unavailable"}"#), "1");
    assert_eq!(back.value("catalog_database_up"), "1");
    assert_eq!(back.value("catalog_log_position"), issued.json()["position"].to_string());
    assert_eq!(back.value(r#"catalog_tokens_issued_total{path="api"}"#), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_wait_for_the_database_are_seen_to_wait_and_share_the_next_statement() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    // It might still be issued, and is looked up each time.
    let unknown = format!("/revocations/{}", uuid::Uuid::now_v7());
    client.get(&unknown, &admin).await;
    let mut locking = database.superuser().connect().await.unwrap();
    locking.execute("begin; lock table issued_tokens in access exclusive mode").await.unwrap();

    let asked = join_all((0..24).map(|_| client.get(&unknown, &admin)));
    let released = async {
        until("most of them wait, and two statements are under way", async || {
            let scrape = Scrape::of(client).await;
            let in_use = scrape.value(r#"catalog_database_connections{pool="checks",state="in_use"}"#) == "2";
            (in_use && scrape.number("catalog_check_queue_tokens") > 10.0).then_some(())
        })
        .await;
        locking.close().await.unwrap();
    };
    let (replies, ()) = join(asked, released).await;
    let after = Scrape::of(client).await;

    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(after.value("catalog_check_queue_tokens"), "0");
    let small = after.number(r#"catalog_check_batch_tokens_bucket{le="10"}"#);
    assert!(small < after.number("catalog_check_batch_tokens_count"), "no statement read more than 10\n{}", after.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_checks_of_many_identifiers_leave_lists_their_connections() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    // More than the two statements that are under way take together, and all of them might still be issued.
    let unknown: Vec<String> = (1..=60).map(|_| uuid::Uuid::now_v7().to_string()).collect();
    let ask = || client.post("/revocations/check", &admin, json!({ "jtis": unknown }));
    ask().await;
    let mut locking = database.superuser().connect().await.unwrap();
    locking.execute("begin; lock table issued_tokens in access exclusive mode").await.unwrap();

    let asked = join_all((0..24).map(|_| ask()));
    let released = async {
        let scrape = until("most of them wait", async || {
            let scrape = Scrape::of(client).await;
            (scrape.number("catalog_check_queue_tokens") > 100.0).then_some(scrape)
        })
        .await;
        locking.close().await.unwrap();
        scrape.number(r#"catalog_database_connections{pool="reads",state="in_use"}"#)
    };
    let (replies, in_use) = join(asked, released).await;

    assert!(in_use < 4.0, "those that follow the log and answer this use one now and then, and not {in_use}");
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
}
