//! Malformed requests: always a problem document that names the field, never a 5xx, never a guess.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_issuance_is_answered_with_the_member_that_is_wrong() {
    let world = World::new().await;
    let admin = world.admin().await;
    let long = "x".repeat(300);
    let cases = [
        (json!({}), ""),
        (json!({"sub": ""}), "/sub"),
        (json!({"sub": "a b"}), "/sub"),
        (json!({"sub": "a\u{202e}b"}), "/sub"),
        (json!({"sub": long}), "/sub"),
        (json!({"sub": 7}), "/sub"),
        (json!({"sub": "a", "name": "a\u{0}b"}), "/name"),
        (json!({"sub": "a", "name": "line\nbreak"}), "/name"),
        (json!({"sub": "a", "reason": "\u{1b}[31m"}), "/reason"),
        (json!({"sub": "a", "expires_in": 0}), "/expires_in"),
        (json!({"sub": "a", "expires_in": -1}), "/expires_in"),
        (json!({"sub": "a", "expires_in": 1.5}), "/expires_in"),
        (json!({"sub": "a", "expires_in": "60"}), "/expires_in"),
        (json!({"sub": "a", "expires_in": 4_294_967_296_u64}), "/expires_in"),
        (json!({"sub": "a", "expires_in": 1e300}), "/expires_in"),
        (json!({"sub": "a", "teams": "red"}), "/teams"),
        (json!({"sub": "a", "teams": ["red", ""]}), "/teams/1"),
        (json!({"sub": "a", "teams": null}), ""),
        (json!({"sub": "a", "is_admin": "yes"}), "/is_admin"),
        (json!({"sub": "a", "aud": "gateway"}), "/aud"),
        (json!({"sub": "a", "scopes": []}), "/scopes"),
        (json!({"sub": "a", "scopes": {"permissions": ["Tools"]}}), "/scopes/permissions/0"),
        (json!({"sub": "a", "scopes": {"ip_restrictions": ["10.0.0.0/33"]}}), "/scopes/ip_restrictions/0"),
        (
            json!({"sub": "a", "scopes": {"usage_limits": {"requests_per_day": 0}}}),
            "/scopes/usage_limits/requests_per_day",
        ),
        (json!({"sub": "a", "scopes": {"time_restrictions": {"start_time": "09:00"}}}), "/scopes/time_restrictions"),
        (
            json!({"sub": "a", "scopes": {"time_restrictions": {"start_time": " 9:30", "end_time": "17:00"}}}),
            "/scopes/time_restrictions/start_time",
        ),
        (json!({"sub": "a", "unknown": 1}), "/unknown"),
        (json!({"sub": "a", "jti": "01990000-0000-7000-8000-000000000000"}), "/jti"),
        (json!({"sub": "a", "scopes": {"unknown": 1}}), "/scopes/unknown"),
        (json!([]), ""),
        (json!("a"), ""),
    ];

    for (body, pointer) in cases {
        let reply = world.post("/tokens", &admin, body.clone()).await;

        assert_eq!(reply.status, 400, "{body} → {}", reply.text);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let problem = reply.json();
        assert_eq!((&problem["status"], &problem["code"]), (&json!(400), &json!("malformed")), "{body}");
        assert_eq!(problem["errors"][0]["pointer"], format!("#{pointer}"), "{body} → {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_of_the_right_size_and_type_are_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let post = |content_type: &'static str, body: Vec<u8>| {
        let request = Request::post("/tokens")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap();
        world.raw(request)
    };
    let duplicate = br#"{"sub":"a","sub":"b"}"#.to_vec();
    let trailing = br#"{"sub":"a"} {}"#.to_vec();
    let deep = [vec![b'['; 40_000], vec![b']'; 20_000]].concat();
    let largest = format!(r#"{{"sub":"a","description":"{}"}}"#, "x".repeat(65_536 - 30)).into_bytes();
    let too_large = vec![b' '; 65_537];

    assert_eq!(post("text/plain", br#"{"sub":"a"}"#.to_vec()).await.status, 415);
    assert_eq!(post("application/json", duplicate).await.status, 400);
    assert_eq!(post("application/json", trailing).await.status, 400);
    assert_eq!(post("application/json", deep).await.status, 400);
    assert_eq!(post("application/json", b"\xff\xfe".to_vec()).await.status, 400);
    assert_eq!(post("application/json", largest).await.status, 400);
    let reply = post("application/json", too_large).await;
    assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (413, json!("body_too_large")));
    assert_eq!(post("application/json; charset=utf-8", br#"{"sub":"a"}"#.to_vec()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_no_checker_would_look_at_is_not_issued() {
    let world = World::new().await;
    let admin = world.admin().await;
    let teams: Vec<String> = (0..250).map(|n| format!("{n:0>20}")).collect();

    let reply = world.post("/tokens", &admin, json!({"sub": "a", "teams": teams})).await;

    assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (400, json!("token_too_large")));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_parameters_are_named() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (path, parameter) in [
        ("/tokens/not-a-uuid", "jti"),
        ("/tokens/01990000-0000-7000-8000-00000000000A", "jti"),
        ("/tokens/01990000000070008000000000000000", "jti"),
        ("/tokens/%00", "jti"),
        ("/revocations/x", "jti"),
        ("/tokens/x/events", "jti"),
        ("/tokens?limit=0", "limit"),
        ("/tokens?limit=501", "limit"),
        ("/tokens?limit=99999999999", "limit"),
        ("/tokens?status=dead", "status"),
        ("/tokens?path=ui", "path"),
        ("/tokens?cursor=AAAA", "cursor"),
        ("/tokens?sub=a%00b", "sub"),
        ("/tokens?issued_after=2026-3-1T12:00:00Z", "issued_after"),
        ("/tokens?issued_after=-9999-01-01T00:00:00Z", "issued_after"),
        ("/tokens?issued_before=%2B262142-12-31T23:59:59Z", "issued_before"),
        ("/tokens?min_position=-1", "min_position"),
        ("/tokens?min_position=9223372036854775808", "min_position"),
        ("/tokens?min_position=1&min_position=2", "min_position"),
        ("/audit/events?after=-1", "after"),
        ("/audit/events?after=%2B1", "after"),
        ("/audit/events?after=99999999999999999999", "after"),
        ("/audit/events?limit=1001", "limit"),
        ("/audit/events?jti=x", "jti"),
    ] {
        let reply = world.get(path, &admin).await;

        assert_eq!(reply.status, 400, "{path} → {}", reply.text);
        assert_eq!(reply.json()["errors"][0]["parameter"], parameter, "{path} → {}", reply.text);
    }
    for path in ["/tokens?unknown=1", "/tokens?limit=1&limit=2", "/audit/events?since=1"] {
        let reply = world.get(path, &admin).await;
        assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (400, json!("malformed")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_and_methods_are_problems_too() {
    let world = World::new().await;
    let admin = world.admin().await;

    let nowhere = world.get("/nowhere", &admin).await;
    let wrong = world.send("PUT", "/tokens", &admin, Value::Null).await;

    assert_eq!((nowhere.status.as_u16(), nowhere.json()["code"].clone()), (404, json!("route_unknown")));
    assert_eq!((wrong.status.as_u16(), wrong.json()["code"].clone()), (405, json!("method_not_allowed")));
    assert!(wrong.header("allow").contains("POST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_good_credential_gets_401_whatever_else_is_wrong_with_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    let with = |value: &str| {
        let request = Request::post("/tokens").header("authorization", value).body(Body::from("not json")).unwrap();
        world.raw(request)
    };

    let missing = world.post("/tokens", "", json!({"sub": "a"})).await;
    assert_eq!((missing.status.as_u16(), missing.header("www-authenticate")), (401, "Bearer realm=\"catalog\""));
    for value in ["Bearer", "Bearer ", "Bearer x", "Basic YTpi", &format!("Token {admin}"), "Bearer \u{e9}"] {
        assert_eq!(with(value).await.status, 401, "{value}");
    }
    let twice = Request::get("/tokens")
        .header("authorization", format!("Bearer {admin}"))
        .header("authorization", format!("Bearer {admin}"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(world.raw(twice).await.status, 401);
    let lower_case = Request::get("/tokens").header("authorization", format!("bearer {admin}")).body(Body::empty());
    assert_eq!(world.raw(lower_case.unwrap()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_with_a_wrong_reason_or_note_changes_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world.post("/tokens", &admin, json!({"sub": "a"})).await.json();
    let path = format!("/tokens/{}", issued["token"]["jti"].as_str().unwrap());

    for body in [json!({"reason": "because"}), json!({"note": "a\u{2066}b"}), json!({"why": "x"}), json!([])] {
        assert_eq!(world.delete(&path, &admin, body.clone()).await.status, 400, "{body}");
    }
    let unknown = world.delete("/tokens/01990000-0000-7000-8000-000000000000", &admin, Value::Null).await;

    assert_eq!((unknown.status.as_u16(), unknown.json()["code"].clone()), (404, json!("token_unknown")));
    assert_eq!(world.get(&path, &admin).await.json()["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_id_is_taken_when_it_is_a_plain_word_and_given_otherwise() {
    let world = World::new().await;
    let admin = world.admin().await;
    let with = |id: &str| {
        let request = Request::post("/tokens")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("x-request-id", id)
            .body(Body::from(r#"{"sub":"a"}"#))
            .unwrap();
        world.raw(request)
    };

    let taken = with("build-7").await;
    let given = with("two words").await;

    assert_eq!(taken.header("x-request-id"), "build-7");
    assert!(uuid::Uuid::try_parse(given.header("x-request-id")).is_ok());
    let events = world.events(&admin).await;
    let ids: Vec<&str> = events.iter().rev().take(2).map(|event| event["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [given.header("x-request-id"), "build-7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_a_credential_is_taken_for_a_name_or_recorded() {
    let world = World::new().await;
    let admin = world.admin().await;
    let [_, claims, signature]: [&str; 3] = admin.split('.').collect::<Vec<_>>().try_into().unwrap();
    let middle = &claims[40..90];

    for id in [signature, &signature[7..30], middle, &format!("Bearer.{signature}"), &format!("x{claims}")[..60]] {
        for user_agent in [&admin, signature, &format!("curl/8.5 (Bearer {admin})"), &format!("x {middle} y")] {
            let request = Request::post("/tokens")
                .header("authorization", format!("Bearer {admin}"))
                .header("content-type", "application/json")
                .header("x-request-id", id)
                .header("user-agent", user_agent)
                .body(Body::from(r#"{"sub":"a"}"#))
                .unwrap();
            let reply = world.raw(request).await;
            assert_eq!(reply.status, 201);
            assert!(uuid::Uuid::try_parse(reply.header("x-request-id")).is_ok(), "{id} was taken for a name");
        }
    }

    let events = Value::Array(world.events(&admin).await).to_string();
    assert!(events.contains("curl/8.5 (Bearer ***") && events.contains("x *** y"), "the other words are kept");
    for piece in [&claims[40..60], &signature[7..23]] {
        assert!(!events.contains(piece), "{piece} was recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_by_pages_or_as_one_stream_with_the_same_events() {
    let world = World::new().await;
    let admin = world.admin().await;
    for n in 0..5 {
        world.post("/tokens", &admin, json!({"sub": format!("user{n}")})).await;
    }

    let mut paged = Vec::new();
    let mut after = json!(0);
    while !after.is_null() {
        let page = world.get(&format!("/audit/events?limit=4&after={after}"), &admin).await.json();
        paged.extend(page["events"].as_array().unwrap().clone());
        after = page["next_after"].clone();
    }
    let request = Request::get("/audit/events")
        .header("authorization", format!("Bearer {admin}"))
        .header("accept", "application/x-ndjson")
        .body(Body::empty())
        .unwrap();
    let stream = world.raw(request).await;

    assert_eq!(stream.header("content-type"), "application/x-ndjson");
    let streamed: Vec<Value> = stream.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(streamed, paged);
    assert_eq!(paged.len(), 10);
    let only = world.get("/audit/events?path=api&after=6", &admin).await.json();
    assert_eq!(only["events"].as_array().unwrap().len(), 4);
    assert_eq!(only["head"]["position"], 10);
}
