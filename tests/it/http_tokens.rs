//! Issuing, listing, showing and revoking over HTTP.

use std::sync::Arc;

use catalog::domain::text::Permission;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    World,
    world::{plain, shell},
};

const MONTH: i64 = 30 * 86_400;
const WEEK: u32 = 7 * 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_issued_over_http_is_answered_once_with_its_position_and_record() {
    let world = World::new().await;
    let admin = world.admin().await;

    let reply = world
        .post("/tokens", &admin, json!({"sub": "alice@example.com", "name": "ci", "teams": ["red"], "expires_in": 60}))
        .await;

    assert_eq!(reply.status, 201, "{}", reply.text);
    let body = reply.json();
    let jti = body["token"]["jti"].as_str().unwrap();
    assert_eq!(reply.header("location"), format!("/tokens/{jti}"));
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(60)));
    assert_eq!(body["position"], body["token"]["position"]);
    assert_eq!(body["token"]["status"], "active");
    assert_eq!(body["token"]["path"], "api");
    assert_eq!(body["token"]["out_of_band"], false);
    assert_eq!(body["token"]["issued_by"], "root@localhost");
    let shown = world.get(&format!("/tokens/{jti}"), &admin).await.json();
    assert_eq!(shown, body["token"]);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_of_an_issuance_is_in_the_log_under_the_position_that_was_answered() {
    let world = World::new().await;
    let admin = world.admin().await;

    let body = world.post("/tokens", &admin, json!({"sub": "alice@example.com", "reason": "on call"})).await.json();

    let events = world.events(&admin).await;
    let event = events.last().unwrap();
    assert_eq!((&event["position"], &event["jti"]), (&body["position"], &body["token"]["jti"]));
    assert_eq!((&event["kind"], &event["path"]), (&json!("token.issued.v1"), &json!("api")));
    assert_eq!(event["actor"]["sub"], "root@localhost");
    assert_eq!(event["data"]["reason"], "on call");
    assert_eq!(event["data"]["claims"]["sub"], "alice@example.com");
    assert!(!serde_json::to_string(&events).unwrap().contains(body["access_token"].as_str().unwrap()));
    let positions: Vec<i64> = events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert_eq!(positions, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_doors_write_the_same_log_and_are_seen_in_one_list() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.post("/tokens", &admin, json!({"sub": "api@example.com"})).await;

    world.issue_dev(plain("shell@example.com")).await;

    let listed = world.get("/tokens", &admin).await.json();
    let seen: Vec<(&str, &str, bool)> = listed["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| {
            let text = |member: &str| token[member].as_str().unwrap();
            (text("sub"), text("path"), token["out_of_band"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("shell@example.com", "cli-dev", true),
            ("api@example.com", "api", false),
            ("root@localhost", "cli-dev", true)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_twice_records_one_event_and_answers_the_same() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
    let path = format!("/tokens/{}", issued["token"]["jti"].as_str().unwrap());

    let first = world.delete(&path, &admin, json!({"reason": "superseded", "note": "moved"})).await;
    let again = world.delete(&path, &admin, Value::Null).await;

    assert_eq!((first.status.as_u16(), again.status.as_u16()), (204, 204));
    let history = world.get(&format!("{path}/events"), &admin).await.json();
    let kinds: Vec<&str> =
        history["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["token.issued.v1", "token.revoked.v1"]);
    let record = world.get(&path, &admin).await.json();
    assert_eq!(record["status"], "revoked");
    assert_eq!(record["revocation"]["reason"], "superseded");
    assert_eq!(record["revocation"]["note"], "moved");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_free_again_once_its_token_is_revoked_or_expired() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let ask = json!({"sub": "alice@example.com", "name": "ci", "expires_in": 60});

    let first = world.post("/tokens", &admin, ask.clone()).await.json();
    let taken = world.post("/tokens", &admin, ask.clone()).await;
    let other_subject = world.post("/tokens", &admin, json!({"sub": "bob@example.com", "name": "ci"})).await;
    world.delete(&format!("/tokens/{}", first["token"]["jti"].as_str().unwrap()), &admin, Value::Null).await;
    let after_revocation = world.post("/tokens", &admin, ask.clone()).await;
    world.clock.advance(TimeDelta::seconds(59));
    let a_second_too_early = world.post("/tokens", &admin, ask.clone()).await;
    world.clock.advance(TimeDelta::seconds(1));
    let after_expiry = world.post("/tokens", &admin, ask).await;

    assert_eq!((taken.status.as_u16(), taken.json()["code"].clone()), (409, json!("name_in_use")));
    assert_eq!(other_subject.status, 201);
    assert_eq!(after_revocation.status, 201);
    assert_eq!(a_second_too_early.status, 409);
    assert_eq!(after_expiry.status, 201, "{}", after_expiry.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_of_one_batch_cannot_take_the_same_name() {
    let world = World::new().await;
    let admin = world.admin().await;
    let ask = || world.post("/tokens", &admin, json!({"sub": "alice@example.com", "name": "ci"}));

    let replies = tokio::join!(ask(), ask(), ask(), ask());

    let mut statuses = [replies.0.status, replies.1.status, replies.2.status, replies.3.status].map(|s| s.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_follow_the_policy_of_their_door_to_the_second() {
    let world = World::new().await;
    let admin = world.admin().await;

    let default = world.post("/tokens", &admin, json!({"sub": "a"})).await.json();
    let longest = world.post("/tokens", &admin, json!({"sub": "a", "expires_in": MONTH})).await;
    let too_long = world.post("/tokens", &admin, json!({"sub": "a", "expires_in": MONTH + 1})).await;
    let dev_default = world.issue_dev(plain("a")).await.token;
    let mut week = plain("a");
    week.ttl_seconds = Some(WEEK);
    let dev_longest = world.issue_dev(week.clone()).await.token;
    week.ttl_seconds = Some(WEEK + 1);
    let dev_too_long = world
        .catalog
        .issue(
            week,
            catalog::app::Requester::new(
                catalog::domain::Authority::of_shell(),
                crate::support::world::shell(catalog::domain::Path::CliDev),
            ),
        )
        .await;

    assert_eq!(default["expires_in"], 3600);
    assert_eq!(longest.status, 201);
    assert_eq!((too_long.status.as_u16(), too_long.json()["code"].clone()), (403, json!("ttl_too_long")));
    assert_eq!(dev_default.expires_at - dev_default.issued_at, TimeDelta::minutes(20));
    assert_eq!(dev_longest.expires_at - dev_longest.issued_at, TimeDelta::days(7));
    assert!(dev_too_long.is_err_and(|error| error.to_string().contains("exceeds the maximum of 604800s")));
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_who_is_no_administrator_issues_for_itself_within_its_own_teams_and_permissions() {
    let world = World::new().await;
    let permissions = |texts: &[&str]| texts.iter().map(|text| Permission::parse(*text).unwrap()).collect::<Vec<_>>();
    let alice = world
        .caller("alice@example.com", |command| {
            command.scopes.permissions = permissions(&["tokens.create", "tools.*"]);
            command.teams = Some(catalog::domain::claims::Teams::These(vec!["red".parse().unwrap()]));
        })
        .await;
    let own = json!({"sub": "alice@example.com", "teams": ["red"], "scopes": {"permissions": ["tools.read"]}});
    let with = |member: &str, value: Value| {
        let mut body = own.clone();
        body[member] = value;
        body
    };
    let cases = [
        (own.clone(), 201, ""),
        (with("teams", json!([])), 201, ""),
        (with("sub", json!("bob@example.com")), 403, "subject_not_yours"),
        (with("is_admin", json!(true)), 403, "admin_not_yours"),
        (with("teams", json!(["red", "blue"])), 403, "teams_not_yours"),
        (with("scopes", json!({"permissions": ["tools.read", "servers.use"]})), 403, "permissions_not_yours"),
        (with("scopes", json!({"permissions": ["*"]})), 403, "permissions_not_yours"),
        (with("scopes", json!({})), 403, "permissions_required"),
        (json!({"sub": "alice@example.com", "scopes": {"permissions": ["tools.read"]}}), 403, "teams_required"),
    ];

    for (body, status, code) in cases {
        let reply = world.post("/tokens", &alice, body.clone()).await;

        assert_eq!(reply.status.as_u16(), status, "{body} → {}", reply.text);
        if status != 201 {
            assert_eq!(reply.json()["code"], code, "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_ask_for_their_permission_and_other_peoples_tokens_look_unknown() {
    let world = World::new().await;
    let others = world.issue_dev(plain("bob@example.com")).await.token.jti;
    let reader = world
        .caller("alice@example.com", |c| c.scopes.permissions = vec![Permission::parse("tokens.read").unwrap()])
        .await;
    let nobody = world.caller("carol@example.com", |_| ()).await;

    for path in ["/tokens", &format!("/tokens/{others}"), "/audit/events", &format!("/revocations/{others}")] {
        let reply = world.get(path, &nobody).await;
        assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (403, json!("permission_missing")), "{path}");
        assert!(reply.header("www-authenticate").contains("insufficient_scope"), "{path}");
    }
    let listed = world.get("/tokens", &reader).await.json();
    let subjects: Vec<&Value> = listed["tokens"].as_array().unwrap().iter().map(|token| &token["sub"]).collect();
    assert_eq!(subjects, ["alice@example.com"]);
    assert_eq!(world.get("/tokens?sub=bob@example.com", &reader).await.json()["tokens"], json!([]));
    let hidden = world.get(&format!("/tokens/{others}"), &reader).await;
    let unknown = world.get("/tokens/01990000-0000-7000-8000-000000000000", &reader).await;
    assert_eq!((hidden.status.as_u16(), unknown.status.as_u16()), (404, 404));
    assert_eq!(
        hidden.text.replace(&others.to_string(), ""),
        unknown.text.replace("01990000-0000-7000-8000-000000000000", "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_pages_through_everything_once_newest_first() {
    let world = World::new().await;
    let admin = world.admin().await;
    for n in 0..7 {
        world.issue_dev(plain(&format!("user{n}"))).await;
    }

    let mut seen = Vec::new();
    let mut path = "/tokens?limit=3".to_owned();
    loop {
        let page = world.get(&path, &admin).await.json();
        seen.extend(page["tokens"].as_array().unwrap().iter().map(|t| t["sub"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/tokens?limit=3&cursor={next}");
    }

    let mut expected: Vec<String> = (0..7).rev().map(|n| format!("user{n}")).collect();
    expected.push("root@localhost".to_owned());
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_statuses_agree_with_the_clock() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let brief = world.post("/tokens", &admin, json!({"sub": "a", "name": "brief", "expires_in": 10})).await.json();
    let dead = world.post("/tokens", &admin, json!({"sub": "a", "name": "dead", "expires_in": 10})).await.json();
    world.post("/tokens", &admin, json!({"sub": "a", "name": "live", "expires_in": 60})).await;
    world.delete(&format!("/tokens/{}", dead["token"]["jti"].as_str().unwrap()), &admin, Value::Null).await;
    world.clock.advance(TimeDelta::seconds(10));

    for (query, expected) in [
        ("sub=a", vec!["live", "dead", "brief"]),
        ("sub=a&status=active", vec!["live"]),
        ("sub=a&status=expired", vec!["brief"]),
        ("sub=a&status=revoked", vec!["dead"]),
        ("sub=a&status=suspended", vec![]),
        ("name=live&path=api", vec!["live"]),
        ("name=live&path=cli-dev", vec![]),
    ] {
        let listed = world.get(&format!("/tokens?{query}"), &admin).await.json();
        let names: Vec<&str> =
            listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{query}");
    }
    assert_eq!(
        world.get(&format!("/tokens/{}", brief["token"]["jti"].as_str().unwrap()), &admin).await.json()["status"],
        "expired"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_by_a_time_that_no_database_can_hold_takes_what_it_says() {
    let world = World::new().await;
    let admin = world.admin().await;
    let at = world.issue_dev(plain("alice@example.com")).await.token.issued_at;
    let [this, past] = ["", ".0000001"].map(|fraction| format!("{}{fraction}Z", at.format("%Y-%m-%dT%H:%M:%S")));

    for (filter, bound, expected) in [
        ("issued_after", &this, 1),
        ("issued_after", &past, 0),
        ("issued_before", &this, 0),
        ("issued_before", &past, 1),
    ] {
        let page = world.get(&format!("/tokens?sub=alice@example.com&{filter}={bound}"), &admin).await.json();
        assert_eq!(page["tokens"].as_array().map(Vec::len), Some(expected), "{filter}={bound}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_causes_no_later_event() {
    let world = World::new().await;
    let root = world.admin().await;
    let other = world.post("/tokens", &root, json!({"sub": "b", "is_admin": true, "aud": ["catalog"]})).await.json();
    let other_token = other["access_token"].as_str().unwrap();
    let jti = other["token"]["jti"].as_str().unwrap();
    let elsewhere = world.another_process().await;
    // Authenticated before the revocation, decided after it: as a request that waited in the queue.
    let authority =
        world.catalog.authenticate(other_token.into(), &shell(catalog::domain::Path::Api)).await.unwrap().unwrap();
    elsewhere.delete(&format!("/tokens/{jti}"), &root, Value::Null).await;

    let late = world
        .catalog
        .issue(
            plain("c"),
            catalog::app::Requester::new(Arc::unwrap_or_clone(authority), shell(catalog::domain::Path::Api)),
        )
        .await;

    assert!(late.is_err_and(|error| error.to_string() == "the presented credential is no longer good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_token_under_another_persons_address() {
    let world = World::new().await;
    let admin = world.admin().await;
    let service = world
        .caller("robot", |c| {
            c.scopes.permissions = vec!["tokens.create".parse().unwrap(), "tools.read".parse().unwrap()];
        })
        .await;
    let asked = |sub: &str, email: &str| json!({"sub": sub, "email": email, "scopes": {"permissions": ["tools.read"]}});

    let taken_over = world.post("/tokens", &service, asked("robot", "ceo@example.com")).await;
    let its_own = world.post("/tokens", &service, asked("robot", "robot@service.invalid")).await;
    let contradiction = world.post("/tokens", &admin, asked("alice@example.com", "ceo@example.com")).await;
    let no_address = world.post("/tokens", &admin, asked("robot", "nobody")).await;
    let by_an_admin = world.post("/tokens", &admin, asked("robot", "robots@example.com")).await;

    assert_eq!((taken_over.status.as_u16(), taken_over.json()["code"].clone()), (403, json!("email_not_yours")));
    assert_eq!(its_own.status, 201);
    assert_eq!((contradiction.status.as_u16(), no_address.status.as_u16()), (400, 400));
    assert_eq!(by_an_admin.json()["token"]["email"], "robots@example.com");
    assert_eq!(by_an_admin.json()["token"]["elevated"], json!(["permissions", "email"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_caller_grants_nothing_that_is_less_restricted() {
    let world = World::new().await;
    let bound = json!({"permissions": ["tokens.create"], "server_id": "s1", "ip_restrictions": ["10.0.0.0/8"],
        "usage_limits": {"requests_per_hour": 10}});
    let scopes: catalog::domain::issue::ScopesWire = serde_json::from_value(bound.clone()).unwrap();
    let caller = world.caller("robot", |command| command.scopes = scopes.into()).await;
    let without = |member: &str| {
        let mut scopes = bound.clone();
        scopes.as_object_mut().unwrap().remove(member);
        json!({"sub": "robot", "scopes": scopes})
    };

    for member in ["server_id", "ip_restrictions", "usage_limits"] {
        let freer = world.post("/tokens", &caller, without(member)).await;
        assert_eq!(
            (freer.status.as_u16(), freer.json()["code"].clone()),
            (403, json!("restrictions_not_kept")),
            "{member}"
        );
    }
    let mut narrower = bound.clone();
    narrower["time_restrictions"] = json!({"weekdays_only": true});
    assert_eq!(world.post("/tokens", &caller, json!({"sub": "robot", "scopes": bound})).await.status, 201);
    assert_eq!(world.post("/tokens", &caller, json!({"sub": "robot", "scopes": narrower})).await.status, 201);
}
