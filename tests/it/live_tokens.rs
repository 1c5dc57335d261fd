//! What a server keeps in memory says of every token what the log says, and where it cannot tell the log is asked.

use std::sync::Arc;

use catalog::{
    domain::{
        Event, Recorded, Status,
        claims::Teams,
        event::{Position, TokensRevokedByRule},
        index::{End, LiveIndex, LiveToken},
        revoke::RevocationReason,
        rule::{Field, Predicate},
    },
    store::{LiveTokens, follower::follow},
};
use proptest::{
    prelude::{any, prop_assert, prop_assert_eq, proptest},
    sample::Index,
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use crate::{
    lifecycle::{at, clocks, fold, happenings, jti, tell},
    support::{
        Site, TestDatabase, World,
        process::{Client, OwnPostgres, until},
        world::plain,
    },
};

/// A rule at the end of a log, of which a condition was erased: only the log knows what it covers.
fn unreadable(log: &[Recorded]) -> Recorded {
    let mut recorded = log[0].clone();
    recorded.position = Position(i64::try_from(log.len()).unwrap() + 1);
    let (fields, predicate) = (vec![Field::Sub], Predicate::default());
    let reason = RevocationReason::Unspecified;
    recorded.occurrence.event =
        Event::TokensRevokedByRule(Box::new(TokensRevokedByRule { fields, predicate, reason, note: None }));
    recorded
}

proptest! {
    #[test]
    fn the_memory_says_what_the_fold_says_and_nothing_of_what_came_too_early(
        happenings in happenings(),
        gaps in proptest::collection::vec(any::<Index>(), 4),
    ) {
        let (log, told) = tell(&happenings);
        let mut index = LiveIndex::default();

        // Some events come before those in between, as what this process appends does while others append, too.
        for gap in gaps {
            if log.is_empty() {
                break;
            }
            let early = gap.index(log.len());
            index.follow(&log[early..=early]);
            let state = fold(&log[..=early]);
            let jti = log[early].occurrence.event.jti().unwrap();
            // It tells nothing, or what is so with that event.
            for clock in clocks() {
                let known = index.get(jti).map(|token| token.status(at(clock)));
                let expected = state.token(jti).map(|token| token.status(at(clock)));
                prop_assert!(known.is_none() || known == expected || early < usize::try_from(index.position().0).unwrap());
            }
            index.follow(&log[..early / 2]);
        }
        prop_assert!(index.follow(&log));

        let state = fold(&log);
        prop_assert_eq!(index.position(), Position(i64::try_from(log.len()).unwrap()));
        prop_assert_eq!(index.len(), told.len());
        for number in 0..told.len() {
            let (known, token) = (index.get(jti(number)).unwrap(), state.token(jti(number)).unwrap());
            prop_assert_eq!(&known, &LiveToken::from(token));
            for clock in clocks() {
                prop_assert_eq!(known.status(at(clock)), token.status(at(clock)));
            }
        }
    }

    #[test]
    fn what_a_rule_may_cover_is_not_told_until_it_is_known_what_it_covers(happenings in happenings()) {
        let (log, told) = tell(&happenings);
        if told.is_empty() {
            return Ok(());
        }
        let rule = unreadable(&log);
        let mut index = LiveIndex::default();
        index.follow(&log[..log.len() - 1]);

        // The rule before the event in between: both are waited for.
        index.follow([&rule]);
        prop_assert_eq!(index.rule_to_expand(), None);
        index.follow(&log);
        index.follow([&rule]);

        prop_assert_eq!(index.rule_to_expand(), Some(rule.position));
        prop_assert!((0..told.len()).all(|number| index.get(jti(number)).is_none()));
        index.cover(rule.position, [jti(0)]);
        prop_assert!(index.get(jti(0)).is_none());
        index.cover(rule.position, (1..told.len()).map(jti));
        index.expanded(rule.position);
        for number in 0..told.len() {
            prop_assert_eq!(index.get(jti(number)).unwrap().status(at(0)), Status::Revoked);
        }
        prop_assert_eq!(index.rule_to_expand(), None);
    }

    #[test]
    fn of_a_token_that_no_rule_covers_the_log_is_asked_once_a_rule(happenings in happenings()) {
        let (log, told) = tell(&happenings);
        if told.is_empty() {
            return Ok(());
        }
        let mut index = LiveIndex::default();
        index.follow(&log);
        let known = index.get(jti(0)).unwrap();
        let first = unreadable(&log);
        index.follow([&first]);
        let second = Recorded { position: first.position.next(), ..first.clone() };

        // What is over at once is over: there is nothing to be spared of.
        index.learn(jti(0), first.position, End::AtOnce);
        prop_assert_eq!(index.get(jti(0)), None);
        index.learn(jti(0), first.position, known.end);
        let is_spared = known.end != End::AtOnce;
        prop_assert_eq!(index.get(jti(0)), is_spared.then(|| known.clone()));
        index.follow([&second]);
        prop_assert_eq!(index.get(jti(0)), None);
        index.learn(jti(0), second.position, known.end);
        prop_assert_eq!(index.get(jti(0)), is_spared.then(|| known.clone()));
        index.expanded(first.position);
        index.expanded(second.position);
        prop_assert_eq!(index.get(jti(0)), Some(known));
    }

    #[test]
    fn expired_tokens_leave_and_no_others_do(happenings in happenings(), clock in 0..120_i64) {
        let (log, told) = tell(&happenings);
        let mut index = LiveIndex::default();
        index.follow(&log);

        for _ in 0..=told.len() {
            index.forget_expired(at(clock), 2);
        }

        let state = fold(&log);
        for number in 0..told.len() {
            let is_expired = at(clock) >= state.token(jti(number)).unwrap().expires_at;
            prop_assert_eq!(index.get(jti(number)).is_none(), is_expired);
        }
    }
}

async fn issue(client: &Client, admin: &str, sub: &str) -> (String, String) {
    let issued = client.post("/tokens", admin, json!({ "sub": sub, "teams": ["ops"] })).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&issued["token"]["jti"]), text(&issued["access_token"]))
}

