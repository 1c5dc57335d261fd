//! A rotated token is good until its deadline and never after; its successor is what it was, and no more than may be
//! granted today.

use axum::{body::Body, http::Request};
use catalog::domain::{
    Claims, IssueToken,
    policy::{Narrowing, Reuse, Rules, TeamRules},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    authority::apply,
    support::{Office, World, process::until, world::Reply},
};

/// What a test needs to know of a token.
struct Held {
    jti: String,
    text: String,
}

fn held(reply: &Reply) -> Held {
    assert_eq!(reply.status, 201, "{reply:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Held { jti: text(&reply.json()["token"]["jti"]), text: text(&reply.json()["access_token"]) }
}

pub async fn long_lived_admin(world: &World) -> String {
    world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(604_800))).await
}

async fn issue(world: &World, admin: &str, body: Value) -> Held {
    held(&world.post("/tokens", admin, body).await)
}

async fn rotate(world: &World, credential: &str, jti: &str, overlap: &str) -> Reply {
    world.post(&format!("/tokens/{jti}/rotate"), credential, json!({ "overlap": overlap })).await
}

async fn is_active(world: &World, admin: &str, text: &str) -> bool {
    world.introspect(text, admin).await.json()["active"] == true
}

async fn record(world: &World, admin: &str, jti: &str) -> Value {
    world.get(&format!("/tokens/{jti}"), admin).await.json()
}

async fn of_kind(world: &World, admin: &str, kind: &str) -> Vec<Value> {
    world.events(admin).await.into_iter().filter(|event| event["kind"] == kind).collect()
}

