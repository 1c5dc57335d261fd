//! Checks that arrive together share statements, and nothing else: each has the answer that it would have had alone.

use catalog::domain::Position;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::{
    feed::keep_house,
    support::{World, process::until, world::plain},
};

/// Many more than there are connections for checks.
const CHECKS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_arrive_together_are_each_answered_about_their_own_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut tokens = Vec::new();
    for index in 0..CHECKS {
        let issued = world.issue_dev(plain(&format!("user-{index}"))).await;
        if index % 3 == 0 {
            world.delete(&format!("/tokens/{}", issued.token.jti), &admin, Value::Null).await;
        }
        tokens.push(issued);
    }

    let replies = join_all(tokens.iter().map(|issued| world.introspect(issued.signed.expose(), &admin))).await;

    for (index, reply) in replies.iter().enumerate() {
        let body = reply.json();
        assert_eq!(body["active"], index % 3 != 0, "{index}: {body}");
        if index % 3 != 0 {
            assert_eq!(body["sub"], format!("user-{index}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_keeps_its_answer_from_nobody_else() {
    let world = World::new().await;
    let admin = world.admin().await;
    let broken = world.issue_dev(plain("mallory@example.com")).await;
    let whole = world.issue_dev(plain("alice@example.com")).await;
    world.database.tamper(&format!("update issued_tokens set kid = '' where jti = '{}'", broken.token.jti)).await;
    let presented = |index| if index % 2 == 0 { broken.signed.expose() } else { whole.signed.expose() };

    let replies = join_all((0..CHECKS).map(|index| world.introspect(presented(index), &admin))).await;

    for (index, reply) in replies.iter().enumerate() {
        let expected = if index % 2 == 0 { 500 } else { 200 };
        assert_eq!(reply.status.as_u16(), expected, "{index}: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_tokens_cannot_be_read_no_check_has_a_verdict_and_afterwards_every_one_has() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let mut locking = world.database.superuser().connect().await.unwrap();
    locking.execute("begin; lock table issued_tokens in access exclusive mode").await.unwrap();

    let replies = join_all((0..CHECKS).map(|_| world.introspect(issued.signed.expose(), &admin))).await;

    assert!(replies.iter().all(|reply| reply.status == 503), "could not tell is not no");
    locking.close().await.unwrap();
    let reply = world.introspect(issued.signed.expose(), &admin).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["active"]), (200, &Value::Bool(true)), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_whose_sessions_were_ended_are_answered_by_others_and_so_is_who_follows_the_log() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let check = || world.introspect(issued.signed.expose(), &admin);
    let follower = world.another_process().await;
    let house = keep_house(&follower).await;
    let has_come = async |position: Position| {
        let reached = || follower.catalog.followed().filter(|followed| followed.position >= position);
        until("another process has followed", async || reached()).await
    };
    has_come(issued.token.issued).await;
    check().await;

    let ended = "select count(*) filter (where pg_terminate_backend(pid, 5000)) from pg_stat_activity \
                 where application_name = 'catalog' and datname = current_database()";
    let mut superuser = world.database.superuser().connect().await.unwrap();
    let ended: i64 = sqlx::query_scalar(ended).fetch_one(&mut superuser).await.unwrap();
    let replies = join_all((0..CHECKS).map(|_| check())).await;
    let next = world.issue_dev(plain("bob@example.com")).await;

    assert!(ended > 3, "the appender, checks, the follower, and the signals: {ended}");
    has_come(next.token.issued).await;
    house.abort();
    for reply in replies {
        assert_eq!((reply.status.as_u16(), &reply.json()["active"]), (200, &Value::Bool(true)), "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_planned_while_the_catalog_was_empty_does_not_read_all_of_a_full_one() {
    let world = World::new().await;
    let admin = world.admin().await;
    for index in 0..CHECKS {
        let body =
            json!({ "sub": "ci@example.com", "name": format!("ci-{index}"), "scopes": { "permissions": ["a.b"] } });
        let issued = world.post("/tokens", &admin, body).await.json();
        world.introspect(issued["access_token"].as_str().unwrap(), &admin).await;
    }

    // Its sessions say at their end what they have read.
    let database = world.database.clone();
    drop(world);

    let mut connection = database.superuser().connect().await.unwrap();
    until("every session has ended", async || {
        let others =
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        let others: i64 = sqlx::query_scalar(others).fetch_one(&mut connection).await.unwrap();
        (others == 0).then_some(())
    })
    .await;
    let read = "select relname::text, seq_tup_read, idx_tup_fetch from pg_stat_user_tables \
                 where relname in ('issued_tokens', 'events')";
    let read: Vec<(String, i64, i64)> = sqlx::query_as(read).fetch_all(&mut connection).await.unwrap();
    assert_eq!(read.len(), 2);
    for (table, in_no_order, by_index) in read {
        assert!(in_no_order < 20, "{in_no_order} rows of {table} were read in no index's order");
        // Every request looks at a few rows, the events of the settings included.
        assert!(by_index < 12 * 60, "{by_index} rows of {table} were read by an index");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_every_live_token_passes_over_the_pages_on_which_there_is_none() {
    let world = World::new().await;
    world.issue_dev(plain("alice@example.com")).await;
    world
        .database
        .tamper(
            "insert into issued_tokens \
             select (jsonb_populate_record(issued, jsonb_build_object( \
                        'jti', gen_random_uuid(), 'issued_pos', 1000 + number, \
                        'iat', timestamptz '2020-01-01', 'exp', timestamptz '2020-01-02'))).* \
               from issued_tokens as issued, generate_series(1, 20000) as number",
        )
        .await;
    let mut superuser = world.database.superuser().connect().await.unwrap();
    superuser.execute("vacuum analyze catalog.issued_tokens").await.unwrap();

    world.catalog.load_live_tokens().await;

    assert_eq!(world.catalog.followed().unwrap().tokens, 1);
    until("its session has told what it read", async || {
        let looked_at = "select idx_scan from pg_stat_user_indexes where indexrelname = 'tokens_exp_brin_idx'";
        let looked_at: i64 = sqlx::query_scalar(looked_at).fetch_one(&mut superuser).await.unwrap();
        (looked_at > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_issues_under_a_name_again_and_again_does_not_look_at_all_that_were_revoked() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..CHECKS {
        let issued = world.post("/tokens", &admin, json!({"sub": "ci@example.com", "name": "job"})).await;
        assert_eq!(issued.status, 201, "{}", issued.text);
        let jti = issued.json()["token"]["jti"].as_str().unwrap().to_owned();
        assert_eq!(world.post("/tokens", &admin, json!({"sub": "ci@example.com", "name": "job"})).await.status, 409);
        assert_eq!(world.delete(&format!("/tokens/{jti}"), &admin, json!({})).await.status, 204);
    }

    let mut connection = world.database.superuser().connect().await.unwrap();
    let kept = "select count(*) from token_names where sub = 'ci@example.com'";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept, 1, "the last one's own");
    world.verify().await;
}
