//! An identity provider that is down, slow, elsewhere, talkative, careless or in the middle of a change of keys.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::json;

use super::{alice, code, now, office};
use crate::support::{
    World,
    process::until,
    provider::{Answer, Provider, apply},
    world::Reply,
};

/// The longest that a request may take, whatever the provider does.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

async fn whoami(world: &World, token: &str) -> Reply {
    world.get("/whoami", token).await
}

async fn status(world: &World, token: &str) -> u16 {
    whoami(world, token).await.status.as_u16()
}

fn later(world: &World, seconds: i64) {
    world.clock.advance(TimeDelta::seconds(seconds));
}

/// A token that names a key that the provider never had.
fn of_no_key(world: &World, provider: &Provider, kid: &str) -> String {
    provider.sign(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": kid}), &provider.claims(now(world)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_keys_cannot_be_had_is_no_reason_to_say_no() {
    let million = " ".repeat(1_000_000);
    for answer in [Answer::Broken, Answer::Away, Answer::Text(million), Answer::Text("{}".to_owned()), Answer::Never] {
        let (world, provider) = office().await;
        provider.answers(answer.clone());
        let begun = Instant::now();

        let reply = whoami(&world, &alice(&world, &provider)).await;

        assert_eq!(code(&reply), (503, "provider_unavailable".to_owned()), "{answer:?}");
        assert!(["1", "5"].contains(&reply.header("retry-after")), "{answer:?}: {reply:?}");
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{answer:?}");
        // Our own tokens need nobody else.
        assert_eq!(status(&world, &world.admin().await).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_asked_again_at_most_every_five_seconds_and_then_taken_at_its_word() {
    let (world, provider) = office().await;
    provider.answers(Answer::Broken);
    for _ in 0..5 {
        assert_eq!(status(&world, &alice(&world, &provider)).await, 503);
    }
    assert_eq!(provider.asked(), 1);
    provider.answers(Answer::Keys);

    later(&world, 4);
    let reply = whoami(&world, &alice(&world, &provider)).await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after"), provider.asked()), (503, "1", 1));
    later(&world, 1);

    assert_eq!((status(&world, &alice(&world, &provider)).await, provider.asked()), (200, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_keys_are_kept_while_the_provider_is_down() {
    let (world, provider) = office().await;
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);

    let [no_set, no_keys] = ["[]", r#"{"keys":[]}"#].map(|text| Answer::Text(text.to_owned()));
    for answer in [Answer::Broken, Answer::Away, no_set, no_keys] {
        provider.answers(answer.clone());
        let before = provider.asked();
        later(&world, 301);
        assert_eq!(status(&world, &alice(&world, &provider)).await, 200, "{answer:?}");
        until("the provider was asked", async || (provider.asked() > before).then_some(())).await;
        assert_eq!(status(&world, &alice(&world, &provider)).await, 200, "{answer:?}");
        // Of a key that is not among them nobody can tell.
        later(&world, 5);
        assert_eq!(status(&world, &of_no_key(&world, &provider, "k2")).await, 503, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_asked_for_when_a_token_names_it_and_never_refused_for_being_new() {
    let (world, provider) = office().await;
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);
    provider.add_key("k2");

    // The set is younger than five seconds, so nobody knows yet; and then everybody does.
    assert_eq!(status(&world, &alice(&world, &provider)).await, 503);
    later(&world, 5);
    let tokens: Vec<String> = (0..20).map(|_| alice(&world, &provider)).collect();
    let asked = futures_util::future::join_all(tokens.iter().map(|token| status(&world, token))).await;

    assert!(asked.iter().all(|status| *status == 200), "{asked:?}");
    assert_eq!(provider.asked(), 2, "one request asks for all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_never_there_are_looked_for_within_bounds_and_then_refused() {
    let (world, provider) = office().await;
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);
    later(&world, 5);

    assert_eq!(status(&world, &of_no_key(&world, &provider, "made-up")).await, 401);
    for number in 0..50 {
        assert_eq!(status(&world, &of_no_key(&world, &provider, &format!("made-up-{number}"))).await, 503);
    }

    assert_eq!(provider.asked(), 2);
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200, "whoever has a good token is not held up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_withdrawn_ends_within_five_minutes_of_use() {
    let (world, provider) = office().await;
    let with_old_key = |world: &World, provider: &Provider| alice(world, provider);
    assert_eq!(status(&world, &with_old_key(&world, &provider)).await, 200);
    later(&world, 301);
    let old = with_old_key(&world, &provider);
    provider.add_key("k2");
    provider.drop_key("k1");

    assert_eq!(status(&world, &old).await, 200, "nobody waits for the new set");
    until("the new set is here", async || (status(&world, &alice(&world, &provider)).await == 200).then_some(())).await;

    later(&world, 5);
    assert_eq!(status(&world, &old).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7517_section_9_3_a_provider_that_shows_a_private_key_is_not_believed_any_more() {
    let (world, provider) = office().await;
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);
    let mut shown = provider.set();
    shown["keys"][0]["d"] = json!("c2VjcmV0");
    provider.answers(Answer::Text(shown.to_string()));
    later(&world, 5);

    assert_eq!(status(&world, &of_no_key(&world, &provider, "k2")).await, 503);

    assert_eq!(status(&world, &alice(&world, &provider)).await, 503, "its keys from before are out, too");
    provider.answers(Answer::Keys);
    later(&world, 5);
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_keys_are_not_used_and_keys_of_another_provider_prove_nothing() {
    let (world, provider) = office().await;
    let modulus = format!("{}w", "_".repeat(170));
    let weak = json!({"keys": [{"kty": "RSA", "kid": "weak", "n": modulus, "e": "AQAB"}]});
    provider.answers(Answer::Text(weak.to_string()));
    let header = json!({"typ": "at+jwt", "alg": "RS256", "kid": "weak"});
    assert_eq!(status(&world, &provider.sign(&header, &provider.claims(now(&world)))).await, 401);

    let other = Provider::new().await;
    provider.answers(Answer::Text(other.set().to_string()));
    later(&world, 5);

    assert_eq!(status(&world, &alice(&world, &provider)).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_come_from_a_file_and_are_read_again_when_a_new_one_is_named() {
    let (world, provider) = (World::new().await, Provider::new().await);
    let directory = tempfile::tempdir().unwrap();
    let file = provider.file(&directory);
    let uri = format!("jwks_uri = \"{}/jwks\"", provider.issuer);
    apply(&world, &provider.policy().replace(&uri, &format!("jwks_file = \"{}\"", file.display()))).await;
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);

    provider.add_key("k2");
    provider.file(&directory);
    later(&world, 5);
    assert_eq!(status(&world, &alice(&world, &provider)).await, 200);
    std::fs::remove_file(&file).unwrap();
    later(&world, 301);

    assert_eq!(status(&world, &alice(&world, &provider)).await, 200, "the last good answer is kept");
    assert_eq!(provider.asked(), 0);
}
