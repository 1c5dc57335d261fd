//! What an edge makes of its settings, and what it says where they are wrong.

use std::{
    fs::{Permissions, create_dir, set_permissions, write},
    os::unix::fs::PermissionsExt,
};

use serde_json::json;

use super::{Scene, becomes, introspect, passes, write_private};
use crate::support::{
    Site,
    process::{Server, until},
};

const SECRET: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_secret_is_the_edges_own_setting_and_without_it_nobody_can_tell() {
    for derived in [false, true] {
        let mut site = Site::new().await.with("JWT_SECRET_KEY", SECRET);
        if derived {
            site = site.with("DERIVE_KEY_PER_ENVIRONMENT", "true").with("ENVIRONMENT", "staging");
        }
        let scene = Scene::at(site).await;
        let token = scene.issue("alice@example.com").await;
        let url = &scene.server.client.url;

        let knowing = scene.edge().await;
        assert_eq!(passes(&knowing, &token).await, 200);
        let file = scene.site.data().join("shared.secret");
        write_private(&file, &format!("{SECRET}\n"));
        let by_file = scene.outpost().without("JWT_SECRET_KEY");
        let by_file = by_file.edge_of(url, &["--shared-secret-file", file.to_str().unwrap()]).await;
        assert_eq!(passes(&by_file, &token).await, 200);
        let unknowing = scene.outpost().without("JWT_SECRET_KEY");
        for outpost in [unknowing.with("JWT_SECRET_KEY", &SECRET.to_lowercase()), unknowing] {
            let edge = outpost.edge_of(url, &[]).await;
            for _ in 0..3 {
                assert_eq!(passes(&edge, &token).await, 503);
                assert_eq!(edge.client.get("/authorize", "nonsense").await.status, 401);
            }
            let said = edge.stop().await;
            assert_eq!(
                said.matches("a token of HS256 names a shared secret that is not known here").count(),
                1,
                "{said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_takes_another_issuer_than_its_catalog_has_is_not_ready_and_says_why() {
    let scene = Scene::set().await;
    let token = scene.issue("alice@example.com").await;
    let url = &scene.server.client.url;
    let arguments = ["edge", "--listen", "127.0.0.1:0", "--url", url, "--issuer", "http://wrong.example"];

    let edge = Server::start(scene.outpost().without("CATALOG_ISSUER").command(&arguments)).await;

    let ready = until("it has heard of both", async || {
        let ready = edge.client.get("/readyz", "").await;
        (ready.json()["checks"] == json!({ "feed": true, "issuer": false })).then_some(ready)
    })
    .await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &json!("not ready")));
    for _ in 0..3 {
        assert_eq!(passes(&edge, &token).await, 401);
    }
    let said = edge.stop().await;
    for told in [
        "the catalog has another issuer than this edge takes",
        "the catalog's own key signed a token that names another issuer than is taken here",
    ] {
        assert_eq!(said.matches(told).count(), 1, "{told}: {said}");
    }
    assert!(said.contains(super::ISSUER) && said.contains("http://wrong.example"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_secret_is_rotated_goes_on_with_what_is_in_its_file_by_then() {
    let scene = Scene::set().await;
    let file = scene.site.data().join("edge.secret");
    write_private(&file, &scene.secret);
    let outpost = scene.outpost().without("CATALOG_CLIENT_SECRET");
    let edge = outpost.edge_of(&scene.server.client.url, &["--client-secret-file", file.to_str().unwrap()]).await;

    let secret = scene.site.cli(&["clients", "rotate", "edge"]).good();
    let token = scene.issue("alice@example.com").await;
    becomes(&edge, &token, 503).await;
    write_private(&file, &secret);

    becomes(&edge, &token, 200).await;
    let is_ready = async || (edge.client.get("/readyz", "").await.status == 200).then_some(());
    until("it is ready again", is_ready).await;
    assert_eq!(introspect(&edge.client, &secret, &token.text).await.json()["active"], true);
    assert_eq!(introspect(&edge.client, &scene.secret, &token.text).await.status, 401, "it is the edge's no more");
    let said = edge.stop().await;
    assert!(said.contains("(401): it does not know it, or it is over"), "{said}");
    assert!(!said.contains("tokens.check") && !said.contains("cause=\"\""), "{said}");
    assert!(!said.contains(&secret), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_told_too_little_or_what_cannot_be_does_not_start() {
    let scene = Scene::set().await;
    let site = scene.site.without("CATALOG_DATABASE_URL");
    let (named, empty) = (site.with("CATALOG_CLIENT", "edge"), scene.site.data().join("empty"));
    write_private(&empty, "\n");
    let exposed = scene.site.data().join("exposed");
    write(&exposed, SECRET).unwrap();
    set_permissions(&exposed, Permissions::from_mode(0o644)).unwrap();
    let open = scene.site.data().join("open");
    create_dir(&open).unwrap();
    set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let secretive = named.with("CATALOG_CLIENT_SECRET", "hush-hush");
    let (empty, exposed) = (empty.to_str().unwrap(), exposed.to_str().unwrap());
    let (open, in_open) = (open.to_str().unwrap(), open.join("edge.snapshot"));

    for (site, flags, told) in [
        (&site, &[][..], "there is no credential to ask the catalog with"),
        (&named, &[], "there is no credential to ask the catalog with"),
        (&named, &["--client-secret-file", "/nowhere"], "the secret in /nowhere cannot be read"),
        (&named, &["--client-secret-file", empty], "there is no secret in the first line of"),
        (&named, &["--client-secret-file", exposed], "is open to others (mode 0644, at most 0640 is taken)"),
        (&secretive, &["--shared-secret-file", exposed], "is open to others (mode 0644, at most 0640 is taken)"),
        (&secretive, &["--url", "http://catalog.example.com"], "is not the address of a catalog"),
        (&secretive, &["--max-staleness", "1ms"], "1ms"),
        (&secretive, &["--trusted-proxies", "nginx"], "nginx"),
        (&secretive, &["--snapshot", "/nowhere/edge.snapshot"], "no snapshot can be kept in '/nowhere'"),
        (&secretive, &["--snapshot", open], "no snapshot can be kept in"),
        (&secretive, &["--snapshot", in_open.to_str().unwrap()], "where everybody may write (mode 0777)"),
        (&secretive.with("JWT_SECRET_KEY", "short"), &[], "the shared secret is refused"),
    ] {
        let arguments: Vec<&str> = ["edge"].iter().chain(flags).copied().collect();
        let done = site.cli(&arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains(told) && !done.stderr.contains("hush-hush"), "{told}: {}", done.stderr);
        assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
    }
}
