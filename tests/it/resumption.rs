//! Whoever suspended a token may resume it, and a full administrator any; nobody else undoes what another did.

use catalog::{
    domain::{IssueToken, claims::Teams},
    store::schema,
};
use serde_json::{Value, json};

use crate::support::{
    Office, World,
    world::{Reply, plain},
};

/// Callers of every rank. All reach a token of alice in the team red.
struct Callers {
    /// Two administrators that nothing narrows.
    root: String,
    other_root: String,
    /// An administrator of every team whose token names its permissions, one of them all.
    revoker: String,
    everything: String,
    /// An administrator of the team red.
    red: String,
    /// The subject of the token, with two tokens.
    alice: String,
    other_alice: String,
}

impl Callers {
    async fn of(world: &World) -> Self {
        let admin = |shape: fn(&mut IssueToken)| {
            move |command: &mut IssueToken| {
                command.is_admin = true;
                shape(command);
            }
        };
        let revokes: fn(&mut IssueToken) = |c| c.scopes.permissions = vec!["tokens.revoke".parse().unwrap()];
        Self {
            root: world.caller("root@localhost", admin(|_| ())).await,
            other_root: world.caller("other-root@localhost", admin(|_| ())).await,
            revoker: world.caller("revoker@localhost", admin(revokes)).await,
            everything: world
                .caller("everything@localhost", admin(|c| c.scopes.permissions = vec!["*".parse().unwrap()]))
                .await,
            red: world
                .caller("red@localhost", admin(|c| c.teams = Some(Teams::These(vec!["red".parse().unwrap()]))))
                .await,
            alice: world.caller("alice@example.com", revokes).await,
            other_alice: world.caller("alice@example.com", revokes).await,
        }
    }
}

async fn of_alice(world: &World) -> String {
    let mut command = plain("alice@example.com");
    command.teams = Some(Teams::These(vec!["red".parse().unwrap()]));
    world.issue_dev(command).await.token.jti.to_string()
}

async fn change(world: &World, caller: &str, jti: &str, how: &str) -> Reply {
    world.post(&format!("/tokens/{jti}/{how}"), caller, json!({})).await
}

/// The status, and for a refusal its code.
fn outcome(reply: &Reply) -> (u16, String) {
    let code = if reply.text.is_empty() { Value::Null } else { reply.json()["code"].clone() };
    (reply.status.as_u16(), code.as_str().unwrap_or_default().to_owned())
}

fn refused() -> (u16, String) {
    (403, "suspended_by_another".to_owned())
}

