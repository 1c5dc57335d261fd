//! What a gateway says while the way to its catalog, or the catalog, is broken.

use std::time::Instant;

use catalog_gateway::{Verdict, follow::Connection, tower::Refusal};

use super::{
    outpost::{Outpost, issue, revoke, site},
    proxy::Way,
};
use crate::support::process::{Server, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_cut_or_dead_makes_it_stale_within_the_bound_and_it_goes_on_where_it_was() {
    let (_site, server, admin) = site().await;
    let (client, outpost) = (&server.client, Outpost::of(&server, &admin).await);
    let other = issue(client, &admin, "bob@example.com").await;
    outpost.until(&other, Verdict::NotRevoked).await;
    assert_eq!(outpost.admit(&other).await, Ok(other.jti));

    for way in [Way::Cut, Way::Dead] {
        let token = issue(client, &admin, "alice@example.com").await;
        outpost.proxy.set(way);
        revoke(client, &admin, &token).await;
        let revoked = (&token, Instant::now());

        outpost.until_beside(&other, Verdict::Stale, revoked).await;
        assert_eq!(outpost.admit(&other).await, Err(Refusal::CouldNotTell), "{way:?}");
        outpost.proxy.set(Way::Open);
        outpost.until_beside(&token, Verdict::Revoked, revoked).await;
        outpost.until_beside(&other, Verdict::NotRevoked, revoked).await;
    }
    assert_eq!(outpost.follower.status().reloads, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_holds_the_stream_back_is_passed_by_pages() {
    let (_site, server, admin) = site().await;
    let (client, outpost) = (&server.client, Outpost::of(&server, &admin).await);
    let (token, other) =
        (issue(client, &admin, "alice@example.com").await, issue(client, &admin, "bob@example.com").await);

    outpost.proxy.set(Way::Buffering);
    revoke(client, &admin, &token).await;
    let revoked = (&token, Instant::now());

    outpost.until_beside(&token, Verdict::Revoked, revoked).await;
    let is_polling = async || (outpost.follower.status().connection == Connection::Polling).then_some(());
    until("pages are asked for", is_polling).await;
    outpost.until_beside(&other, Verdict::NotRevoked, revoked).await;
    revoke(client, &admin, &other).await;
    outpost.until(&other, Verdict::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_is_followed_again() {
    let (site, server, admin) = site().await;
    let (here, outpost) = (site.serve().await, Outpost::of(&server, &admin).await);
    let address = server.client.address().to_owned();
    let token = issue(&here.client, &admin, "alice@example.com").await;
    let other = issue(&here.client, &admin, "bob@example.com").await;

    server.kill().await;
    revoke(&here.client, &admin, &token).await;
    let revoked = (&token, Instant::now());
    outpost.until_beside(&other, Verdict::Stale, revoked).await;
    let _server = Server::start(site.command(&["serve", "--listen", &address])).await;

    outpost.until_beside(&token, Verdict::Revoked, revoked).await;
    outpost.until_beside(&other, Verdict::NotRevoked, revoked).await;
    assert_eq!(outpost.follower.status().reloads, 0);
}