fn outcome(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn claims(text: &str) -> Claims {
    catalog::domain::claims::decode_part(text.split('.').nth(1).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_token_is_good_until_the_very_instant_of_its_deadline() {
    let world = World::new().await;
    let (elsewhere, admin) = (world.another_process().await, long_lived_admin(&world).await);
    let old = issue(&world, &admin, json!({"sub": "alice@example.com", "expires_in": 7_200})).await;

    let new = held(&rotate(&world, &admin, &old.jti, "1h").await);
    world.clock.advance(TimeDelta::hours(1) - TimeDelta::microseconds(1));
    let last_instant = (is_active(&world, &admin, &old.text).await, is_active(&world, &admin, &new.text).await);
    world.clock.advance(TimeDelta::microseconds(1));
    let deadline = (is_active(&elsewhere, &admin, &old.text).await, is_active(&elsewhere, &admin, &new.text).await);

    assert_eq!((last_instant, deadline), ((true, true), (false, true)));
    let (before, after) = (record(&world, &admin, &old.jti).await, record(&world, &admin, &new.jti).await);
    assert_eq!(
        (&before["status"], &before["revocation"]["reason"], &before["revocation"]["effective_from"]),
        (&json!("revoked"), &json!("superseded"), &json!("2026-03-01T13:00:00Z"))
    );
    assert_eq!(before["lineage"], json!({"family": old.jti, "predecessor": null, "successor": new.jti}));
    assert_eq!(after["lineage"], json!({"family": old.jti, "predecessor": old.jti, "successor": null}));
    let history = world.get(&format!("/tokens/{}/events", old.jti), &admin).await.json();
    assert_eq!(history["events"][1]["data"]["successor"], json!(new.jti));
    let history = world.get(&format!("/tokens/{}/events", new.jti), &admin).await.json();
    assert_eq!(history["events"][0]["data"]["predecessor"], json!(old.jti));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_says_what_the_token_said_but_for_its_identifier_and_its_times() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let asked = [
        json!({"sub": "ci", "name": "deploy", "description": "d", "aud": ["gateway", "billing"], "expires_in": 600,
            "email": "robots@example.com", "full_name": "Robot", "teams": ["red"], "namespaces": ["dev"], "reason": "why",
            "scopes": {"server_id": "s", "permissions": ["tools.read"], "ip_restrictions": ["10.0.0.0/8"],
                "time_restrictions": {"weekdays_only": true}, "usage_limits": {"requests_per_hour": 9}}}),
        json!({"sub": "root@example.com", "is_admin": true, "aud": ["catalog"]}),
        json!({"sub": "root@example.com", "is_admin": true, "teams": null}),
        json!({"sub": "alice@example.com"}),
    ];

    for body in asked {
        let old = issue(&world, &admin, body).await;
        world.clock.advance(TimeDelta::seconds(7));
        let new = held(&rotate(&world, &admin, &old.jti, "0s").await);

        let (was, is) = (claims(&old.text), claims(&new.text));
        assert_eq!((is.iat - was.iat, is.exp - was.exp), (7, 7), "as long as the token itself was to live");
        assert_eq!(Claims { jti: was.jti, iat: was.iat, exp: was.exp, ..is }, was);
        let (was, is) = (record(&world, &admin, &old.jti).await, record(&world, &admin, &new.jti).await);
        for member in ["name", "description", "reason", "elevated"] {
            assert_eq!(is[member], was[member], "{member}");
        }
        assert_eq!((&was["status"], &is["status"]), (&json!("revoked"), &json!("active")));
        assert_eq!(was["revocation"]["effective_from"], Value::Null, "whatever anybody's clock says");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_goes_from_a_token_to_its_successors_and_to_nobody_else() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let ask = json!({"sub": "alice@example.com", "name": "ci", "expires_in": 7_200});
    let first = issue(&world, &admin, ask.clone()).await;

    let second = held(&rotate(&world, &admin, &first.jti, "1h").await);
    let third = held(&rotate(&world, &admin, &second.jti, "30m").await);
    let during = world.post("/tokens", &admin, ask.clone()).await;
    world.clock.advance(TimeDelta::hours(1));
    let after = world.post("/tokens", &admin, ask.clone()).await;
    world.delete(&format!("/tokens/{}", third.jti), &admin, Value::Null).await;
    let free = world.post("/tokens", &admin, ask).await;

    assert_eq!([outcome(&during), outcome(&after)], [(409, "name_in_use".to_owned()), (409, "name_in_use".to_owned())]);
    assert!(after.text.contains(&third.jti), "{after:?}");
    assert_eq!(free.status, 201);
    let families = [&first, &second, &third].map(|token| record(&world, &admin, &token.jti));
    for family in futures_util::future::join_all(families).await {
        assert_eq!(family["lineage"]["family"], json!(first.jti));
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rotations_at_once_one_makes_the_successor_and_the_other_is_told_it() {
    let world = World::new().await;
    let (elsewhere, admin) = (world.another_process().await, world.admin().await);
    let old = issue(&world, &admin, json!({"sub": "alice@example.com", "name": "ci"})).await;

    let replies = tokio::join!(
        rotate(&world, &admin, &old.jti, "10m"),
        rotate(&world, &admin, &old.jti, "10m"),
        rotate(&elsewhere, &admin, &old.jti, "10m"),
    );

    let (made, told): (Vec<_>, Vec<_>) =
        [replies.0, replies.1, replies.2].into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), told.len()), (1, 2));
    let successor = held(&made[0]).jti;
    for reply in told {
        assert_eq!(outcome(&reply), (409, "already_rotated".to_owned()));
        assert_eq!(reply.json()["successor"], json!(successor));
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_active_or_would_outlive_itself_is_not_rotated() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let token = async || issue(&world, &admin, json!({"sub": "alice@example.com", "expires_in": 600})).await.jti;
    let (revoked, suspended, expired, whole) = (token().await, token().await, token().await, token().await);
    world.delete(&format!("/tokens/{revoked}"), &admin, Value::Null).await;
    world.post(&format!("/tokens/{suspended}/suspend"), &admin, json!({})).await;

    let past_its_end = rotate(&world, &admin, &whole, "601s").await;
    let to_its_end = rotate(&world, &admin, &whole, "10m").await;
    let dead = [rotate(&world, &admin, &revoked, "1s").await, rotate(&world, &admin, &suspended, "1s").await];
    world.clock.advance(TimeDelta::seconds(600));
    let late = rotate(&world, &admin, &expired, "0s").await;

    assert_eq!(outcome(&past_its_end), (409, "overlap_too_long".to_owned()));
    assert_eq!(past_its_end.json()["detail"], "an overlap of 601s exceeds the 600s that the token has left");
    assert_eq!(to_its_end.status, 201);
    for (reply, was) in dead.iter().chain([&late]).zip(["revoked", "suspended", "expired"]) {
        assert_eq!(outcome(reply), (409, "wrong_status".to_owned()));
        assert!(reply.text.contains(&format!("is {was} and cannot be rotated")), "{reply:?}");
    }
    for body in [
        json!({}),
        json!({"overlap": "-1h"}),
        json!({"overlap": "soon"}),
        json!({"overlap": "2026-03-01T13:00:00"}),
        json!({"overlap": 60}),
        json!({"overlap": "1h", "expires_in": 0}),
        json!({"overlap": "1h", "deadline": "1h"}),
    ] {
        let reply = world.post(&format!("/tokens/{whole}/rotate"), &admin, body.clone()).await;
        assert_eq!(outcome(&reply), (400, "malformed".to_owned()), "{body}");
    }
    assert_eq!(of_kind(&world, &admin, "rotation.refused.v1").await, [] as [Value; 0], "none of these is a denial");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_rotate_is_told_so_before_anything_of_the_token() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let ask = json!({"sub": "alice@example.com", "expires_in": 600});
    let (whole, rotated, suspended) = (
        issue(&world, &admin, ask.clone()).await,
        issue(&world, &admin, ask.clone()).await,
        issue(&world, &admin, ask).await,
    );
    rotate(&world, &admin, &rotated.jti, "1m").await;
    world.post(&format!("/tokens/{}/suspend", suspended.jti), &admin, json!({})).await;
    let revoker = |c: &mut IssueToken| c.scopes.permissions = vec!["tokens.revoke".parse().unwrap()];
    let alice = world.caller("alice@example.com", revoker).await;

    let too_long = rotate(&world, &alice, &whole.jti, "601s").await;
    let twice = rotate(&world, &alice, &rotated.jti, "1m").await;
    let held_back = rotate(&world, &alice, &suspended.jti, "1m").await;

    for reply in [too_long, twice, held_back] {
        assert_eq!(outcome(&reply), (403, "permission_missing".to_owned()));
        assert!(reply.text.contains("tokens.create"), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_no_more_than_its_caller_may_grant_and_the_policy_allows_today() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let permissions = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    let wide = issue(
        &world,
        &admin,
        json!({"sub": "alice@example.com", "teams": ["red"], "scopes": {"permissions": ["tools.read"]}}),
    )
    .await;
    let narrow = world
        .caller("alice@example.com", |c| c.scopes.permissions = permissions(&["tokens.create", "tokens.revoke"]))
        .await;
    let revoker = world.caller("alice@example.com", |c| c.scopes.permissions = permissions(&["tokens.revoke"])).await;
    let stranger = world.caller("bob@example.com", |c| c.scopes.permissions = permissions(&["tokens.*"])).await;

    let beyond = rotate(&world, &narrow, &wide.jti, "1m").await;
    let powerless = rotate(&world, &revoker, &wide.jti, "1m").await;
    let unknown = rotate(&world, &stranger, &wide.jti, "1m").await;
    let mut rules = Rules::initial();
    let red = Narrowing { ttl_seconds_max: Some(60), ..Narrowing::default() };
    rules.teams.insert("red".parse().unwrap(), TeamRules { api: red, cli_dev: Narrowing::default() });
    apply(&world, rules, String::new()).await;
    let asked = json!({"overlap": "1m", "expires_in": 61});
    let too_long = world.post(&format!("/tokens/{}/rotate", wide.jti), &admin, asked).await;
    let cut = rotate(&world, &admin, &wide.jti, "1m").await;

    assert_eq!(outcome(&beyond), (403, "permissions_not_yours".to_owned()));
    assert_eq!(outcome(&powerless), (403, "permission_missing".to_owned()));
    assert_eq!(outcome(&unknown), (404, "token_unknown".to_owned()));
    assert_eq!(outcome(&too_long), (403, "ttl_too_long".to_owned()));
    assert_eq!(cut.json()["expires_in"], 60, "the token's own hour is more than the policy allows today");
    let denied = of_kind(&world, &admin, "rotation.refused.v1").await;
    let rules: Vec<&Value> = denied.iter().map(|event| &event["data"]["rule"]).collect();
    assert_eq!(rules, ["permissions_not_yours", "permission_missing", "token_unknown", "ttl_too_long"]);
    assert_eq!(denied[0]["jti"], json!(wide.jti));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_rotates_itself_by_its_own_permission_and_only_as_far_as_the_policy_lets_it_live() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let ask = json!({"sub": "robot", "aud": ["catalog"], "expires_in": 600, "scopes": {"permissions": ["tokens.rotate_self"]}});
    let old = issue(&world, &admin, ask.clone()).await;
    let other = issue(&world, &admin, ask).await;
    let without =
        issue(&world, &admin, json!({"sub": "robot", "aud": ["catalog"], "scopes": {"permissions": ["tokens.read"]}}))
            .await;
    world.clock.advance(TimeDelta::seconds(100));

    let others = rotate(&world, &old.text, &other.jti, "1m").await;
    let by_nobody = rotate(&world, &without.text, &without.jti, "1m").await;
    let longer = json!({"overlap": "1m", "expires_in": 501});
    let longer = world.post(&format!("/tokens/{}/rotate", old.jti), &old.text, longer).await;
    let second = rotate(&world, &old.text, &old.jti, "1m").await;
    let mut rules = Rules::initial();
    rules.api.child_outlives_parent = true;
    apply(&world, rules, String::new()).await;
    let third = rotate(&world, &held(&second).text, &held(&second).jti, "0s").await;

    assert_eq!(outcome(&others), (403, "permission_missing".to_owned()));
    assert_eq!(outcome(&by_nobody), (403, "permission_missing".to_owned()));
    assert!(by_nobody.text.contains("tokens.rotate_self"), "{by_nobody:?}");
    assert_eq!(outcome(&longer), (403, "outlives_parent".to_owned()));
    assert_eq!(second.json()["expires_in"], 500, "what the token itself has left");
    assert_eq!(third.json()["expires_in"], 500, "as long as the token itself was to live");
    let again = rotate(&world, &held(&second).text, &held(&second).jti, "0s").await;
    assert_eq!(again.status, 401, "a token that is over rotates nothing");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_is_possible_where_the_subject_has_as_many_tokens_as_it_may() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut rules = Rules::initial();
    rules.api.active_max = Some(1);
    apply(&world, rules, String::new()).await;
    let old = issue(&world, &admin, json!({"sub": "alice@example.com"})).await;

    let rotated = rotate(&world, &admin, &old.jti, "5m").await;
    let another = world.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;

    assert_eq!(rotated.status, 201);
    assert_eq!(outcome(&another), (403, "too_many_active".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_the_same_key_gets_the_same_successor_also_for_a_token_that_rotates_itself() {
    let world = World::new().await;
    let admin = world.admin().await;
    let ask = json!({"sub": "robot", "aud": ["catalog"], "scopes": {"permissions": ["tokens.rotate_self"]}});
    let old = issue(&world, &admin, ask).await;
    let path = format!("/tokens/{}/rotate", old.jti);
    let named = async || {
        let request = Request::post(&path)
            .header("authorization", format!("Bearer {}", old.text))
            .header("content-type", "application/json")
            .header("idempotency-key", "k1");
        world.raw(request.body(Body::from(r#"{"overlap":"5m"}"#)).unwrap()).await
    };

    let (first, repeat) = (named().await, named().await);

    assert_eq!((first.status.as_u16(), repeat.status.as_u16()), (201, 201));
    assert_eq!(first.json()["access_token"], repeat.json()["access_token"]);
    assert_eq!(of_kind(&world, &admin, "token.issued.v1").await.len(), 3);
}

/// The record does not hold up the answer, so it may come a little later.
async fn reuses(world: &World, admin: &str, count: usize) -> Vec<Value> {
    until("a reuse is recorded", async || {
        let seen = of_kind(world, admin, "rotated_token.reused.v1").await;
        (seen.len() >= count).then_some(seen)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_that_is_presented_after_its_deadline_is_recorded_once() {
    let world = World::new().await;
    let (elsewhere, admin) = (world.another_process().await, long_lived_admin(&world).await);
    let ask = json!({"sub": "alice@example.com", "expires_in": 7_200});
    let (old, other) = (issue(&world, &admin, ask.clone()).await, issue(&world, &admin, ask).await);
    let new = held(&rotate(&world, &admin, &old.jti, "1h").await);
    rotate(&world, &admin, &other.jti, "0s").await;

    world.introspect(&old.text, &admin).await;
    world.clock.advance(TimeDelta::hours(1));
    for asked in [&world, &world, &elsewhere] {
        assert_eq!(asked.introspect(&old.text, &admin).await.text, r#"{"active":false}"#);
        reuses(&world, &admin, 1).await;
    }
    // Another one, so that a second record of the first would have come before it.
    elsewhere.introspect(&other.text, &admin).await;
    let seen = reuses(&world, &admin, 2).await;

    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0]["data"], json!({"jti": old.jti, "family": old.jti, "successor": new.jti}));
    assert_eq!(seen[0]["actor"]["sub"], "root@localhost");
    assert!(is_active(&world, &admin, &new.text).await, "by default it is recorded, and no more");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_policy_says_so_a_reuse_ends_the_family_and_nobody_else() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    apply(&world, Rules { reuse: Reuse::RevokeFamily, ..Rules::initial() }, String::new()).await;
    let ask = json!({"sub": "alice@example.com", "expires_in": 7_200});
    let (first, bystander) = (issue(&world, &admin, ask.clone()).await, issue(&world, &admin, ask).await);
    let second = held(&rotate(&world, &admin, &first.jti, "0s").await);
    let third = held(&rotate(&world, &admin, &second.jti, "1h").await);
    world.post(&format!("/tokens/{}/suspend", third.jti), &admin, json!({})).await;

    assert_eq!(world.get("/whoami", &first.text).await.status, 401);

    reuses(&world, &admin, 1).await;
    for token in [&second, &third] {
        let revocation = record(&world, &admin, &token.jti).await["revocation"].clone();
        assert_eq!((&revocation["reason"], &revocation["effective_from"]), (&json!("key_compromise"), &Value::Null));
        assert!(revocation["note"].as_str().unwrap().contains(&first.jti), "{revocation}");
        assert!(!is_active(&world, &admin, &token.text).await);
    }
    assert!(is_active(&world, &admin, &bystander.text).await);
    let history = of_kind(&world, &admin, "token.revoked.v1").await;
    assert_eq!(history.len(), 4, "two rotations, and the two that were left of the family");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_rotates_with_the_token_alone_on_stdout() {
    let office = Office::new().await;
    let (jti, old) = office.issue(&["--sub", "ci", "--name", "deploy", "--ttl", "2h"]);

    let done = office.run(&["rotate", &jti, "--overlap", "1h", "--expires-in", "30m"]);
    let again = office.run(&["rotate", &jti, "--overlap", "1h"]);

    let new = done.stdout.trim_end();
    assert_eq!((done.code, new.matches('.').count()), (0, 2), "{done:?}");
    assert!(done.stderr.starts_with("issued ") && done.stderr.contains(" for ci, "), "{done:?}");
    for token in [&old, new] {
        assert!(office.server.client.is_active(token, &office.admin).await);
    }
    let card = office.run(&["show", &jti]).good();
    let successor = claims(new).jti.to_string();
    assert!(card.contains(&successor) && card.contains("superseded"), "{card}");
    let said = again.bad(1);
    assert!(said.contains("(already_rotated)") && said.contains(&successor), "{said}");
    for (arguments, named) in [
        (&["rotate", &jti][..], "--overlap <OVERLAP>"),
        (&["rotate", &jti, "--overlap", "soon"], "such as 0s, 90s, 30m, 1h or 7d"),
        (&["rotate", "x", "--overlap", "1h"], "UUID in lower case"),
    ] {
        assert!(office.run(arguments).bad(2).contains(named), "{arguments:?}");
    }
}
