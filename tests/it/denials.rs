//! Refused attempts of known callers are in the log: the first of a kind at once, then one event a minute with the count.

use chrono::TimeDelta;
use serde_json::{Value, json};

use sqlx::{ConnectOptions, Executor};

use crate::support::{World, process::until, world::plain};

async fn of_kind(world: &World, admin: &str, kind: &str) -> Vec<Value> {
    world.events(admin).await.into_iter().filter(|event| event["kind"] == kind).collect()
}

async fn long_lived(world: &World, sub: &str, permissions: &[&str]) -> String {
    world
        .caller(sub, |command| {
            command.ttl_seconds = Some(86_400);
            command.scopes.permissions = permissions.iter().map(|text| text.parse().unwrap()).collect();
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_issuance_is_recorded_with_who_asked_for_what_and_by_which_rule() {
    let world = World::new().await;
    let admin = world.admin().await;
    let alice = long_lived(&world, "alice@example.com", &["tokens.create"]).await;
    let asked = json!({"sub": "bob@example.com", "name": "ci", "is_admin": true, "teams": null, "reason": "just trying",
        "scopes": {"permissions": ["tools.read"]}});

    let reply = world.post("/tokens", &alice, asked).await;

    assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (403, json!("subject_not_yours")));
    let denials = of_kind(&world, &admin, "issuance.refused.v1").await;
    assert_eq!(denials.len(), 1);
    let (event, data) = (&denials[0], &denials[0]["data"]);
    assert_eq!((&event["path"], &event["actor"]["sub"]), (&json!("api"), &json!("alice@example.com")));
    assert_eq!((&data["rule"], &data["count"]), (&json!("subject_not_yours"), &json!(1)));
    assert_eq!(
        (&data["sub"], &data["name"], &data["reason"]),
        (&json!("bob@example.com"), &json!("ci"), &json!("just trying"))
    );
    assert_eq!((&data["is_admin"], &data["teams"]), (&json!(true), &Value::Null));
    assert_eq!(data["permissions"], json!(["tools.read"]));
    assert!(data.as_object().unwrap().contains_key("teams"), "null was asked for, and is not the same as no word");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_revocation_is_recorded_and_another_subjects_token_lives_on() {
    let world = World::new().await;
    let admin = world.admin().await;
    let alice = long_lived(&world, "alice@example.com", &["tokens.revoke"]).await;
    let bobs = world.issue_dev(plain("bob@example.com")).await;

    let reply = world
        .delete(&format!("/tokens/{}", bobs.token.jti), &alice, json!({"reason": "key_compromise", "note": "not mine"}))
        .await;

    assert_eq!(reply.status, 404);
    let denials = of_kind(&world, &admin, "revocation.refused.v1").await;
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0]["jti"], json!(bobs.token.jti));
    assert_eq!(denials[0]["data"]["rule"], "token_unknown");
    assert_eq!(
        (&denials[0]["data"]["reason"], &denials[0]["data"]["note"]),
        (&json!("key_compromise"), &json!("not mine"))
    );
    assert_eq!(world.introspect(bobs.signed.expose(), &admin).await.json()["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_two_events_however_long_it_is_and_a_restart_loses_no_count() {
    let world = World::new().await;
    let elsewhere = world.another_process().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let alice = long_lived(&world, "alice@example.com", &["tokens.create"]).await;
    let ask = || world.post("/tokens", &alice, json!({"sub": "bob@example.com"}));
    let counts = async || {
        let denials = of_kind(&elsewhere, &admin, "issuance.refused.v1").await;
        denials.iter().map(|event| event["data"]["count"].as_u64().unwrap()).collect::<Vec<_>>()
    };

    for _ in 0..20 {
        assert_eq!(ask().await.status, 403);
    }
    assert_eq!(counts().await, [1]);
    world.clock.advance(TimeDelta::seconds(60));
    world.catalog.record_denials().await.unwrap();
    assert_eq!(counts().await, [1, 19]);
    for _ in 0..3 {
        assert_eq!(ask().await.status, 403);
    }
    assert_eq!(counts().await, [1, 19], "the burst goes on, its next minute is counted");

    let World { catalog, router, .. } = world;
    drop(router);
    std::sync::Arc::into_inner(catalog).unwrap().close().await;
    assert_eq!(counts().await, [1, 19, 3], "a process that ends records what it has counted");
    elsewhere.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_slips_and_conflicts_leave_no_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.post("/tokens", &admin, json!({"sub": "a", "name": "ci"})).await;
    let before = world.events(&admin).await.len();

    assert_eq!(world.post("/tokens", "", json!({"sub": "a"})).await.status, 401);
    assert_eq!(world.post("/tokens", "nonsense", json!({"sub": "a"})).await.status, 401);
    assert_eq!(world.post("/tokens", &admin, json!({"sub": ""})).await.status, 400);
    assert_eq!(world.post("/tokens", &admin, json!({"sub": "a", "name": "ci"})).await.status, 409);

    assert_eq!(world.events(&admin).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_is_recorded_all_the_same() {
    let world = World::new().await;
    let admin = world.admin().await;
    let alice = long_lived(&world, "alice@example.com", &["tokens.create"]).await;
    // So that the decision waits until the caller has gone.
    let mut holder = world.database.superuser().connect().await.unwrap();
    holder.execute("begin; select from log_head for update").await.unwrap();

    let mut onlooker = world.database.superuser().connect().await.unwrap();
    let waits =
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";
    let under_way = until("the decision waits", async || {
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut onlooker).await.unwrap().then_some(())
    });

    tokio::select! {
        () = under_way => {}
        reply = world.post("/tokens", &alice, json!({"sub": "bob@example.com"})) => panic!("{reply:?}"),
    }
    holder.execute("rollback").await.unwrap();

    until("the refusal is recorded", async || {
        (of_kind(&world, &admin, "issuance.refused.v1").await.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_by_rfc_7009_without_the_permission_is_recorded_and_told_the_same_of_any_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let alice = long_lived(&world, "alice@example.com", &["tokens.read"]).await;
    let bobs = world.issue_dev(plain("bob@example.com")).await;
    let revoke = async |presented: &str| {
        let request = axum::http::Request::post("/revoke")
            .header("authorization", format!("Bearer {alice}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={presented}").into())
            .unwrap();
        let reply = world.raw(request).await;
        (reply.status.as_u16(), reply.text)
    };

    let (known, unknown) = (revoke(bobs.signed.expose()).await, revoke("nonsense").await);

    assert_eq!(known, unknown);
    assert_eq!(known.0, 401);
    let denials = of_kind(&world, &admin, "revocation.refused.v1").await;
    assert_eq!(denials.len(), 1);
    assert_eq!(
        (&denials[0]["jti"], &denials[0]["data"]["rule"]),
        (&json!(bobs.token.jti), &json!("permission_missing"))
    );
    assert_eq!(world.introspect(bobs.signed.expose(), &admin).await.json()["active"], true);
}
