//! Query strings: each parameter is one that the route has, is given once, and is text. A wrong one is named.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::support::{World, world::plain};

/// Operations for whoever comes by, monitors and browsers among them: a query string changes nothing there.
const OPEN: [&str; 11] = [
    "/",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/problems",
    "/problems/{code}",
    "/readyz",
    "/status-lists/{list}",
    "/docs",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_an_operation_does_not_have_is_refused_by_every_one() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut asked = 0;

    for (method, path, operation) in world.contract().await.operations() {
        if OPEN.contains(&path) {
            continue;
        }
        let jti = world.issue_dev(plain("a")).await.token.jti.to_string();
        let (media_type, body) = match operation["requestBody"]["content"].as_object() {
            Some(content) if content.contains_key("application/x-www-form-urlencoded") => {
                ("application/x-www-form-urlencoded", "token=x")
            }
            _ => ("application/json", ""),
        };
        let request = Request::builder()
            .method(method.to_uppercase().as_str())
            .uri(format!("{}?colour=blue", path.replace("{jti}", &jti)))
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", media_type)
            .body(Body::from(body));
        let refused = world.raw(request.unwrap()).await;

        assert_eq!(refused.status, 400, "{method} {path} → {refused:?}");
        let (detail, answer) = ("colour: is no parameter of this route", refused.json());
        if media_type == "application/json" {
            let told = (&answer["code"], &answer["detail"], &answer["errors"][0]["parameter"]);
            assert_eq!(told, (&json!("malformed"), &json!(detail), &json!("colour")), "{method} {path}");
        } else {
            let told = (&answer["error"], &answer["error_description"]);
            assert_eq!(told, (&json!("invalid_request"), &json!(detail)), "{method} {path}");
        }
        asked += 1;
    }

    assert!(asked > 15, "{asked} operations");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_means_the_same_however_it_is_written() {
    let world = World::new().await;
    let admin = world.admin().await;

    for (query, status) in [
        ("min%5Fposition=5", 200),
        ("min_p%6Fsition=5&limit=1", 200),
        ("min%5Fposition=9000", 503),
        ("&limit=1&", 200),
        ("", 200),
        ("%73ub=root%40localhost", 200),
    ] {
        let reply = world.get(&format!("/tokens?{query}"), &admin).await;

        assert_eq!(reply.status, status, "{query} → {reply:?}");
    }
    let of_root = world.get("/tokens?%73ub=root%40localhost", &admin).await.json();
    assert_eq!(of_root["tokens"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_parameter_is_said_with_its_name_its_value_and_its_limits() {
    let world = World::new().await;
    let admin = world.admin().await;

    for (path, parameter, detail) in [
        ("/tokens?limit=99999", "limit", "'99999' is no number from 1 to 500"),
        ("/tokens?limit=501", "limit", "'501' is no number from 1 to 500"),
        ("/tokens?limit=%2B5", "limit", "'+5' is no number from 1 to 500"),
        ("/tokens?limit=", "limit", "'' is no number from 1 to 500"),
        ("/audit/events?limit=70000", "limit", "'70000' is no number from 1 to 1000"),
        ("/tokens?team=a&team=b", "team", "is given more than once"),
        ("/tokens?team=a&te%61m=b", "team", "is given more than once"),
        ("/whoami?min_position=1&min%5Fposition=1", "min_position", "is given more than once"),
        ("/tokens?sub=%ff", "sub", "is not UTF-8"),
        ("/tokens?sub=a%C3", "sub", "is not UTF-8"),
        ("/tokens?%ff=a", "query", "has a name that is not UTF-8"),
        ("/tokens?subject=a", "subject", "is no parameter of this route"),
        ("/tokens?Sub=a", "Sub", "is no parameter of this route"),
    ] {
        let reply = world.get(path, &admin).await;

        assert_eq!(reply.status, 400, "{path} → {reply:?}");
        let error = &reply.json()["errors"][0];
        assert_eq!((&error["parameter"], &error["detail"]), (&json!(parameter), &json!(detail)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_of_nothing_is_refused_with_what_would_be_taken() {
    let world = World::new().await;
    let admin = world.admin().await;
    let jti = world.issue_dev(plain("a")).await.token.jti;
    let hourly = |count: Value| json!({"sub": "a", "scopes": {"usage_limits": {"requests_per_hour": count}}});

    for (path, body, value) in [
        ("/tokens".to_owned(), json!({"sub": "a", "expires_in": 0}), "invalid value: integer `0`"),
        ("/tokens".to_owned(), json!({"sub": "a", "expires_in": -1}), "invalid type: integer `-1`"),
        (
            "/tokens".to_owned(),
            json!({"sub": "a", "expires_in": 4_294_967_296_u64}),
            "invalid value: integer `4294967296`",
        ),
        ("/tokens".to_owned(), hourly(json!(0)), "invalid value: integer `0`"),
        (format!("/tokens/{jti}/rotate"), json!({"overlap": "0s", "expires_in": 0}), "invalid value: integer `0`"),
    ] {
        let reply = world.post(&path, &admin, body.clone()).await;

        assert_eq!(reply.status, 400, "{body} → {reply:?}");
        let detail = format!("{value}, expected a whole number from 1 to 4294967295");
        assert!(reply.json()["detail"].as_str().unwrap().contains(&detail), "{reply:?}");
    }
}
