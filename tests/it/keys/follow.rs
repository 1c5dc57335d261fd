//! Running servers follow the keys: what they publish, verify and sign with, and what they say when a half is missing.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use axum::{body::Body, http::Request};
use catalog::domain::key::Algorithm;
use catalog::domain::key_life::ActivateKey;
use catalog::{
    app::Requester,
    domain::{Authority, Path, key::JWKS_MAX_AGE_SECONDS, text::Kid},
};
use serde_json::{Value, json};

use super::{active, retire};
use crate::support::{
    Site, World,
    process::{Server, until, until_true},
    world::{plain, shell},
};

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7517_the_set_is_cached_by_a_strong_tag_and_for_as_long_as_a_new_key_waits() {
    let world = World::new().await;
    let ask = async |tag: &str| {
        let request = Request::get("/.well-known/jwks.json").header("if-none-match", tag);
        world.raw(request.body(Body::empty()).unwrap()).await
    };

    let first = world.get("/.well-known/jwks.json", "").await;
    let tag = first.header("etag").to_owned();
    let same = ask(&tag).await;
    world.add_key(Algorithm::EdDsa, false).await;
    world.catalog.follow_settings().await.unwrap();
    let other = ask(&tag).await;

    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    assert_eq!(first.header("content-type"), "application/jwk-set+json");
    assert_eq!((same.status.as_u16(), same.text.as_str(), same.header("etag")), (304, "", tag.as_str()));
    assert_eq!(other.status, 200);
    assert_ne!(other.header("etag"), tag);
    for reply in [&first, &same, &other] {
        assert_eq!(reply.header("cache-control"), format!("public, max-age={JWKS_MAX_AGE_SECONDS}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7517_no_private_member_is_ever_published_and_no_key_that_is_put_away() {
    let world = World::new().await;
    let old = active(&world);
    for alg in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let kid = world.add_key(alg, false).await;
        world.catalog.activate_key(ActivateKey { kid, early: true }, shell(Path::CliAdmin)).await.unwrap();
    }
    world.add_key(Algorithm::EdDsa, true).await;
    retire(&world, &old).await.unwrap();
    world.catalog.follow_settings().await.unwrap();

    let set = world.get("/.well-known/jwks.json", "").await.json();

    let keys = set["keys"].as_array().unwrap();
    let algorithms: Vec<&Value> = keys.iter().map(|key| &key["alg"]).collect();
    assert_eq!(algorithms, ["ES256", "RS256", "EdDSA"]);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(key.get(private), None, "{key}");
        }
        assert_eq!(key["use"], json!("sig"));
        let kid: Kid = key["kid"].as_str().unwrap().parse().unwrap();
        let public = serde_json::from_value(public_part(key)).unwrap();
        assert_eq!(catalog::signing::thumbprint(&public).unwrap(), kid, "RFC 7638 names it");
    }
}

fn public_part(key: &Value) -> Value {
    let mut key = key.clone();
    for member in ["use", "alg", "kid"] {
        key.as_object_mut().unwrap().remove(member);
    }
    key
}

/// A second server on the same log with a keys directory of its own, in which there is the first key alone.
struct Two {
    home: Site,
    away: Site,
    admin: String,
    here: Server,
    there: Server,
}

impl Two {
    async fn new() -> Self {
        let home = Site::new().await;
        let admin = home.admin();
        let away = Site::on(home.setting("CATALOG_DATABASE_URL"));
        let kid = active_of(&home);
        let two = |site: &Site| site.data().join("keys");
        fs::create_dir(two(&away)).unwrap();
        fs::set_permissions(two(&away), fs::Permissions::from_mode(0o700)).unwrap();
        fs::copy(key_file(&home, &kid), key_file(&away, &kid)).unwrap();
        let (here, there) = (home.serve().await, away.serve().await);
        Self { home, away, admin, here, there }
    }

    /// Adds a key at home and has it sign.
    fn rotate(&self) -> String {
        let kid = self.home.cli(&["keys", "add"]).good();
        self.home.cli(&["keys", "activate", "--now", &kid]).good();
        kid
    }
}

fn active_of(site: &Site) -> String {
    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    let signs = listed.as_array().unwrap().iter().find(|key| key["active"] == json!(true)).unwrap();
    signs["kid"].as_str().unwrap().to_owned()
}

fn key_file(site: &Site, kid: &str) -> PathBuf {
    site.data().join(format!("keys/{kid}.pem"))
}

