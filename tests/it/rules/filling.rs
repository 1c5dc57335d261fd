//! The same through SQL: before, in the middle of and after filling, whoever fills and whatever gets in the way.

use std::collections::HashMap;

use catalog::{
    app::policy_file,
    domain::{Path, Position, Predicate, Status, Token},
    store::{
        fill::{self, FILL_MAX, Step},
        preview::preview,
        tokens::{self, Filter},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use uuid::Uuid;

use super::{meets, none, revoke};
use crate::{
    authority::apply,
    seed::seeded,
    support::{
        Site, TestDatabase, World,
        process::{Client, until},
        world::plain,
    },
};

const TOKENS: u64 = 600;

pub(super) fn now(world: &World) -> DateTime<Utc> {
    world.catalog.ambient().clock.now()
}

async fn listed(world: &World, filter: &Filter) -> Vec<Token> {
    let mut shown = Vec::new();
    let mut before: Option<Position> = None;
    loop {
        let page = tokens::list(world.catalog.database().reads(), filter, before, 97, now(world)).await.unwrap();
        shown.extend(page.tokens);
        before = page.next;
        if before.is_none() {
            return shown;
        }
    }
}

/// What is expected of every token: where it was revoked, if it was.
pub(super) struct Model {
    pub(super) tokens: Vec<Token>,
    ends: HashMap<Uuid, i64>,
}

impl Model {
    pub(super) async fn of(world: &World) -> Self {
        let tokens = listed(world, &Filter::default()).await;
        let ends = tokens.iter().filter_map(|token| Some((token.jti, token.revocation.as_ref()?.position.0))).collect();
        Self { tokens, ends }
    }

    /// The tokens that a rule would newly revoke.
    pub(super) fn newly(&self, predicate: &Predicate) -> Vec<&Token> {
        let is_new = |token: &&Token| !self.ends.contains_key(&token.jti) && meets(token, predicate);
        self.tokens.iter().filter(is_new).collect()
    }

    pub(super) fn add(&mut self, position: i64, predicate: &Predicate) {
        let newly: Vec<Uuid> = self.newly(predicate).into_iter().map(|token| token.jti).collect();
        self.ends.extend(newly.into_iter().map(|jti| (jti, position)));
    }

    /// Asserts that every way of reading says what is expected.
    pub(super) async fn assert_read(&self, world: &World, rules: &[i64]) {
        let ids: Vec<Uuid> = self.tokens.iter().map(|token| token.jti).collect();
        let read = world.catalog.tokens(&ids).await.unwrap();
        assert_eq!(read.len(), self.tokens.len());
        for token in &read {
            let position = token.revocation.as_ref().map(|revocation| revocation.position.0);
            assert_eq!(position, self.ends.get(&token.jti).copied(), "{token:?}");
            let by_rule = token.revocation.as_ref().is_some_and(|revocation| revocation.by_rule);
            assert_eq!(by_rule, position.is_some_and(|position| rules.contains(&position)));
        }
        for status in Status::ALL {
            let filter = Filter { status: Some(status), ..Filter::default() };
            let shown: Vec<Uuid> = listed(world, &filter).await.iter().map(|token| token.jti).collect();
            let expected: Vec<Uuid> =
                self.tokens.iter().filter(|token| self.status(token, now(world)) == status).map(|t| t.jti).collect();
            assert_eq!(shown, expected, "{status}");
        }
        world.verify().await;
    }

    pub(super) fn status(&self, token: &Token, now: DateTime<Utc>) -> Status {
        if self.ends.contains_key(&token.jti) {
            Status::Revoked
        } else if token.expires_at <= now {
            Status::Expired
        } else {
            Status::Active
        }
    }
}

/// Rules of every field and of several, of few tokens and of many, in an order in which each has something left to cover.
fn predicates(world: &World, sample: &Token, named: &Token) -> Vec<Predicate> {
    let ago = |days: i64| Some(now(world) - TimeDelta::days(days));
    let team = |text: &str| Some(text.parse().unwrap());
    let permission = |text: &str| Some(text.parse().unwrap());
    vec![
        Predicate { sub: sample.sub.clone(), path: Some(sample.path), ..none() },
        Predicate { name: named.name.clone(), issued_before: ago(0), ..none() },
        Predicate { team: team("team-30"), permission: permission("tools.read"), ..none() },
        Predicate { path: Some(Path::CliDev), issued_before: ago(60), ..none() },
        Predicate { team: team("team-00"), ..none() },
        Predicate { permission: permission("tools.read"), issued_after: ago(40), issued_before: ago(20), ..none() },
        Predicate { kid: Some(sample.kid.clone()), path: Some(Path::CliDev), ..none() },
        Predicate { permission: permission("servers.*"), ..none() },
        none(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_says_the_same_before_in_the_middle_of_and_after_filling() {
    let world = World::new().await;
    seeded(&world, TOKENS, 3).await.unwrap();
    let mut model = Model::of(&world).await;
    let mut rules = Vec::new();
    let reads = world.catalog.database().reads();
    let (sample, mut others) = (model.tokens[7].clone(), model.tokens.clone());
    others.retain(|token| token.name.is_some() && token.sub != sample.sub && token.revocation.is_none());

    for predicate in predicates(&world, &sample, &others[0]) {
        let newly = model.newly(&predicate);
        let count = |status| newly.iter().filter(|token| model.status(token, now(&world)) == status).count() as u64;
        let foreseen = preview(reads, &predicate, None, now(&world)).await.unwrap();
        assert_eq!((foreseen.counts.active, foreseen.counts.expired), (count(Status::Active), count(Status::Expired)));
        assert!(!newly.is_empty(), "{predicate} covers nothing that is left");

        let position = revoke(&world, predicate.clone()).await.rule.unwrap().0;

        rules.push(position);
        model.add(position, &predicate);
        model.assert_read(&world, &rules).await;
        let mut filled = 0;
        // Few at a time. Every other rule is left to be filled after the next one is there.
        while rules.len().is_multiple_of(2)
            && let Step::More { rows, .. } = fill::fill(world.catalog.database(), 61).await.unwrap()
        {
            filled += rows;
            if filled < 200 {
                model.assert_read(&world, &rules).await;
            }
        }
    }

    world.catalog.fill_rules().await.unwrap();
    model.assert_read(&world, &rules).await;
    let unfilled: i64 = sqlx::query_scalar("select count(*) from revocation_rules where filled_to > 0")
        .fetch_one(&mut world.database.superuser().connect().await.unwrap())
        .await
        .unwrap();
    assert_eq!(unfilled, 0);
    assert!(model.ends.len() == model.tokens.len(), "the last one covered everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_one_process_holds_in_every_other_at_once_and_for_no_token_that_comes_later() {
    let world = World::new().await;
    let other = world.another_process().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.name) = (true, Some("admin".parse().unwrap()))).await;
    let mut command = plain("alice@example.com");
    command.name = Some("ci".parse().unwrap());
    let before = world.issue_dev(command.clone()).await;

    revoke(&world, Predicate { sub: Some("alice@example.com".parse().unwrap()), ..none() }).await;
    let after = other.issue_dev(command).await;

    for process in [&world, &other] {
        assert_eq!(process.introspect(before.signed.expose(), &admin).await.json(), json!({"active": false}));
        assert_eq!(process.introspect(after.signed.expose(), &admin).await.json()["active"], true);
    }
    other.catalog.fill_rules().await.unwrap();
    assert_eq!(world.introspect(after.signed.expose(), &admin).await.json()["active"], true);
    assert_eq!(world.introspect(before.signed.expose(), &admin).await.json(), json!({"active": false}));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_ends_the_callers_credential_before_its_next_command() {
    let world = World::new().await;
    let admin = world.admin().await;

    revoke(&world, Predicate { sub: Some("root@localhost".parse().unwrap()), ..none() }).await;

    assert_eq!(world.post("/tokens", &admin, json!({"sub": "a"})).await.status, 401);
    assert_eq!(world.get("/tokens", &admin).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subjects_most_tokens_are_counted_without_those_that_a_rule_covers_filled_or_not() {
    let world = World::new().await;
    let admin = world.admin().await;
    let text = "[api]\nactive_max = 2\n[cli-dev]\n";
    apply(&world, policy_file::parse(text).unwrap(), text.to_owned()).await;
    let ask = async || world.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.status.as_u16();
    for _ in 0..40 {
        world.issue_dev(plain("alice@example.com")).await;
    }
    assert_eq!(ask().await, 403);

    revoke(&world, Predicate { sub: Some("alice@example.com".parse().unwrap()), ..none() }).await;

    assert_eq!([ask().await, ask().await, ask().await], [201, 201, 403]);
    world.catalog.fill_rules().await.unwrap();
    assert_eq!(ask().await, 403);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_tokens_that_somebody_has_locked_hold_up_neither_the_filling_nor_a_revocation() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.issue_dev(plain("alice@example.com")).await.token.jti);
    }
    let other = world.issue_dev(plain("bob@example.com")).await.token.jti;
    let mut somebody = world.database.superuser().connect().await.unwrap();
    somebody.execute("begin; select from issued_tokens for update").await.unwrap();

    revoke(&world, Predicate { sub: Some("alice@example.com".parse().unwrap()), ..none() }).await;
    assert_eq!(world.catalog.fill_rules().await.unwrap(), 5);
    assert_eq!(world.delete(&format!("/tokens/{other}"), &admin, json!({})).await.status, 204);

    assert_eq!(fill::fill(world.catalog.database(), 10).await.unwrap(), Step::Done);
    for jti in ids.into_iter().chain([other]) {
        assert_eq!(world.get(&format!("/revocations/{jti}"), &admin).await.json()["status"], "revoked");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_that_fill_while_tokens_are_issued_and_revoked_leave_what_the_log_says() {
    let world = World::new().await;
    seeded(&world, TOKENS, 5).await.unwrap();
    let admin = world.admin().await;
    let other = world.another_process().await;
    let issue = async |world: &World| {
        for _ in 0..40 {
            let jti = world.issue_dev(plain("load@example.com")).await.token.jti;
            assert_eq!(world.delete(&format!("/tokens/{jti}"), &admin, json!({})).await.status, 204);
        }
    };
    let rule = async || {
        for path in [Path::Api, Path::CliDev] {
            let issued_before = Some(now(&world) - TimeDelta::days(1));
            revoke(&world, Predicate { path: Some(path), issued_before, ..none() }).await;
        }
    };
    let fill = async |world: &World| {
        for _ in 0..60 {
            fill::fill(world.catalog.database(), 20).await.unwrap();
        }
    };

    tokio::join!(issue(&world), issue(&other), rule(), fill(&world), fill(&other));

    world.verify().await;
    world.catalog.fill_rules().await.unwrap();
    assert_eq!(fill::fill(other.catalog.database(), 10).await.unwrap(), Step::Done);
    world.verify().await;
}

/// Asks a server for the states of tokens, and asserts that there is only one.
async fn assert_all(client: &Client, admin: &str, ids: &[String], status: &str) {
    let reply = client.post("/revocations/check", admin, json!({"jtis": ids})).await.json();
    let results = reply["results"].as_array().unwrap();
    assert_eq!(results.len(), ids.len());
    assert_eq!(results.iter().find(|result| result["status"] != status), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_filling_was_right_and_the_next_one_goes_on() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.cli(&["dev", "seed", "--tokens", "6000", "--seed", "9"]).good();
    let admin = site.admin();
    let mut look = database.superuser().connect().await.unwrap();
    let is_covered = "path = 'api' and revoked_pos is null";
    let live = format!("select jti::text from tokens where {is_covered} and exp > now() + interval '1 hour' limit 900");
    let live: Vec<String> = sqlx::query_scalar(AssertSqlSafe(live)).fetch_all(&mut look).await.unwrap();
    let covered = format!("select count(*) from tokens where {is_covered}");
    let covered: i64 = sqlx::query_scalar(AssertSqlSafe(covered)).fetch_one(&mut look).await.unwrap();
    assert!(live.len() > 100 && covered > i64::from(FILL_MAX), "{} are active, {covered} are to be filled", live.len());
    // Whoever fills goes from the newest to the oldest, and stands still there.
    let mut somebody = database.superuser().connect().await.unwrap();
    somebody.execute("begin").await.unwrap();
    let oldest = format!(
        "insert into token_revocations (issued_pos, revoked_pos, revoked_at, revocation_reason)
         select min(issued_pos), max(issued_pos) + 1, now(), 'unspecified' from tokens where {is_covered}"
    );
    somebody.execute(AssertSqlSafe(oldest)).await.unwrap();
    let server = site.serve().await;
    assert_all(&server.client, &admin, &live, "active").await;

    let rule =
        server.client.post("/revocations", &admin, json!({"where": {"path": "api"}})).await.json()["rule"].clone();

    assert_all(&server.client, &admin, &live, "revoked").await;
    let waits =
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";
    until("it stands in the middle of a transaction, with the rule as its own", async || {
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut look).await.unwrap().then_some(())
    })
    .await;
    let filled = "select count(*) from tokens where revoked_pos = (select position from revocation_rules)";
    let filled: i64 = sqlx::query_scalar(filled).fetch_one(&mut look).await.unwrap();
    assert_eq!(filled, (covered - 1) / i64::from(FILL_MAX) * i64::from(FILL_MAX));
    assert_all(&server.client, &admin, &live, "revoked").await;
    server.kill().await;
    site.cli(&["audit", "verify"]).good();

    let server = site.serve().await;
    assert_all(&server.client, &admin, &live, "revoked").await;
    somebody.execute("rollback").await.unwrap();
    until("the rest is filled", async || {
        let left = "select filled_to from revocation_rules";
        (sqlx::query_scalar::<_, i64>(left).fetch_one(&mut look).await.unwrap() == 0).then_some(())
    })
    .await;
    assert_all(&server.client, &admin, &live, "revoked").await;
    let open = format!("select count(*) from tokens where {is_covered}");
    assert_eq!(sqlx::query_scalar::<_, i64>(AssertSqlSafe(open)).fetch_one(&mut look).await.unwrap(), 0);
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();
    assert_eq!((&verified["holds"], verified["head"]["position"].as_i64()), (&json!(true), rule.as_i64()));
}
