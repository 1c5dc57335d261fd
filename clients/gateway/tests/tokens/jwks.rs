//! The catalog's keys: asked for when they are needed, and kept.

use std::sync::Arc;

use catalog_gateway::{
    Now,
    jwt::{Invalid, KeysUnavailable, Rules, Verifier, VerifyError},
};

use super::catalog::{Catalog, Key, claims, rules};

async fn verdict(verifier: &Verifier, key: &Key) -> Result<(), VerifyError> {
    verifier.verify(&key.token(&claims()), Now::read().wall()).await.map(|_| ())
}

/// Of a key that may be a new one nobody can tell.
const UNTOLD: Result<(), VerifyError> = Err(VerifyError::KeysUnavailable(KeysUnavailable));
const UNKNOWN: Result<(), VerifyError> = Err(VerifyError::Invalid(Invalid::UnknownKey));

#[tokio::test]
async fn keys_are_asked_for_once_and_an_unknown_one_does_not_ask_again_at_once() {
    let (one, two) = (Key::new("one"), Key::new("two"));
    let catalog = Catalog::with_keys(&[&one]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());

    for _ in 0..3 {
        assert_eq!(verdict(&verifier, &one).await, Ok(()));
        assert_eq!(verdict(&verifier, &two).await, UNTOLD);
    }

    assert_eq!(verdict(&verifier, &one).await, Ok(()), "nobody else has to wait for that");
    assert_eq!(catalog.served().asked_for_keys, 1);
    pass(5).await;
    assert_eq!(verdict(&verifier, &two).await, UNKNOWN, "now the catalog was asked");
}

#[tokio::test]
async fn a_key_that_is_published_later_is_found_five_seconds_after_the_last_look() {
    let (one, two) = (Key::new("one"), Key::new("two"));
    let catalog = Catalog::with_keys(&[&one]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());
    assert_eq!(verdict(&verifier, &one).await, Ok(()));
    catalog.served().keys.push(two.jwk());

    assert_eq!(verdict(&verifier, &two).await, UNTOLD);
    pass(5).await;

    assert_eq!(verdict(&verifier, &two).await, Ok(()));
    pass(5).await;
    assert_eq!(verdict(&verifier, &Key::new("three")).await, UNKNOWN);
    let served = catalog.served();
    assert_eq!((served.asked_for_keys, served.unchanged), (3, 1), "the last time nothing had changed");
}

#[tokio::test]
async fn while_the_catalog_is_away_known_keys_are_good_and_unknown_ones_cannot_be_judged() {
    let (one, two) = (Key::new("one"), Key::new("two"));
    let catalog = Catalog::with_keys(&[&one]).await;
    catalog.served().is_down = true;
    let verifier = Verifier::new(catalog.client.clone(), rules());
    assert_eq!(verdict(&verifier, &one).await, Err(KeysUnavailable.into()));
    catalog.served().is_down = false;
    pass(1).await;
    assert_eq!(verdict(&verifier, &one).await, Ok(()));

    catalog.served().is_down = true;
    pass(300).await;

    assert_eq!(verdict(&verifier, &one).await, Ok(()));
    assert_eq!(verdict(&verifier, &two).await, Err(KeysUnavailable.into()));
    assert_eq!(verdict(&verifier, &one).await, Ok(()));
}

#[tokio::test]
async fn those_who_come_while_the_keys_are_asked_for_have_the_answer() {
    let one = Key::new("one");
    let catalog = Catalog::with_keys(&[&one]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());

    let verdicts = futures_util::future::join_all((0..20).map(|_| verdict(&verifier, &one))).await;

    assert_eq!(verdicts, vec![Ok(()); 20]);
    assert_eq!(catalog.served().asked_for_keys, 1);
}

#[tokio::test]
async fn of_a_shared_secret_that_is_not_known_nobody_can_tell() {
    let one = Key::new("one");
    let catalog = Catalog::with_keys(&[&one]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());
    let mut header = one.header();
    header["alg"] = "HS256".into();
    let token = one.sign(&header.to_string(), &claims().to_string());

    let verdict = verifier.verify(&token, Now::read().wall()).await;

    assert_eq!(verdict.unwrap_err(), VerifyError::SecretUnknown);
    assert_eq!(catalog.served().asked_for_keys, 0, "no catalog publishes it");
}

#[tokio::test]
async fn a_key_that_was_withdrawn_ends_after_five_minutes() {
    let (one, two) = (Key::new("one"), Key::new("two"));
    let catalog = Catalog::with_keys(&[&one]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());
    assert_eq!(verdict(&verifier, &one).await, Ok(()));
    catalog.served().keys = vec![two.jwk(), Key::new("three").jwk()];

    pass(300).await;

    // Whoever comes first is judged by what is known, and has the keys asked for.
    while verdict(&verifier, &one).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(verdict(&verifier, &two).await, Ok(()));
}

/// Has the clock of the runtime go on by so many seconds.
pub async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn of_a_token_that_was_found_good_before_the_times_are_judged_again_and_nothing_else_is_asked() {
    let key = Key::new("one");
    let catalog = Catalog::with_keys(&[&key]).await;
    let verifier = Verifier::new(catalog.client.clone(), rules());
    let (token, now) = (key.token(&claims()), Now::read().wall());

    let first = verifier.verify(&token, now).await.unwrap();
    let again = verifier.verify(&token, now).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again), "its signature was not checked again");

    let exp = chrono::DateTime::from_timestamp(first.claims.exp, 0).unwrap();
    let expired = Invalid::Expired { jti: first.claims.jti, exp: first.claims.exp };
    assert_eq!(verifier.verify(&token, exp).await, Err(VerifyError::Invalid(expired)));
    let before = now - chrono::TimeDelta::minutes(5);
    assert!(matches!(verifier.verify(&token, before).await, Err(VerifyError::Invalid(Invalid::IssuedInFuture { .. }))));
    let elsewhere = Verifier::new(catalog.client.clone(), Rules { audience: "elsewhere".to_owned(), ..rules() });
    assert_eq!(elsewhere.verify(&token, now).await, Err(VerifyError::Invalid(Invalid::Audience)));
    assert!(elsewhere.verify_for_any(&token, now).await.is_ok());
}
