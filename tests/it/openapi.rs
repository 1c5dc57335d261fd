//! The OpenAPI document and the pages of the problems. Beside these tests every other one that speaks HTTP holds its
//! requests and answers against the document (`support::contract`).

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use catalog::{
    app::IssuedToken,
    domain::{IssueToken, text::Permission},
};
use serde_json::{Value, json};

use crate::support::{
    World,
    contract::Contract,
    world::{Reply, plain},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_as_it_was_last_seen() {
    let world = World::new().await;

    let mut document = world.get("/openapi.json", "").await.json();

    assert_eq!(document["info"]["version"].take(), env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(dense(&document, 0));
}

/// JSON with a line for whatever fits on one.
fn dense(value: &Value, indent: usize) -> String {
    let whole = value.to_string();
    let (open, close, parts): (_, _, Vec<String>) = match value {
        _ if indent + whole.len() < 120 => return whole,
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{name:?}: {}", dense(value, indent + 1));
            ('{', '}', members.iter().map(member).collect())
        }
        Value::Array(items) => ('[', ']', items.iter().map(|item| dense(item, indent + 1)).collect()),
        _ => return whole,
    };
    let margin = " ".repeat(indent);
    format!("{open}\n{margin} {}\n{margin}{close}", parts.join(&format!(",\n{margin} ")))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_says_what_it_does_under_a_name_of_its_own() {
    let world = World::new().await;
    let contract = world.contract().await;
    let tags: BTreeSet<&str> =
        contract.document()["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();

    for (method, path, operation) in contract.operations() {
        let place = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{place} has another's name");
        for member in ["summary", "description"] {
            assert!(operation[member].as_str().is_some_and(|text| !text.is_empty()), "{place} has no {member}");
        }
        assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{place} has no tag");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')) && responses.contains_key("500"), "{place}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string() && parameter["schema"].is_object(), "{place} {parameter}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_leads_somewhere_and_every_component_is_used() {
    let world = World::new().await;
    let document = world.contract().await.document();
    let mut used = BTreeSet::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref") {
                    used.insert(reference.as_str().unwrap().strip_prefix("#/components/").unwrap().to_owned());
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }

    let mut there = BTreeSet::new();
    for kind in ["schemas", "headers", "examples"] {
        let names = document["components"][kind].as_object().unwrap().keys();
        there.extend(names.map(|name| format!("{kind}/{name}")));
    }
    // No operation answers this: the server does not come up.
    used.insert("examples/setting_differs".to_owned());

    assert_eq!(used, there);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_keeps_the_schema_beside_it() {
    let world = World::new().await;
    let contract = world.contract().await;
    let mut seen = 0;

    for (method, path, operation) in contract.operations() {
        let answers = operation["responses"].as_object().unwrap().iter();
        let contents =
            answers.map(|(status, answer)| (status.as_str(), answer)).chain([("request", &operation["requestBody"])]);
        for (part, holder) in contents {
            for (media_type, content) in holder["content"].as_object().into_iter().flatten() {
                let place = format!("{method} {path} {part} {media_type} example");
                for example in examples(contract, content) {
                    assert_eq!(contract.faults(&place, &content["schema"], example), [""; 0], "{place}: {example}");
                    seen += 1;
                }
            }
        }
    }
    for (name, schema) in contract.document()["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert_eq!(contract.faults(name, schema, example), [""; 0], "{name}: {example}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} examples");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_success_body_and_every_oauth_error_has_an_example() {
    let world = World::new().await;
    let contract = world.contract().await;
    let mut bodies = 0;

    for (method, path, operation) in contract.operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                assert!(examples(contract, content).next().is_some(), "{method} {path} {status} {media_type}");
                bodies += usize::from(media_type != "application/problem+json");
            }
        }
    }

    assert!(bodies > 25, "{bodies} bodies");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_answered_as_the_document_says() {
    let world = World::new().await;
    let contract = world.contract().await;
    let documented = &contract.document()["components"]["responses"]["MethodNotAllowed"];
    let schema = &documented["content"]["application/problem+json"]["schema"];

    // Proxies ask for this by any method.
    let paths = contract.document()["paths"].as_object().unwrap().iter().filter(|(path, _)| *path != "/authorize");
    for (path, item) in paths {
        let method = ["PUT", "PATCH"].into_iter().find(|method| item.get(method.to_lowercase()).is_none()).unwrap();
        let reply = world.send(method, &path.replace(['{', '}'], ""), "", Value::Null).await;

        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(contract.faults("MethodNotAllowed", schema, &reply.json()), [""; 0], "{reply:?}");
        let allowed = reply.header("allow").to_lowercase();
        assert!(item.as_object().unwrap().keys().all(|method| allowed.contains(method.as_str())), "{path} {allowed}");
    }
    assert!(documented["headers"]["allow"].is_object() && documented["description"].is_string());
}

fn examples<'a>(contract: &'a Contract, content: &'a Value) -> impl Iterator<Item = &'a Value> {
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| match example.get("$ref") {
        Some(reference) => {
            &contract.document().pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap()["value"]
        }
        None => &example["value"],
    });
    named.chain(content.get("example"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_a_request_is_taken() {
    let world = World::new().await;
    let admin = world.admin().await;
    let contract = world.contract().await;

    for (method, path, operation) in contract.operations() {
        let content = &operation["requestBody"]["content"]["application/json"];
        for example in examples(contract, content) {
            let jti = token_for(&world, path).await.token.jti.to_string();
            let reply = world.send(&method.to_uppercase(), &path.replace("{jti}", &jti), &admin, example.clone()).await;
            assert!(reply.status.is_success(), "{method} {path} {example} → {reply:?}");
        }
    }
}

/// A token that an operation can be about: couriers are made of revoked ones.
async fn token_for(world: &World, path: &str) -> IssuedToken {
    let issued = world.issue_dev(plain("a")).await;
    if path.ends_with("/courier") {
        let admin = world.admin().await;
        assert_eq!(world.delete(&format!("/tokens/{}", issued.token.jti), &admin, Value::Null).await.status, 204);
    }
    issued
}

/// A request of an operation as it is meant to be asked.
async fn ask(world: &World, method: &str, path: &str, operation: &Value, credential: &str) -> Reply {
    let issued = token_for(world, path).await;
    let path = path.replace("{jti}", &issued.token.jti.to_string()).replace("{code}", "malformed");
    let path = path.replace("{list}", &world.list_begun().await.unwrap_or_default().to_string());
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
    // What is presented there is the token that is asked about.
    let is_passage = operation["security"][0].get("passage").is_some();
    if !credential.is_empty() {
        let credential = if is_passage { issued.signed.expose() } else { credential };
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    let content = operation["requestBody"]["content"].as_object();
    let (media_type, body) = match content.and_then(|content| content.iter().next()) {
        None => ("application/json", String::new()),
        Some((media_type, content)) if media_type == "application/json" => {
            (media_type.as_str(), examples(world.contract().await, content).next().unwrap().to_string())
        }
        Some((media_type, _)) => (media_type.as_str(), format!("token={}", issued.signed.expose())),
    };
    world.raw(request.header("content-type", media_type).body(Body::from(body)).unwrap()).await
}

/// Whether an operation can be asked for without a credential.
fn is_open(operation: &Value) -> bool {
    let security = operation["security"].as_array();
    security.is_none_or(|ways| ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty)))
}

/// What the first way to be let in asks for; `None` where that is nothing.
fn permissions(operation: &Value) -> Option<Vec<Permission>> {
    let ways = operation["security"].as_array()?;
    let named = ways.iter().find_map(|way| way["bearer"].as_array().filter(|names| !names.is_empty()))?;
    Some(named.iter().map(|name| name.as_str().unwrap().parse().unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_can_be_asked_for_and_answers_as_it_says() {
    let world = World::new().await;
    world.begin_list().await;
    let admin = world.admin().await;
    let contract = world.contract().await;

    for (method, path, operation) in contract.operations() {
        let reply = ask(&world, method, path, operation, &admin).await;

        assert!(reply.status.is_success(), "{method} {path} → {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_asks_for_the_credential_and_the_permission_that_it_says() {
    let world = World::new().await;
    let contract = world.contract().await;
    let weak = world.caller("a", |_| ()).await;

    for (method, path, operation) in contract.operations() {
        let place = format!("{method} {path}");
        let without = ask(&world, method, path, operation, "").await;
        assert_eq!(without.status == 401, !is_open(operation), "{place} without a credential → {without:?}");
        let powerless = ask(&world, method, path, operation, &weak).await;
        let is_refused = matches!(powerless.status.as_u16(), 401 | 403);
        assert_eq!(is_refused, permissions(operation).is_some(), "{place} without permissions → {powerless:?}");
        if let Some(permissions) = permissions(operation) {
            let shape = |command: &mut IssueToken| {
                command.scopes.permissions = permissions.clone();
                command.is_admin = path.ends_with("/courier");
            };
            let holder = world.caller("a", shape).await;
            let allowed = ask(&world, method, path, operation, &holder).await;
            let is_past = allowed.status != 401 && !allowed.text.contains("permission_missing");
            assert!(is_past, "{place} with {permissions:?} → {allowed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_is_asked_wrongly_answers_as_it_says() {
    let world = World::new().await;
    let admin = world.admin().await;
    let unknown = uuid::Uuid::from_u128(7).to_string();
    let too_large = "x".repeat(65_537);

    for (method, path, _) in world.contract().await.operations() {
        for jti in [unknown.as_str(), "x"] {
            let path = path.replace("{jti}", jti).replace("{code}", jti).replace("{list}", jti);
            for query in ["", "?min_position=x", "?min_position=9000000"] {
                for (media_type, body) in [
                    ("application/json", ""),
                    ("application/json", "{}"),
                    ("application/json", "[1]"),
                    ("application/x-www-form-urlencoded", "token=a&token=b"),
                    ("text/plain", "token"),
                    ("application/json", too_large.as_str()),
                ] {
                    let request = Request::builder()
                        .method(method.to_uppercase().as_str())
                        .uri(format!("{path}{query}"))
                        .header("authorization", format!("Bearer {admin}"))
                        .header("content-type", media_type)
                        .body(Body::from(body.to_owned()));
                    // Held against the document on the way.
                    let reply = world.raw(request.unwrap()).await;
                    let is_ahead = reply.text.contains("position_ahead");
                    assert!(!reply.status.is_server_error() || is_ahead, "{method} {path}{query} {body} → {reply:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_every_problem_leads_to_its_page() {
    let world = World::new().await;
    let codes = codes(world.contract().await);
    let index = world.get("/problems", "").await.json();

    assert_eq!(index["problems"].as_array().unwrap().len(), codes.len());
    for code in codes {
        let explained = world.get(&format!("/problems/{code}"), "").await.json();
        let page = html(&world, &format!("/problems/{code}")).await;

        assert_eq!(explained["code"], code);
        assert_eq!(explained["example"]["type"], format!("/problems/{code}"));
        assert_eq!(page.status, 200);
        for text in [code.as_str(), "What happened", "What to do", "An example"] {
            assert!(page.text.contains(text), "the page of {code} does not say '{text}'");
        }
    }
    let nowhere = world.get("/nowhere", "").await.json();
    assert_eq!(nowhere["type"], "https://catalog.example.com/problems/route_unknown");
    let unknown = world.get("/problems/unheard_of", "").await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["code"].clone()), (404, json!("route_unknown")));
}

fn codes(contract: &Contract) -> Vec<String> {
    let names = contract.document()["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

async fn html(world: &World, path: &str) -> Reply {
    world.raw(Request::get(path).header("accept", "text/html,*/*;q=0.8").body(Body::empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_run_no_scripts_and_load_nothing_from_elsewhere() {
    let world = World::new().await;

    for path in ["/problems", "/problems/teams_required"] {
        let page = html(&world, path).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'unsafe-inline';"));
        for foreign in ["<script", "http://", "https://", "src=", "@import", "url("] {
            assert!(!page.text.contains(foreign), "{path} contains {foreign}");
        }
    }
    let redirect = world.get("/docs", "").await;
    assert_eq!((redirect.status.as_u16(), redirect.header("location")), (303, "/docs/"));
    let initializer = world.get("/docs/swagger-initializer.js", "").await;
    assert!(initializer.text.contains("../openapi.json") && !initializer.text.contains("http"), "{}", initializer.text);
    for part in ["", "swagger-ui.css", "swagger-ui-bundle.js", "index.css"] {
        let answer = world.send("HEAD", &format!("/docs/{part}"), "", Value::Null).await;
        assert_eq!(answer.status, 200, "{part}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("http"), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_docs_are_compressed_for_whoever_takes_that_and_are_not_sent_twice() {
    let world = World::new().await;
    let ask = |encoding: &'static str, tag: &str| {
        let request = Request::head("/docs/swagger-ui.css").header("accept-encoding", encoding);
        world.raw(request.header("if-none-match", tag).body(Body::empty()).unwrap())
    };

    let packed = ask("gzip, br", "").await;
    let plain = ask("identity", "").await;
    let text = world.get("/docs/swagger-ui.css", "").await;

    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(!plain.headers.contains_key("content-encoding") && !text.headers.contains_key("content-encoding"));
    assert!(text.text.contains(".swagger-ui"), "it is not text");
    let length = |reply: &Reply| reply.header("content-length").parse::<usize>().unwrap();
    assert!(length(&packed) < length(&plain) && length(&plain) == text.text.len());
    assert_ne!(packed.header("etag"), plain.header("etag"));
    for reply in [&packed, &plain, &text] {
        assert_eq!((reply.header("vary"), reply.header("content-type")), ("accept-encoding", "text/css"));
    }
    let again = ask("gzip", packed.header("etag")).await;
    assert_eq!((again.status.as_u16(), again.header("vary")), (304, "accept-encoding"));
    assert_eq!(ask("gzip", plain.header("etag")).await.status, 200);
    let nothing = world.get("/docs/nothing.js", "").await;
    assert_eq!((nothing.status.as_u16(), nothing.json()["code"].clone()), (404, json!("route_unknown")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_itself_says_where_to_go_on() {
    let world = World::new().await;

    let entrance = world.get("/", "").await.json();

    for member in ["docs", "openapi", "problems"] {
        let status = world.get(entrance[member].as_str().unwrap(), "").await.status.as_u16();
        assert!(matches!(status, 200 | 303), "{member}");
    }
}
