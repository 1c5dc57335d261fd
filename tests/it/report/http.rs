//! `GET /audit/report`: the bytes that the command has, for whoever may read the log.

use chrono::TimeDelta;
use serde_json::json;

use super::Format;
use crate::support::{World, world::plain};

async fn lively() -> (World, String) {
    let world = World::new().await;
    let admin = world
        .caller("root@localhost", |command| {
            command.is_admin = true;
            command.ttl_seconds = Some(86_400);
        })
        .await;
    let alice = world.issue_dev(plain("alice@example.com")).await;
    world.post("/tokens", &admin, json!({"sub": "=1+1", "expires_in": 2_000_000_000})).await;
    world.delete(&format!("/tokens/{}", alice.token.jti), &admin, json!({"note": "left"})).await;
    (world, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_over_http_has_the_bytes_of_the_command_in_every_format() {
    let (world, admin) = lively().await;
    for format in Format::ALL {
        let reply = world.get(&format!("/audit/report?format={format}&from=@2"), &admin).await;

        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.header("content-type"), format.media_type());
        assert_eq!(reply.header("cache-control"), "no-store");
        let file = world.keys().with_file_name(format!("report.{format}"));
        std::fs::write(&file, &reply.text).unwrap();
        let verified = world.site().cli(&["audit", "report", "--verify", file.to_str().unwrap()]).good();
        assert!(verified.starts_with("verified  the log gives the same"), "{verified}");
    }
    let reads: Vec<_> =
        world.events(&admin).await.into_iter().filter(|event| event["kind"] == "audit.read.v1").collect();
    assert_eq!(reads.len(), Format::ALL.len());
    assert_eq!((&reads[1]["data"]["format"], &reads[1]["path"]), (&json!("json"), &json!("api")));
    assert_eq!(reads[1]["actor"]["sub"], "root@localhost");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_is_told_with_its_position_instead_of_half_a_report() {
    let (world, admin) = lively().await;
    let tamper = "alter table events disable trigger all;
                  update events set kind = 'token.minted.v9',
                         body = convert_to(replace(convert_from(body, 'utf8'), kind, 'token.minted.v9'), 'utf8')
                   where position = 4";
    world.database.tamper(tamper).await;

    for path in ["/audit/report", "/audit/report?format=html", "/audit/events"] {
        let reply = world.get(path, &admin).await;

        assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (500, &json!("internal")), "{path}: {reply:?}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("the event at position 4 cannot be read"), "{path}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_of_what_is_asked_for_and_json_unless_another_format_is() {
    let (world, admin) = lively().await;
    world.clock.advance(TimeDelta::hours(2));

    let report = world.get("/audit/report?sub=alice@example.com&from=@5&to=@8&as_of=@7", &admin).await;
    assert_eq!(report.status, 400, "{}", report.text);
    assert!(report.text.contains("the report goes up to @8 and is as of @7"), "{}", report.text);

    let report = world.get("/audit/report?sub=alice@example.com&from=@5&to=@8&as_of=@8", &admin).await.json();
    let scope = &report["scope"];
    assert_eq!((&scope["first"], &scope["last"], &scope["end"]), (&json!(5), &json!(8), &json!(8)));
    assert_eq!((&report["issuance"]["total"], &report["revocations"]["total"]), (&json!(1), &json!(1)));
    assert_eq!(report["out_of_band"]["rows"][0]["status"], "revoked");
    assert_eq!(report["live"]["total"], 0);

    for (query, said) in [
        ("from=yesterday", "from:"),
        ("to=@99999", "@99999 is beyond the end of the log, which goes from @1 to @"),
        ("as_of=2026-03-01T12:00:00", "as_of:"),
        ("as_of=2999-01-01T00:00:00Z", "2999-01-01T00:00:00Z has not come yet: the log goes from @1 to @"),
        ("format=pdf", "format"),
        ("since=@5", "since"),
    ] {
        let reply = world.get(&format!("/audit/report?{query}"), &admin).await;
        assert_eq!((reply.status.as_u16(), reply.text.contains(said)), (400, true), "{query}: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_log_gets_no_report_and_none_is_recorded() {
    let (world, admin) = lively().await;
    let bob = world
        .caller("bob@example.com", |command| command.scopes.permissions = vec!["tokens.read".parse().unwrap()])
        .await;

    let refused = world.get("/audit/report", &bob).await;

    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("permission_missing")));
    assert_eq!(world.get("/audit/report", "nonsense").await.status, 401);
    assert!(world.events(&admin).await.iter().all(|event| event["kind"] != "audit.read.v1"));
}
