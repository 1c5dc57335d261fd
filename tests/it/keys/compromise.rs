//! A key that others may have: nothing that it signed is believed from a position on, and whatever they sign with it was
//! never good.

use std::collections::BTreeSet;

use catalog::{
    app::{CompromisePreview, OpenError, Settled},
    domain::{
        Claims, Event, Path, Position, Status, Token,
        claims::decode_part,
        key::{Algorithm, Over},
        key_life::{ActivateKey, CompromiseKey, KeyRefusal},
        text::Kid,
    },
    store::{
        fill, log,
        tokens::{self, Filter},
        verify::{Rule, verify},
    },
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{active, keep_house, refusal, status};
use crate::{
    seed::seeded,
    support::{
        Site, World,
        appending::head,
        process::until,
        terminal,
        world::{plain, shell},
    },
};

fn all_of(kid: &Kid) -> CompromiseKey {
    CompromiseKey { kid: kid.clone(), from: Position(1), since: None, note: None, successor: None }
}

async fn compromise(world: &World, command: CompromiseKey) -> Result<Settled<Kid>, OpenError> {
    world.catalog.compromise_key(command, shell(Path::CliAdmin)).await
}

/// Adds a key that signs from here on.
async fn rotate(world: &World) -> Kid {
    let kid = world.add_key(Algorithm::EdDsa, false).await;
    world.catalog.activate_key(ActivateKey { kid: kid.clone(), early: true }, shell(Path::CliAdmin)).await.unwrap();
    kid
}

/// A token of the key as its thief makes it: like one that was issued, under an identifier that was not.
fn forged(world: &World, kid: &Kid, like: &str) -> String {
    let mut claims: Claims = decode_part(like.split('.').nth(1).unwrap()).unwrap();
    claims.jti = world.catalog.new_id();
    world.forge_with(kid, &claims)
}

async fn shadows(world: &World) -> i64 {
    let mut connection = world.database.superuser().connect().await.unwrap();
    let sql = "select count(*) from events where kind = 'shadow_token.seen.v1'";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// When the log knew an event.
async fn recorded_at(world: &World, position: Position) -> DateTime<Utc> {
    log::at(world.catalog.database().reads(), &[position]).await.unwrap()[0].recorded_at
}

/// The key drill: a key with 10,000 tokens is given up while two servers run.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tokens_of_a_key_end_at_once_on_both_servers_and_those_of_other_keys_do_not() {
    let world = World::new().await;
    let stolen = active(&world);
    seeded(&world, 10_000, 6).await.unwrap();
    let mut theirs = Vec::new();
    for _ in 0..20 {
        theirs.push(world.issue_dev(plain("alice@example.com")).await);
    }
    let good = rotate(&world).await;
    let mut ours = Vec::new();
    for _ in 0..20 {
        ours.push(world.issue_dev(plain("bob@example.com")).await);
    }
    let (another, admin) = (world.another_process().await, world.admin().await);
    let houses = [keep_house(&world), keep_house(&another)];
    for server in [&world, &another] {
        until("the live tokens are in memory", async || server.catalog.followed().map(drop)).await;
    }
    let mut connection = world.database.superuser().connect().await.unwrap();
    let ids: Vec<Uuid> = sqlx::query_scalar("select jti from tokens where kid = $1")
        .bind(stolen.as_str())
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(ids.len(), 10_020);

    let CompromisePreview { revoked, kept, missing } =
        world.catalog.preview_compromise(&all_of(&stolen)).await.unwrap();
    assert_eq!(missing, None);
    let now = world.catalog.ambient().clock.now();
    let before = world.catalog.live_tokens(&ids).await.unwrap();
    let was_active = before.values().filter(|token| token.status(now) == Status::Active).count();
    let settled = compromise(&world, all_of(&stolen)).await.unwrap();

    assert_eq!((revoked.counts.active, kept), (was_active as u64, 0));
    for server in [&world, &another] {
        assert!(server.catalog.reach(settled.position.unwrap()).await, "within a second");
        for token in &theirs {
            assert_eq!(server.introspect(token.signed.expose(), &admin).await.text, r#"{"active":false}"#);
        }
        for several in ids.chunks(1_000) {
            let known = server.catalog.live_tokens(several).await.unwrap();
            assert_eq!(known.len(), several.len());
            assert!(known.values().all(|token| token.status(now) == Status::Revoked));
        }
        for token in &ours {
            assert_eq!(server.introspect(token.signed.expose(), &admin).await.json()["active"], json!(true));
        }
    }
    for server in [&world, &another] {
        let forged = forged(&world, &stolen, theirs[0].signed.expose());
        assert_eq!(server.introspect(&forged, &admin).await.text, r#"{"active":false}"#);
    }
    until("what was forged is evidence", async || (shadows(&world).await == 2).then_some(())).await;
    world.verify().await;
    until("the rows say so", async || {
        let step = fill::fill(world.catalog.database(), fill::FILL_MAX).await.unwrap();
        (step == fill::Step::Done).then_some(())
    })
    .await;
    world.verify().await;
    houses.iter().for_each(JoinHandle::abort);
    assert_eq!(good, active(&another));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_go_by_where_they_were_issued_and_not_by_any_iat() {
    let world = World::new().await;
    let kid = active(&world);
    let before = world.issue_dev(plain("alice@example.com")).await.token;
    // A clock that goes back: the later token says that it is the earlier one.
    world.clock.advance(chrono::TimeDelta::seconds(-60));
    let after = world.issue_dev(plain("alice@example.com")).await.token;
    assert!(after.issued_at < before.issued_at);
    rotate(&world).await;

    let since = recorded_at(&world, after.issued).await;
    let from = world.catalog.position_since(since).await.unwrap();
    assert_eq!(from, after.issued);
    let command = CompromiseKey { from, since: Some(since), ..all_of(&kid) };
    let preview = world.catalog.preview_compromise(&command).await.unwrap();
    assert_eq!((preview.revoked.counts.active, preview.kept), (1, 1));
    compromise(&world, command.clone()).await.unwrap();

    let both = async || [status(&world, &before).await, status(&world, &after).await];
    assert_eq!(both().await, [Status::Active, Status::Revoked]);
    assert_eq!(listed(&world, Status::Revoked).await, [after.jti]);
    world.verify().await;
    while fill::fill(world.catalog.database(), 1).await.unwrap() != fill::Step::Done {}
    assert_eq!(both().await, [Status::Active, Status::Revoked]);
    assert_eq!(listed(&world, Status::Revoked).await, [after.jti]);
    world.verify().await;

    // The same again, and less, is known; more is another event.
    assert_eq!(compromise(&world, command).await.unwrap().position, None);
    assert!(compromise(&world, all_of(&kid)).await.unwrap().position.is_some());
    assert_eq!(compromise(&world, all_of(&kid)).await.unwrap().position, None);
    assert_eq!(both().await, [Status::Revoked, Status::Revoked]);
    world.verify().await;
}

async fn listed(world: &World, status: Status) -> Vec<Uuid> {
    let filter = Filter { status: Some(status), ..Filter::default() };
    let now = world.catalog.ambient().clock.now();
    let page = tokens::list(world.catalog.database().reads(), &filter, None, 100, now).await.unwrap();
    page.tokens.iter().map(|token: &Token| token.jti).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_position_of_an_instant_is_found_wherever_it_lies() {
    let world = World::new().await;
    for _ in 0..9 {
        world.issue_dev(plain("alice@example.com")).await;
    }
    let end = head(&world).await;
    let events = {
        let all = log::Selection::default();
        log::page(world.catalog.database().reads(), &all, 100).await.unwrap()
    };

    for recorded in &events {
        let same = events.iter().find(|other| other.recorded_at == recorded.recorded_at).unwrap();
        assert_eq!(world.catalog.position_since(recorded.recorded_at).await.unwrap(), same.position);
    }
    assert_eq!(world.catalog.position_since(DateTime::UNIX_EPOCH).await.unwrap(), Position(1));
    assert_eq!(world.catalog.position_since("2100-01-01T00:00:00Z".parse().unwrap()).await.unwrap(), end.next());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_signs_is_given_up_only_with_another_in_its_place() {
    let world = World::new().await;
    let stolen = active(&world);
    let token = world.issue_dev(plain("alice@example.com")).await.token;
    let next = world.add_key(Algorithm::EdDsa, false).await;
    let dev = world.add_key(Algorithm::EdDsa, true).await;
    let with = |successor: &Kid| CompromiseKey { successor: Some(successor.clone()), ..all_of(&stolen) };

    let signs = KeyRefusal::Signs { kid: stolen.clone() };
    assert_eq!(refusal(compromise(&world, all_of(&stolen)).await), signs);
    assert_eq!(refusal(compromise(&world, with(&stolen)).await), signs);
    assert_eq!(refusal(compromise(&world, with(&dev)).await), KeyRefusal::OfShell { kid: dev.clone() });
    assert_eq!(status(&world, &token).await, Status::Active, "nothing half done");
    let before = head(&world).await;
    compromise(&world, with(&next)).await.unwrap();
    world.catalog.follow_settings().await.unwrap();

    let kinds: Vec<Event> = {
        let added = [before.next(), before.next().next()];
        let events = log::at(world.catalog.database().reads(), &added).await.unwrap();
        events.into_iter().map(|recorded| recorded.occurrence.event).collect()
    };
    assert!(matches!(&kinds[..], [Event::KeyActivated(_), Event::KeyCompromised(_)]), "{kinds:?}");
    assert_eq!(world.issue_dev(plain("alice@example.com")).await.token.kid, next, "issuing goes on");
    let published = world.get("/.well-known/jwks.json", "").await.json();
    let published: BTreeSet<&str> =
        published["keys"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap()).collect();
    assert_eq!(published, BTreeSet::from([next.as_str()]));
    let over = KeyRefusal::Over { kid: stolen.clone(), over: Over::Compromised };
    assert_eq!(
        refusal(world.catalog.activate_key(ActivateKey { kid: stolen, early: true }, shell(Path::CliAdmin)).await),
        over
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_key_signs_nothing_again_not_even_what_it_signed_before() {
    let world = World::new().await;
    let admin = world.admin().await;
    let kid = active(&world);
    let ask = async || {
        let request = axum::http::Request::post("/tokens")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "once")
            .body(axum::body::Body::from(r#"{"sub":"alice@example.com"}"#))
            .unwrap();
        world.raw(request).await
    };
    let first = ask().await;
    assert_eq!((first.status.as_u16(), ask().await.text), (201, first.text.clone()));
    rotate(&world).await;
    let since = head(&world).await;

    compromise(&world, CompromiseKey { from: since, ..all_of(&kid) }).await.unwrap();

    let again = ask().await;
    let jti = &first.json()["token"]["jti"];
    assert_eq!((again.status.as_u16(), &again.json()["code"]), (409, &json!("repeat_over")));
    let still = world.get(&format!("/tokens/{}", jti.as_str().unwrap()), &admin).await.json();
    assert_eq!(still["status"], json!("active"), "it was issued before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_whose_key_is_given_up_issues_nothing_until_its_policy_names_another() {
    let site = Site::new().await;
    site.admin();
    let dev = site.cli(&["keys", "add", "--dev"]).good();
    let policy = site.data().join("policy.toml");
    let apply = |text: &str| {
        std::fs::write(&policy, text).unwrap();
        site.cli(&["policy", "apply", policy.to_str().unwrap()])
    };
    apply(&format!("[cli-dev]\nkid = \"{dev}\"\n")).good();
    let issue = || site.cli(&["issue", "--dev", "--sub", "alice@example.com"]);
    issue().good();

    site.cli(&["keys", "compromise", &dev, "--yes"]).good();

    assert!(issue().bad(1).contains(&format!("the key {dev} was compromised, and signs no more")));
    apply("# none\n").good();
    issue().good();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_how_many_tokens_of_whom_would_end_before_they_do() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let old = site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned();
    for sub in ["alice@example.com", "alice@example.com", "bob@example.com"] {
        server.client.post("/tokens", &admin, json!({"sub": sub})).await;
    }
    let compromise = |flags: &[&str]| site.cli(&[&["keys", "compromise", &old], flags].concat());
    let figures = ["status  active  4 tokens\n", "subject  alice@example.com  2 tokens\n", "path  api  3 tokens\n"];

    let refused = compromise(&["--yes"]).bad(1);
    let foretold = compromise(&["--dry-run"]);
    assert!(foretold.stderr.contains("signs; another has to take its place first (--activate)"), "{}", foretold.stderr);
    assert!(foretold.good().contains("alice@example.com"));
    let new = site.cli(&["keys", "add"]).good();
    let seen = compromise(&["--activate", &new, "--dry-run"]);
    let foreseen = compromise(&["--activate", &new, "--dry-run", "--format", "json"]).json();
    let unasked = compromise(&["--activate", &new]).bad(2);
    let command = || site.command(&["keys", "compromise", &old, "--activate", &new]);
    let (declined, code) = terminal::answered(command(), "no");
    assert_eq!(site.cli(&["audit", "events", "--path", "cli-admin"]).good().lines().count(), 1, "nothing was done");
    let (done, done_code) = terminal::answered(command(), "yes");
    let again = compromise(&["--yes", "--format", "json"]).json();

    assert!(refused.contains("signs; another has to take its place first"), "{refused}");
    assert!(unasked.contains("so much is revoked by --yes, or after a question"), "{unasked}");
    let seen = format!("{}\n", seen.good().replace('\t', "  "));
    for text in [&seen, &declined, &done] {
        assert!(figures.iter().all(|figure| text.contains(figure)), "{text}");
    }
    assert_eq!((&foreseen["kid"], &foreseen["active"], &foreseen["kept"]), (&json!(old), &json!(4), &json!(0)));
    assert_eq!(foreseen["by_subject"][0], json!({"value": "alice@example.com", "tokens": 2}));
    assert!(!unasked.contains("status"), "there is nobody to see it: {unasked}");
    assert_eq!((code, done_code), (Some(1), Some(0)));
    assert!(done.contains(&format!("{old} is compromised, recorded at position ")), "{done}");
    assert!(done.contains("; 4 tokens revoked"), "{done}");
    assert_eq!((&again["position"], &again["revoked"]), (&Value::Null, &json!(0)));
    until("the server knows", async || (server.client.get("/tokens", &admin).await.status == 401).then_some(())).await;
    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    assert_eq!((&listed[0]["state"], &listed[1]["state"]), (&json!("compromised"), &json!("signs")));
    let story = site.cli(&["keys", "history", &old, "--format", "ndjson"]).ndjson();
    let told: Vec<&Value> = story.iter().map(|line| &line["what"]).collect();
    assert_eq!(told, ["added", "activated", "relieved", "compromised"]);
    assert!(compromise(&["--since", "2100-01-01", "--yes"]).bad(2).contains("is not a time that has been"));
    assert_eq!(site.cli(&["audit", "verify", "--format", "json"]).json()["holds"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn successors_that_another_key_signed_stay_and_are_told() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let old = site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned();
    let mut issued = Vec::new();
    for sub in ["alice@example.com", "bob@example.com"] {
        let reply = server.client.post("/tokens", &admin, json!({"sub": sub})).await.json();
        issued.push(reply["token"]["jti"].as_str().unwrap().to_owned());
    }
    let new = site.cli(&["keys", "add"]).good();
    site.cli(&["keys", "activate", "--now", &new]).good();
    for jti in &issued {
        let rotated = server.client.post(&format!("/tokens/{jti}/rotate"), &admin, json!({"overlap": "1m"})).await;
        assert_eq!((rotated.status.as_u16(), &rotated.json()["token"]["kid"]), (201, &json!(new)));
    }
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    let second = events.iter().find(|event| event["jti"] == json!(issued[1])).unwrap();
    let since = second["recorded_at"].as_str().unwrap();
    let compromise = |flags: &[&str]| site.cli(&[&["keys", "compromise", &old], flags].concat());

    let whole = compromise(&["--dry-run"]);
    let part = compromise(&["--since", since, "--dry-run", "--format", "json"]);
    let done = compromise(&["--yes"]);

    let left = "2 active tokens that took the place of such tokens stay; catalog revoke --where";
    for done in [&whole, &done] {
        assert!(done.stderr.contains(&format!("note: {left} kid={old} --successors ends them, too\n")), "{done:?}");
    }
    assert!(done.stderr.contains("\nsubject  "), "of whom is told before it is done: {done:?}");
    let narrow = format!("--where 'kid={old} and issued_after={}Z' --successors ends it, too", &since[..19]);
    assert!(part.stderr.contains(&narrow), "{part:?}");
    assert_eq!(part.json()["successors_left"], json!(1), "the other one's predecessor is not given up");
    done.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_a_compromise_that_was_changed_or_taken_away_is_found_at_its_event() {
    for sql in [
        "update revocation_rules set issued_from = issued_from + 1",
        "update revocation_rules set kid = 'another'",
        "delete from revocation_rules",
    ] {
        let world = World::new().await;
        let kid = active(&world);
        world.issue_dev(plain("alice@example.com")).await;
        rotate(&world).await;
        let position = compromise(&world, all_of(&kid)).await.unwrap().position;

        world.database.tamper(sql).await;

        let verification = verify(world.catalog.database(), &[], &mut |_, _| ()).await.unwrap();
        let found = verification.findings.iter().find(|finding| finding.position == position);
        assert_eq!(found.map(|finding| finding.rule), Some(Rule::Projection), "{sql}: {:?}", verification.findings);
    }
}
