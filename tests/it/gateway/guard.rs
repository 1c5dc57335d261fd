//! What a gateway lets pass.

use std::time::{Duration, Instant};

use catalog::domain::{ambient::Clock as _, claims::claims_of};
use catalog_gateway::{
    Now, RevocationSet, Verdict,
    client::{Catalog, Credential},
    confirm::Confirmer,
    follow::{Clock, Follower, Settings},
    jwt::{Rules, Verifier},
    tower::{Guard, Refusal},
};
use serde_json::json;
use uuid::Uuid;

use super::outpost::{ISSUER, Outpost, Token, admitted, issue, revoke, site};
use crate::{
    feed::keep_house,
    support::{
        Site, TestDatabase,
        process::until,
        world::{World, plain},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_let_pass_until_it_is_suspended_or_revoked() {
    let (_site, server, admin) = site().await;
    let (client, outpost) = (&server.client, Outpost::of(&server, &admin).await);
    let token = issue(client, &admin, "alice@example.com").await;
    let becomes = async |expected: Result<Uuid, Refusal>| {
        until(&format!("it is {expected:?}"), async || (outpost.admit(&token).await == expected).then_some(())).await;
    };

    becomes(Ok(token.jti)).await;
    client.post(&format!("/tokens/{}/suspend", token.jti), &admin, json!({})).await;
    becomes(Err(Refusal::TokenInvalid)).await;
    client.post(&format!("/tokens/{}/resume", token.jti), &admin, json!({})).await;
    becomes(Ok(token.jti)).await;
    revoke(client, &admin, &token).await;
    becomes(Err(Refusal::TokenInvalid)).await;

    let other = issue(client, &admin, "bob@example.com").await;
    assert_eq!(outpost.admit(&other).await, Ok(other.jti));
    let status = outpost.follower.status();
    assert_eq!((status.reloads, status.set.tokens), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_on_one_server_is_refused_by_the_gateway_of_another() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url()).with("CATALOG_ISSUER", ISSUER);
    let admin = site.admin();
    let (here, there) = (site.serve().await, site.serve().await);
    let outpost = Outpost::of(&there, &admin).await;

    for round in 0..20 {
        let token = issue(&here.client, &admin, &format!("user-{round}")).await;
        assert_eq!(outpost.admit(&token).await, Ok(token.jti));
        revoke(&here.client, &admin, &token).await;
        outpost.until(&token, Verdict::Revoked).await;
        assert_eq!(outpost.admit(&token).await, Err(Refusal::TokenInvalid));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_issued_passes_the_feed_and_is_stopped_by_the_question() {
    let world = World::new().await;
    keep_house(&world).await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let (url, _) = world.listen().await;
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let genuine = Token { jti: issued.token.jti, text: issued.signed.expose().to_owned() };
    let (signed, _) = genuine.text.rsplit_once('.').unwrap();
    let mut claims = claims_of(signed).unwrap();
    claims.jti = world.catalog.new_id();
    let forged = Token { jti: claims.jti, text: world.forge(&claims) };
    // The world's clock stands still, and the gateway goes by it.
    let (clock, start) = (world.clock.clone(), Instant::now());
    let clock = Clock::of(move || Now::new(clock.now(), start.elapsed()));
    let catalog = Catalog::new(&url, Credential::bearer(admin.into())).unwrap();
    let set = RevocationSet::new(Duration::from_mins(1));
    let follower =
        Follower::start(catalog.clone(), set.clone(), Settings { clock: clock.clone(), ..Settings::default() });
    follower.loaded().await;
    let rules = Rules { issuer: ISSUER.to_owned(), audience: "gateway".to_owned() };
    let guard = Guard::new(Verifier::new(catalog.clone(), rules), set).by(clock);
    let asking = guard.clone().confirmed_by(Confirmer::new(catalog));

    assert_eq!(admitted(&guard, &genuine).await, Ok(genuine.jti));
    assert_eq!(admitted(&guard, &forged).await, Ok(forged.jti), "a feed does not prove that a token was issued");
    assert_eq!(admitted(&asking, &genuine).await, Ok(genuine.jti));
    assert_eq!(admitted(&asking, &forged).await, Err(Refusal::TokenInvalid));
}
