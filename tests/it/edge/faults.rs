//! What an edge says while its catalog is away, slow, back, or another one.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{Scene, becomes, figure, issue, passes, restart, revoke, stale_beside};
use crate::{
    gateway::proxy::{Proxy, Way},
    support::{
        Site, TestDatabase,
        process::{OwnPostgres, Server, until},
        world::Reply,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn with_the_catalog_killed_known_tokens_pass_until_the_bound_and_it_recovers_alone() {
    let scene = Scene::set().await;
    let edge = scene.edge().await;
    let (known, revoked, unseen) =
        (scene.issue("alice@example.com").await, scene.issue("bob@example.com").await, scene.issue("carol").await);
    assert_eq!((passes(&edge, &known).await, passes(&edge, &revoked).await), (200, 200));
    revoke(&scene.server.client, &scene.admin, &revoked).await;
    becomes(&edge, &revoked, 401).await;

    let (site, address) = scene.end().await;
    let ended = Instant::now();
    assert_eq!(passes(&edge, &known).await, 200, "it is known, and was so just now");
    assert_eq!(passes(&edge, &unseen).await, 503, "nobody can say whether it was issued");
    stale_beside(&edge, &known, (&revoked, ended)).await;
    assert_eq!(passes(&edge, &revoked).await, 401, "nothing takes a revocation back");
    assert_eq!(edge.client.get("/readyz", "").await.status, 503);
    assert_eq!(figure(&edge, "catalog_edge_fresh").await, Some(0.0));
    assert!(figure(&edge, "catalog_checks_total{of=\"passage\",verdict=\"stale\"}").await.unwrap() >= 1.0);
    assert!(figure(&edge, "catalog_checks_total{of=\"passage\",verdict=\"unconfirmed\"}").await.unwrap() >= 1.0);

    let _server = restart(&site, &address).await;
    becomes(&edge, &known, 200).await;
    becomes(&edge, &unseen, 200).await;
    assert_eq!(passes(&edge, &revoked).await, 401);
    assert_eq!(edge.client.get("/readyz", "").await.json()["reloads"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_while_the_way_is_cut_or_dead_never_passes_after_the_bound() {
    let scene = Scene::set().await;
    let proxy = Proxy::before(scene.server.client.address().parse().unwrap()).await;
    let edge = scene.outpost().edge_of(&format!("http://{}", proxy.address), &[]).await;
    let known = scene.issue("alice@example.com").await;
    assert_eq!(passes(&edge, &known).await, 200);

    for way in [Way::Cut, Way::Dead] {
        let token = scene.issue("bob@example.com").await;
        assert_eq!(passes(&edge, &token).await, 200);
        proxy.set(way);
        revoke(&scene.server.client, &scene.admin, &token).await;
        stale_beside(&edge, &known, (&token, Instant::now())).await;
        proxy.set(Way::Open);
        becomes(&edge, &known, 200).await;
        assert_eq!(passes(&edge, &token).await, 401, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_killed_behind_the_catalog_nothing_passes_after_the_bound_and_it_recovers_alone() {
    let mut postgres = OwnPostgres::start();
    let scene = Scene::at(Site::on(&postgres.url())).await;
    let edge = scene.edge().await;
    let (known, revoked) = (scene.issue("alice@example.com").await, scene.issue("bob@example.com").await);
    assert_eq!((passes(&edge, &known).await, passes(&edge, &revoked).await), (200, 200));
    revoke(&scene.server.client, &scene.admin, &revoked).await;
    becomes(&edge, &revoked, 401).await;

    // The catalog is there, and says itself that it does not hear its log.
    postgres.crash().await;
    stale_beside(&edge, &known, (&revoked, Instant::now())).await;
    assert_eq!(passes(&edge, &revoked).await, 401, "nothing takes a revocation back");

    postgres.restart();
    becomes(&edge, &known, 200).await;
    assert_eq!(passes(&edge, &revoked).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_spared_when_its_key_is_given_up_is_never_refused_meanwhile() {
    let scene = Scene::set().await;
    let edge = scene.edge().await;
    let spared = scene.issue("alice@example.com").await;
    join_all((0..300).map(|_| scene.issue("carol@example.com"))).await;
    let over = scene.issue("bob@example.com").await;
    assert_eq!((passes(&edge, &spared).await, passes(&edge, &over).await), (200, 200));

    let compromise = spawn_blocking(compromise_of_the_last_token(&scene).await);
    until("what is over is refused", async || {
        for _ in 0..20 {
            let status = passes(&edge, &spared).await;
            assert!([200, 503].contains(&status), "{status}");
        }
        (passes(&edge, &over).await == 401).then_some(())
    })
    .await;
    becomes(&edge, &spared, 200).await;
    compromise.await.unwrap();
}

/// Says that others have had the key since the token that was issued last.
async fn compromise_of_the_last_token(scene: &Scene) -> impl FnOnce() + Send + use<> {
    let site = scene.site.clone();
    let issued = scene.server.client.events(0, &scene.admin).await.pop().unwrap();
    let since = issued["recorded_at"].as_str().unwrap().to_owned();
    let stolen = site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned();
    let next = site.cli(&["keys", "add"]).good();
    move || {
        site.cli(&["keys", "compromise", &stolen, "--since", &since, "--activate", &next, "--yes"]).good();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_signed_that_was_given_up_is_told_as_the_catalog_tells_it() {
    let scene = Scene::set().await;
    let edge = scene.edge().await;
    let spared = scene.issue("alice@example.com").await;
    let over = scene.issue("bob@example.com").await;
    assert_eq!((passes(&edge, &spared).await, passes(&edge, &over).await), (200, 200));

    spawn_blocking(compromise_of_the_last_token(&scene).await).await.unwrap();
    becomes(&edge, &over, 401).await;
    // A token of the new key has the edge ask for the keys, of which the old one is none.
    let fresh = until("the server signs with the new key", async || {
        let reply = scene.server.client.post("/tokens", &scene.admin, json!({ "sub": "carol@example.com" })).await;
        let of = |reply: &Reply| reply.json()["access_token"].as_str().map(str::to_owned);
        (reply.status == 201).then(|| of(&reply)).flatten()
    })
    .await;
    until("the edge knows the new key", async || {
        (edge.client.get("/authorize", &fresh).await.status == 200).then_some(())
    })
    .await;

    // One that has not heard of anything yet cannot tell.
    let arguments = ["edge", "--listen", "127.0.0.1:0", "--url", &scene.server.client.url];
    let begins = Server::start(scene.outpost().command(&arguments)).await;
    for _ in 0..50 {
        let status = passes(&begins, &spared).await;
        assert!([200, 503].contains(&status), "{status}");
    }
    becomes(&begins, &spared, 200).await;

    // One that begins now never sees the old key.
    let late = scene.edge().await;
    becomes(&late, &spared, 200).await;
    for (token, status) in [(&spared, 200), (&over, 401)] {
        assert_eq!(scene.server.client.get("/authorize", &token.text).await.status, status);
        for edge in [&edge, &late] {
            for _ in 0..3 {
                assert_eq!(passes(edge, token).await, status);
            }
        }
    }
    let (signed, signature) = spared.text.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    for forged in [format!("{signed}.{other}{}", &signature[1..]), format!("{signed}.AAAA")] {
        assert_eq!(
            late.client.get("/authorize", &forged).await.status,
            401,
            "another signature under confirmed claims"
        );
        assert_eq!(edge.client.get("/authorize", &forged).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_does_not_answer_holds_up_nobody_who_is_known_and_others_not_for_long() {
    let scene = Scene::set().await;
    let proxy = Proxy::before(scene.server.client.address().parse().unwrap()).await;
    let site = scene.outpost().with("CATALOG_MAX_STALENESS", "1m");
    let edge = site.edge_of(&format!("http://{}", proxy.address), &[]).await;
    let (known, unseen) = (scene.issue("alice@example.com").await, scene.issue("bob@example.com").await);
    assert_eq!(passes(&edge, &known).await, 200);
    proxy.set(Way::Dead);

    let (begun, other) = (Instant::now(), edge.client.another());
    let waiting = tokio::spawn({
        let text = unseen.text.clone();
        async move { other.get("/authorize", &text).await.status.as_u16() }
    });
    while !waiting.is_finished() {
        assert_eq!(passes(&edge, &known).await, 200);
    }

    assert_eq!(waiting.await.unwrap(), 503);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    proxy.set(Way::Open);
    becomes(&edge, &unseen, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_log_that_was_restored_from_a_backup_nothing_is_believed_that_it_does_not_know() {
    for is_heard in [true, false] {
        let database = TestDatabase::migrated().await;
        let scene = Scene::at(Site::on(&database.url())).await;
        let edge = scene.edge().await;
        let admin = scene.admin.clone();
        let before = scene.issue("alice@example.com").await;
        assert_eq!(passes(&edge, &before).await, 200);
        let (site, address) = scene.end().await;
        let backup = database.copy().await;

        // After the backup one more token is issued, and used at the edge. The feed may tell of its place, or not any more.
        let server = restart(&site, &address).await;
        let lost = issue(&server.client, &admin, "bob@example.com").await;
        becomes(&edge, &lost, 200).await;
        if is_heard {
            let head = server.client.events(0, &admin).await.len();
            let hears = async || (edge.client.get("/readyz", "").await.json()["position"] == json!(head)).then_some(());
            until("the edge has heard of the end of the log", hears).await;
        }
        server.kill().await;
        let _server = restart(&site.with("CATALOG_DATABASE_URL", &backup.url()), &address).await;

        becomes(&edge, &lost, 401).await;
        becomes(&edge, &before, 200).await;
        assert_eq!(passes(&edge, &lost).await, 401, "the log that there is now never issued it");
        let reloads = figure(&edge, "catalog_edge_reloads_total").await;
        assert!(!is_heard || reloads == Some(1.0), "{reloads:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_started_without_its_catalog_still_knows_what_was_revoked() {
    let site = Site::new().await.with("JWT_SECRET_KEY", "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8");
    let scene = Scene::at(site).await;
    let file = scene.site.data().join("edge.snapshot");
    let outpost = scene.outpost().with("CATALOG_SNAPSHOT", file.to_str().unwrap());
    let url = scene.server.client.url.clone();
    let (revoked, other) = (scene.issue("alice@example.com").await, scene.issue("bob@example.com").await);
    let edge = outpost.edge_of(&url, &[]).await;
    assert_eq!(passes(&edge, &revoked).await, 200);
    revoke(&scene.server.client, &scene.admin, &revoked).await;
    becomes(&edge, &revoked, 401).await;
    edge.stop().await;
    let (site, address) = scene.end().await;

    let edge = Server::start(outpost.command(&["edge", "--listen", "127.0.0.1:0", "--url", &url])).await;

    becomes(&edge, &revoked, 401).await;
    assert_eq!(passes(&edge, &other).await, 503);
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&revoked.text));
    let _server = restart(&site, &address).await;
    becomes(&edge, &other, 200).await;
    assert_eq!(passes(&edge, &revoked).await, 401);
}
