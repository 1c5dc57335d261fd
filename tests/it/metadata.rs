//! RFC 8414: the metadata says where things are, under the issuer's own name, and claims nothing that does not work.

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use catalog::domain::{authority::RoutePermission, text::Permission};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    clients::{Secret, add},
    support::{World, world::plain},
};

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8414_section_3_2_the_answer_is_json_and_names_what_there_is_and_nothing_else() {
    let world = World::new().await;

    let reply = world.get(WELL_KNOWN, "").await;

    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    assert_eq!(
        reply.json(),
        json!({
            "issuer": "https://catalog.example.com",
            "jwks_uri": "https://catalog.example.com/.well-known/jwks.json",
            "scopes_supported": RoutePermission::ALL.map(RoutePermission::as_str),
            "revocation_endpoint": "https://catalog.example.com/revoke",
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "introspection_endpoint": "https://catalog.example.com/introspect",
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
        })
    );
    // Not even an empty list of what there is none of: no tokens for OAuth clients, so no way to ask for one.
    for (name, value) in reply.json().as_object().unwrap() {
        assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
        assert!(!["token_endpoint", "authorization_endpoint", "response_types_supported"].contains(&name.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8414_section_3_3_the_issuer_is_the_iss_of_every_token_to_the_letter() {
    for issuer in ["https://catalog.example.com", "https://catalog.example.com/", "http://127.0.0.1:8080/a"] {
        let world = World::issuing_as(issuer).await;
        let issued = world.issue_dev(plain("alice@example.com")).await;
        let admin = world.admin().await;

        let metadata = world.get(WELL_KNOWN, "").await.json();

        assert_eq!(metadata["issuer"], issuer);
        assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["iss"], issuer);
        assert!(!metadata["revocation_endpoint"].as_str().unwrap().contains("//revoke"), "{metadata}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8414_section_3_1_the_path_of_the_issuer_comes_behind_the_well_known_part() {
    let world = World::issuing_as("https://catalog.example.com/tenant1").await;
    let of_two = World::issuing_as("https://catalog.example.com/a/b/").await;

    let inserted = world.get(&format!("{WELL_KNOWN}/tenant1"), "").await;

    assert_eq!(inserted.status, 200);
    assert_eq!(inserted.json()["introspection_endpoint"], "https://catalog.example.com/tenant1/introspect");
    assert_eq!(world.get(WELL_KNOWN, "").await.text, inserted.text, "behind a proxy that takes the path off");
    assert_eq!(of_two.get(&format!("{WELL_KNOWN}/a/b"), "").await.status, 200);
    for path in ["/tenant2", "/tenant1/", "/tenant1/x", "/", "/TENANT1", "tenant1"] {
        let reply = world.get(&format!("{WELL_KNOWN}{path}"), "").await;
        assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (404, json!("route_unknown")), "{path}");
    }
    assert_eq!(world.post(&format!("{WELL_KNOWN}/tenant1"), "", Value::Null).await.status, 404);
    assert_eq!(World::new().await.get(&format!("{WELL_KNOWN}/tenant1"), "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8414_section_2_an_issuer_that_is_no_address_has_no_metadata() {
    for issuer in ["mcpgateway", "http://catalog.example.com"] {
        let world = World::issuing_as(issuer).await;

        let reply = world.get(WELL_KNOWN, "").await;

        assert_eq!((reply.status.as_u16(), reply.json()["code"].clone()), (404, json!("no_metadata")), "{issuer}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(issuer));
    }
}

/// What a reader takes that goes by the letter: these members, of these types, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    issuer: String,
    jwks_uri: String,
    scopes_supported: BTreeSet<Permission>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: BTreeSet<String>,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8414_section_2_a_reader_that_goes_by_the_letter_takes_the_metadata() {
    let world = World::new().await;

    let read: Strict = serde_json::from_str(&world.get(WELL_KNOWN, "").await.text).unwrap();

    // The registry of token endpoint authentication methods (RFC 7591 section 4.2), none of which needs a list of
    // algorithms; and for introspection the registry of token types as well.
    let methods = ["none", "client_secret_basic", "client_secret_post"].map(str::to_owned);
    assert!(read.revocation_endpoint_auth_methods_supported.iter().all(|method| methods.contains(method)));
    let introspection = read.introspection_endpoint_auth_methods_supported;
    assert!(introspection.iter().all(|method| methods.contains(method) || method == "Bearer"), "{introspection:?}");
    assert!(!introspection.contains("none"), "RFC 7662 section 2.1: nobody asks who does not say who it is");
    assert_eq!(read.scopes_supported.len(), RoutePermission::ALL.len());
    for address in [read.issuer, read.jwks_uri, read.revocation_endpoint, read.introspection_endpoint] {
        let address: Url = address.parse().unwrap();
        assert_eq!((address.scheme(), address.query(), address.fragment()), ("https", None, None), "{address}");
    }
    // Section 3.1: it is asked for by GET.
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(world.send(method, WELL_KNOWN, "", Value::Null).await.status, 405, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_may_be_kept_for_a_while_and_asked_for_by_its_tag() {
    let world = World::new().await;
    let first = world.get(WELL_KNOWN, "").await;
    let tag = first.header("etag").to_owned();

    let again = world.raw(Request::get(WELL_KNOWN).header("if-none-match", &tag).body(Body::empty()).unwrap()).await;

    assert_eq!(first.header("cache-control"), "public, max-age=300");
    assert!(tag.starts_with('"') && tag.len() > 40, "{tag}");
    assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_authentication_method_and_address_that_the_metadata_names_works() {
    let world = World::new().await;
    let admin = world.admin().await;
    let secret = add(&world, "edge", &["tokens.check", "tokens.revoke"], Some("*")).await;
    let metadata = world.get(WELL_KNOWN, "").await.json();
    let issuer = metadata["issuer"].as_str().unwrap();
    let route = |member: &str| metadata[member].as_str().unwrap().strip_prefix(issuer).unwrap().to_owned();
    let methods = |endpoint: &str| {
        let named = metadata[format!("{endpoint}_auth_methods_supported")].as_array().unwrap().iter();
        named.map(|method| method.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };

    assert_eq!(world.get(&route("jwks_uri"), "").await.json()["keys"].as_array().unwrap().len(), 1);
    for endpoint in ["introspection_endpoint", "revocation_endpoint"] {
        for method in methods(endpoint) {
            let alices = world.issue_dev(plain("alice@example.com")).await;
            let request = Request::post(route(endpoint)).header("content-type", "application/x-www-form-urlencoded");
            let request = match method.as_str() {
                "client_secret_basic" => request.header("authorization", Secret::of("edge", &secret).header()),
                "Bearer" => request.header("authorization", format!("Bearer {admin}")),
                "none" => request,
                other => panic!("nothing is known of {other}"),
            };
            let body = Body::from(format!("token={}", alices.signed.expose()));
            let reply = world.raw(request.body(body).unwrap()).await;

            assert_eq!(reply.status, 200, "{endpoint} by {method}: {reply:?}");
            let is_active = world.introspect(alices.signed.expose(), &admin).await.json()["active"].clone();
            assert_eq!(is_active, endpoint == "introspection_endpoint", "{endpoint} by {method}");
        }
    }
    // Every scope is what some operation asks for.
    let contract = world.contract().await;
    let asked: BTreeSet<&str> = contract
        .operations()
        .flat_map(|(_, _, operation)| operation["security"].as_array().into_iter().flatten())
        .flat_map(|way| way["bearer"].as_array().into_iter().flatten())
        .map(|name| name.as_str().unwrap())
        .collect();
    let scopes = metadata["scopes_supported"].as_array().unwrap().iter();
    assert!(scopes.clone().all(|scope| asked.contains(scope.as_str().unwrap()) || scope == "tokens.rotate_self"));
    assert!(asked.iter().all(|name| scopes.clone().any(|scope| scope == name)), "{asked:?}");
}
