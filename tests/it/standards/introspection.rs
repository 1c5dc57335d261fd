//! RFC 7662, and how its callers say who they are (RFC 6749).

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Request, header},
};
use catalog::domain::{claims::Teams, text::Permission};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{form, oauth_error};
use crate::{
    clients::{Secret, add},
    support::{
        World,
        world::{Reply, plain},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_2_1_a_token_is_found_whatever_its_hint_says_and_other_parameters_change_nothing() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.admin().await);
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let ask = async |rest: &str| {
        let token = issued.signed.expose();
        form(&world, "/introspect", &bearer, &format!("{rest}token={token}")).await
    };

    let without = ask("").await;

    assert_eq!((without.status.as_u16(), &without.json()["active"]), (200, &json!(true)));
    for rest in [
        "token_type_hint=access_token&",
        "token_type_hint=refresh_token&",
        "token_type_hint=urn%3Aexample%3Apac&",
        "token_type_hint=&",
        "resource=https%3A%2F%2Fgateway.example.com&client_id=edge&",
    ] {
        assert_eq!(ask(rest).await.text, without.text, "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_2_1_a_token_is_asked_about_by_post_and_in_a_form_alone() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.admin().await);
    let token = world.issue_dev(plain("alice@example.com")).await.signed.expose().to_owned();
    let ask = async |method: &str, path: &str, media_type: &str, body: String| {
        let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, &bearer);
        world.raw(request.header(header::CONTENT_TYPE, media_type).body(Body::from(body)).unwrap()).await
    };

    for method in ["GET", "PUT", "DELETE"] {
        let reply = ask(method, &format!("/introspect?token={token}"), "text/plain", String::new()).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "POST"), "{method}");
    }
    for (path, media_type, body) in [
        ("/introspect".to_owned(), "application/json", json!({ "token": token }).to_string()),
        ("/introspect".to_owned(), "text/plain", format!("token={token}")),
        (format!("/introspect?token={token}"), "application/x-www-form-urlencoded", String::new()),
        (format!("/introspect?token={token}"), "application/x-www-form-urlencoded", format!("token={token}")),
    ] {
        let reply = ask("POST", &path, media_type, body).await;
        assert_eq!(oauth_error(&reply), (400, "invalid_request".to_owned()), "{path} {media_type}");
    }
    for body in ["", "token=", "token_type_hint=access_token", "token=a&token=b"] {
        let reply = form(&world, "/introspect", &bearer, body).await;
        assert_eq!(oauth_error(&reply), (400, "invalid_request".to_owned()), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_2_2_an_active_token_is_described_by_the_registered_members_in_their_types() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut command = plain("alice@example.com");
    command.teams = Some(Teams::These(vec!["red".parse().unwrap()]));
    command.scopes.permissions = ["tools.read", "servers.use"].map(|text| Permission::parse(text).unwrap()).into();
    let issued = world.issue_dev(command).await;

    let reply = world.introspect(issued.signed.expose(), &admin).await;

    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = reply.json();
    let (iat, exp) = (body["iat"].as_i64().unwrap(), body["exp"].as_i64().unwrap());
    assert_eq!(exp - iat, 20 * 60);
    let registered = json!({
        "active": true, "scope": "tools.read servers.use", "client_id": "catalog", "username": "alice@example.com",
        "token_type": "Bearer", "exp": exp, "iat": iat, "sub": "alice@example.com", "aud": ["gateway"],
        "iss": "https://catalog.example.com", "jti": issued.token.jti,
    });
    for (member, value) in registered.as_object().unwrap() {
        assert_eq!(&body[member], value, "{member}");
    }
    assert_eq!(body.get("nbf"), None, "no token of ours has one");
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let own: Vec<String> = members(&body).difference(&members(&registered)).cloned().collect();
    let expected =
        ["namespaces", "out_of_band", "path", "position", "scopes", "teams", "token_use", "user"].map(str::to_owned);
    assert_eq!(own, expected, "extensions");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_2_2_whatever_is_the_matter_with_a_token_the_answer_has_one_member_and_the_same_headers() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let elsewhere = World::issuing_as("https://other.example.com").await.issue_dev(plain("a")).await;
    let revoked = world.issue_dev(plain("a")).await;
    world.delete(&format!("/tokens/{}", revoked.token.jti), &admin, Value::Null).await;
    let mut never_issued = catalog::domain::claims::decode_part::<catalog::domain::Claims>(
        revoked.signed.expose().split('.').nth(1).unwrap(),
    )
    .unwrap();
    never_issued.jti = world.catalog.new_id();
    let unknown = world.forge(&never_issued);
    let expired = world.issue_dev(plain("a")).await;
    world.clock.advance(TimeDelta::minutes(20));
    let live = world.issue_dev(plain("a")).await;
    let altered = format!("{}A", live.signed.expose());
    let headers = |reply: &Reply| {
        let mut headers = reply.headers.clone();
        headers.remove("x-request-id").unwrap();
        headers
    };
    let of_revoked = world.introspect(revoked.signed.expose(), &admin).await;

    for (what, token) in [
        ("unknown", unknown.as_str()),
        ("expired", expired.signed.expose()),
        ("of another catalog", elsewhere.signed.expose()),
        ("altered", &altered),
        ("unsigned", "eyJhbGciOiJub25lIn0.e30."),
        ("no token", "nonsense"),
        ("three parts", "a.b.c"),
        ("too long", &"x".repeat(9_000)),
    ] {
        let reply = world.introspect(token, &admin).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, r#"{"active":false}"#), "{what}");
        assert_eq!(headers(&reply), headers(&of_revoked), "{what}");
    }
    assert_eq!(of_revoked.text, r#"{"active":false}"#);
    assert_eq!(of_revoked.header("cache-control"), "no-store");
    assert_eq!(world.introspect(live.signed.expose(), &admin).await.json()["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_2_3_whoever_may_not_ask_gets_401_and_hears_nothing_of_the_token() {
    let world = World::new().await;
    let live = world.issue_dev(plain("alice@example.com")).await.signed.expose().to_owned();
    let powerless = format!("Bearer {}", world.caller("carol@example.com", |_| ()).await);
    let for_the_gateway = format!("Bearer {live}");
    let client = Secret::of("reaper", &add(&world, "reaper", &["tokens.revoke"], Some("*")).await).header();

    for authorization in ["", "Bearer nonsense", &powerless, &for_the_gateway, &client, "Basic nonsense", "Digest a=b"]
    {
        let of_live = form(&world, "/introspect", authorization, &format!("token={live}")).await;
        let of_none = form(&world, "/introspect", authorization, "token=nonsense").await;

        assert_eq!(oauth_error(&of_live), (401, "invalid_client".to_owned()), "{authorization}");
        let scheme = if authorization.starts_with("Basic") { "Basic realm=" } else { "Bearer realm=" };
        assert!(of_live.header("www-authenticate").starts_with(scheme), "{authorization}: {of_live:?}");
        assert_eq!(of_live.text, of_none.text);
    }
    let gateway = world.caller("gateway", |c| c.scopes.permissions = vec!["tokens.check".parse().unwrap()]).await;
    assert_eq!(world.introspect(&live, &gateway).await.json()["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_6749_section_2_3_a_request_says_in_one_way_who_asks() {
    let world = World::new().await;
    let admin = world.admin().await;
    let secret = add(&world, "edge", &["tokens.check", "tokens.revoke"], Some("*")).await;
    let basic = Secret::of("edge", &secret).header();
    let bearer = format!("Bearer {admin}");
    let live = world.issue_dev(plain("alice@example.com")).await.signed.expose().to_owned();
    let credentials = [
        format!("client_id=edge&client_secret={secret}"),
        "client_secret=wrong".to_owned(),
        "client_secret=".to_owned(),
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c"
            .to_owned(),
        format!("access_token={admin}"),
    ];

    for credential in &credentials {
        for path in ["/introspect", "/revoke"] {
            for header in [&basic, &bearer] {
                let twice = form(&world, path, header, &format!("token={live}&{credential}")).await;
                assert_eq!(oauth_error(&twice), (400, "invalid_request".to_owned()), "{path} {credential}");
            }
            // Section 5.2: a way that is not offered.
            let alone = form(&world, path, "", &format!("{credential}&token={live}")).await;
            assert_eq!(oauth_error(&alone), (401, "invalid_client".to_owned()), "{path} {credential}");
            let in_query = form(&world, &format!("{path}?{credential}"), &basic, &format!("token={live}")).await;
            assert_eq!(oauth_error(&in_query), (400, "invalid_request".to_owned()), "{path}?{credential}");
        }
    }
    let named = form(&world, "/introspect", &basic, &format!("token={live}&client_id=edge")).await;
    assert_eq!(named.json()["active"], true, "a name alone is no credential, and nothing has ended the token");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9701_signed_answers_are_neither_offered_nor_given() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.admin().await);
    let token = world.issue_dev(plain("alice@example.com")).await;
    let request = Request::post("/introspect")
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/token-introspection+jwt")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let body = Body::from(format!("token={}", token.signed.expose()));

    let reply = world.raw(request.body(body).unwrap()).await;
    let metadata = world.get("/.well-known/oauth-authorization-server", "").await.json();

    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    assert!(!metadata.as_object().unwrap().keys().any(|member| member.contains("signing_alg")), "{metadata}");
}
