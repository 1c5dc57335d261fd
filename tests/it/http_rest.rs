//! The rest of the surface: bulk checks, RFC 7009, whoami, the finer filters.

use axum::{body::Body, http::Request};
use catalog::domain::{claims::Teams, text::Permission};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    World,
    world::{Reply, plain},
};

async fn revoke(world: &World, presented: &str, caller: Option<&str>) -> Reply {
    let mut request = Request::post("/revoke").header("content-type", "application/x-www-form-urlencoded");
    if let Some(caller) = caller {
        request = request.header("authorization", format!("Bearer {caller}"));
    }
    world.raw(request.body(Body::from(format!("token={presented}&token_type_hint=refresh_token"))).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_identifiers_are_checked_at_once_in_their_order() {
    let world = World::new().await;
    let admin = world.admin().await;
    let live = world.issue_dev(plain("a")).await.token.jti;
    let dead = world.issue_dev(plain("a")).await.token.jti;
    world.delete(&format!("/tokens/{dead}"), &admin, Value::Null).await;
    let unknown = uuid::Uuid::from_u128(7);

    let reply = world.post("/revocations/check", &admin, json!({"jtis": [dead, unknown, live, dead]})).await;

    assert_eq!(reply.status, 200);
    let statuses: Vec<Value> =
        reply.json()["results"].as_array().unwrap().iter().map(|result| result["status"].clone()).collect();
    assert_eq!(statuses, ["revoked", "unknown", "active", "revoked"]);
    let most: Vec<_> = (0..1_000).map(uuid::Uuid::from_u128).collect();
    assert_eq!(world.post("/revocations/check", &admin, json!({"jtis": most})).await.status, 200);
    let too_many: Vec<_> = (0..1_001).map(uuid::Uuid::from_u128).collect();
    let refused = world.post("/revocations/check", &admin, json!({"jtis": too_many})).await;
    assert_eq!((refused.status.as_u16(), refused.json()["errors"][0]["pointer"].clone()), (400, json!("#/jtis")));
    let malformed = world.post("/revocations/check", &admin, json!({"jtis": [live, "x"]})).await;
    assert_eq!(malformed.json()["errors"][0]["pointer"], "#/jtis/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_1_the_holder_of_a_token_ends_it_without_another_credential() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.issue_dev(plain("a")).await;

    let first = revoke(&world, issued.signed.expose(), None).await;
    let again = revoke(&world, issued.signed.expose(), None).await;

    assert_eq!((first.status.as_u16(), first.text.as_str()), (200, ""));
    assert_eq!((again.status.as_u16(), again.text.as_str()), (200, ""));
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], false);
    let history = world.get(&format!("/tokens/{}/events", issued.token.jti), &admin).await.json();
    assert_eq!(history["events"].as_array().unwrap().len(), 2);
    assert_eq!(history["events"][1]["actor"]["sub"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_2_unknown_and_other_peoples_tokens_get_the_same_answer_and_stay_as_they_are() {
    let world = World::new().await;
    let admin = world.admin().await;
    let others = world.issue_dev(plain("bob@example.com")).await;
    let alice = world
        .caller("alice@example.com", |c| c.scopes.permissions = vec![Permission::parse("tokens.revoke").unwrap()])
        .await;

    let unknown = revoke(&world, "nonsense", Some(&alice)).await;
    let another = revoke(&world, others.signed.expose(), Some(&alice)).await;

    assert_eq!((unknown.status, unknown.text.clone()), (another.status, another.text));
    assert_eq!(unknown.status, 200);
    assert_eq!(world.introspect(others.signed.expose(), &admin).await.json()["active"], true);
    assert_eq!(revoke(&world, others.signed.expose(), Some(&admin)).await.status, 200);
    assert_eq!(world.introspect(others.signed.expose(), &admin).await.json()["active"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_2_no_header_of_the_answer_tells_whether_there_was_anything_to_revoke() {
    let world = World::new().await;
    let live = world.issue_dev(plain("a")).await;
    let names = |reply: &Reply| {
        reply.headers.keys().map(ToString::to_string).filter(|name| name != "x-request-id").collect::<Vec<_>>()
    };

    let unknown = revoke(&world, "nonsense", None).await;
    let revoked = revoke(&world, live.signed.expose(), None).await;
    let document = world.get("/openapi.json", "").await.json();

    assert_eq!(names(&revoked), names(&unknown));
    assert!(!names(&revoked).contains(&"catalog-position".to_owned()), "a position grows with what was revoked");
    let described = document["paths"]["/revoke"]["post"]["description"].as_str().unwrap();
    assert!(described.contains("no `catalog-position`"), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_1_a_missing_token_is_an_invalid_request_and_a_bad_caller_is_refused() {
    let world = World::new().await;
    let live = world.issue_dev(plain("a")).await;
    let nobody = world.caller("carol@example.com", |_| ()).await;
    let empty = Request::post("/revoke")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("token_type_hint=access_token"))
        .unwrap();

    let missing = world.raw(empty).await;

    assert_eq!((missing.status.as_u16(), missing.json()["error"].clone()), (400, json!("invalid_request")));
    for caller in ["nonsense", &nobody] {
        let refused = revoke(&world, live.signed.expose(), Some(caller)).await;
        assert_eq!((refused.status.as_u16(), refused.json()["error"].clone()), (401, json!("invalid_client")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_end_itself_by_its_identifier_and_nothing_else() {
    let world = World::new().await;
    let own = world.caller("a", |_| ()).await;
    let same_subject = world.issue_dev(plain("a")).await.token.jti;
    let jti = world.get("/whoami", &own).await.json()["credential"]["jti"].as_str().unwrap().to_owned();

    assert_eq!(world.delete(&format!("/tokens/{same_subject}"), &own, Value::Null).await.status, 403);
    assert_eq!(world.delete(&format!("/tokens/{jti}"), &own, Value::Null).await.status, 204);
    assert_eq!(world.get("/whoami", &own).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_tells_the_callers_authority_and_its_credential() {
    let world = World::new().await;
    let admin = world.admin().await;
    let alice = world
        .caller("alice@example.com", |command| {
            command.scopes.permissions = vec![Permission::parse("tokens.read").unwrap()];
            command.teams = Some(Teams::These(vec!["red".parse().unwrap()]));
        })
        .await;

    let root = world.get("/whoami", &admin).await.json();
    let own = world.get("/whoami", &alice).await.json();

    assert_eq!((&root["is_admin"], &root["teams"], &root["permissions"]), (&json!(true), &Value::Null, &Value::Null));
    assert_eq!((&own["sub"], &own["teams"]), (&json!("alice@example.com"), &json!(["red"])));
    assert_eq!(own["permissions"], json!(["tokens.read"]));
    assert_eq!(own["credential"]["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finer_filters_find_what_a_token_reaches_and_when_it_lives() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let issue = async |sub: &str, body: Value| {
        let mut whole = json!({"sub": sub, "expires_in": 600});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        assert_eq!(world.post("/tokens", &admin, whole).await.status, 201);
    };
    issue("reader", json!({"teams": ["red", "blue"], "scopes": {"permissions": ["tools.read"]}})).await;
    issue("wild", json!({"teams": ["green"], "scopes": {"permissions": ["tools.*"]}})).await;
    issue("other", json!({"scopes": {"permissions": ["servers.use"]}})).await;
    world.clock.advance(TimeDelta::seconds(60));
    issue("free", json!({"expires_in": 60})).await;

    for (query, expected) in [
        ("team=red", vec!["reader", "root@localhost"]),
        ("team=green&permission=tools.read", vec!["wild", "root@localhost"]),
        ("permission=tools.read", vec!["free", "wild", "reader", "root@localhost"]),
        ("permission=servers.use&path=api", vec!["free", "other"]),
        ("issued_after=2026-03-01T12:01:00Z", vec!["free"]),
        ("issued_before=2026-03-01T12:01:00Z&path=api", vec!["other", "wild", "reader"]),
        ("issued_after=2026-03-01T13:01:00%2B01:00", vec!["free"]),
        ("expires_before=2026-03-01T12:10:00Z", vec!["free"]),
        ("expires_before=2026-03-01T12:10:01Z", vec!["free", "other", "wild", "reader"]),
    ] {
        let listed = world.get(&format!("/tokens?{query}"), &admin).await.json();
        let subjects: Vec<&str> =
            listed["tokens"].as_array().unwrap().iter().map(|token| token["sub"].as_str().unwrap()).collect();
        assert_eq!(subjects, expected, "{query}");
    }
    let kid = world.get("/tokens?limit=1", &admin).await.json()["tokens"][0]["kid"].as_str().unwrap().to_owned();
    for (kid, count) in [(kid.as_str(), 5), ("another", 0)] {
        let listed = world.get(&format!("/tokens?kid={kid}"), &admin).await.json();
        assert_eq!(listed["tokens"].as_array().unwrap().len(), count, "{kid}");
    }
    for text in ["2026-11-01", "2026-11-01T10:00:00", "soon", ""] {
        for parameter in ["issued_after", "issued_before", "expires_before"] {
            let reply = world.get(&format!("/tokens?{parameter}={text}"), &admin).await;
            let error = &reply.json()["errors"][0];
            let detail = format!("'{text}' is no time with a zone (RFC 3339), such as 2026-03-01T12:00:00Z");
            assert_eq!(*error, json!({"parameter": parameter, "detail": detail}));
        }
    }
    for bad in ["issued_after=yesterday", "issued_after=2026-03-01T12:01:00", "team=a%20b", "permission=Tools"] {
        let reply = world.get(&format!("/tokens?{bad}"), &admin).await;
        assert_eq!(
            (reply.status.as_u16(), bad.split_once('=').unwrap().0),
            (400, reply.json()["errors"][0]["parameter"].as_str().unwrap()),
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_position_it_was_asked_to_include() {
    let world = World::new().await;
    let admin = world.admin().await;
    let written = world.post("/tokens", &admin, json!({"sub": "a"})).await;
    let position = written.json()["position"].as_i64().unwrap();
    let jti = written.json()["token"]["jti"].as_str().unwrap().to_owned();
    let revoked = world.delete(&format!("/tokens/{jti}"), &admin, Value::Null).await;

    let included = world.get(&format!("/tokens/{jti}?min_position={}", position + 1), &admin).await;
    let ahead = world.get(&format!("/revocations/{jti}?min_position={}", position + 2), &admin).await;
    let malformed = world.get("/tokens?min_position=x", &admin).await;
    let nobody = world.get("/tokens?min_position=1000000", "").await;

    assert_eq!(written.header("catalog-position"), position.to_string());
    assert_eq!(revoked.header("catalog-position"), (position + 1).to_string());
    assert_eq!((included.status.as_u16(), included.json()["status"].clone()), (200, json!("revoked")));
    assert_eq!((ahead.status.as_u16(), ahead.json()["code"].clone()), (503, json!("position_ahead")));
    assert_eq!(ahead.header("retry-after"), "1");
    let (end, past) = (position + 1, position + 2);
    let at_its_end = world.get(&format!("/audit/events?after={end}"), &admin).await;
    assert_eq!((at_its_end.status.as_u16(), at_its_end.json()["events"].clone()), (200, json!([])));
    let past_it = world.get(&format!("/audit/events?after={past}"), &admin).await;
    assert_eq!((past_it.status.as_u16(), past_it.json()["code"].clone()), (503, json!("position_ahead")));
    assert_eq!(malformed.json()["errors"][0]["parameter"], "min_position");
    assert_eq!(nobody.status, 401, "where the log ends is not told to just anybody");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_sent_again() {
    let world = World::new().await;
    let admin = world.admin().await;
    let jti = world.issue_dev(plain("a")).await.token.jti;
    let path = format!("/tokens/{jti}");
    let conditional = |path: String, tag: String| {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {admin}"))
            .header("if-none-match", tag)
            .body(Body::empty())
            .unwrap();
        world.raw(request)
    };

    for path in ["/.well-known/jwks.json", &path] {
        let first = world.get(path, &admin).await;
        let tag = first.header("etag").to_owned();
        let again = conditional(path.to_owned(), tag.clone()).await;
        let listed = conditional(path.to_owned(), format!("\"other\", {tag}")).await;
        assert!(tag.starts_with('"'), "a strong tag");
        assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
        assert_eq!(listed.status, 304);
        assert_eq!(conditional(path.to_owned(), "\"other\"".to_owned()).await.status, 200);
    }
    let before = world.get(&path, &admin).await.header("etag").to_owned();
    world.delete(&path, &admin, Value::Null).await;
    assert_eq!(conditional(path, before).await.status, 200);
}
