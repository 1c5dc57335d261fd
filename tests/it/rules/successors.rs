//! A rotation takes no token out of a rule that goes by successors, and a family can be ended as one.

use catalog::{
    app::Requester,
    domain::{Authority, Path, Predicate, RotateToken, Status, Token, text::Kid},
    store::{
        fill::{self, Step},
        preview::preview,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    filling::{Model, now},
    none, revoke,
};
use crate::support::{
    Office, World,
    world::{plain, shell},
};

async fn issue(world: &World, sub: &str, path: Path) -> Uuid {
    let requester = Requester::new(Authority::of_shell(), shell(path));
    world.catalog.issue(plain(sub), requester).await.unwrap().token.jti
}

/// By the API, where holders rotate.
async fn rotate(world: &World, jti: Uuid, overlap: &str) -> Uuid {
    let command = RotateToken { jti, overlap: overlap.parse().unwrap(), ttl_seconds: None };
    let requester = Requester::new(Authority::of_shell(), shell(Path::Api));
    world.catalog.rotate(command, requester).await.unwrap().token.jti
}

/// Families of one, two and three tokens from both doors, a second between their tokens.
async fn families(world: &World) -> Vec<Vec<Uuid>> {
    let mut families = Vec::new();
    for number in 0..18_usize {
        let (path, sub) = ([Path::CliDev, Path::Api][number % 2], ["alice@example.com", "bob@example.com"][number / 9]);
        let mut family = vec![issue(world, sub, path).await];
        for _ in 0..number % 3 {
            world.clock.advance(TimeDelta::seconds(1));
            family.push(rotate(world, family[family.len() - 1], "0s").await);
        }
        families.push(family);
        world.clock.advance(TimeDelta::seconds(1));
    }
    families
}

/// Rules of each condition that a rotation changes, of several, and of families. Some have nothing to cover.
fn predicates(start: DateTime<Utc>, families: &[Vec<Uuid>], kid: &Kid) -> Vec<Predicate> {
    let second = |seconds: i64| Some(start + TimeDelta::seconds(seconds));
    let (path, sub) = (Some(Path::CliDev), Some("alice@example.com".parse().unwrap()));
    let (another, kid) = (Some("another".parse().unwrap()), Some(kid.clone()));
    let with = |predicate: Predicate| Predicate { successors: true, ..predicate };
    vec![
        Predicate { family: Some(families[5][0]), ..none() },
        Predicate { family: Some(Uuid::nil()), ..none() },
        Predicate { family: Some(families[14][0]), path, ..none() },
        with(Predicate { family: Some(families[14][0]), path, ..none() }),
        with(Predicate { issued_before: second(5), ..none() }),
        with(Predicate { path, issued_after: second(6), issued_before: second(13), ..none() }),
        // The successor of the eleventh family was issued then, and its first by that door, but none of it both.
        with(Predicate { path, issued_after: second(20), issued_before: second(26), ..none() }),
        with(Predicate { path, sub, issued_after: second(1), ..none() }),
        Predicate { path, issued_before: second(20), ..none() },
        with(Predicate { path, kid: another, ..none() }),
        Predicate { path, kid: kid.clone(), ..none() },
        with(Predicate { path, kid, ..none() }),
        with(none()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_goes_by_how_a_family_began_where_the_rule_says_so_filled_or_not() {
    let world = World::new().await;
    let start = now(&world);
    let families = families(&world).await;
    let mut model = Model::of(&world).await;
    let (mut rules, mut covered) = (Vec::new(), Vec::new());
    let kid = model.tokens[0].kid.clone();
    let reads = world.catalog.database().reads();

    for predicate in predicates(start, &families, &kid) {
        let newly = model.newly(&predicate);
        let with = model.newly(&Predicate { successors: true, ..predicate.clone() });
        let foreseen = preview(reads, &predicate, None, now(&world)).await.unwrap();
        let told = (foreseen.counts.active, foreseen.successors_left);
        assert_eq!(told, (newly.len() as u64, (with.len() - newly.len()) as u64), "{predicate}");
        covered.push(newly.len());

        let rule = revoke(&world, predicate.clone()).await.rule;

        assert_eq!(rule.is_none(), newly.is_empty(), "{predicate}");
        let Some(position) = rule else { continue };
        rules.push(position.0);
        model.add(position.0, &predicate);
        model.assert_read(&world, &rules).await;
        // Every other rule is left to be filled after the next one is there.
        while rules.len().is_multiple_of(2)
            && let Step::More { .. } = fill::fill(world.catalog.database(), 2).await.unwrap()
        {
            model.assert_read(&world, &rules).await;
        }
    }

    world.catalog.fill_rules().await.unwrap();
    model.assert_read(&world, &rules).await;
    // As many families as each was to cover: all is told by the model, and this that the model tells them apart.
    assert_eq!(covered, [1, 0, 0, 1, 3, 2, 1, 1, 0, 0, 0, 2, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_says_how_its_family_began_and_stays_out_of_band() {
    let world = World::new().await;
    let admin = world.admin().await;
    let first = issue(&world, "alice@example.com", Path::CliDev).await;
    let began = now(&world).timestamp();
    world.clock.advance(TimeDelta::minutes(1));
    let second = rotate(&world, first, "60s").await;
    world.clock.advance(TimeDelta::seconds(1));
    let third = rotate(&world, second, "60s").await;
    let of_api = issue(&world, "alice@example.com", Path::Api).await;
    let fourth = rotate(&world, of_api, "60s").await;

    let event = async |jti: Uuid| world.get(&format!("/tokens/{jti}/events"), &admin).await.json()["events"][0].clone();
    let record = async |jti: Uuid| world.get(&format!("/tokens/{jti}"), &admin).await.json();

    let issued = event(first).await["data"].clone();
    assert_eq!((&issued["first"], &issued["out_of_band"]), (&Value::Null, &json!(true)));
    for successor in [second, third] {
        let (event, record) = (event(successor).await, record(successor).await);
        assert_eq!(event["data"]["first"], json!({"path": "cli-dev", "iat": began, "kid": issued["kid"]}));
        assert_eq!([&event["path"], &record["path"]], ["api", "api"]);
        assert_eq!([&event["data"]["out_of_band"], &record["out_of_band"]], [true, true]);
        assert_eq!(record["lineage"]["family"], json!(first));
    }
    let data = event(fourth).await["data"].clone();
    assert_eq!((&data["first"]["path"], &data["out_of_band"]), (&json!("api"), &json!(false)));
    world.verify().await;
}

async fn ask(world: &World, admin: &str, body: Value) -> Value {
    let reply = world.post("/revocations", admin, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_the_active_successors_that_a_rule_leaves() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut successors = Vec::new();
    for _ in 0..4 {
        let jti = issue(&world, "alice@example.com", Path::CliDev).await;
        successors.push(rotate(&world, jti, "60s").await);
    }
    world.delete(&format!("/tokens/{}", successors[0]), &admin, Value::Null).await;
    world.post(&format!("/tokens/{}/suspend", successors[1]), &admin, json!({})).await;
    let rule = |successors: bool, dry_run: bool| json!({"where": {"sub": "alice@example.com", "path": "cli-dev"}, "successors": successors, "dry_run": dry_run});

    let foreseen = ask(&world, &admin, rule(false, true)).await;
    let with = ask(&world, &admin, rule(true, true)).await;
    let by_team = ask(&world, &admin, json!({"where": {"sub": "alice@example.com"}, "dry_run": true})).await;
    ask(&world, &admin, rule(false, false)).await;
    let left = ask(&world, &admin, rule(false, true)).await;
    ask(&world, &admin, rule(true, false)).await;
    let nothing = ask(&world, &admin, rule(true, true)).await;

    let figures = |told: &Value| ["active", "suspended", "successors_left"].map(|what| told[what].as_u64().unwrap());
    assert_eq!(figures(&foreseen), [4, 0, 2]);
    assert_eq!(figures(&with), [6, 1, 0]);
    assert_eq!(figures(&by_team), [6, 1, 0], "a successor is met by itself where the rule goes by what it takes over");
    assert_eq!(figures(&left), [0, 0, 2]);
    assert_eq!(figures(&nothing), [0, 0, 0]);
    let events = world.events(&admin).await;
    let rules: Vec<&Value> = events.iter().filter(|event| event["kind"] == "tokens.revoked_by_rule.v1").collect();
    assert_eq!((&rules[0]["data"]["successors"], &rules[1]["data"]["successors"]), (&Value::Null, &json!(true)));
    for jti in successors {
        assert_eq!(world.get(&format!("/revocations/{jti}"), &admin).await.json()["status"], "revoked");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_ends_as_one_and_alone_by_whichever_of_its_members() {
    let world = World::new().await;
    let admin = world.admin().await;
    let first = issue(&world, "alice@example.com", Path::CliDev).await;
    let second = rotate(&world, first, "60s").await;
    let third = rotate(&world, second, "60s").await;
    let other = rotate(&world, issue(&world, "alice@example.com", Path::CliDev).await, "60s").await;
    let by = |family: Uuid| json!({"where": {"family": family}});

    let of_none = ask(&world, &admin, by(Uuid::nil())).await;
    let mut preview = by(third);
    preview["dry_run"] = json!(true);
    let preview = ask(&world, &admin, preview).await;
    let done = ask(&world, &admin, by(second)).await;
    let again = ask(&world, &admin, by(first)).await;

    assert_eq!((of_none, again), (json!({"rule": null}), json!({"rule": null})));
    assert_eq!(preview["active"], 3, "any of a family stands for all of it");
    assert!(done["rule"].is_i64());
    let ids = [first, second, third, other];
    let read = world.catalog.tokens(&ids).await.unwrap();
    let active: Vec<&Token> = read.iter().filter(|token| token.status(now(&world)) == Status::Active).collect();
    assert_eq!(active.iter().map(|token| token.jti).collect::<Vec<_>>(), [other]);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_of_successors_that_a_rule_leaves_and_can_cover_them() {
    let office = Office::new().await;
    let token = office.home.cli(&["issue", "--dev", "--sub", "ci", "--format", "json"]).json();
    let jti = token["token"]["jti"].as_str().unwrap();
    let successor = office.run(&["rotate", jti, "--overlap", "10m"]).good();
    let revoke = |arguments: &[&str]| office.run(&[&["revoke", "--reason", "superseded"], arguments].concat());
    let rule = ["--where", "sub=ci and path=cli-dev"];

    let shown = revoke(&[&rule[..], &["--dry-run"]].concat());
    let with = revoke(&[&rule[..], &["--successors", "--dry-run"]].concat());
    revoke(&[&rule[..], &["--yes"]].concat()).good();
    let was_active = office.server.client.is_active(&successor, &office.admin).await;
    let done = revoke(&[&rule[..], &["--successors", "--yes"]].concat()).good();

    let note = "note: 1 active token that took the place of such a token stays; --successors covers it, too";
    assert!(shown.stderr.contains(note), "{}", shown.stderr);
    assert!(!with.stderr.contains("note"), "{}", with.stderr);
    assert!(done.starts_with("sub=ci and path=cli-dev, with successors\trevoked\t"), "{done}");
    assert!(was_active && !office.server.client.is_active(&successor, &office.admin).await);
    assert!(revoke(&["--sub", "ci", "--successors", "--yes"]).bad(2).contains("cannot be used with"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_ends_a_rotated_token_is_told_its_successor_and_how_to_end_the_family() {
    let office = Office::new().await;
    let (first, _) = office.issue(&["--sub", "ci"]);
    let rotated = office.run(&["rotate", &first, "--overlap", "10m", "--format", "json"]).json();
    let successor = rotated["token"]["jti"].as_str().unwrap();
    let (plain, _) = office.issue(&["--sub", "bob"]);
    let revoke = |arguments: &[&str]| office.run(&[&["revoke", "--reason", "superseded"], arguments].concat());

    let told = revoke(&[&first, &plain]);
    let value = revoke(&[&first, "--format", "ndjson"]).json();
    let family = format!("family={first}");
    let done = revoke(&["--where", &family, "--yes"]).good();
    let both = revoke(&[&first, successor]);
    let limited = office.caller(&["--sub", "bob", "--permissions", "tokens.revoke"]);
    let unknown = limited.cli(&["revoke", &first, "--reason", "superseded", "--format", "ndjson"]);

    let note = format!(
        "note: {first} had been rotated, and its successor {successor} does not end with it; --where {family} ends \
         the whole family\n"
    );
    assert_eq!((told.code, told.stderr), (0, note));
    assert_eq!(value["rotated"], json!({"family": first, "successor": successor}));
    assert!(done.starts_with(&format!("{family}\trevoked\t")), "{done}");
    assert_eq!((both.code, both.stderr.as_str()), (0, ""));
    assert_eq!((unknown.code, unknown.stderr.as_str()), (1, ""));
    assert!(!unknown.stdout.contains("rotated"), "{}", unknown.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_that_it_covers_the_token_that_asks() {
    let office = Office::new().await;
    office.issue(&["--sub", "ci"]);
    let whoami = office.run(&["whoami", "--format", "json"]).json();
    let own = whoami["sub"].as_str().unwrap_or_else(|| panic!("{whoami}"));
    let shown = |arguments: &[&str]| office.run(&[&["revoke", "--dry-run"], arguments].concat());
    let covers = async |body: Value| {
        office.server.client.post("/revocations", &office.admin, body).await.json()["covers_credential"].clone()
    };

    let other = shown(&["--sub", "ci"]);
    let mine = shown(&["--sub", own]);
    let everything = shown(&["--all"]);

    let warning = "warning: the rule also revokes the token that you ask with\n";
    assert_eq!((other.stderr.as_str(), mine.stderr.as_str(), everything.stderr.as_str()), ("", warning, warning));
    assert_eq!(covers(json!({"where": {"sub": "ci"}, "dry_run": true})).await, false);
    assert_eq!(covers(json!({"where": {"sub": own, "path": "cli-dev"}, "dry_run": true})).await, true);
    assert_eq!(covers(json!({"where": {"sub": own, "path": "api"}, "dry_run": true})).await, false);
    assert_eq!(covers(json!({"all": true, "dry_run": true})).await, true);
}
