//! Whose tokens a caller may know of: its own, its teams', or all; anything else looks like nothing at all.

use catalog::domain::{
    IssueToken,
    claims::Teams,
    text::{Permission, TeamId},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{World, world::plain};

const NOWHERE: &str = "01990000-0000-7000-8000-000000000000";

fn teams(names: &[&str]) -> Teams {
    Teams::These(names.iter().map(|name| name.parse::<TeamId>().unwrap()).collect())
}

fn with_permissions(command: &mut IssueToken, names: &[&str]) {
    command.scopes.permissions = names.iter().map(|name| Permission::parse(*name).unwrap()).collect();
}

async fn issued(world: &World, sub: &str, of: &[&str]) -> Uuid {
    let mut command = plain(sub);
    command.teams = Some(teams(of));
    world.issue_dev(command).await.token.jti
}

async fn listed(world: &World, caller: &str) -> Vec<String> {
    let page = world.get("/tokens?path=cli-dev&limit=500", caller).await.json();
    let mut ids: Vec<String> =
        page["tokens"].as_array().unwrap().iter().map(|token| token["jti"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// The identifiers, and those of the callers themselves left out.
fn sorted(ids: &[Uuid]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_its_own_tokens_and_its_teams_and_others_look_unknown() {
    let world = World::new().await;
    let red = issued(&world, "bob@example.com", &["red"]).await;
    let both = issued(&world, "bob@example.com", &["blue", "red"]).await;
    let blue = issued(&world, "bob@example.com", &["blue"]).await;
    let public = issued(&world, "bob@example.com", &[]).await;
    let own = issued(&world, "alice@example.com", &[]).await;
    let mut every = plain("root@localhost");
    every.is_admin = true;
    let every = world.issue_dev(every).await.token.jti;
    let reader = world
        .caller("alice@example.com", |command| {
            command.teams = Some(teams(&["red"]));
            with_permissions(command, &["tokens.read"]);
        })
        .await;
    let reader_jti = world.get("/whoami", &reader).await.json()["credential"]["jti"].as_str().unwrap().parse().unwrap();

    assert_eq!(listed(&world, &reader).await, sorted(&[red, both, own, reader_jti]));
    for jti in [red, both, own] {
        assert_eq!(world.get(&format!("/tokens/{jti}"), &reader).await.status, 200);
        assert_eq!(world.get(&format!("/tokens/{jti}/events"), &reader).await.status, 200);
    }
    for suffix in ["", "/events"] {
        let unknown = world.get(&format!("/tokens/{NOWHERE}{suffix}"), &reader).await;
        for jti in [blue, public, every] {
            let hidden = world.get(&format!("/tokens/{jti}{suffix}"), &reader).await;
            assert_eq!((hidden.status, unknown.status.as_u16()), (unknown.status, 404));
            assert_eq!(hidden.text, unknown.text.replace(NOWHERE, &jti.to_string()));
        }
    }
    assert_eq!(
        world.get("/tokens?team=blue&sub=bob@example.com&path=cli-dev", &reader).await.json()["tokens"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn seeing_a_teams_token_is_not_the_right_to_end_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    let red = issued(&world, "bob@example.com", &["red"]).await;
    let member = world
        .caller("alice@example.com", |command| {
            command.teams = Some(teams(&["red"]));
            with_permissions(command, &["tokens.read", "tokens.revoke"]);
        })
        .await;

    let refused = world.delete(&format!("/tokens/{red}"), &member, Value::Null).await;

    assert_eq!(refused.status, 404);
    assert_eq!(world.get(&format!("/tokens/{red}"), &admin).await.json()["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_one_team_is_held_to_it() {
    let world = World::new().await;
    let red = issued(&world, "bob@example.com", &["red"]).await;
    let both = issued(&world, "bob@example.com", &["blue", "red"]).await;
    let blue = issued(&world, "bob@example.com", &["blue"]).await;
    let of_red = world
        .caller("root@localhost", |command| {
            command.is_admin = true;
            command.teams = Some(teams(&["red"]));
        })
        .await;
    let status = async |method: &str, jti: Uuid| {
        world.send(method, &format!("/tokens/{jti}"), &of_red, Value::Null).await.status.as_u16()
    };

    assert_eq!((status("GET", red).await, status("GET", both).await, status("GET", blue).await), (200, 200, 404));
    assert_eq!(
        (status("DELETE", red).await, status("DELETE", both).await, status("DELETE", blue).await),
        (204, 404, 404)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_whose_token_names_permissions_has_no_others() {
    let world = World::new().await;
    let token = issued(&world, "bob@example.com", &[]).await;
    let reader = world
        .caller("root@localhost", |command| {
            command.is_admin = true;
            with_permissions(command, &["tokens.read"]);
        })
        .await;

    assert_eq!(world.get(&format!("/tokens/{token}"), &reader).await.status, 200);
    let revoke = world.delete(&format!("/tokens/{token}"), &reader, Value::Null).await;
    let issue = world.post("/tokens", &reader, json!({"sub": "a", "scopes": {"permissions": ["tokens.read"]}})).await;
    let audit = world.get("/audit/events", &reader).await;

    for refused in [revoke, issue, audit] {
        assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (403, json!("permission_missing")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_use_names_its_holder_to_whoever_may_know_of_it() {
    let world = World::new().await;
    let (admin, mut blue) = (world.admin().await, plain("bob@example.com"));
    (blue.teams, blue.name) = (Some(teams(&["blue"])), Some("deploy".parse().unwrap()));
    let holder = world.issue_dev(blue).await.token.jti.to_string();
    let of_red = world
        .caller("root@localhost", |command| {
            command.is_admin = true;
            command.teams = Some(teams(&["red"]));
        })
        .await;
    let asked = json!({"sub": "bob@example.com", "name": "deploy", "teams": ["red"]});

    let (told, hidden) =
        (world.post("/tokens", &admin, asked.clone()).await, world.post("/tokens", &of_red, asked).await);

    assert_eq!((told.status.as_u16(), hidden.status.as_u16()), (409, 409));
    assert!(told.text.contains(&holder) && !hidden.text.contains(&holder), "{} {}", told.text, hidden.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_token_sees_its_life_and_not_what_others_tried_with_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    let own = issued(&world, "alice@example.com", &[]).await;
    let caller =
        async |sub: &str, permission: &str| world.caller(sub, |command| with_permissions(command, &[permission])).await;
    let (owner, other) =
        (caller("alice@example.com", "tokens.read").await, caller("bob@example.com", "tokens.revoke").await);
    world.delete(&format!("/tokens/{own}"), &other, json!({"note": "hers"})).await;
    let kinds = async |caller: &str| {
        let history = world.get(&format!("/tokens/{own}/events"), caller).await.json();
        let events = history["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(kinds(&owner).await, ["token.issued.v1"]);
    assert_eq!(kinds(&admin).await, ["token.issued.v1", "revocation.refused.v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_is_for_administrators_of_every_team_and_for_whom_it_was_granted() {
    let world = World::new().await;
    let of_red = world
        .caller("root@localhost", |command| {
            command.is_admin = true;
            command.teams = Some(teams(&["red"]));
        })
        .await;
    let auditor = world.caller("auditor", |command| with_permissions(command, &["audit.read"])).await;

    assert_eq!(world.get("/audit/events", &of_red).await.status, 403);
    assert_eq!(world.get("/audit/events", &auditor).await.status, 200);
    assert_eq!(world.get("/audit/events", &world.admin().await).await.status, 200);
}
