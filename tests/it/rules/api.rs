//! `POST /revocations` with a rule: who may add which, what is told before, what is refused, and what history says.

use axum::{body::Body, http::Request};
use catalog::domain::{IssueToken, claims::Teams};
use serde_json::{Value, json};

use crate::support::{World, world::Reply, world::plain};

async fn ask(world: &World, token: &str, body: Value) -> Reply {
    world.post("/revocations", token, body).await
}

async fn issue(world: &World, sub: &str, teams: &[&str]) -> String {
    let mut command = plain(sub);
    command.teams = Some(Teams::These(teams.iter().map(|team| team.parse().unwrap()).collect()));
    world.issue_dev(command).await.token.jti.to_string()
}

async fn status(world: &World, admin: &str, jti: &str) -> Value {
    world.get(&format!("/revocations/{jti}"), admin).await.json()["status"].clone()
}

async fn of_kind(world: &World, admin: &str, kind: &str) -> Vec<Value> {
    world.events(admin).await.into_iter().filter(|event| event["kind"] == kind).collect()
}

const RULES: &str = "tokens.revoked_by_rule.v1";

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_one_event_and_stands_in_the_record_and_the_history_of_what_it_covers() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (ops, dev) =
        (issue(&world, "alice@example.com", &["ops"]).await, issue(&world, "bob@example.com", &["dev"]).await);
    let body = json!({"where": {"team": "ops", "sub": "alice@example.com"}, "reason": "key_compromise", "note": "found in a paste"});

    let reply = ask(&world, &admin, body).await;

    let rule = reply.json()["rule"].as_i64().unwrap();
    assert_eq!((reply.status.as_u16(), reply.header("catalog-position")), (200, rule.to_string().as_str()));
    let events = of_kind(&world, &admin, RULES).await;
    assert_eq!((events.len(), &events[0]["position"], &events[0]["jti"]), (1, &json!(rule), &Value::Null));
    assert_eq!(
        events[0]["data"],
        json!({"fields": ["sub", "team"], "sub": "alice@example.com", "team": "ops", "reason": "key_compromise",
            "note": "found in a paste"})
    );
    for _ in ["before it is filled", "after it is filled"] {
        let record = world.get(&format!("/tokens/{ops}"), &admin).await.json();
        let revocation = &record["revocation"];
        assert_eq!((&record["status"], &revocation["position"]), (&json!("revoked"), &json!(rule)));
        assert_eq!((&revocation["by_rule"], &revocation["reason"]), (&json!(true), &json!("key_compromise")));
        assert_eq!(
            (&revocation["note"], &revocation["revoked_by"]),
            (&json!("found in a paste"), &json!("root@localhost"))
        );
        let because = json!({"kind": "revoked_by_rule", "position": rule, "reason": "key_compromise"});
        let listed = world.get("/tokens?sub=alice@example.com", &admin).await.json();
        assert_eq!([&record["inactive_because"], &listed["tokens"][0]["inactive_because"]], [&because, &because]);
        let history = world.get(&format!("/tokens/{ops}/events"), &admin).await.json();
        let kinds: Vec<&Value> = history["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
        assert_eq!(kinds, ["token.issued.v1", RULES]);
        assert_eq!(status(&world, &admin, &dev).await, "active");
        let history = world.get(&format!("/tokens/{dev}/events"), &admin).await.json();
        assert_eq!(history["events"].as_array().unwrap().len(), 1);
        world.catalog.fill_rules().await.unwrap();
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_and_breaks_down_what_would_end_and_changes_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    issue(&world, "alice@example.com", &["ops"]).await;
    let both = issue(&world, "alice@example.com", &["ops", "dev"]).await;
    issue(&world, "bob@example.com", &["ops"]).await;
    let gone = issue(&world, "bob@example.com", &["ops"]).await;
    issue(&world, "bob@example.com", &["dev"]).await;
    world.delete(&format!("/tokens/{gone}"), &admin, Value::Null).await;
    let before = world.events(&admin).await.len();

    let reply = ask(&world, &admin, json!({"where": {"team": "ops", "path": "cli-dev"}, "dry_run": true})).await;

    let told = reply.json();
    assert_eq!((reply.status.as_u16(), told["position"].as_u64()), (200, Some(before as u64)));
    // The administrator's token reaches every team.
    assert_eq!((&told["active"], &told["suspended"], &told["expired"]), (&json!(4), &json!(0), &json!(0)));
    let share = |value: Value, tokens: u64| json!({"value": value, "tokens": tokens});
    assert_eq!(
        told["by_subject"],
        json!([
            share(json!("alice@example.com"), 2),
            share(json!("bob@example.com"), 1),
            share(json!("root@localhost"), 1)
        ])
    );
    assert_eq!(told["by_team"], json!([share(json!("ops"), 3), share(json!("dev"), 1), share(Value::Null, 1)]));
    assert_eq!(told["by_path"], json!([share(json!("cli-dev"), 4)]));
    assert_eq!((told["sample"].as_array().unwrap().len(), &told["sample"][1]["jti"]), (4, &json!(both)));
    assert_eq!(world.events(&admin).await.len(), before);
    assert_eq!(status(&world, &admin, &both).await, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_covers_nothing_more_is_done_without_an_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    issue(&world, "alice@example.com", &[]).await;
    let alice = json!({"where": {"sub": "alice@example.com"}});

    let nobody = ask(&world, &admin, json!({"where": {"sub": "nobody@example.com"}})).await;
    let first = ask(&world, &admin, alice.clone()).await;
    let unfilled = ask(&world, &admin, alice.clone()).await;
    world.catalog.fill_rules().await.unwrap();
    let filled = ask(&world, &admin, alice).await;

    for reply in [&nobody, &unfilled, &filled] {
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"rule": null})));
    }
    assert_eq!(of_kind(&world, &admin, RULES).await.len(), 1);
    assert!(first.json()["rule"].is_i64());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_takes_the_word_for_it_and_ends_the_caller_too() {
    let world = World::new().await;
    let admin = world.admin().await;
    issue(&world, "alice@example.com", &[]).await;

    let foreseen = ask(&world, &admin, json!({"all": true, "dry_run": true})).await.json();
    let done = ask(&world, &admin, json!({"all": true, "reason": "key_compromise"})).await;
    let again = ask(&world, &admin, json!({"all": true})).await;
    let next = world.admin().await;

    assert_eq!((&foreseen["active"], done.status.as_u16(), again.status.as_u16()), (&json!(2), 200, 401));
    assert_eq!(of_kind(&world, &next, RULES).await[0]["data"], json!({"fields": [], "reason": "key_compromise"}));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_administrator_of_every_team_names_its_own_subject_and_the_attempt_is_recorded() {
    let world = World::new().await;
    let admin = world.admin().await;
    let permitted = |command: &mut IssueToken, permission: &str| {
        command.scopes.permissions = vec![permission.parse().unwrap()];
    };
    let alice = world.caller("alice@example.com", |command| permitted(command, "tokens.revoke")).await;
    let reader = world.caller("alice@example.com", |command| permitted(command, "tokens.read")).await;
    let of_ops = world
        .caller("boss@example.com", |command| {
            command.is_admin = true;
            command.teams = Some(Teams::These(vec!["ops".parse().unwrap()]));
        })
        .await;
    let bobs = issue(&world, "bob@example.com", &["ops"]).await;
    let own = issue(&world, "alice@example.com", &["ops"]).await;
    let other = json!({"where": {"sub": "bob@example.com", "team": "ops"}, "note": "just trying"});

    for (caller, body, code) in [
        (&alice, &other, "rule_too_wide"),
        (&alice, &json!({"where": {"path": "cli-dev"}}), "rule_too_wide"),
        (&alice, &json!({"all": true}), "rule_too_wide"),
        (&of_ops, &json!({"where": {"team": "ops"}}), "rule_too_wide"),
        (&reader, &json!({"where": {"sub": "alice@example.com"}}), "permission_missing"),
    ] {
        for dry_run in [false, true] {
            let mut body = body.clone();
            body["dry_run"] = json!(dry_run);
            let reply = ask(&world, caller, body.clone()).await;
            assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (403, &json!(code)), "{body}");
        }
    }
    let mine = ask(&world, &alice, json!({"where": {"sub": "alice@example.com", "team": "ops"}})).await;

    assert_eq!(
        (status(&world, &admin, &bobs).await, status(&world, &admin, &own).await),
        (json!("active"), json!("revoked"))
    );
    assert!(mine.json()["rule"].is_i64());
    let refused = of_kind(&world, &admin, "revocation_by_rule.refused.v1").await;
    let told: Vec<(&Value, &Value)> =
        refused.iter().map(|event| (&event["actor"]["sub"], &event["data"]["rule"])).collect();
    assert_eq!(
        told,
        [
            (&json!("alice@example.com"), &json!("rule_too_wide")),
            (&json!("boss@example.com"), &json!("rule_too_wide")),
            (&json!("alice@example.com"), &json!("permission_missing")),
        ]
    );
    let data = &refused[0]["data"];
    assert_eq!(
        (&data["sub"], &data["fields"], &data["note"]),
        (&json!("bob@example.com"), &json!(["sub", "team"]), &json!("just trying"))
    );
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_the_same_key_names_the_same_rule_and_covers_nothing_that_came_meanwhile() {
    let world = World::new().await;
    let admin = world.admin().await;
    issue(&world, "alice@example.com", &[]).await;
    let send = async |body: Value| {
        let request = Request::post("/revocations")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "incident-7")
            .body(Body::from(body.to_string()))
            .unwrap();
        world.raw(request).await
    };
    let body = json!({"where": {"sub": "alice@example.com"}});

    let first = send(body.clone()).await;
    let meanwhile = issue(&world, "alice@example.com", &[]).await;
    let again = send(body).await;
    let other = send(json!({"where": {"sub": "bob@example.com"}})).await;

    assert!(first.json()["rule"].is_i64());
    assert_eq!((first.json(), first.header("catalog-position")), (again.json(), again.header("catalog-position")));
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(status(&world, &admin, &meanwhile).await, "active");
    assert_eq!(of_kind(&world, &admin, RULES).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_said_clearly_is_refused_with_the_place_and_ends_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    let kept = issue(&world, "alice@example.com", &[]).await;

    for (body, pointer, words) in [
        (json!({}), "#", "needs exactly one of ids, where and all"),
        (json!({"where": {"sub": "a"}, "all": true}), "#", "needs exactly one of ids, where and all"),
        (json!({"where": {"sub": "a"}, "ids": [kept]}), "#", "needs exactly one of ids, where and all"),
        (json!({"where": {}}), "#/where", "names no condition"),
        (json!({"where": [null, "ops"]}), "#/where", "an object"),
        (json!({"where": null}), "#/where", "an object"),
        (json!({"all": false}), "#/all", "can only be true"),
        (json!({"all": null}), "#/all", "null"),
        (json!({"ids": [kept], "dry_run": true}), "#/dry_run", "identifiers have no preview"),
        (json!({"where": {"sub": null, "team": "ops"}}), "#/where/sub", "null"),
        (json!({"where": {"subject": "a"}}), "#/where/subject", "unknown field `subject`"),
        (json!({"where": {"path": "window"}}), "#/where/path", "window"),
        (json!({"where": {"issued_before": "2026-11-01T10:00:00"}}), "#/where/issued_before", "no time with a zone"),
        (json!({"where": {"issued_after": "soon"}}), "#/where/issued_after", "no time with a zone"),
        (json!({"where": {"sub": "a"}, "reason": "because"}), "#/reason", "because"),
        (json!({"where": {"family": "0199"}}), "#/where/family", "UUID"),
        (json!({"where": {"family": null, "sub": "a"}}), "#/where/family", "null"),
        (json!({"where": {"sub": "a", "successors": true}}), "#/where/successors", "unknown field `successors`"),
        (json!({"where": {"sub": "a"}, "successors": null}), "#/successors", "null"),
        (json!({"all": true, "successors": true}), "#/successors", "is for rules with conditions"),
        (json!({"ids": [kept], "successors": false}), "#/successors", "is for rules with conditions"),
    ] {
        let reply = ask(&world, &admin, body.clone()).await;

        assert_eq!(reply.status, 400, "{body}");
        let error = &reply.json()["errors"][0];
        assert_eq!(error["pointer"], pointer, "{body} {}", reply.text);
        assert!(error["detail"].as_str().unwrap().contains(words), "{body} {}", reply.text);
    }
    let twice = Request::post("/revocations")
        .header("authorization", format!("Bearer {admin}"))
        .header("content-type", "application/json")
        .body(Body::from(r#"{"where": {"sub": "alice@example.com", "sub": "bob@example.com"}}"#))
        .unwrap();
    let twice = world.raw(twice).await;
    assert_eq!(twice.status, 400);
    assert!(twice.text.contains("duplicate field `sub`"), "{}", twice.text);
    assert_eq!(status(&world, &admin, &kept).await, "active");
}