async fn suspensions(world: &World, admin: &str, jti: &str) -> usize {
    let history = world.get(&format!("/tokens/{jti}/events"), admin).await.json();
    history["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "token.suspended.v1").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_suspended_is_resumed_by_its_suspender_or_a_full_administrator_and_by_nobody_else() {
    let world = World::new().await;
    let callers = Callers::of(&world).await;
    let Callers { root, other_root, revoker, everything, red, alice, other_alice } = &callers;
    let full = [root, other_root, everything];

    for (suspender, own) in
        [(root, vec![]), (revoker, vec![]), (red, vec![]), (alice, vec![other_alice]), (everything, vec![])]
    {
        for resumer in [root, other_root, revoker, everything, red, alice, other_alice] {
            let jti = of_alice(&world).await;
            assert_eq!(change(&world, suspender, &jti, "suspend").await.status, 204);

            let resumed = change(&world, resumer, &jti, "resume").await;

            let may = resumer == suspender || full.contains(&resumer) || own.contains(&resumer);
            let status = world.get(&format!("/tokens/{jti}"), root).await.json()["status"].clone();
            assert_eq!(outcome(&resumed), if may { (204, String::new()) } else { refused() });
            assert_eq!(status, if may { "active" } else { "suspended" });
        }
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_resumption_is_an_event_and_says_what_to_do() {
    let world = World::new().await;
    let Callers { root, alice, .. } = Callers::of(&world).await;
    let jti = of_alice(&world).await;
    change(&world, &root, &jti, "suspend").await;

    let refused = change(&world, &alice, &jti, "resume").await.json();

    assert_eq!(
        refused["detail"],
        format!(
            "the token {jti} was suspended by another; only its suspender or an administrator whose token names neither \
             teams nor permissions may resume it"
        )
    );
    let log = world.events(&root).await;
    let last = log.last().unwrap();
    assert_eq!(
        (&last["kind"], &last["data"]["rule"]),
        (&json!("suspension.refused.v1"), &json!("suspended_by_another"))
    );
    assert_eq!((&last["data"]["change"], &last["data"]["jti"]), (&json!("resume"), &json!(jti)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_administrators_suspension_outranks_a_narrower_one_and_no_other_does() {
    let world = World::new().await;
    let Callers { root, other_root, red, alice, other_alice, .. } = Callers::of(&world).await;
    let jti = of_alice(&world).await;

    let mut counts = Vec::new();
    for suspender in [&alice, &red, &alice, &root, &other_root, &red] {
        assert_eq!(change(&world, suspender, &jti, "suspend").await.status, 204);
        counts.push(suspensions(&world, &root, &jti).await);
    }
    let since = world.get(&format!("/tokens/{jti}"), &root).await.json()["inactive_because"]["position"].clone();
    let first = world.events(&root).await.into_iter().find(|event| event["kind"] == "token.suspended.v1").unwrap();
    let mut outcomes = Vec::new();
    for resumer in [&alice, &other_alice, &red, &other_root] {
        outcomes.push(outcome(&change(&world, resumer, &jti, "resume").await));
    }

    assert_eq!(counts, [1, 1, 1, 2, 2, 2], "who suspends after somebody of no lower rank changes nothing");
    assert_eq!(since, first["position"], "it is suspended since the first of them");
    assert_eq!(outcomes, [refused(), refused(), refused(), (204, String::new())]);
    assert_eq!(first["data"].get("by_full_admin"), None);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_subject_those_are_resumed_that_the_caller_may_resume_and_the_others_are_counted() {
    let world = World::new().await;
    let Callers { root, red, alice, .. } = Callers::of(&world).await;
    let subject = json!({"sub": "alice@example.com"});
    let [by_root, by_red, by_alice, taken_over] =
        [of_alice(&world).await, of_alice(&world).await, of_alice(&world).await, of_alice(&world).await];
    for (suspender, jti) in
        [(&root, &by_root), (&red, &by_red), (&alice, &by_alice), (&alice, &taken_over), (&root, &taken_over)]
    {
        change(&world, suspender, jti, "suspend").await;
    }
    let resume = async |caller: &String| {
        let reply = world.post("/tokens/resume", caller, subject.clone()).await.json();
        (reply["changed"].as_u64().unwrap(), reply["left"].as_u64().unwrap())
    };

    let outcomes = [resume(&alice).await, resume(&alice).await, resume(&red).await, resume(&root).await];
    let all = world.get("/tokens?status=suspended", &root).await.json();

    assert_eq!(outcomes, [(1, 3), (0, 3), (1, 2), (2, 0)]);
    assert_eq!(all["tokens"], json!([]));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_administrator_that_suspends_all_of_a_subject_outranks_those_before() {
    let world = World::new().await;
    let Callers { root, red, .. } = Callers::of(&world).await;
    let subject = json!({"sub": "alice@example.com"});
    let [held, _free] = [of_alice(&world).await, of_alice(&world).await];
    change(&world, &red, &held, "suspend").await;

    let changed = async |how: &str, caller: &String| {
        let reply = world.post(&format!("/tokens/{how}"), caller, subject.clone()).await.json();
        (reply["changed"].as_u64().unwrap(), reply["left"].as_u64().unwrap())
    };
    // Two of the callers are alice's own tokens, out of the team's reach.
    let outcomes = [
        changed("suspend", &root).await,
        changed("suspend", &root).await,
        changed("suspend", &red).await,
        changed("resume", &red).await,
        changed("resume", &root).await,
    ];

    assert_eq!(outcomes, [(4, 0), (0, 0), (0, 0), (0, 2), (4, 0)]);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_schema_says_of_suspensions_and_revocations_is_carried_over() {
    let world = World::new().await;
    let Callers { root, red, alice, other_alice, .. } = Callers::of(&world).await;
    let jti = of_alice(&world).await;
    change(&world, &alice, &jti, "suspend").await;
    change(&world, &alice, &jti, "resume").await;
    change(&world, &alice, &jti, "suspend").await;
    let [at_once, later] = [of_alice(&world).await, of_alice(&world).await];
    assert_eq!(world.delete(&format!("/tokens/{at_once}"), &alice, json!({"note": "left"})).await.status, 204);
    assert_eq!(world.post(&format!("/tokens/{later}/rotate"), &root, json!({"overlap": "1m"})).await.status, 201);
    let sooner = of_alice(&world).await;
    assert_eq!(world.post(&format!("/tokens/{sooner}/rotate"), &root, json!({"overlap": "1m"})).await.status, 201);
    assert_eq!(world.delete(&format!("/tokens/{sooner}"), &root, json!({})).await.status, 204);
    world
        .database
        .tamper(
            "drop function tokens_as_of;
             drop table past_revocations, past_suspensions;
             drop view tokens;
             alter table issued_tokens rename to tokens;
             alter table tokens drop column suspended_by, drop column suspended_by_full_admin;
             alter table tokens
                 add column revoked_pos bigint,
                 add column revoked_at timestamptz,
                 add column effective_from timestamptz,
                 add column revocation_reason text,
                 add column revocation_note text,
                 add column revoked_by text,
                 add constraint tokens_revocation_whole check ((revoked_pos is null) = (revoked_at is null));
             update tokens
                set (revoked_pos, revoked_at, effective_from, revocation_reason, revocation_note, revoked_by) = (
                    select revoked_pos, revoked_at, effective_from, revocation_reason, revocation_note, revoked_by
                      from token_revocations where issued_pos = tokens.issued_pos);
             create index tokens_revoked_idx on tokens (issued_pos) where revoked_pos is not null;
             create index tokens_holder_idx on tokens (sub, name, exp) where name is not null;
             drop table token_revocations, token_names;
             delete from _sqlx_migrations where version in (18, 32, 34)",
        )
        .await;

    schema::migrate(&world.database.open()).await.unwrap();

    world.verify().await;
    assert_eq!(world.get(&format!("/tokens/{at_once}"), &root).await.json()["revocation"]["note"], "left");
    let rotated = world.get(&format!("/tokens/{later}"), &root).await.json();
    assert_ne!(rotated["revocation"]["effective_from"], Value::Null);
    assert_eq!(outcome(&change(&world, &red, &jti, "resume").await), refused());
    assert_eq!(change(&world, &other_alice, &jti, "resume").await.status, 204);
    assert_eq!(world.get(&format!("/tokens/{jti}"), &root).await.json()["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_how_many_it_left() {
    let office = Office::new().await;
    let [(by_admin, _), (by_ci, _)] = [office.issue(&["--sub", "ci"]), office.issue(&["--sub", "ci"])];
    let ci = office.caller(&["--sub", "ci", "--permissions", "tokens.revoke"]);
    office.run(&["suspend", &by_admin]).good();
    ci.cli(&["suspend", &by_ci]).good();

    let refused = ci.cli(&["resume", &by_admin, "--format", "json"]);
    let some = ci.cli(&["resume", "--sub", "ci"]);
    let none = ci.cli(&["resume", "--sub", "ci", "--format", "json"]);

    assert_eq!((refused.code, some.code, none.code), (1, 1, 1));
    let none: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&refused.stdout).unwrap()[0]["problem"]["code"], "suspended_by_another");
    assert!(some.stdout.starts_with("ci\tresumed\t1 token, position "), "{}", some.stdout);
    assert!(some.stdout.trim_end().ends_with("; 1 left, suspended by another"), "{}", some.stdout);
    assert_eq!((&none[0]["changed"], &none[0]["left"]), (&json!(0), &json!(1)));
}
