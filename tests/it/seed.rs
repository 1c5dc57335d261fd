//! `catalog dev seed`: a made-up history that is recorded, folded and verified like any other.

use catalog::app::{Plan, SeedError, Seeded};
use serde_json::json;
use sqlx::ConnectOptions;

use crate::support::{Site, World, world::shell};

/// Seeds a catalog with this history, up to the time of its clock.
pub async fn seeded(world: &World, tokens: u64, seed: u64) -> Result<Seeded, SeedError> {
    let plan = Plan { tokens, seed, until: world.catalog.ambient().clock.now() };
    world.catalog.seed(plan, shell(catalog::domain::Path::CliDev).actor, &mut |_| ()).await
}

/// What was decided in a catalog: the structure of every event past the settings of its first start, in order.
async fn decided(world: &World) -> Vec<String> {
    let mut connection = world.database.superuser().connect().await.unwrap();
    let sql = "select replace(convert_from(body, 'utf8'), (select max(kid) from tokens), 'kid') from events
                where position > 4 order by position";
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_catalog_verifies_and_its_events_say_that_they_are_made_up() {
    let site = Site::new().await;

    let said = site.cli(&["dev", "seed", "--tokens", "2000", "--seed", "7"]);

    assert_eq!(said.stderr, "");
    let (tokens, rest) = said.good().split_once(" of them revoked").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let revoked: u64 = tokens.strip_prefix("seeded 2000 tokens, ").unwrap().parse().unwrap();
    assert_eq!(rest, format!("; the log ends at {}", 2004 + revoked));
    assert!(revoked > 30, "{revoked}");
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();
    assert_eq!((&verified["holds"], &verified["tokens"]), (&json!(true), &json!(2000)));
    let events = site.cli(&["audit", "events", "--after", "4", "--format", "ndjson"]).ndjson();
    assert!(events.iter().all(|event| event["request_id"].as_str().unwrap().starts_with("dev-seed-7-")));
    assert_eq!(events[0]["occurred_at"].as_str().unwrap().len(), "2026-03-01T12:00:00.000000Z".len());
    for (path, least) in [("api", 1_200), ("cli-dev", 200)] {
        assert!(events.iter().filter(|event| event["path"] == path).count() > least, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_has_a_token_is_not_seeded() {
    let site = Site::new().await;
    site.admin();
    let before = site.cli(&["audit", "events"]).good();

    let said = site.cli(&["dev", "seed", "--tokens", "10"]).bad(1);

    assert!(
        said.contains("has tokens; only one without any is seeded") && said.contains("hint: name a new one"),
        "{said}"
    );
    assert_eq!(site.cli(&["audit", "events"]).good(), before);
    assert!(site.cli(&["dev", "seed", "--tokens", "0"]).bad(2).contains("--tokens"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_decides_the_same_tokens_and_another_one_others() {
    let (one, other, third) = (World::new().await, World::new().await, World::new().await);

    let first = seeded(&one, 300, 7).await.unwrap();
    let second = seeded(&other, 300, 7).await.unwrap();
    seeded(&third, 300, 8).await.unwrap();

    assert_eq!((first, first.tokens), (second, 300));
    let decisions = decided(&one).await;
    assert_eq!(decisions.len() as u64, first.tokens + first.revoked);
    assert_eq!(decisions, decided(&other).await);
    assert_ne!(decisions, decided(&third).await);
    assert!(matches!(seeded(&one, 1, 9).await, Err(SeedError::NotEmpty)));
    one.verify().await;
}

const YEAR: [&str; 8] = ["dev", "seed", "--events", "3000", "--seed", "7", "--until", "2026-03-01T12:00:00Z"];

/// The structure of every event, in order, with the keys by number.
async fn structure(site: &Site) -> Vec<String> {
    let keys = site.cli(&["keys", "list", "--format", "json"]).json();
    let kids: Vec<String> =
        keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    let url = site.setting("CATALOG_DATABASE_URL");
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let sql = "select convert_from(body, 'utf8') from catalog.events order by position";
    let bodies: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    // What a key is stands in its event, and the digest of a courier is one over its header, too, which names the key.
    let without = |text: &str, member: &str| match text.split_once(&format!("\"{member}\":\"")) {
        Some((before, after)) => format!("{before}{}", after.split_once('"').map_or("", |(_, rest)| rest)),
        None => text.to_owned(),
    };
    let by_number = |body: String| {
        let named =
            kids.iter().enumerate().fold(body, |body, (number, kid)| body.replace(kid, &format!("key {number}")));
        without(&without(&named, "x"), "claims_digest")
    };
    bodies.into_iter().map(by_number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_year_of_events_verifies_can_be_rebuilt_and_is_gone_on_with() {
    let site = Site::new().await;

    let said = site.cli(&YEAR);

    assert_eq!(said.stderr, "");
    assert_eq!(said.good(), "seeded 3000 events of a year; the log ends at 3000");
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();
    assert_eq!((&verified["holds"], &verified["events"]), (&json!(true), &json!(3000)), "{verified}");
    let rebuilt = site.cli(&["audit", "rebuild"]).good();
    assert!(rebuilt.contains("before    every row was what the log says"), "{rebuilt}");
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    assert!(events.iter().all(|event| event["request_id"].as_str().unwrap().starts_with("dev-seed-7-")));
    let recorded = |index: usize| events[index]["recorded_at"].as_str().unwrap();
    assert!(recorded(0).starts_with("2025-03-0") && recorded(2_999).starts_with("2026-0"), "{}", recorded(2_999));
    let kinds: std::collections::BTreeSet<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.len() >= 22, "{kinds:?}");
    let month = site.cli(&["audit", "export", "--from", "2025-11-01", "--to", "2025-12-01"]).ndjson();
    assert!(month.len() > 150 && month.len() < 350, "{}", month.len());
    let admin = site.admin();
    let server = site.serve().await;
    assert_eq!(
        server.client.post("/tokens", &admin, json!({"sub": "ada@example.com", "reason": "new"})).await.status,
        201
    );
    assert!(server.client.is_active(&admin, &admin).await);
    server.stop().await;
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_of_a_seeded_year_can_be_decided_again() {
    let site = Site::new().await;
    site.cli(&YEAR).good();
    let path = site.data().join("policy.toml");
    std::fs::write(&path, site.cli(&["policy", "show"]).good()).unwrap();

    let replayed = site.cli(&["policy", "replay", path.to_str().unwrap(), "--format", "json"]);

    let replayed: serde_json::Value = serde_json::from_str(&replayed.stdout).unwrap();
    let why = |verdict: &serde_json::Value| verdict["why"].as_str().unwrap_or_default().to_owned();
    let reasons: std::collections::BTreeSet<String> =
        replayed["verdicts"].as_array().unwrap().iter().map(why).collect();
    assert!(!reasons.contains("not_reproduced") && !reasons.contains("asker_unknown"), "{reasons:?}");
    assert!(replayed["issuances"].as_u64().unwrap() > 1_000 && replayed["refusals"].as_u64().unwrap() > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_is_the_same_for_a_seed_and_is_written_where_there_is_none_alone() {
    let (one, other, third) = (Site::new().await, Site::new().await, Site::new().await);
    let year = |site: &Site, seed: &str| {
        let plan = ["dev", "seed", "--events", "600", "--seed", seed, "--until", "2026-03-01T12:00:00Z"];
        site.cli(&plan).good()
    };
    year(&one, "1");
    year(&other, "1");
    year(&third, "2");

    let told = structure(&one).await;
    assert_eq!(told.len(), 600);
    assert_eq!(told, structure(&other).await);
    assert_ne!(told, structure(&third).await);
    let head = one.cli(&["audit", "verify", "--format", "json"]).json()["head"].clone();
    for more in [&["--events", "600"][..], &["--tokens", "10"]] {
        let said = one.cli(&[&["dev", "seed"], more].concat()).bad(1);
        assert!(said.contains("only one without any is seeded") && said.contains("hint: name a new one"), "{said}");
    }
    assert_eq!(one.cli(&["audit", "verify", "--format", "json"]).json()["head"], head);
    let configured = Site::new().await;
    configured.admin();
    assert!(configured.cli(&["dev", "seed", "--events", "600"]).bad(1).contains("has events; "));
    assert!(one.cli(&["dev", "seed", "--events", "99"]).bad(2).contains("--events"));
    assert!(one.cli(&["dev", "seed", "--events", "600", "--tokens", "5"]).bad(2).contains("--tokens"));
}
