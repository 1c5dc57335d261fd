//! RFC 9457, on each class of route.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use super::{form, oauth_error};
use crate::support::{World, world::Reply};

/// The members that the specification has; what else there is, is an extension.
const REGISTERED: [&str; 5] = ["type", "title", "status", "detail", "instance"];

/// A request of each class of route for each way to be refused there.
async fn refused(world: &World) -> Vec<(String, Reply)> {
    let admin = world.admin().await;
    let powerless = world.caller("carol@example.com", |_| ()).await;
    let unknown = uuid::Uuid::from_u128(7);
    let mut replies = Vec::new();
    for (method, path, token, body) in [
        ("POST", "/tokens", &admin, json!({"sub": ""})),
        ("POST", "/tokens", &admin, json!({"sub": "a", "expires_in": 0})),
        ("POST", "/tokens", &admin, json!({"sub": "a", "expires_in": 99_999_999})),
        ("POST", "/tokens", &powerless, json!({"sub": "a"})),
        ("POST", "/tokens", &String::new(), json!({"sub": "a"})),
        ("GET", "/tokens?limit=0", &admin, Value::Null),
        ("GET", "/tokens?colour=red", &admin, Value::Null),
        ("GET", "/tokens/x", &admin, Value::Null),
        ("GET", &format!("/tokens/{unknown}"), &admin, Value::Null),
        ("DELETE", &format!("/tokens/{unknown}"), &admin, Value::Null),
        ("POST", "/revocations/check", &admin, json!({"jtis": [1]})),
        ("GET", "/revocations/x", &admin, Value::Null),
        ("GET", "/revocations?after=x", &admin, Value::Null),
        ("GET", "/audit/events?after=x", &admin, Value::Null),
        ("GET", "/whoami", &"nonsense".to_owned(), Value::Null),
        ("GET", "/.well-known/oauth-authorization-server/elsewhere", &String::new(), Value::Null),
        ("GET", "/problems/unheard_of", &String::new(), Value::Null),
        ("GET", "/nowhere", &String::new(), Value::Null),
        ("PUT", "/tokens", &admin, Value::Null),
        ("PUT", "/introspect", &admin, Value::Null),
    ] {
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request = request.header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        replies.push((format!("{method} {path}"), world.raw(request.body(body).unwrap()).await));
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9457_section_3_every_refusal_is_a_problem_document_whatever_json_is_accepted() {
    let world = World::new().await;

    for (place, reply) in refused(&world).await {
        assert!(reply.status.is_client_error(), "{place}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{place}");
        assert!(reply.json().is_object(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9457_section_3_1_the_members_are_of_their_types_and_say_what_the_status_line_says() {
    let world = World::new().await;
    let mut titles = BTreeMap::new();

    for (place, reply) in refused(&world).await {
        let document = reply.json();
        assert_eq!(document["status"], json!(reply.status.as_u16()), "{place}");
        let (kind, title) = (document["type"].as_str().unwrap(), document["title"].as_str().unwrap());
        assert!(!document["detail"].as_str().unwrap().is_empty(), "{place}");
        // Section 3.1.1: absolute, and it leads to what explains it.
        let page = kind.strip_prefix("https://catalog.example.com").unwrap();
        assert_eq!(world.get(page, "").await.json()["title"], title, "{place}");
        // Section 3.1.3: the same each time.
        assert_eq!(titles.entry(kind.to_owned()).or_insert_with(|| title.to_owned()), title, "{place}");
    }

    assert!(titles.len() >= 8, "{titles:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9457_section_3_2_extensions_have_names_that_any_format_can_carry_and_errors_point_at_members() {
    let world = World::new().await;
    let mut pointers = 0;

    for (place, reply) in refused(&world).await {
        let document = reply.json();
        for name in document.as_object().unwrap().keys().filter(|name| !REGISTERED.contains(&name.as_str())) {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            assert!(is_plain && name.len() >= 3 && name.as_bytes()[0].is_ascii_alphabetic(), "{place}: {name}");
        }
        for error in document["errors"].as_array().into_iter().flatten() {
            assert!(!error["detail"].as_str().unwrap().is_empty(), "{place}");
            let pointer = error["pointer"].as_str();
            assert!(pointer.is_none_or(|pointer| pointer.starts_with('#')), "{place}: {pointer:?}");
            assert!(pointer.is_some() || error["parameter"].is_string(), "{place}: {error}");
            pointers += usize::from(pointer.is_some());
        }
    }

    assert!(pointers >= 3, "{pointers}");
}

/// Section 5: a problem is for the client, and no debugging tool.
#[tokio::test(flavor = "multi_thread")]
async fn rfc_9457_section_5_no_answer_tells_how_the_server_is_made() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut replies: Vec<String> = refused(&world).await.into_iter().map(|(_, reply)| reply.text).collect();
    world.catalog.database().close().await;
    for path in ["/tokens", "/audit/events"] {
        let reply = world.get(path, &admin).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (503, "application/problem+json"));
        replies.push(reply.text);
    }

    for text in replies {
        let text = text.to_lowercase();
        for word in ["select ", "insert ", "sqlx", "postgres", "panicked", "src/", ".rs:", "backtrace", "pool"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_6749_section_5_2_the_oauth_endpoints_tell_in_their_own_form_what_it_has_a_word_for() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.admin().await);

    for path in ["/introspect", "/revoke"] {
        let malformed = form(&world, path, &bearer, "").await;
        let in_query = form(&world, &format!("{path}?colour=red"), &bearer, "token=a").await;
        let nobody = form(&world, path, "Bearer nonsense", "token=a").await;
        let too_large = form(&world, path, &bearer, &"a".repeat(65_537)).await;

        for wrong in [malformed, in_query] {
            assert_eq!(oauth_error(&wrong), (400, "invalid_request".to_owned()), "{path}");
        }
        assert_eq!(oauth_error(&nobody), (401, "invalid_client".to_owned()), "{path}");
        assert_eq!((too_large.status.as_u16(), too_large.header("content-type")), (413, "application/problem+json"));
    }
}
