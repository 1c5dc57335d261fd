//! Suspension holds a token back everywhere and at once, and resumption is the only way back.

use axum::{body::Body, http::Request};
use catalog::{
    domain::{
        Act, ChangeSuspension, Command, Refusal,
        suspend::{Change, Which},
        text::{Permission, Subject},
    },
    store::AppendError,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    Office, World,
    appending::{as_one_batch, command, revocation},
    process::Done,
    world::{Reply, plain},
};

async fn issued(world: &World, admin: &str, body: Value) -> (String, String) {
    let reply = world.post("/tokens", admin, body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&reply.json()["token"]["jti"]), text(&reply.json()["access_token"]))
}

async fn change(world: &World, credential: &str, jti: &str, how: &str) -> Reply {
    world.post(&format!("/tokens/{jti}/{how}"), credential, json!({})).await
}

fn outcome(reply: &Reply) -> (u16, String) {
    let code = if reply.text.is_empty() { Value::Null } else { reply.json()["code"].clone() };
    (reply.status.as_u16(), code.as_str().unwrap_or_default().to_owned())
}

async fn kinds(world: &World, admin: &str, jti: &str) -> Vec<String> {
    let history = world.get(&format!("/tokens/{jti}/events"), admin).await.json();
    history["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

async fn status(world: &World, admin: &str, jti: &str) -> Value {
    world.get(&format!("/tokens/{jti}"), admin).await.json()["status"].clone()
}

fn permissions(texts: &[&str]) -> Vec<Permission> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_token_is_inactive_everywhere_and_on_every_node_until_it_is_resumed() {
    let world = World::new().await;
    let (elsewhere, admin) = (world.another_process().await, world.admin().await);
    let ask = json!({"sub": "alice@example.com", "name": "ci", "aud": ["catalog"], "is_admin": true});
    let (jti, token) = issued(&world, &admin, ask.clone()).await;

    let suspended = world.post(&format!("/tokens/{jti}/suspend"), &admin, json!({"note": "asking"})).await;
    let during = [
        world.introspect(&token, &admin).await.text,
        elsewhere.introspect(&token, &admin).await.text,
        world.get(&format!("/revocations/{jti}"), &admin).await.json()["status"].to_string(),
        status(&elsewhere, &admin, &jti).await.to_string(),
        world.get("/tokens?status=suspended", &admin).await.json()["tokens"][0]["jti"].to_string(),
        world.get("/whoami", &token).await.status.to_string(),
    ];
    let name_during = world.post("/tokens", &admin, ask).await;
    let resumed = change(&elsewhere, &admin, &jti, "resume").await;
    let after = [world.introspect(&token, &admin).await.json()["active"].clone(), status(&world, &admin, &jti).await];

    assert_eq!((suspended.status.as_u16(), resumed.status.as_u16()), (204, 204));
    assert_eq!(
        during,
        [
            r#"{"active":false}"#.to_owned(),
            r#"{"active":false}"#.to_owned(),
            r#""suspended""#.to_owned(),
            r#""suspended""#.to_owned(),
            json!(jti).to_string(),
            "401 Unauthorized".to_owned(),
        ]
    );
    assert_eq!(outcome(&name_during), (409, "name_in_use".to_owned()));
    assert_eq!(after, [json!(true), json!("active")]);
    assert_eq!(kinds(&world, &admin, &jti).await, ["token.issued.v1", "token.suspended.v1", "token.resumed.v1"]);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_so_already_is_done_without_an_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (jti, _) = issued(&world, &admin, json!({"sub": "alice@example.com"})).await;

    let replies = [
        change(&world, &admin, &jti, "resume").await,
        change(&world, &admin, &jti, "suspend").await,
        change(&world, &admin, &jti, "suspend").await,
        change(&world, &admin, &jti, "resume").await,
        change(&world, &admin, &jti, "resume").await,
    ];

    assert_eq!(replies.map(|reply| reply.status.as_u16()), [204; 5]);
    assert_eq!(kinds(&world, &admin, &jti).await, ["token.issued.v1", "token.suspended.v1", "token.resumed.v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_neither_suspended_nor_resumed_and_says_what_it_is() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let ask = json!({"sub": "alice@example.com", "expires_in": 60});
    let (revoked, _) = issued(&world, &admin, ask.clone()).await;
    let (brief, _) = issued(&world, &admin, ask).await;
    for jti in [&revoked, &brief] {
        change(&world, &admin, jti, "suspend").await;
    }
    world.delete(&format!("/tokens/{revoked}"), &admin, Value::Null).await;
    world.clock.advance(TimeDelta::seconds(59));
    let last_instant =
        [change(&world, &admin, &brief, "resume").await, change(&world, &admin, &brief, "suspend").await];
    world.clock.advance(TimeDelta::seconds(1));

    assert_eq!(last_instant.map(|reply| reply.status.as_u16()), [204, 204]);
    for (jti, was) in [(&revoked, "revoked"), (&brief, "expired")] {
        for (how, done) in [("suspend", "suspended"), ("resume", "resumed")] {
            let reply = change(&world, &admin, jti, how).await;

            assert_eq!(outcome(&reply), (409, "wrong_status".to_owned()));
            assert_eq!(reply.json()["detail"], format!("the token {jti} is {was} and cannot be {done}"));
        }
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_refused_as_for_a_revocation_and_recorded() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (bobs, _) = issued(&world, &admin, json!({"sub": "bob@example.com"})).await;
    let (own, _) = issued(&world, &admin, json!({"sub": "alice@example.com"})).await;
    let reader = world.caller("alice@example.com", |c| c.scopes.permissions = permissions(&["tokens.read"])).await;
    let revoker = world.caller("alice@example.com", |c| c.scopes.permissions = permissions(&["tokens.revoke"])).await;
    let subject = json!({"sub": "bob@example.com", "note": "just trying"});

    let refused = [
        change(&world, &reader, &own, "suspend").await,
        change(&world, &revoker, &bobs, "suspend").await,
        change(&world, &revoker, &Uuid::nil().to_string(), "resume").await,
        world.post("/tokens/suspend", &revoker, subject).await,
    ];
    let allowed = change(&world, &revoker, &own, "suspend").await;

    assert_eq!(
        refused.iter().map(outcome).collect::<Vec<_>>(),
        [
            (403, "permission_missing".to_owned()),
            (404, "token_unknown".to_owned()),
            (404, "token_unknown".to_owned()),
            (403, "subject_out_of_reach".to_owned()),
        ]
    );
    assert_eq!(allowed.status, 204);
    let log = world.events(&admin).await;
    let denied: Vec<(&Value, &Value, &Value)> = log
        .iter()
        .filter(|event| event["kind"] == "suspension.refused.v1")
        .map(|event| (&event["data"]["rule"], &event["data"]["change"], &event["data"]["sub"]))
        .collect();
    // The second of a kind by one actor is counted.
    assert_eq!(
        denied,
        [
            (&json!("permission_missing"), &json!("suspend"), &Value::Null),
            (&json!("token_unknown"), &json!("suspend"), &Value::Null),
            (&json!("subject_out_of_reach"), &json!("suspend"), &json!("bob@example.com")),
        ]
    );
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_suspend_itself_and_cannot_let_itself_go() {
    let world = World::new().await;
    let admin = world.admin().await;
    let own = world.issue_dev({
        let mut command = plain("alice@example.com");
        command.aud = vec!["catalog".parse().unwrap()];
        command
    });
    let own = own.await;
    let (jti, token) = (own.token.jti.to_string(), own.signed.expose());

    let suspended = change(&world, token, &jti, "suspend").await;
    let resumed = change(&world, token, &jti, "resume").await;

    assert_eq!((suspended.status.as_u16(), resumed.status.as_u16()), (204, 401));
    assert_eq!(status(&world, &admin, &jti).await, "suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_subject_are_changed_in_one_transaction_and_later_ones_are_not() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let of = |sub: &str, seconds: u32| json!({"sub": sub, "expires_in": seconds});
    let mut tokens = Vec::new();
    for body in [of("alice@example.com", 60), of("alice@example.com", 600), of("alice@example.com", 600)] {
        tokens.push(issued(&world, &admin, body).await.0);
    }
    let (bobs, _) = issued(&world, &admin, of("bob@example.com", 600)).await;
    world.delete(&format!("/tokens/{}", tokens[2]), &admin, Value::Null).await;
    let alice = json!({"sub": "alice@example.com"});

    let suspended = world.post("/tokens/suspend", &admin, alice.clone()).await;
    let again = world.post("/tokens/suspend", &admin, alice.clone()).await;
    let (later, _) = issued(&world, &admin, of("alice@example.com", 600)).await;
    let mut during = Vec::new();
    for jti in tokens.iter().chain([&bobs, &later]) {
        during.push(status(&world, &admin, jti).await);
    }
    world.clock.advance(TimeDelta::seconds(60));
    let resumed = world.post("/tokens/resume", &admin, alice).await;
    let nobody = world.post("/tokens/suspend", &admin, json!({"sub": "nobody@example.com"})).await;

    let end = world.events(&admin).await.len();
    assert_eq!(suspended.json(), json!({"changed": 2, "left": 0, "position": end - 2}));
    assert_eq!(again.json(), json!({"changed": 0, "left": 0, "position": end - 2}));
    assert_eq!(during, ["suspended", "suspended", "revoked", "active", "active"]);
    assert_eq!(resumed.json(), json!({"changed": 1, "left": 0, "position": end}), "the first has expired meanwhile");
    assert_eq!(nobody.json(), json!({"changed": 0, "left": 0, "position": end}));
    assert_eq!(resumed.header("catalog-position"), end.to_string());
    assert_eq!(status(&world, &admin, &tokens[1]).await, "active");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_a_team_changes_those_of_a_subjects_tokens_that_it_reaches() {
    let world = World::new().await;
    let admin = world.admin().await;
    let team = |name: &str| Some(catalog::domain::claims::Teams::These(vec![name.parse().unwrap()]));
    let red = world.caller("root@red", |c| (c.is_admin, c.teams) = (true, team("red"))).await;
    let (reds, _) = issued(&world, &admin, json!({"sub": "bob@example.com", "teams": ["red"]})).await;
    let (blues, _) = issued(&world, &admin, json!({"sub": "bob@example.com", "teams": ["blue"]})).await;

    let suspended = world.post("/tokens/suspend", &red, json!({"sub": "bob@example.com"})).await;

    assert_eq!(suspended.json()["changed"], 1);
    assert_eq!([status(&world, &admin, &reds).await, status(&world, &admin, &blues).await], ["suspended", "active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tokens_of_a_subject_are_changed_at_once_and_one_more_is_too_many() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issue = || async { world.issue_dev(plain("crowd@example.com")).await };
    for _ in 0..10 {
        futures_util::future::join_all((0..100).map(|_| issue())).await;
    }
    let crowd = json!({"sub": "crowd@example.com"});

    let most = world.post("/tokens/suspend", &admin, crowd.clone()).await;
    issue().await;
    let one_more = world.post("/tokens/suspend", &admin, crowd.clone()).await;
    let too_many = world.post("/tokens/resume", &admin, crowd).await;

    assert_eq!((&most.json()["changed"], &one_more.json()["changed"]), (&json!(1_000), &json!(1)));
    assert_eq!(outcome(&too_many), (409, "too_many_tokens".to_owned()));
    world.verify().await;
}

async fn named(world: &World, path: &str, token: &str, key: &str) -> Reply {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    world.raw(request.body(Body::from("{}")).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_suspension_does_not_suspend_what_was_resumed_meanwhile() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (jti, _) = issued(&world, &admin, json!({"sub": "alice@example.com"})).await;
    let path = format!("/tokens/{jti}/suspend");

    let first = named(&world, &path, &admin, "k1").await;
    change(&world, &admin, &jti, "resume").await;
    let repeat = named(&world, &path, &admin, "k1").await;
    let other = named(&world, &format!("/tokens/{jti}/resume"), &admin, "k1").await;

    assert_eq!((first.status.as_u16(), repeat.status.as_u16()), (204, 204));
    assert_eq!(first.header("catalog-position"), repeat.header("catalog-position"));
    assert_eq!(outcome(&other), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(status(&world, &admin, &jti).await, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_issuance_hands_out_no_suspended_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issue = async || {
        let request = Request::post("/tokens")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "k1");
        world.raw(request.body(Body::from(r#"{"sub":"alice@example.com"}"#)).unwrap()).await
    };
    let first = issue().await.json();
    let jti = first["token"]["jti"].as_str().unwrap();

    change(&world, &admin, jti, "suspend").await;
    let during = issue().await;
    change(&world, &admin, jti, "resume").await;
    let after = issue().await;

    assert_eq!(outcome(&during), (409, "repeat_over".to_owned()));
    assert_eq!(after.json()["access_token"], first["access_token"]);
}

fn row(done: &Done) -> Vec<String> {
    done.stdout.trim_end().split('\t').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_does_the_same_with_a_verdict_each() {
    let office = Office::new().await;
    let [(first, token), (second, _)] = [office.issue(&["--sub", "ci"]), office.issue(&["--sub", "ci"])];
    office.run(&["revoke", &second, "--reason", "superseded"]).good();
    let is_active = async || office.server.client.is_active(&token, &office.admin).await;

    let mixed = office.run(&["suspend", &first, &second, "--note", "asking", "--format", "ndjson"]);
    let inactive = !is_active().await;
    let resumed = office.run(&["resume", &first]);
    let subject = office.run(&["suspend", "--sub", "ci", "--format", "json"]);
    let of_subject = !is_active().await;
    let back = office.run(&["resume", "--sub", "ci"]);

    let verdicts: Vec<Value> = mixed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((mixed.code, inactive, of_subject, is_active().await), (1, true, true, true));
    assert_eq!((&verdicts[0]["jti"], &verdicts[0]["outcome"]), (&json!(first), &json!("suspended")));
    assert_eq!((&verdicts[1]["outcome"], &verdicts[1]["problem"]["code"]), (&json!("refused"), &json!("wrong_status")));
    let position = verdicts[0]["position"].as_i64().unwrap();
    assert_eq!(row(&resumed), [first, "resumed".to_owned(), format!("position {}", position + 1)]);
    assert_eq!(
        subject.json(),
        json!([{"sub": "ci", "outcome": "suspended", "changed": 1, "left": 0, "position": position + 2}])
    );
    assert_eq!(row(&back), ["ci", "resumed", &format!("1 token, position {}", position + 3)]);
    assert!(office.run(&["suspend"]).bad(2).contains("<JTI"));
    assert!(office.run(&["suspend", &second, "--sub", "ci"]).bad(2).contains("cannot be used with"));
    assert!(office.run(&["resume", "x"]).bad(2).contains("UUID in lower case"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_one_also_when_its_batch_ends_a_few_of_it() {
    let world = World::new().await;
    let mut crowd = Vec::new();
    for _ in 0..11 {
        let some = futures_util::future::join_all((0..92).map(|_| world.issue_dev(plain("crowd@example.com")))).await;
        crowd.extend(some.into_iter().map(|issued| issued.token.jti));
    }
    let suspend = ChangeSuspension {
        change: Change::Suspend,
        which: Which::Subject(Subject::parse("crowd@example.com").unwrap()),
        note: None,
    };
    let mut commands: Vec<Command> = crowd[..12].iter().map(|jti| revocation(&world, *jti)).collect();
    commands.push(command(&world, Act::ChangeSuspension(suspend)));

    let outcomes = as_one_batch(&world, commands).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 12);
    let last = outcomes.last().unwrap();
    assert!(matches!(last, Err(AppendError::Refused(Refusal::TooManyTokens { .. }))), "{last:?}");
}
