//! The catalog's word on a token that was not seen before.

use std::sync::Arc;

use catalog_gateway::{
    Now,
    confirm::{Confirmation, Confirmer, Issuance},
    jwt::{KeySet, Verified},
};
use serde_json::json;

use super::catalog::{Catalog, Key, claims, rules};

fn token() -> (String, Verified) {
    let key = Key::new("one");
    let keys = KeySet::of_jwks(json!({ "keys": [key.jwk()] }).to_string().as_bytes()).unwrap();
    let token = key.token(&claims());
    let verified = rules().verify(&token, &keys, Now::read().wall()).unwrap();
    (token, verified)
}

/// What the catalog says of whatever it issued.
fn issued() -> Confirmation {
    Confirmation::Issued(Issuance { path: "cli-dev".into(), out_of_band: true, position: 7 })
}

#[tokio::test]
async fn the_catalog_is_asked_once_about_a_token_that_it_issued() {
    let catalog = Catalog::with_keys(&[]).await;
    let (token, verified) = token();
    catalog.served().active.push(token.clone());
    let confirmer = Confirmer::new(catalog.client.clone());

    for _ in 0..3 {
        let said = confirmer.confirm(&token, &verified, Now::read().wall()).await;
        assert_eq!(said, issued());
    }

    assert_eq!(catalog.served().asked_about, 1);
    let expired = chrono::DateTime::from_timestamp(verified.claims.exp, 0).unwrap();
    catalog.served().active.clear();
    assert_eq!(
        confirmer.confirm(&token, &verified, expired).await,
        Confirmation::NotActive,
        "until exp, and no longer"
    );
}

#[tokio::test]
async fn what_was_never_issued_is_asked_about_each_time() {
    let catalog = Catalog::with_keys(&[]).await;
    let (token, verified) = token();
    let confirmer = Confirmer::new(catalog.client.clone());

    for round in 1..=2 {
        assert_eq!(confirmer.confirm(&token, &verified, Now::read().wall()).await, Confirmation::NotActive);
        assert_eq!(catalog.served().asked_about, round);
    }
}

#[tokio::test]
async fn a_catalog_that_cannot_tell_says_neither_yes_nor_no() {
    let catalog = Catalog::with_keys(&[]).await;
    let (token, verified) = token();
    catalog.served().active.push(token.clone());
    catalog.served().is_down = true;
    let confirmer = Confirmer::new(catalog.client.clone());

    assert_eq!(confirmer.confirm(&token, &verified, Now::read().wall()).await, Confirmation::CouldNotTell);
    catalog.served().is_down = false;
    assert_eq!(confirmer.confirm(&token, &verified, Now::read().wall()).await, issued());
}

#[tokio::test]
async fn those_who_come_with_the_same_token_at_once_wait_for_one_answer() {
    let catalog = Catalog::with_keys(&[]).await;
    let (token, verified) = token();
    catalog.served().active.push(token.clone());
    let (confirmer, both) = (Confirmer::new(catalog.client.clone()), Arc::new((token, verified)));

    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (confirmer, both) = (confirmer.clone(), both.clone());
            tokio::spawn(async move { confirmer.confirm(&both.0, &both.1, Now::read().wall()).await })
        })
        .collect();
    for asking in asking {
        assert_eq!(asking.await.unwrap(), issued());
    }

    assert_eq!(catalog.served().asked_about, 1);
}
