//! The life of a key as the log decides it.

use catalog::domain::{
    Act, Path, Position,
    configure::ApplyPolicy,
    event::KeyAdded,
    key::{Algorithm, JWKS_MAX_AGE_SECONDS, Over},
    key_history::{What, history},
    key_life::{ActivateKey, KeyRefusal, RetireKey},
    text::Kid,
};
use catalog::{app::policy_file, store::log};
use serde_json::{Value, json};

use super::{activate, active, refusal, retire, status, wait};
use crate::support::{
    World,
    appending::{as_one_batch, command, head},
    world::{plain, shell},
};

async fn published(world: &World) -> Vec<Value> {
    let set = world.get("/.well-known/jwks.json", "").await.json();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

fn early(kid: &Kid) -> ActivateKey {
    ActivateKey { kid: kid.clone(), early: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7517_the_next_key_is_published_before_it_signs_and_the_old_one_after() {
    let world = World::new().await;
    let old = active(&world);
    let before = world.issue_dev(plain("alice@example.com")).await;

    let new = world.add_key(Algorithm::Es256, false).await;
    world.catalog.follow_settings().await.unwrap();
    assert_eq!(published(&world).await, [json!(old), json!(new)]);
    assert_eq!(world.issue_dev(plain("alice@example.com")).await.token.kid, old);

    wait(&world, i64::from(JWKS_MAX_AGE_SECONDS) + 5);
    activate(&world, &new).await.unwrap();
    let after = world.issue_dev(plain("alice@example.com")).await;
    let admin = world.admin().await;

    assert_eq!(after.token.kid, new);
    assert_eq!(published(&world).await, [json!(old), json!(new)]);
    for token in [before, after] {
        assert_eq!(world.introspect(token.signed.expose(), &admin).await.json()["active"], json!(true));
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_waits_until_every_reader_of_the_jwk_set_has_it_or_somebody_says_now() {
    let world = World::new().await;
    let new = world.add_key(Algorithm::EdDsa, false).await;
    let spread = i64::from(JWKS_MAX_AGE_SECONDS) + 5;

    let left = |waited: i64| KeyRefusal::TooNew { kid: new.clone(), left_seconds: spread - waited };
    assert_eq!(refusal(activate(&world, &new).await), left(0));
    wait(&world, spread - 1);
    assert_eq!(refusal(activate(&world, &new).await), left(spread - 1));
    wait(&world, 1);
    assert!(activate(&world, &new).await.unwrap().position.is_some());

    let next = world.add_key(Algorithm::EdDsa, false).await;
    let settled = world.catalog.activate_key(early(&next), shell(Path::CliAdmin)).await.unwrap();
    let admin = world.admin().await;
    let events = world.events(&admin).await;
    let of = |position: Position| events.iter().find(|event| event["position"] == position.0).unwrap();
    assert_eq!(of(settled.position.unwrap())["data"], json!({"kid": next, "early": true}));
    let on_time = events.iter().find(|event| event["data"]["kid"] == json!(new) && event["kind"] == "key.activated.v1");
    assert_eq!(on_time.unwrap()["data"], json!({"kid": new}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_so_already_makes_no_event() {
    let world = World::new().await;
    let old = active(&world);
    let new = world.add_key(Algorithm::EdDsa, false).await;
    let again = {
        let settings = log::settings(world.catalog.database().reads()).await.unwrap();
        let key = settings.key(&new).unwrap();
        KeyAdded { kid: key.kid.clone(), alg: key.alg, jwk: key.jwk.clone(), dev: false }
    };
    world.catalog.activate_key(early(&new), shell(Path::CliAdmin)).await.unwrap();
    retire(&world, &old).await.unwrap();
    let length = head(&world).await;

    assert_eq!(world.catalog.add_key(again, shell(Path::CliAdmin)).await.unwrap().position, None);
    assert_eq!(activate(&world, &new).await.unwrap().position, None);
    assert_eq!(retire(&world, &old).await.unwrap().position, None);

    assert_eq!(head(&world).await, length);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_retired_when_its_last_token_is_over_and_not_before() {
    let world = World::new().await;
    let old = active(&world);
    let mut last = Vec::new();
    for ttl in [600, 1_200, 900] {
        let mut command = plain("alice@example.com");
        command.ttl_seconds = Some(ttl);
        last.push(world.issue_dev(command).await.token);
    }
    let new = world.add_key(Algorithm::EdDsa, false).await;
    assert_eq!(refusal(retire(&world, &old).await), KeyRefusal::Signs { kid: old.clone() });
    world.catalog.activate_key(early(&new), shell(Path::CliAdmin)).await.unwrap();

    let in_use = |live, token: usize| KeyRefusal::InUse { kid: old.clone(), live, until: last[token].expires_at };
    assert_eq!(refusal(retire(&world, &old).await), in_use(3, 1));
    wait(&world, 600);
    assert_eq!(refusal(retire(&world, &old).await), in_use(2, 1));
    let admin = world.admin().await;
    let suspended = world.post(&format!("/tokens/{}/suspend", last[2].jti), &admin, json!({})).await;
    assert_eq!(suspended.status, 204, "{suspended:?}");
    assert_eq!(refusal(retire(&world, &old).await), in_use(2, 1), "what is suspended may come back");
    world.delete(&format!("/tokens/{}", last[1].jti), &admin, json!({"reason": "superseded"})).await;
    assert_eq!(refusal(retire(&world, &old).await), in_use(1, 2));
    wait(&world, 300);
    let settled = retire(&world, &old).await.unwrap();
    world.catalog.follow_settings().await.unwrap();

    assert!(settled.position.is_some());
    assert_eq!(published(&world).await, [json!(new)]);
    let over = KeyRefusal::Over { kid: old.clone(), over: Over::Retired };
    assert_eq!(refusal(world.catalog.activate_key(early(&old), shell(Path::CliAdmin)).await), over);
    assert_eq!(world.catalog.live().settings.keys.len(), 2, "the log never forgets a key");
    assert_eq!(status(&world, &last[0]).await, catalog::domain::Status::Expired);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_signed_after_its_tokens_were_counted_is_not_retired_by_that_count() {
    let world = World::new().await;
    let old = active(&world);
    let counted = head(&world).await;
    let new = world.add_key(Algorithm::EdDsa, false).await;
    world.issue_dev(plain("alice@example.com")).await;
    world.catalog.activate_key(early(&new), shell(Path::CliAdmin)).await.unwrap();

    let stale = command(&world, Act::RetireKey(RetireKey { kid: old.clone(), live: None, counted }));
    let outcome = as_one_batch(&world, vec![stale]).await.remove(0);

    assert!(outcome.unwrap_err().to_string().contains("signs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_that_activate_at_once_the_second_sees_the_first() {
    let world = World::new().await;
    let (one, other) = (world.add_key(Algorithm::EdDsa, false).await, world.add_key(Algorithm::EdDsa, false).await);
    let another = world.another_process().await;

    let (first, second) = tokio::join!(
        world.catalog.activate_key(early(&one), shell(Path::CliAdmin)),
        another.catalog.activate_key(early(&one), shell(Path::CliAdmin)),
    );
    let positions = [first.unwrap().position, second.unwrap().position];
    assert_eq!(positions.iter().flatten().count(), 1, "the same key is activated once: {positions:?}");

    let (first, second) = tokio::join!(
        world.catalog.activate_key(early(&one), shell(Path::CliAdmin)),
        another.catalog.activate_key(early(&other), shell(Path::CliAdmin)),
    );
    // Whoever comes second finds what the first has done: either `one` signs still, or it takes over again.
    let (first, second) = (first.unwrap().position, second.unwrap().position.unwrap());
    let last = if first.is_some_and(|first| first > second) { one } else { other };
    for process in [&world, &another] {
        process.catalog.follow_settings().await.unwrap();
        assert_eq!(active(process), last);
    }
    let issued = world.issue_dev(plain("alice@example.com")).await;
    assert_eq!(issued.token.kid, last);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_batch_see_each_other() {
    let world = World::new().await;
    let old = active(&world);
    let new = world.add_key(Algorithm::EdDsa, false).await;
    let counted = head(&world).await;

    let outcomes = as_one_batch(
        &world,
        vec![
            command(&world, Act::ActivateKey(early(&new))),
            command(&world, Act::ActivateKey(early(&new))),
            command(&world, Act::RetireKey(RetireKey { kid: old, live: None, counted })),
        ],
    )
    .await;

    let events: Vec<Option<usize>> = outcomes.iter().map(|o| o.as_ref().ok().map(|a| a.events.len())).collect();
    assert_eq!(events, [Some(1), Some(0), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_the_shell_is_activated_by_a_policy_alone_and_retired_when_none_names_it() {
    let world = World::new().await;
    let unknown: Kid = "unknown".parse().unwrap();
    let dev = world.add_key(Algorithm::EdDsa, true).await;
    let apply = async |text: String| {
        let rules = policy_file::parse(&text).unwrap();
        world.catalog.apply_policy(ApplyPolicy { rules, text }, shell(Path::CliAdmin)).await
    };

    assert_eq!(refusal(activate(&world, &unknown).await), KeyRefusal::Unknown { kid: unknown.clone() });
    assert_eq!(refusal(retire(&world, &unknown).await), KeyRefusal::Unknown { kid: unknown });
    assert_eq!(refusal(activate(&world, &dev).await), KeyRefusal::OfShell { kid: dev.clone() });
    apply(format!("[cli-dev]\nkid = \"{dev}\"\n")).await.unwrap();
    assert_eq!(refusal(retire(&world, &dev).await), KeyRefusal::Signs { kid: dev.clone() });
    apply("# nothing\n".to_owned()).await.unwrap();
    retire(&world, &dev).await.unwrap();

    let over = KeyRefusal::Over { kid: dev.clone(), over: Over::Retired };
    assert_eq!(refusal(apply(format!("[cli-dev]\nkid = \"{dev}\"\n")).await), over);
    let events = log::settings_events(world.catalog.database().reads()).await.unwrap();
    let story: Vec<What> = history(&events).into_iter().filter(|fact| fact.kid == dev).map(|fact| fact.what).collect();
    assert_eq!(story, [What::Added, What::ActivatedForShell, What::RelievedForShell, What::Retired]);
}
