//! RFC 7009.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use super::{form, oauth_error};
use crate::{
    clients::{Secret, add},
    support::{World, world::plain},
};

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_1_a_token_is_found_whatever_its_hint_says() {
    let world = World::new().await;
    let admin = world.admin().await;
    for hint in ["", "token_type_hint=access_token&", "token_type_hint=refresh_token&", "token_type_hint=saml2&"] {
        let live = world.issue_dev(plain("a")).await.signed.expose().to_owned();

        let reply = form(&world, "/revoke", "", &format!("{hint}token={live}")).await;

        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""), "{hint}");
        assert_eq!(world.introspect(&live, &admin).await.json()["active"], false, "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_1_a_token_is_revoked_by_post_and_in_a_form_alone() {
    let world = World::new().await;
    let admin = world.admin().await;
    let live = world.issue_dev(plain("a")).await.signed.expose().to_owned();
    let ask = async |method: &str, path: &str, media_type: &str, body: String| {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media_type);
        world.raw(request.body(Body::from(body)).unwrap()).await
    };

    let got = ask("GET", &format!("/revoke?token={live}"), "text/plain", String::new()).await;
    let of_json = ask("POST", "/revoke", "application/json", json!({ "token": live }).to_string()).await;
    let of_query =
        ask("POST", &format!("/revoke?token={live}"), "application/x-www-form-urlencoded", String::new()).await;

    assert_eq!((got.status.as_u16(), got.header("allow")), (405, "POST"));
    for wrong in [of_json, of_query] {
        assert_eq!(oauth_error(&wrong), (400, "invalid_request".to_owned()), "{wrong:?}");
    }
    for body in ["", "token=", "token_type_hint=access_token", "token=a&token=b"] {
        assert_eq!(
            oauth_error(&form(&world, "/revoke", "", body).await),
            (400, "invalid_request".to_owned()),
            "{body}"
        );
    }
    assert_eq!(world.introspect(&live, &admin).await.json()["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_1_a_revocation_holds_at_once_wherever_the_token_is_checked() {
    let world = World::new().await;
    let admin = world.admin().await;
    let elsewhere = world.another_process().await;
    let bot = Secret::of("bot", &add(&world, "bot", &["tokens.revoke"], Some("*")).await).header();
    let live = world.issue_dev(plain("a")).await.signed.expose().to_owned();
    assert_eq!(elsewhere.introspect(&live, &admin).await.json()["active"], true);

    let first = form(&world, "/revoke", &bot, &format!("token={live}")).await;
    let again = form(&world, "/revoke", &bot, &format!("token={live}")).await;

    for place in [&world, &elsewhere] {
        assert_eq!(place.introspect(&live, &admin).await.text, r#"{"active":false}"#);
    }
    assert_eq!((first.status, first.text), (again.status, again.text));
    let events = world.events(&admin).await;
    assert_eq!(events.iter().filter(|event| event["kind"] == "token.revoked.v1").count(), 1);
}

/// The error `unsupported_token_type` (section 2.2.1) is never sent: every token of the catalog can be revoked, and what
/// is none of its tokens gets the answer that says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_2_1_there_is_no_kind_of_token_that_is_not_supported() {
    let world = World::new().await;
    for token in ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "tGzv3JOkF0XG5Qx2TlKWIA", "catsec_abc"] {
        let reply = form(&world, "/revoke", "", &format!("token={token}&token_type_hint=refresh_token")).await;

        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""), "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_2_1_while_the_log_is_away_the_answer_is_503_and_the_token_still_stands() {
    let world = World::new().await;
    let admin = world.admin().await;
    let bot = Secret::of("bot", &add(&world, "bot", &["tokens.revoke"], Some("*")).await).header();
    let live = world.issue_dev(plain("a")).await.signed.expose().to_owned();
    world.catalog.database().close().await;

    for authorization in ["", &bot] {
        let reply = form(&world, "/revoke", authorization, &format!("token={live}")).await;

        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "1"), "{reply:?}");
        assert_eq!(reply.json()["code"], "unavailable");
    }

    let elsewhere = world.another_process().await;
    assert_eq!(elsewhere.introspect(&live, &admin).await.json()["active"], true);
    let history = elsewhere.events(&admin).await;
    assert!(!history.iter().any(|event: &Value| event["kind"] == "token.revoked.v1"), "{history:?}");
}
