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