async fn is_ready(server: &Server) -> bool {
    server.client.get("/readyz", "").await.json()["checks"]["signing_key"] == json!(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_new_private_half_issues_nothing_checks_on_and_takes_the_file_when_it_comes() {
    let two = Two::new().await;
    let old = two.here.client.post("/tokens", &two.admin, json!({"sub": "alice@example.com"})).await.json();
    let kid = two.rotate();

    until("the second server is not ready", async || (!is_ready(&two.there).await).then_some(())).await;
    let refused = two.there.client.post("/tokens", &two.admin, json!({"sub": "alice@example.com"})).await;
    let new = until("the first server signs with it", async || {
        let issued = two.here.client.post("/tokens", &two.admin, json!({"sub": "alice@example.com"})).await.json();
        (issued["token"]["kid"] == json!(kid)).then_some(issued)
    })
    .await;

    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (503, &json!("key_not_here")));
    assert!(two.there.said().contains("the signing key is not here: nothing is issued"), "{}", two.there.said());
    for issued in [&old, &new] {
        let token = issued["access_token"].as_str().unwrap();
        assert!(two.there.client.is_active(token, &two.admin).await, "checks go on");
    }

    fs::copy(key_file(&two.home, &kid), key_file(&two.away, &kid)).unwrap();
    until("the second server takes the file", async || is_ready(&two.there).await.then_some(())).await;
    let issued = two.there.client.post("/tokens", &two.admin, json!({"sub": "alice@example.com"})).await;
    assert_eq!((issued.status.as_u16(), &issued.json()["token"]["kid"]), (201, &json!(kid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_half_that_cannot_be_used_is_told_and_keeps_nobody_from_checking() {
    let two = Two::new().await;
    let first = active_of(&two.home);
    let kid = two.home.cli(&["keys", "add"]).good();
    fs::write(key_file(&two.away, &kid), "not a key").unwrap();
    fs::set_permissions(key_file(&two.away, &kid), fs::Permissions::from_mode(0o600)).unwrap();
    two.home.cli(&["keys", "activate", "--now", &kid]).good();

    until("the second server is not ready", async || (!is_ready(&two.there).await).then_some(())).await;
    let broken = format!("{kid}.pem' holds no PEM block with such a key");
    until_true("the second server says why", || two.there.said().contains(&broken)).await;
    assert!(two.there.client.is_active(&two.admin, &two.admin).await);
    let again = two.away.serve().await;
    assert!(again.said().contains(&broken), "{}", again.said());
    let told = format!("warning: the signing key {kid} cannot be used: key file '");
    assert!(again.said().contains(&told), "{}", again.said());
    assert!(again.said().contains("this server lists, revokes and checks, and issues nothing"), "{}", again.said());
    fs::remove_file(key_file(&two.away, &kid)).unwrap();
    let without = two.away.serve().await;
    let told = format!("warning: the signing key {kid} is not here: this server lists, revokes and checks");
    assert!(without.said().contains(&told), "{}", without.said());
    assert!(again.client.is_active(&two.admin, &two.admin).await);

    let public = fs::read_to_string(key_file(&two.home, &kid)).unwrap();
    fs::write(key_file(&two.away, &kid), public).unwrap();
    fs::set_permissions(key_file(&two.away, &first), fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = two.away.cli(&["issue", "--dev", "--sub", "a"]).bad(2);
    assert!(exposed.contains("is open to others (mode 0644"), "{exposed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_key_still_in_a_file_is_told_and_signs_nothing() {
    let site = Site::new().await;
    let server = site.serve().await;
    let old = active_of(&site);
    let new = site.cli(&["keys", "add"]).good();
    site.cli(&["keys", "activate", "--now", &new]).good();
    site.cli(&["keys", "retire", &old]).good();

    let told = format!("private halves of keys that sign no more are still here, delete them: {old} (retired)");
    until_true("the server says so", || server.said().contains(&told)).await;
    let published = until("the server publishes it no more", async || {
        let set = server.client.get("/.well-known/jwks.json", "").await.json();
        let keys = set["keys"].as_array().unwrap().clone();
        (keys.len() == 1).then_some(keys)
    })
    .await;
    assert_eq!(published[0]["kid"], json!(new));
    let again = site.cli(&["keys", "activate", "--now", &old]).bad(1);
    assert!(again.contains(&told) && again.contains("was retired, and signs no more"), "{again}");
    let next = site.cli(&["keys", "add"]).good();
    site.cli(&["keys", "compromise", &new, "--activate", &next, "--yes"]).good();
    let both = format!("{told}, {new} (compromised)");
    assert_eq!(site.cli(&["keys", "retire", &old]).stderr.matches("private hal").count(), 1);
    assert!(site.cli(&["keys", "retire", &old]).stderr.contains(&both));
    assert!(site.serve().await.said().contains(&both));
    assert_eq!(site.cli(&["issue", "--dev", "--sub", "a"]).stderr.matches("private hal").count(), 0, "it needs none");
}

/// Whoever follows first must not leave the others refused.
#[tokio::test(flavor = "multi_thread")]
async fn many_that_issue_while_the_key_changes_are_all_served() {
    let world = World::new().await;
    let another = world.another_process().await;
    for _ in 0..3 {
        let kid = world.add_key(Algorithm::EdDsa, false).await;
        world.catalog.activate_key(ActivateKey { kid: kid.clone(), early: true }, shell(Path::CliAdmin)).await.unwrap();

        let issue = || {
            let catalog = another.catalog.clone();
            tokio::spawn(async move {
                let requester = Requester::new(Authority::of_shell(), shell(Path::CliDev));
                catalog.issue(plain("alice@example.com"), requester).await.unwrap().token.kid
            })
        };
        let kids: Vec<_> = (0..50).map(|_| issue()).collect();

        for signed_by in kids {
            assert_eq!(signed_by.await.unwrap(), kid);
        }
    }
}
