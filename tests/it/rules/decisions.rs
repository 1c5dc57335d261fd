//! What a rule covers is over for every command that comes after it, whether or not the rows say so.

use catalog::domain::{Predicate, suspend::CHANGED_MAX};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{none, revoke};
use crate::support::{World, appending::head, world::plain};

fn of(sub: &str) -> Predicate {
    Predicate { sub: Some(sub.parse().unwrap()), ..none() }
}

async fn issue(world: &World, sub: &str) -> String {
    world.issue_dev(plain(sub)).await.token.jti.to_string()
}

async fn act(world: &World, admin: &str, jti: &str, how: &str) -> (u16, Value) {
    let body = if how == "rotate" { json!({"overlap": "0s"}) } else { json!({}) };
    let reply = world.post(&format!("/tokens/{jti}/{how}"), admin, body).await;
    (reply.status.as_u16(), reply.json()["code"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_covers_is_neither_suspended_resumed_nor_rotated_and_needs_no_second_end() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (active, held) = (issue(&world, "alice@example.com").await, issue(&world, "alice@example.com").await);
    let body = json!({"overlap": "60s"});
    let rotated = issue(&world, "alice@example.com").await;
    let successor = world.post(&format!("/tokens/{rotated}/rotate"), &admin, body).await.json();
    assert_eq!(world.post(&format!("/tokens/{held}/suspend"), &admin, json!({})).await.status, 204);

    let rule = revoke(&world, of("alice@example.com")).await.rule.unwrap();

    let is_over = (409, json!("wrong_status"));
    for _ in ["before it is filled", "after it is filled"] {
        let before = head(&world).await;
        assert_eq!(act(&world, &admin, &active, "suspend").await, is_over);
        assert_eq!(act(&world, &admin, &held, "resume").await, is_over);
        assert_eq!(act(&world, &admin, &active, "rotate").await, is_over);
        assert_eq!(world.delete(&format!("/tokens/{active}"), &admin, Value::Null).await.status, 204);
        for jti in [&active, &held, &rotated, &successor["token"]["jti"].as_str().unwrap().to_owned()] {
            let record = world.get(&format!("/tokens/{jti}"), &admin).await.json();
            assert_eq!(
                record["inactive_because"],
                json!({"kind": "revoked_by_rule", "position": rule, "reason": "privilege_withdrawn"})
            );
        }
        assert_eq!(head(&world).await, before, "nothing was left to record");
        world.verify().await;
        world.catalog.fill_rules().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_deadline_has_passed_is_over_and_no_rule_takes_that_over() {
    let world = World::new().await;
    let admin = world.admin().await;
    let rotated = issue(&world, "alice@example.com").await;
    let body = json!({"overlap": "1s"});
    let reply = world.post(&format!("/tokens/{rotated}/rotate"), &admin, body).await.json();
    let successor = reply["token"]["jti"].as_str().unwrap();
    world.delete(&format!("/tokens/{successor}"), &admin, Value::Null).await;
    world.clock.advance(TimeDelta::seconds(1));
    let record = async || world.get(&format!("/tokens/{rotated}"), &admin).await.json();
    let before = record().await;

    assert_eq!(revoke(&world, of("alice@example.com")).await.rule, None, "nothing is left to end");
    issue(&world, "alice@example.com").await;
    assert!(revoke(&world, of("alice@example.com")).await.rule.is_some());

    for _ in ["before it is filled", "after it is filled"] {
        assert_eq!(record().await, before);
        world.verify().await;
        world.catalog.fill_rules().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instant_that_a_rule_names_is_one_that_cannot_be_read_back() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = issue(&world, "alice@example.com").await;
    for (sub, [after, before]) in [
        ("alice@example.com", ["0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z"]),
        ("alice@example.com", ["9999-12-31T23:59:59.9999999999+00:00", "9999-12-31T23:59:59-23:59"]),
        ("alice@example.com", ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999999+00:00"]),
    ] {
        let body =
            json!({"where": {"sub": sub, "issued_after": after, "issued_before": before}, "reason": "unspecified"});
        assert_eq!(world.post("/revocations", &admin, body).await.status, 200);
    }

    let record = world.get(&format!("/tokens/{issued}"), &admin).await;

    assert_eq!((record.status.as_u16(), &record.json()["status"]), (200, &json!("revoked")));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_a_rule_covers_are_no_crowd_in_the_way_of_those_that_are_left() {
    let world = World::new().await;
    let admin = world.admin().await;
    for _ in 0..=CHANGED_MAX / 100 {
        futures_util::future::join_all((0..100).map(|_| issue(&world, "crowd@example.com"))).await;
    }
    let crowd = json!({"sub": "crowd@example.com"});
    let too_many = world.post("/tokens/suspend", &admin, crowd.clone()).await;
    revoke(&world, of("crowd@example.com")).await;
    issue(&world, "crowd@example.com").await;

    let left = world.post("/tokens/suspend", &admin, crowd.clone()).await;
    world.catalog.fill_rules().await.unwrap();
    let let_go = world.post("/tokens/resume", &admin, crowd).await;

    assert_eq!(too_many.json()["code"], "too_many_tokens");
    assert_eq!([&left.json()["changed"], &let_go.json()["changed"]], [&json!(1), &json!(1)]);
    world.verify().await;
}
