//! What the log does not know is remembered for a moment, and never hides a token that is issued after all.

use catalog::domain::ambient::uuid_v7;
use chrono::TimeDelta;
use serde_json::json;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    feed::keep_house,
    support::{
        World,
        appending::{appender, issuance},
        process::until,
    },
};

async fn status(world: &World, admin: &str, jti: Uuid) -> String {
    let reply = world.get(&format!("/revocations/{jti}"), admin).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["status"].as_str().unwrap().to_owned()
}

/// One that was drawn so long ago.
fn drawn(world: &World, ago: TimeDelta) -> Uuid {
    let ambient = world.catalog.ambient();
    uuid_v7(ambient.clock.now() - ago, &*ambient.entropy)
}

/// Issues it past both processes.
async fn issue_elsewhere(world: &World, jti: Uuid) {
    appender(world).append(issuance(world, jti)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_an_identifier_while_it_is_being_issued_finds_it_everywhere_once_it_is() {
    let world = World::new().await;
    let (admin, other) = (world.admin().await, world.another_process().await);
    let houses = [keep_house(&world).await, keep_house(&other).await];
    for _ in 0..20 {
        let jti = drawn(&world, TimeDelta::seconds(59));
        for process in [&world, &other] {
            assert_eq!(status(process, &admin, jti).await, "unknown");
        }

        issue_elsewhere(&world, jti).await;

        for process in [&world, &other] {
            assert_eq!(status(process, &admin, jti).await, "active", "its issuer was answered");
        }
    }
    houses.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_asked_once_for_an_identifier_that_nobody_can_issue_any_more() {
    let world = World::new().await;
    let admin = world.admin().await;
    let house = keep_house(&world).await;
    let (jti, another) = (drawn(&world, TimeDelta::minutes(2)), drawn(&world, TimeDelta::minutes(2)));
    let mut locking = world.database.superuser().connect().await.unwrap();
    assert_eq!(status(&world, &admin, jti).await, "unknown");

    locking.execute("begin; lock table issued_tokens in access exclusive mode").await.unwrap();

    assert_eq!(status(&world, &admin, jti).await, "unknown");
    let several = world.post("/revocations/check", &admin, json!({ "jtis": [jti] })).await;
    assert_eq!(several.json()["results"][0]["status"], "unknown", "{}", several.text);
    let unread = world.get(&format!("/revocations/{another}"), &admin).await;
    assert_eq!(unread.status, 503, "could not tell is not no");
    locking.close().await.unwrap();
    house.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_identifier_is_older_than_any_that_is_issued_is_known_to_whoever_follows_the_log() {
    let world = World::new().await;
    let (admin, other) = (world.admin().await, world.another_process().await);
    let houses = [keep_house(&world).await, keep_house(&other).await];
    let jti = drawn(&world, TimeDelta::days(2));
    for process in [&world, &other] {
        assert_eq!(status(process, &admin, jti).await, "unknown");
    }

    issue_elsewhere(&world, jti).await;
    // Only the memory of who has followed can tell now.
    let mut locking = world.database.superuser().connect().await.unwrap();
    locking.execute("begin; lock table issued_tokens in access exclusive mode").await.unwrap();

    for process in [&world, &other] {
        let is_known = async || {
            let reply = process.get(&format!("/revocations/{jti}"), &admin).await;
            (reply.status == 200 && reply.json()["status"] == "active").then_some(())
        };
        until("it has followed", is_known).await;
    }
    locking.close().await.unwrap();

    // Once it is over nobody's memory has it, and it was issued all the same.
    world.clock.advance(TimeDelta::days(4_000));
    for process in [&world, &other] {
        let is_forgotten = async || process.catalog.followed().filter(|followed| followed.tokens == 0);
        until("it is forgotten", is_forgotten).await;
        assert!(process.catalog.live_token(jti).await.unwrap().is_some());
    }
    houses.iter().for_each(JoinHandle::abort);
}
