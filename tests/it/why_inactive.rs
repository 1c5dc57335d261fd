//! Record and listing say why a token is not active, and from the very instant on at which it is not.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_why_its_token_is_not_active_in_the_order_of_precedence() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let issue = async || {
        let issued = world.post("/tokens", &admin, json!({"sub": "alice@example.com", "expires_in": 60})).await.json();
        issued["token"]["jti"].as_str().unwrap().to_owned()
    };
    let why = async |jti: &str| {
        let record = world.get(&format!("/tokens/{jti}"), &admin).await.json();
        let listed = world.get("/tokens?sub=alice@example.com", &admin).await.json();
        let same =
            listed["tokens"].as_array().unwrap().iter().find(|token| token["jti"] == json!(jti)).unwrap().clone();
        assert_eq!(same["inactive_because"], record["inactive_because"], "the listing says the same");
        assert_eq!(record["inactive_because"].is_null(), record["status"] == "active");
        record["inactive_because"].clone()
    };
    let [revoked, suspended, rotated, at_once] = [issue().await, issue().await, issue().await, issue().await];

    let act = async |how: &str, jti: &str, body: Value| {
        let reply = world.post(&format!("/tokens/{jti}/{how}"), &admin, body).await;
        reply.header("catalog-position").parse::<i64>().unwrap()
    };
    let held = act("suspend", &suspended, json!({})).await;
    act("suspend", &revoked, json!({})).await;
    let ended = world.delete(&format!("/tokens/{revoked}"), &admin, json!({"reason": "key_compromise"})).await;
    let issued = act("rotate", &rotated, json!({"overlap": "30s"})).await;
    let issued_at_once = act("rotate", &at_once, json!({"overlap": "0s"})).await;
    let successor =
        async |jti: &str| world.get(&format!("/tokens/{jti}"), &admin).await.json()["lineage"]["successor"].clone();

    assert_eq!(
        why(&revoked).await,
        json!({"kind": "revoked", "position": ended.header("catalog-position").parse::<i64>().unwrap(), "reason": "key_compromise"})
    );
    assert_eq!(why(&suspended).await, json!({"kind": "suspended", "position": held, "since": "2026-03-01T12:00:00Z"}));
    assert_eq!(
        why(&at_once).await,
        json!({"kind": "rotated", "position": issued_at_once + 1, "deadline": "2026-03-01T12:00:00Z", "successor": successor(&at_once).await})
    );
    world.clock.advance(TimeDelta::seconds(30) - TimeDelta::microseconds(1));
    assert_eq!(why(&rotated).await, Value::Null, "its last instant");
    world.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(
        why(&rotated).await,
        json!({"kind": "rotated", "position": issued + 1, "deadline": "2026-03-01T12:00:30Z", "successor": successor(&rotated).await})
    );
    world.clock.advance(TimeDelta::seconds(30));
    assert_eq!(why(&suspended).await, json!({"kind": "expired", "at": "2026-03-01T12:01:00Z"}));
    assert_eq!(why(&rotated).await["kind"], "rotated");
}
