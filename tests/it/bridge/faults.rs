//! What is lost on the way comes later: a gateway that is down, a bridge that is killed, a catalog that is another one.

use super::{Scene, contextforge::Way, figure, figure_becomes, issue, place, ready, revoke, trouble};
use crate::{
    gateway::proxy::{self, Proxy},
    support::{
        Site, TestDatabase,
        process::{Server, until},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_gateway_is_down_nothing_is_lost_and_the_lag_is_told() {
    let scene = Scene::set().await;
    let bridge = scene.bridge().await;
    scene.is_kept().await;
    let before = place(&scene.file())["position"].as_i64();
    scene.gateway.set(Way::Down);
    let (first, second) = (scene.revoked("alice@example.com").await, scene.revoked("bob@example.com").await);

    trouble(&bridge, "gateway", "answers 503").await;
    figure_becomes(&bridge, "catalog_bridge_owed{to=\"gateway\"}", 2.0).await;
    until("a lag is told", async || {
        let lag = figure(&bridge, "catalog_bridge_lag_seconds{to=\"gateway\"}").await;
        (lag > Some(1.0)).then_some(())
    })
    .await;
    assert!(scene.gateway.calls().is_empty());
    assert_eq!(figure(&bridge, "catalog_bridge_well{side=\"gateway\"}").await, Some(0.0));
    assert!(figure(&bridge, "catalog_bridge_failures_total{of=\"gateway\"}").await >= Some(1.0));
    let held = place(&scene.file())["position"].as_i64();
    scene.gateway.set(Way::Open);

    scene.ends(&first).await;
    scene.ends(&second).await;
    ready(&bridge).await;
    figure_becomes(&bridge, "catalog_bridge_lag_seconds{to=\"gateway\"}", 0.0).await;
    scene.is_kept().await;
    assert!(held < place(&scene.file())["position"].as_i64() && held >= before, "it did not move past what was owed");
    assert!(scene.couriers().await.len() <= 4, "a courier that did not arrive is carried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_killed_and_started_again_loses_nothing_and_repeats_nothing_that_it_had_noted() {
    let scene = Scene::set().await;
    let bridge = scene.bridge().await;
    let noted = scene.revoked("alice@example.com").await;
    scene.ends(&noted).await;
    scene.is_kept().await;
    scene.gateway.set(Way::Down);
    let owed = scene.revoked("bob@example.com").await;
    trouble(&bridge, "gateway", "answers 503").await;
    bridge.kill().await;
    let meanwhile = scene.revoked("carol@example.com").await;
    scene.gateway.set(Way::Open);

    let bridge = scene.bridge().await;
    scene.ends(&owed).await;
    scene.ends(&meanwhile).await;
    scene.is_kept().await;
    bridge.kill().await;
    let bridge = scene.bridge().await;
    let last = scene.revoked("dave@example.com").await;
    scene.ends(&last).await;

    let calls: Vec<usize> = [&noted, &owed, &meanwhile, &last].map(|jti| scene.gateway.calls_of(jti).len()).into();
    assert_eq!(calls, [1, 1, 1, 1]);
    assert!(bridge.stop().await.contains("the feed is followed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_carries_everything_in_the_end() {
    let scene = Scene::set().await;
    let mut revoked = Vec::new();
    for round in 0..6 {
        for _ in 0..15 {
            revoked.push(scene.revoked("alice@example.com").await);
        }
        let bridge = scene.start(&scene.outpost()).await;
        // Each round it is killed a little later, between any two of its steps.
        let told = scene.gateway.calls().len();
        let is_further = async || (scene.gateway.calls().len() >= told + round * 2).then_some(());
        until("it has carried some", is_further).await;
        bridge.kill().await;
    }

    let _bridge = scene.bridge().await;

    for jti in &revoked {
        scene.ends(jti).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_position_file_everything_in_force_is_told_at_each_start() {
    let scene = Scene::set().await;
    let jti = scene.revoked("alice@example.com").await;
    let site = scene.outpost().without("CATALOG_POSITION_FILE");
    for told in 1..=2 {
        let bridge = scene.start(&site).await;
        figure_becomes(&bridge, "catalog_bridge_owed{to=\"gateway\"}", 0.0).await;
        until("it is told", async || (scene.gateway.calls_of(&jti).len() == told).then_some(())).await;
        bridge.stop().await;
    }

    let answers: Vec<u16> = scene.gateway.calls_of(&jti).iter().map(|call| call.status).collect();
    assert_eq!(answers, [200, 401], "that it was ended before is no failure");
    assert!(!scene.file().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_catalog_killed_and_the_way_to_it_cut_it_goes_on_by_itself() {
    let scene = Scene::set().await;
    let proxy = Proxy::before(scene.server.client.address().parse().unwrap()).await;
    let (url, gateway) = (format!("http://{}", proxy.address), scene.gateway.url());
    let arguments = ["bridge", "contextforge", "--listen", "127.0.0.1:0", "--url", &url, "--gateway", &gateway];
    let bridge = Server::start(scene.outpost().command(&arguments)).await;
    ready(&bridge).await;

    for way in [proxy::Way::Cut, proxy::Way::Dead] {
        proxy.set(way);
        let jti = scene.revoked("alice@example.com").await;
        until("it is not ready", async || (bridge.client.get("/readyz", "").await.status == 503).then_some(())).await;
        assert!(scene.gateway.calls_of(&jti).is_empty(), "{way:?}");
        proxy.set(proxy::Way::Open);
        scene.ends(&jti).await;
        ready(&bridge).await;
    }
    let Scene { site, server, admin, gateway, .. } = scene;
    let address = server.client.address().to_owned();
    server.kill().await;
    until("it is not ready", async || (bridge.client.get("/readyz", "").await.status == 503).then_some(())).await;
    let server = Server::start(site.command(&["serve", "--listen", &address])).await;
    let jti = issue(&server.client, &admin, "bob@example.com").await;
    revoke(&server.client, &admin, &jti).await;
    until("the gateway refuses it", async || gateway.has_ended(&jti).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_log_that_was_restored_from_a_backup_everything_in_force_is_told_again() {
    let database = TestDatabase::migrated().await;
    let scene = Scene::at(Site::on(&database.url())).await;
    let bridge = scene.bridge().await;
    let kept = scene.revoked("alice@example.com").await;
    scene.ends(&kept).await;
    scene.is_kept().await;
    let address = scene.server.client.address().to_owned();
    let Scene { site, server, admin, gateway, .. } = scene;
    server.kill().await;
    let backup = database.copy().await;
    let server = Server::start(site.command(&["serve", "--listen", &address])).await;
    let lost = issue(&server.client, &admin, "bob@example.com").await;
    revoke(&server.client, &admin, &lost).await;
    until("the gateway refuses it", async || gateway.has_ended(&lost).then_some(())).await;
    let told = gateway.calls_of(&kept).len();
    server.kill().await;

    let restored = site.with("CATALOG_DATABASE_URL", &backup.url());
    let server = Server::start(restored.command(&["serve", "--listen", &address])).await;

    until("what is in force is told again", async || (gateway.calls_of(&kept).len() > told).then_some(())).await;
    let new = issue(&server.client, &admin, "carol@example.com").await;
    revoke(&server.client, &admin, &new).await;
    until("the gateway refuses it", async || gateway.has_ended(&new).then_some(())).await;
    ready(&bridge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_the_gateway_does_not_let_in_holds_up_nobody_and_is_carried_once_it_does() {
    let scene = Scene::set().await;
    let bridge = scene.bridge().await;
    scene.gateway.forget(Some("alice@example.com"));
    let (unknown, other) = (scene.revoked("alice@example.com").await, scene.revoked("bob@example.com").await);

    scene.ends(&other).await;
    until("it was refused", async || (!scene.gateway.calls_of(&unknown).is_empty()).then_some(())).await;
    figure_becomes(&bridge, "catalog_bridge_owed{to=\"gateway\"}", 1.0).await;
    scene.gateway.forget(None);

    scene.ends(&unknown).await;
    figure_becomes(&bridge, "catalog_bridge_owed{to=\"gateway\"}", 0.0).await;
    assert_eq!(scene.couriers().await.len(), 2, "the courier that was refused was carried again");
}
