//! A database whose disk is full: nothing is recorded, checks go on, and people are told what the matter is.

use serde_json::json;

use crate::support::{Site, TestDatabase};

/// What PostgreSQL answers then, word for word; a disk of its own to fill would take a privileged mount.
const FULL: &str = "create function disk_full() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file \"base/16384/16385\": No space left on device' using errcode = 'disk_full'; end $$;
    create trigger disk_full before insert on events execute function disk_full();";
const ROOM_AGAIN: &str = "drop trigger disk_full on events";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_by_name_costs_no_check_and_passes() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    let admin = site.admin();
    let server = site.serve().await;
    let client = &server.client;
    database.tamper(FULL).await;

    let refused = client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;
    let shell = site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).bad(2);
    let is_active = client.is_active(&admin, &admin).await;
    let events = client.events(0, &admin).await.len();
    database.tamper(ROOM_AGAIN).await;
    let afterwards = client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;

    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (503, &json!("unavailable")), "{refused:?}");
    assert_eq!(afterwards.json()["position"], events + 1, "{afterwards:?}");
    assert!(is_active);
    let said = server.stop().await;
    for told in [&said, &shell] {
        assert!(told.contains("the disk of the database is full: "), "{told}");
        assert!(told.contains("No space left on device") && !told.contains("cannot be reached"), "{told}");
    }
    assert!(shell.contains("hint: make room where PostgreSQL keeps its data"), "{shell}");
}
