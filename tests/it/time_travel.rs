//! The past is read as it was: whatever happened since, an answer of then equals the fold of the log up to then.

use std::collections::BTreeMap;

use catalog::{
    domain::{Path, Position, Predicate, Recorded, Settings, State, Status, Token, text::Permission},
    store::{
        fill,
        log::{self, Selection},
        tokens::{self, Filter},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    rotation::long_lived_admin,
    rules::{none, revoke},
    seed::seeded,
    support::{Office, World, world::plain},
};

/// How much happens in one history.
const STEPS: usize = 230;

/// What happens next: numbers that look like chance, the same in each run.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Something that changes the log, as chance has it.
pub async fn happen(world: &World, admin: &str, chance: &mut Chance, ids: &mut Vec<String>) {
    let which = (!ids.is_empty()).then(|| ids[chance.below(ids.len().max(1))].clone());
    let Some(jti) = which.filter(|_| chance.below(10) > 2) else {
        let sub = format!("user-{}@example.com", chance.below(4));
        let permissions = [json!(["tools.read"]), json!(["tools.*", "servers.read"]), json!([])];
        let body = json!({ "sub": sub, "scopes": { "permissions": permissions[chance.below(3)] },
                           "expires_in": 600 * (1 + chance.below(20)) });
        let reply = world.post("/tokens", admin, body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        ids.push(reply.json()["token"]["jti"].as_str().unwrap().to_owned());
        return;
    };
    match chance.below(8) {
        0 => _ = world.delete(&format!("/tokens/{jti}"), admin, json!({"note": "by chance"})).await,
        1 | 2 => {
            let reply = world.post(&format!("/tokens/{jti}/rotate"), admin, json!({"overlap": "5m"})).await;
            ids.extend(reply.json()["token"]["jti"].as_str().map(str::to_owned));
        }
        3 | 4 => _ = world.post(&format!("/tokens/{jti}/suspend"), admin, json!({})).await,
        5 => _ = world.post(&format!("/tokens/{jti}/resume"), admin, json!({})).await,
        6 if chance.below(4) == 0 => {
            let sub = Some(format!("user-{}@example.com", chance.below(4)).parse().unwrap());
            revoke(world, Predicate { sub, path: Some(Path::Api), ..none() }).await;
        }
        _ => {
            world.clock.advance(TimeDelta::seconds(i64::try_from(chance.below(400)).unwrap()));
            fill::fill(world.catalog.database(), 2).await.unwrap();
        }
    }
}

/// The whole log.
pub async fn events(world: &World) -> Vec<Recorded> {
    let mut events = Vec::new();
    loop {
        let after = events.last().map_or(Position(0), |event: &Recorded| event.position);
        let selection = Selection { after, ..Selection::default() };
        let page = log::page(world.catalog.database().reads(), &selection, 500).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

/// What a past row does not tell: who held back what was let go since.
fn as_told(mut token: Token) -> Token {
    if let Some(suspension) = &mut token.suspension {
        (suspension.by, suspension.by_full_admin) = (None, false);
    }
    token
}

async fn listed(world: &World, filter: Filter, at: DateTime<Utc>) -> BTreeMap<Uuid, Token> {
    let page = tokens::list(world.catalog.database().reads(), &filter, None, 500, at).await.unwrap();
    assert_eq!(page.next, None);
    page.tokens.into_iter().map(|token| (token.jti, as_told(token))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_position_of_random_histories_the_past_equals_the_fold_up_to_there() {
    let mut compared = 0;
    for seed in [3, 17, 2_026] {
        let world = World::new().await;
        let admin = long_lived_admin(&world).await;
        let (mut chance, mut ids) = (Chance(seed), Vec::new());
        for _ in 0..STEPS {
            happen(&world, &admin, &mut chance, &mut ids).await;
        }
        let mut state = State::new(Settings::default());
        for event in events(&world).await {
            state.apply(&event);
            let folded: BTreeMap<Uuid, Token> =
                state.clone().into_tokens().map(|token| (token.jti, as_told(token))).collect();
            let as_of = Some(event.position);
            let at = event.occurrence.occurred_at + TimeDelta::seconds(i64::try_from(chance.below(900)).unwrap());

            let all = listed(&world, Filter { as_of, ..Filter::default() }, at).await;

            assert_eq!(all, folded, "as of {}", event.position);
            compared += all.len();
            let status = Status::ALL[chance.below(Status::ALL.len())];
            let permission: Permission = "tools.execute".parse().unwrap();
            let filter =
                Filter { as_of, status: Some(status), permission: Some(permission.clone()), ..Filter::default() };
            let some = listed(&world, filter, at).await;
            let expected = folded.into_iter().filter(|(_, token)| {
                let held = &token.scopes.permissions;
                let may = held.is_empty() || held.iter().any(|held| held.as_str() == "tools.*");
                may && token.status(at) == status
            });
            assert_eq!(some, expected.collect(), "{status} as of {}", event.position);
        }
        world.verify().await;
        world.catalog.fill_rules().await.unwrap();
        world.verify().await;
    }
    assert!(compared > 10_000, "only {compared} pairs of a token and a position were compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_past_walks_the_same_indexes_as_one_of_today() {
    let world = World::new().await;
    seeded(&world, 3_000, 1).await.unwrap();
    let reads = world.catalog.database().reads();
    let filters = [
        Filter::default(),
        Filter { sub: Some("user-00000@example.com".parse().unwrap()), ..Filter::default() },
        Filter { status: Some(Status::Active), ..Filter::default() },
        Filter { status: Some(Status::Revoked), ..Filter::default() },
        Filter { permission: Some("tools.execute".parse().unwrap()), ..Filter::default() },
    ];
    for filter in filters {
        let filter = Filter { as_of: Some(Position(2_000)), ..filter };
        let plan = tokens::explain(reads, &filter, 50, world.catalog.ambient().clock.now()).await.unwrap().join("\n");
        for scan in ["Function Scan on tokens_as_of", "Seq Scan on issued_tokens", "Seq Scan on token_revocations"] {
            assert!(!plan.contains(scan), "{filter:?}\n{plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_and_a_list_of_then_say_which_then_and_a_place_that_is_none_is_refused_with_the_limits() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("alice@example.com")).await.token;
    let (jti, position) = (issued.jti, issued.issued);
    world.clock.advance(TimeDelta::seconds(5));
    assert_eq!(world.delete(&format!("/tokens/{jti}"), &admin, json!({})).await.status, 204);

    let then = world.get(&format!("/tokens/{jti}?as_of=@{position}"), &admin).await.json();
    let before = world.get(&format!("/tokens/{jti}?as_of=@{}", position.0 - 1), &admin).await;
    let today = world.get(&format!("/tokens/{jti}"), &admin).await.json();
    let list = world.get(&format!("/tokens?status=active&as_of=@{position}&limit=1"), &admin).await.json();
    let cursor = list["next_cursor"].as_str().unwrap().to_owned();
    let next = world.get(&format!("/tokens?status=active&as_of=@{position}&cursor={cursor}"), &admin).await;
    let elsewhere = world.get(&format!("/tokens?status=active&cursor={cursor}"), &admin).await;

    assert_eq!((&then["status"], &then["as_of"]["position"]), (&json!("active"), &json!(position.0)));
    assert_eq!((before.status.as_u16(), &today["status"], &today["as_of"]), (404, &json!("revoked"), &Value::Null));
    assert_eq!((&list["tokens"][0]["jti"], &list["as_of"]["position"]), (&json!(jti), &json!(position.0)));
    assert_eq!((next.status.as_u16(), elsewhere.status.as_u16()), (200, 400), "a cursor is of its own past");
    let head = position.0 + 1;
    let ahead =
        (world.catalog.ambient().clock.now() + TimeDelta::days(400)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    for (text, says) in [
        ("@0".to_owned(), format!("begins at @1 and ends at @{head}")),
        (format!("@{}", head + 1), format!("ends at @{head}")),
        (ahead, format!("ends at @{head}")),
        ("2026-03-01T12:00:00%20Mars".to_owned(), "a time with a zone".to_owned()),
        ("2026-03-01".to_owned(), "a time with a zone".to_owned()),
        ("@-1".to_owned(), "a position".to_owned()),
    ] {
        for path in [format!("/tokens?as_of={text}"), format!("/tokens/{jti}?as_of={text}")] {
            let reply = world.get(&path, &admin).await;
            assert_eq!(reply.status, 400, "{path}: {}", reply.text);
            assert!(reply.json()["detail"].as_str().unwrap().contains(&says), "{path}: {}", reply.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_shows_the_past_and_says_which() {
    let office = Office::new().await;
    let (jti, _) = office.issue(&["--sub", "alice@example.com"]);
    let position = office.run(&["show", &jti, "--format", "json"]).json()["position"].as_i64().unwrap();
    let then = format!("@{position}");
    office.run(&["revoke", &jti, "--reason", "superseded"]).good();
    let instant = Utc::now().to_rfc3339();
    office.issue(&["--sub", "bob@example.com"]);

    let shown = office.run(&["show", &jti, "--as-of", &then]).good();
    let listed = office.run(&["list", "--sub", "alice@example.com", "--status", "active", "--as-of", &then]);
    let none = office.run(&["list", "--sub", "bob@example.com", "--as-of", &instant, "--format", "json"]).json();
    let ahead = office.run(&["list", "--as-of", "@1000000"]).bad(2);

    let as_of = format!("{then}, ");
    assert!(shown.contains("active") && shown.contains(&as_of), "{shown}");
    assert!(listed.stdout.contains(&jti) && listed.stderr.contains(&format!("as of {as_of}")), "{listed:?}");
    assert_eq!(none, json!([]));
    assert!(ahead.contains("the log ends at @"), "{ahead}");
}