/// How many tokens were found in memory, and how many the log was asked for.
async fn answers(client: &Client) -> (u64, u64) {
    let figures = client.get("/metrics", "").await.text;
    let count = |from: &str| {
        let series = format!("catalog_check_answers_total{{from=\"{from}\"}} ");
        figures.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |value| value.parse().unwrap())
    };
    (count("memory"), count("log"))
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_answered_from_memory_and_each_change_is_seen_by_the_next_check_of_its_server() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    // What a shell has issued before the server started is there from the beginning.
    client.get("/whoami", &admin).await;
    let before = answers(client).await;

    for round in 0..20 {
        let (jti, text) = issue(client, &admin, &format!("user-{round}")).await;
        assert!(client.is_active(&text, &admin).await);
        client.post(&format!("/tokens/{jti}/suspend"), &admin, json!({})).await;
        assert!(!client.is_active(&text, &admin).await);
        client.post(&format!("/tokens/{jti}/resume"), &admin, json!({})).await;
        assert!(client.is_active(&text, &admin).await);
        client.delete(&format!("/tokens/{jti}"), &admin).await;
        assert!(!client.is_active(&text, &admin).await);
    }

    let after = answers(client).await;
    assert_eq!(after.1, before.1, "the log was asked, too: {after:?}");
    assert!(after.0 > before.0 + 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_holds_from_its_answer_on_and_its_tokens_are_known_in_memory_soon_after() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let (here, there) = (site.serve().await, site.serve().await);
    let mut tokens = Vec::new();
    for number in 0..12 {
        tokens.push(issue(&here.client, &admin, &format!("user-{number}@example.com")).await);
    }

    let body = json!({ "where": { "sub": "user-3@example.com" }, "reason": "key_compromise" });
    let added = here.client.post("/revocations", &admin, body).await;
    let position = added.header("catalog-position");

    for (number, (jti, text)) in tokens.iter().enumerate() {
        let expected = if number == 3 { "revoked" } else { "active" };
        assert_eq!(here.client.is_active(text, &admin).await, number != 3);
        let asked = there.client.get(&format!("/revocations/{jti}?min_position={position}"), &admin).await;
        assert_eq!(asked.json()["status"], expected, "{asked:?}");
    }
    until("the tokens are known in memory again", async || {
        let before = answers(&there.client).await;
        for (number, (_, text)) in tokens.iter().enumerate() {
            assert_eq!(there.client.is_active(text, &admin).await, number != 3);
        }
        (answers(&there.client).await.1 == before.1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_refused_by_the_other_server_of_its_log_and_at_once_where_it_is_asked_for() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let (here, there) = (site.serve().await, site.serve().await);

    for round in 0..20 {
        let (jti, text) = issue(&here.client, &admin, &format!("user-{round}")).await;
        // A token that the other server has not heard of yet is active there all the same.
        assert!(there.client.is_active(&text, &admin).await);
        let revoked = here.client.delete(&format!("/tokens/{jti}"), &admin).await;
        assert!(!here.client.is_active(&text, &admin).await);
        if round % 2 == 0 {
            let asked = format!("/revocations/{jti}?min_position={}", revoked.header("catalog-position"));
            assert_eq!(there.client.get(&asked, &admin).await.json()["status"], "revoked");
        } else {
            until("the other server refuses it", async || (!there.client.is_active(&text, &admin).await).then_some(()))
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_log_cannot_be_followed_a_server_becomes_unready_and_tells_nothing_and_then_goes_on() {
    let mut postgres = OwnPostgres::start();
    let site = Site::on(&postgres.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    let (_, text) = issue(client, &admin, "alice@example.com").await;
    assert_eq!(client.get("/readyz", "").await.json()["checks"]["live_tokens"], true);

    postgres.crash().await;
    until("its memory is too old", async || {
        let ready = client.get("/readyz", "").await.json();
        (ready["checks"]["live_tokens"] == false).then_some(())
    })
    .await;
    let stale = client.introspect(&text, &admin).await;
    postgres.restart();
    until("it follows again", async || {
        (client.get("/readyz", "").await.json()["checks"]["live_tokens"] == true).then_some(())
    })
    .await;

    assert_eq!(stale.status, 503, "could not tell is not no");
    assert!(client.is_active(&text, &admin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_loaded_anew_and_nothing_is_told_from_before() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    let (kept, _) = issue(client, &admin, "alice@example.com").await;
    let (lost, _) = issue(client, &admin, "bob@example.com").await;
    let status = async |jti: &str| client.get(&format!("/revocations/{jti}"), &admin).await.json()["status"].clone();
    assert_eq!(status(&lost).await, "active");

    // As a promotion of a standby that was behind would have it.
    database
        .tamper(
            "alter table events disable trigger all;
             delete from events where position = (select max(position) from events);
             delete from issued_tokens where issued_pos > (select max(position) from events);
             update log_head set position = last.position, digest = last.digest
               from (select position, digest from events order by position desc limit 1) as last;",
        )
        .await;

    until("what is gone is unknown", async || (status(&lost).await == "unknown").then_some(())).await;
    assert_eq!(status(&kept).await, "active");
    assert!(server.said().contains("loaded anew"), "{}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_appends_and_ends_has_the_servers_look_at_once() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.admin();
    let mut listener = sqlx::postgres::PgListener::connect(&database.url()).await.unwrap();
    listener.listen("catalog_log").await.unwrap();

    site.cli(&["keys", "list"]).good();
    site.cli(&["keys", "add"]).good();

    let said = tokio::time::timeout(std::time::Duration::from_secs(10), listener.recv()).await.unwrap().unwrap();
    assert_eq!(said.payload(), "", "no server's own name");
    assert!(listener.next_buffered().is_none(), "who only reads says nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_that_a_token_was_over_already_does_not_find_it_active_where_that_was_said() {
    let ends = [
        ("DELETE", "/tokens/{jti}", json!(null)),
        ("POST", "/revocations", json!({ "ids": ["{jti}"] })),
        ("POST", "/revocations", json!({ "where": { "sub": "{sub}" }, "reason": "key_compromise" })),
        ("POST", "/tokens/{jti}/suspend", json!({})),
        ("POST", "/tokens/suspend", json!({ "sub": "{sub}" })),
    ];
    for (method, path, body) in ends {
        // Its memory is of now, and follows nothing.
        let world = World::new().await;
        let admin = world.admin().await;
        let issued = world.issue_dev(plain("alice@example.com")).await;
        let (jti, text) = (issued.token.jti.to_string(), issued.signed.expose().to_owned());
        world.catalog.load_live_tokens().await;
        let named = |text: &str| text.replace("{jti}", &jti).replace("{sub}", "alice@example.com");
        let (path, body) = (named(path), named(&body.to_string()).parse::<Value>().unwrap());
        let other = world.another_process().await;

        let first = other.send(method, &path, &admin, body.clone()).await;
        let again = world.send(method, &path, &admin, body.clone()).await;

        assert!(first.status.is_success() && again.status.is_success(), "{path}: {first:?}, {again:?}");
        let said = world.introspect(&text, &admin).await.json();
        assert_eq!(said, json!({ "active": false }), "{method} {path} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_covers_may_take_long_to_be_read_and_what_comes_after_it_is_known_at_once() {
    let world = World::new().await;
    let admin = world.admin().await;
    // How the family of a successor began only the log knows, so it is asked what the rule covers.
    let body = json!({ "where": { "team": "ops", "path": "cli-dev" }, "successors": true, "reason": "unspecified" });
    let mut command = plain("bob@example.com");
    command.teams = Some(Teams::These(vec!["ops".parse().unwrap()]));
    let first = world.issue_dev(command).await.token.jti;
    let rotated = world.post(&format!("/tokens/{first}/rotate"), &admin, json!({ "overlap": "10m" })).await;
    assert_eq!(rotated.status, 201, "{rotated:?}");
    assert_eq!(world.post("/revocations", &admin, body).await.status, 200);
    // Who reaches every team reached that one.
    let admin = world.admin().await;
    let mut later = Vec::new();
    for _ in 0..5 {
        later.push(world.issue_dev(plain("alice@example.com")).await.token.jti);
    }
    // Nobody can read which tokens reach a team, so that reading takes as long as of a rule over very many tokens.
    let mut reader = world.database.superuser().connect().await.unwrap();
    let mut locked = reader.begin().await.unwrap();
    sqlx::query("lock table token_teams in access exclusive mode").execute(&mut *locked).await.unwrap();
    let live = Arc::new(LiveTokens::default());
    let (catalog, there) = (world.catalog.clone(), live.clone());
    let following = tokio::spawn(async move {
        Box::pin(follow(catalog.database(), &there, &catalog.ambient().clock, Uuid::nil())).await;
    });
    let mut observer = world.database.superuser().connect().await.unwrap();
    let mut waiting = async || {
        let sql = "select pid::text || '@' || query_start::text from pg_stat_activity \
                   where datname = current_database() and wait_event_type = 'Lock' and query like '%token_teams%'";
        sqlx::query_scalar::<_, String>(sql).fetch_optional(&mut observer).await.unwrap()
    };

    let mut is_known_meanwhile = false;
    for jti in later {
        let before = until("somebody wants to know what the rule covers", &mut waiting).await;
        assert_eq!(world.delete(&format!("/tokens/{jti}"), &admin, json!(null)).await.status, 204);
        until("the revocation is known", async || live.last_known(jti)?.end.eq(&End::AtOnce).then_some(())).await;
        // A machine that is very busy may take longer than anybody waits for a lock.
        is_known_meanwhile |= waiting().await == Some(before);
    }

    assert!(is_known_meanwhile, "what came after the rule was known only once it was given up to read what it covers");
    following.abort();
}
