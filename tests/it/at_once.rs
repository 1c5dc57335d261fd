//! Revocations that the memory of a server can decide: nothing is read for them, and they are recorded like any other.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Row};
use uuid::Uuid;

use crate::support::{
    Site, TestDatabase, World,
    process::{Client, answered, until},
    world::{Reply, plain},
};
use catalog::domain::Token;

async fn issue(client: &Client, admin: &str) -> (String, String) {
    let issued = client.post("/tokens", admin, json!({ "sub": "alice@example.com" })).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&issued["token"]["jti"]), text(&issued["access_token"]))
}

async fn ask(client: &Client, admin: &str, jti: &str, key: Option<&str>) -> Reply {
    let request = client.request("DELETE", &format!("/tokens/{jti}")).bearer_auth(admin);
    let request = request.json(&json!({ "reason": "superseded", "note": "no more" }));
    answered(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await.unwrap()
}

async fn revoke(client: &Client, admin: &str, jti: &str, key: Option<&str>) -> String {
    let reply = ask(client, admin, jti, key).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    reply.header("catalog-position").to_owned()
}

/// What the log and the listing say of a token, without what each has for itself.
async fn told(client: &Client, admin: &str, jti: &str) -> Value {
    let mut events = client.get(&format!("/tokens/{jti}/events"), admin).await.json();
    let mut revoked = events["events"].as_array_mut().unwrap().remove(1);
    for own in ["jti", "position", "recorded_at", "request_id", "occurred_at", "digest"] {
        revoked.as_object_mut().unwrap().remove(own);
    }
    revoked["data"].as_object_mut().unwrap().remove("jti");
    revoked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_nothing_is_read_for_is_recorded_like_one_that_all_is_read_for() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    let (read_for, text_read_for) = issue(client, &admin).await;
    revoke(client, &admin, &read_for, Some("looked-for")).await;
    // Where the machine is held up for a tenth of a second, what the database's clock says is not known well enough.
    let (at_once, text_at_once, position) = until("nothing is read", async || {
        let (jti, text) = issue(client, &admin).await;
        database.tamper("revoke select on catalog.tokens from catalog_writer").await;
        let reply = ask(client, &admin, &jti, None).await;
        database.tamper("grant select on catalog.tokens to catalog_writer").await;
        (reply.status == 204).then(|| (jti, text, reply.header("catalog-position").to_owned()))
    })
    .await;

    assert_eq!(told(client, &admin, &at_once).await, told(client, &admin, &read_for).await);
    for text in [text_read_for, text_at_once] {
        assert!(!client.is_active(&text, &admin).await);
    }
    assert_eq!(revoke(client, &admin, &at_once, None).await, position, "the same again");
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_appended_meanwhile_is_not_decided_past() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let (here, there) = (site.serve().await, site.serve().await);

    for _ in 0..20 {
        let (jti, _) = issue(&here.client, &admin).await;
        issue(&here.client, &admin).await;
        let position = revoke(&there.client, &admin, &jti, None).await;
        // This server need not have heard of it.
        assert_eq!(revoke(&here.client, &admin, &jti, None).await, position);
    }
    site.cli(&["audit", "verify"]).good();
}

/// Whether the statement records a revocation as of so many seconds from what the database's clock shows.
async fn is_recorded_at_once(world: &World, issued: &Token, seconds: f64) -> bool {
    let mut connection = world.database.superuser().connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("set local search_path = catalog").execute(&mut *transaction).await.unwrap();
    let head = "select position, digest, log_id, clock_timestamp() + make_interval(secs => $1) as at from log_head";
    let head = sqlx::query(head).bind(seconds).fetch_one(&mut *transaction).await.unwrap();
    let (position, digest): (i64, Vec<u8>) = (head.get("position"), head.get("digest"));
    let (log_id, at): (Uuid, DateTime<Utc>) = (head.get("log_id"), head.get("at"));
    let recorded = sqlx::query(include_str!("../../src/store/revoke_at_once.sql"))
        .bind(position + 1)
        .bind(&[1_u8; 32][..])
        .bind(at)
        .bind(position)
        .bind(digest)
        .bind("token.revoked.v1")
        .bind(issued.jti)
        .bind("api")
        .bind("a request")
        .bind(&b"{}"[..])
        .bind(&b"{}"[..])
        .bind(&[2_u8; 16][..])
        .bind(&[3_u8; 32][..])
        .bind(issued.issued.0)
        .bind(at)
        .bind("unspecified")
        .bind(None::<String>)
        .bind("root@example.com")
        .bind(log_id)
        .fetch_optional(&mut *transaction)
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    recorded.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_recorded_at_once_only_as_of_the_time_that_the_databases_clock_shows() {
    let world = World::new().await;
    let issued = world.issue_dev(plain("alice@example.com")).await.token;
    for seconds in [-3_600.0, -5.0, 5.0, 3_600.0] {
        assert!(!is_recorded_at_once(&world, &issued, seconds).await, "{seconds}");
    }
    // Where the machine is held up for a tenth of a second between two statements, it comes too late.
    until("it is in time", async || is_recorded_at_once(&world, &issued, 0.0).await.then_some(())).await;
}
