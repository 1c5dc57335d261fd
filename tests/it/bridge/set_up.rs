//! What is set up wrongly is said at once, where nothing but the setting can change it; else for as long as it is so.

use std::fs;

use super::{SECRET, Scene, contextforge::ContextForge, contextforge::Way, place, ready, trouble};
use crate::support::{
    Site,
    process::{Server, until},
};

/// A bridge that can do nothing, as it is told.
fn refused(site: &Site, arguments: &[&str]) -> String {
    let words = ["bridge", "contextforge", "--listen", "127.0.0.1:0"].iter().chain(arguments).copied();
    site.cli(&words.collect::<Vec<_>>()).bad(2)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_another_setting_can_help_ends_it_with_2() {
    let site = Site::new().await.without("CATALOG_DATABASE_URL").with("CATALOG_CLIENT_SECRET", "hush-hush");
    let file = site.data().join("bridge.position");
    let (file, gateway) = (file.to_str().unwrap(), "http://127.0.0.1:4444");
    let with_client = ["--client", "bridge", "--gateway", gateway];

    assert!(refused(&site, &["--client", "bridge"]).contains("there is no gateway"));
    assert!(refused(&site, &["--gateway", gateway]).contains("there is no credential"));
    let anywhere = site.with("CATALOG_GATEWAY", "http://gateway.example.com");
    assert!(refused(&anywhere, &["--client", "bridge"]).contains("https, or http on this machine"));
    let overheard = refused(&site.with("CATALOG_URL", "http://tokens.example.com"), &with_client);
    assert!(overheard.contains("is not the address of a catalog"), "{overheard}");
    for (redis, words) in
        [("redis://:hush-hush@127.0.0.1:nowhere", "the Redis"), ("http://:hush-hush@h", "a Redis such as")]
    {
        let said = refused(&site.with("CATALOG_REDIS_URL", redis), &with_client);
        assert!(said.contains(words) && !said.contains("hush"), "{said}");
    }
    let at = |file: &str| refused(&site, &[&with_client[..], &["--position-file", file]].concat());
    assert!(at("/proc/none/bridge.position").contains("cannot be"));
    for text in ["", "{}", "{\"version\": 1", "12"] {
        fs::write(file, text).unwrap();
        let said = at(file);
        assert!(said.contains("is no position file of a bridge") && said.contains("hint: "), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_file_is_of_one_gateway() {
    let scene = Scene::set().await;
    let bridge = scene.bridge().await;
    let jti = scene.revoked("alice@example.com").await;
    scene.ends(&jti).await;
    scene.is_kept().await;
    bridge.stop().await;
    let other = ContextForge::start(SECRET).await;

    let said = refused(&scene.outpost(), &["--url", &scene.server.client.url, "--gateway", &other.url()]);

    assert!(said.contains(&format!("says what {}/ was told, not {}/", scene.gateway.url(), other.url())), "{said}");
    assert!(other.calls().is_empty() && place(&scene.file())["gateway"] == format!("{}/", scene.gateway.url()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_can_put_right_is_told_for_as_long_as_it_is_wrong() {
    let scene = Scene::set().await;
    for (way, words) in [
        (Way::Elsewhere, "answers 404 Not Found to POST /auth/logout: there is no ContextForge"),
        (Way::Obliging, "without a credential is no refusal: there is no ContextForge"),
        (Way::Down, "answers 503"),
    ] {
        scene.gateway.set(way);
        let bridge = scene.start(&scene.outpost()).await;
        trouble(&bridge, "gateway", words).await;
        scene.gateway.set(Way::Open);
        ready(&bridge).await;
        assert!(bridge.stop().await.contains(words));
    }
    let jti = scene.revoked("alice@example.com").await;
    scene.gateway.set(Way::Obliging);
    let bridge = scene.start(&scene.outpost()).await;
    trouble(&bridge, "gateway", "there is no ContextForge").await;
    scene.gateway.set(Way::Open);
    scene.ends(&jti).await;
    ready(&bridge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_refused_or_may_not_have_couriers_is_told() {
    let scene = Scene::set().await;
    let bridge = scene.start(&scene.outpost().with("CATALOG_CLIENT_SECRET", "wrong-wrong-wrong")).await;
    trouble(&bridge, "feed", "refuses the credential (401 Unauthorized)").await;
    assert!(bridge.stop().await.contains("tokens.check and tokens.courier"));
    let secret = scene.site.cli(&["clients", "add", "reader", "--permissions", "tokens.check"]).good();
    let reader = scene.outpost().with("CATALOG_CLIENT", "reader").with("CATALOG_CLIENT_SECRET", &secret);
    let bridge = scene.start(&reader).await;
    ready(&bridge).await;

    let jti = scene.revoked("alice@example.com").await;

    trouble(&bridge, "couriers", "403 Forbidden): it needs tokens.courier").await;
    bridge.stop().await;
    assert!(scene.gateway.calls().is_empty());
    let _bridge = scene.bridge().await;
    scene.ends(&jti).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_another_secret_is_told_of_as_such_and_nothing_counts_as_told() {
    let scene = Scene::set().await;
    let gateway = ContextForge::start("another-secret-another-secret-an").await;
    let scene = Scene { gateway, ..scene };
    let bridge = scene.bridge().await;

    let jti = scene.revoked("alice@example.com").await;

    trouble(&bridge, "gateway", "refuses the catalog's couriers (401 Unauthorized)").await;
    assert!(scene.gateway.calls_of(&jti).is_empty());
    let before = place(&scene.file())["position"].as_i64();
    bridge.stop().await;
    assert!(place(&scene.file())["position"].as_i64() >= before);
    let head = scene.server.client.events(0, &scene.admin).await;
    let revoked = head.iter().find(|event| event["kind"] == "token.revoked.v1").unwrap()["position"].as_i64();
    assert!(place(&scene.file())["position"].as_i64() < revoked, "it is owed still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_tells_of_itself_from_its_first_moment_and_ends_when_it_is_asked_to() {
    let scene = Scene::set().await;
    let (url, gateway) = ("http://127.0.0.1:1", scene.gateway.url());
    let arguments = ["bridge", "contextforge", "--listen", "127.0.0.1:0", "--url", url, "--gateway", &gateway];
    let bridge = Server::start(scene.outpost().command(&arguments)).await;

    trouble(&bridge, "feed", "cannot be reached").await;
    assert_eq!(bridge.client.get("/healthz", "").await.status, 200);
    assert_eq!(bridge.client.get("/nothing", "").await.status, 404);
    let looks = async || {
        let checks = bridge.client.get("/readyz", "").await.json()["checks"].clone();
        (checks["gateway"] == true && checks["feed"] == false && checks["redis"].is_null()).then_some(())
    };
    until("the gateway was looked at", looks).await;
    assert!(!scene.file().exists(), "nothing is known of any position");
    bridge.stop().await;
}
