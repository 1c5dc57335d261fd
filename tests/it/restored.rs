//! A log that is replaced by a backup of it while a server runs: what holds is what the log says that is there now.

use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use crate::support::{
    Site, TestDatabase,
    process::{Server, until},
};

/// The secret of a new client that may ask about tokens.
fn client(site: &Site, name: &str) -> String {
    site.cli(&["clients", "add", name, "--permissions", "tokens.check"]).good().trim_end().to_owned()
}

/// How the server answers a client that asks about a token.
async fn asked_by(server: &Server, name: &str, secret: &str) -> u16 {
    let form = [("token", "eyJ.of.nobody")];
    let request = server.client.request("POST", "/introspect").basic_auth(name, Some(secret)).form(&form);
    request.send().await.unwrap().status().as_u16()
}

/// Puts a backup in the place of a database that is in use.
async fn restore(database: &TestDatabase, backup: &TestDatabase) {
    let mut superuser = database.superuser().database("postgres").connect().await.unwrap();
    let [here, there] = [&database.name, &backup.name];
    superuser.execute(AssertSqlSafe(format!("alter database {here} allow_connections false"))).await.unwrap();
    until("nobody uses the database any more", async || {
        // Whoever was about to connect is there only now.
        let end =
            format!("select pg_terminate_backend(pid) from pg_stat_activity where datname in ('{here}', '{there}')");
        superuser.execute(AssertSqlSafe(end)).await.unwrap();
        let rename = AssertSqlSafe(format!("alter database {here} rename to {here}_lost"));
        superuser.execute(rename).await.ok()
    })
    .await;
    superuser.execute(AssertSqlSafe(format!("alter database {there} rename to {here}"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_follows_the_settings_of_a_log_that_was_restored_under_it() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let kept = client(&site, "kept");
    let backup = database.copy().await;
    // Both logs have settings at the same positions afterwards, and the lost one more of them.
    let lost = client(&site, "lost");
    let also_lost = client(&site, "also-lost");
    let server = site.serve().await;
    for (name, secret) in [("kept", &kept), ("lost", &lost), ("also-lost", &also_lost)] {
        assert_eq!(asked_by(&server, name, secret).await, 200, "{name}");
    }

    restore(&database, &backup).await;

    until("the client that the log never had is refused", async || {
        (asked_by(&server, "lost", &lost).await == 401).then_some(())
    })
    .await;
    assert_eq!(asked_by(&server, "kept", &kept).await, 200);
    let added = client(&site, "added");
    until("a client that is added to it is known", async || {
        (asked_by(&server, "added", &added).await == 200).then_some(())
    })
    .await;
    assert_eq!(asked_by(&server, "also-lost", &also_lost).await, 401);
    site.cli(&["clients", "revoke", "kept"]).good();
    until("a client that is revoked in it is refused", async || {
        (asked_by(&server, "kept", &kept).await == 401).then_some(())
    })
    .await;
    let admin = site.admin();
    let issued = server.client.post("/tokens", &admin, json!({ "sub": "alice@example.com" })).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    site.cli(&["audit", "verify"]).good();
}
