//! What a provider said at the last login is kept, and answers for people when others ask on their behalf.

use std::fs;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{alice, code, now, of_kind, office, token_with};
use crate::support::{World, provider::apply};

/// What an administrator is answered who asks for a token of these teams for somebody.
async fn for_somebody(world: &World, sub: &str, team: &str) -> (u16, String) {
    let admin = world.admin().await;
    code(&world.post("/tokens", &admin, json!({"sub": sub, "teams": [team]})).await)
}

fn refused(code: &str) -> (u16, String) {
    (403, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_recorded_once_for_as_long_as_its_provider_says_the_same() {
    let (world, provider) = office().await;
    let there = world.another_process().await;
    for _ in 0..3 {
        let alice = alice(&world, &provider);
        assert_eq!(world.get("/whoami", &alice).await.status, 200);
        assert_eq!(there.get("/whoami", &alice).await.status, 200);
        world.clock.advance(TimeDelta::seconds(60));
    }
    assert_eq!(of_kind(&world, "person.seen.v1").await.len(), 1);

    let promoted = token_with(&world, &provider, &json!({"groups": ["site/ops"]}));
    assert_eq!(there.get("/whoami", &promoted).await.json()["teams"], json!(["blue"]));
    assert_eq!(world.get("/whoami", &promoted).await.status, 200);

    let seen = of_kind(&world, "person.seen.v1").await;
    let teams: Vec<&Value> = seen.iter().map(|event| &event["data"]["teams"]).collect();
    assert_eq!(teams, [&json!(["red"]), &json!(["blue"])]);
    assert_eq!(
        (&seen[0]["data"]["sub"], &seen[0]["data"]["issuer"]),
        (&json!("alice@example.com"), &json!(provider.issuer))
    );
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_access_token_does_not_undo_what_a_later_one_said() {
    let (world, provider) = office().await;
    let before = alice(&world, &provider);
    world.clock.advance(TimeDelta::seconds(60));
    let after = token_with(&world, &provider, &json!({"groups": ["site/ops"]}));

    for token in [&after, &before, &after, &before] {
        assert_eq!(world.get("/whoami", token).await.status, 200);
    }

    assert_eq!(of_kind(&world, "person.seen.v1").await.len(), 1);
    assert_eq!(for_somebody(&world, "alice@example.com", "red").await, refused("subject_not_in_teams"));
    assert_eq!(for_somebody(&world, "alice@example.com", "blue").await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_login_answers_for_a_person_on_every_node_and_after_a_restart() {
    let (world, provider) = office().await;
    assert_eq!(for_somebody(&world, "alice@example.com", "blue").await.0, 201, "nobody has said anything of her");
    world.get("/whoami", &alice(&world, &provider)).await;
    let there = world.another_process().await;

    for node in [&world, &there] {
        assert_eq!(for_somebody(node, "alice@example.com", "blue").await, refused("subject_not_in_teams"));
        assert_eq!(for_somebody(node, "alice@example.com", "red").await.0, 201);
        assert_eq!(for_somebody(node, "bob@example.com", "blue").await.0, 201);
    }
    apply(&world, "").await;
    assert_eq!(
        for_somebody(&world, "alice@example.com", "blue").await.0,
        201,
        "a provider's word counts while it is trusted"
    );
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_membership_source_speaks_first_and_the_last_login_for_whom_it_does_not_know() {
    let (world, provider) = office().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("members.json");
    fs::write(&file, r#"{"bob@example.com": ["red"]}"#).unwrap();
    apply(&world, &format!("[membership]\nfile = \"{}\"\n{}", file.display(), provider.policy())).await;
    for email in ["alice@example.com", "bob@example.com"] {
        let token = token_with(&world, &provider, &json!({"email": email, "groups": ["site/ops"], "iat": now(&world)}));
        assert_eq!(world.get("/whoami", &token).await.status, 200);
    }

    assert_eq!(for_somebody(&world, "alice@example.com", "blue").await.0, 201);
    assert_eq!(for_somebody(&world, "alice@example.com", "red").await, refused("subject_not_in_teams"));
    assert_eq!(for_somebody(&world, "bob@example.com", "red").await.0, 201);
    assert_eq!(for_somebody(&world, "bob@example.com", "blue").await, refused("subject_not_in_teams"));
    assert_eq!(for_somebody(&world, "carol@example.com", "red").await, refused("membership_unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_missing_or_invented_row_of_people_is_found() {
    use catalog::store::verify::{Rule, verify};
    for (sql, found) in [
        ("update people set teams = '{blue}'", 1),
        ("update people set is_admin = true, teams = null", 1),
        ("update people set permissions = '{*}'", 1),
        ("update people set logged_in = logged_in + 1", 1),
        ("update people set issuer = 'https://evil.example'", 1),
        ("delete from people", 1),
        ("insert into people select 'mallory', issuer, true, null, permissions, logged_in, position from people", 1),
        ("update people set sub = 'mallory'", 2),
    ] {
        let (world, provider) = office().await;
        world.get("/whoami", &alice(&world, &provider)).await;
        world.verify().await;

        world.database.tamper(sql).await;

        let verification = verify(world.catalog.database(), &[], &mut |_, _| ()).await.unwrap();
        let rules: Vec<Rule> = verification.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, vec![Rule::Projection; found], "{sql}: {:?}", verification.findings);
    }
}
