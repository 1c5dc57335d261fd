//! Forward-auth: a request passes by a token that is good and may be used for it, and nothing that its sender adds helps it.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, header, request::Builder},
};
use catalog::domain::{
    IssueToken,
    claims::{Scopes, Teams},
    text::Permission,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    World,
    process::until,
    world::{Reply, plain},
};

const CHALLENGE: &str = "Bearer realm=\"catalog\"";

/// A token for the gateway, shaped further by `shape`.
async fn token(world: &World, shape: impl FnOnce(&mut IssueToken)) -> String {
    let mut command = plain("alice@example.com");
    shape(&mut command);
    world.issue_dev(command).await.signed.expose().to_owned()
}

/// The same, narrowed so.
async fn narrowed(world: &World, scopes: Value) -> String {
    let scopes: Scopes = serde_json::from_value(scopes).unwrap();
    token(world, |command| command.scopes = scopes).await
}

fn scopes(permissions: &[&str], member: &str, value: Value) -> Value {
    let mut scopes = json!({
        "server_id": null, "permissions": permissions, "ip_restrictions": [], "time_restrictions": {}, "usage_limits": {}
    });
    scopes[member] = value;
    scopes
}

fn request(path: &str, token: &str) -> Builder {
    Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"))
}

async fn ask(world: &World, path: &str, token: &str) -> Reply {
    send(world, request(path, token)).await
}

async fn send(world: &World, request: Builder) -> Reply {
    world.raw(request.body(Body::empty()).unwrap()).await
}

/// Status, code and challenge of an answer.
fn told(reply: &Reply) -> (u16, String, &str) {
    let code = if reply.status == 200 { Value::Null } else { reply.json()["code"].clone() };
    (reply.status.as_u16(), code.as_str().unwrap_or_default().to_owned(), reply.header("www-authenticate"))
}

fn refused(status: u16, code: &str, error: &'static str) -> (u16, String, &'static str) {
    (status, code.to_owned(), error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_passes_and_its_bearer_is_named_in_headers() {
    let world = World::new().await;
    let mut command = plain("alice@example.com");
    command.teams = Some(Teams::These(vec!["red".parse().unwrap(), "blue".parse().unwrap()]));
    command.scopes.permissions = ["tools.read", "servers.*"].map(|text| text.parse().unwrap()).to_vec();
    let issued = world.issue_dev(command).await;

    let reply = ask(&world, "/authorize", issued.signed.expose()).await;

    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""));
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("x-auth-subject"), "alice@example.com");
    assert_eq!(reply.header("x-auth-teams"), "red,blue");
    assert_eq!(reply.header("x-auth-permissions"), "tools.read,servers.*");
    assert_eq!(reply.header("x-auth-jti"), issued.token.jti.to_string());
    assert_eq!(reply.header("x-auth-path"), "cli-dev");
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_headers_are_plain_ascii_whatever_the_claims_hold() {
    let world = World::new().await;
    let odd = token(&world, |command| {
        command.sub = "jos\u{e9},\"x\";%0d".parse().unwrap();
        command.teams =
            Some(Teams::These(vec!["*".parse().unwrap(), "a,b".parse().unwrap(), "\u{1f600}".parse().unwrap()]));
    })
    .await;
    let of_everybody = token(&world, |command| command.is_admin = true).await;
    let of_nobody = token(&world, |command| command.teams = Some(Teams::These(Vec::new()))).await;

    let reply = ask(&world, "/authorize", &odd).await;
    assert_eq!(reply.header("x-auth-subject"), "jos%C3%A9%2C%22x%22%3B%250d");
    assert_eq!(reply.header("x-auth-teams"), "%2A,a%2Cb,%F0%9F%98%80");
    assert_eq!(ask(&world, "/authorize", &of_everybody).await.header("x-auth-teams"), "*");
    let reply = ask(&world, "/authorize", &of_nobody).await;
    assert_eq!((reply.header("x-auth-teams"), reply.header("x-auth-permissions")), ("", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_that_is_not_good_is_answered_the_same() {
    let world = World::new().await;
    let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
    let revoked = world.issue_dev(plain("a")).await;
    world.delete(&format!("/tokens/{}", revoked.token.jti), &admin, Value::Null).await;
    let suspended = world.issue_dev(plain("a")).await;
    world.post(&format!("/tokens/{}/suspend", suspended.token.jti), &admin, json!({})).await;
    let expired = token(&world, |_| ()).await;
    world.clock.advance(TimeDelta::minutes(20));
    let elsewhere = token(&world, |command| command.aud = vec!["billing".parse().unwrap()]).await;
    let altered = format!("{}A", token(&world, |_| ()).await);
    let too_long = "x".repeat(8_193);

    let mut bodies = Vec::new();
    for presented in [
        revoked.signed.expose(),
        suspended.signed.expose(),
        &expired,
        &elsewhere,
        &admin,
        &altered,
        "nonsense",
        "",
        &too_long,
    ] {
        let reply = ask(&world, "/authorize", presented).await;
        let invalid = format!("{CHALLENGE}, error=\"invalid_token\"");
        assert_eq!(told(&reply), (401, "credential_invalid".to_owned(), invalid.as_str()), "{presented}");
        bodies.push(reply.text);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_from_the_authorization_header_and_from_nowhere_else() {
    let world = World::new().await;
    let good = token(&world, |_| ()).await;
    let missing = refused(401, "credential_missing", CHALLENGE);

    let reply = send(&world, Request::get("/authorize")).await;
    assert_eq!(told(&reply), missing);
    let basic = Request::get("/authorize").header(header::AUTHORIZATION, "Basic ZWRnZTpodXNo");
    assert_eq!(told(&send(&world, basic).await), missing);
    let cookie = Request::get("/authorize").header(header::COOKIE, format!("access_token={good}"));
    assert_eq!(told(&send(&world, cookie).await), missing);
    // In the request's own query it is no token, and in that of this route no parameter, whatever the header holds.
    assert_eq!(told(&send(&world, Request::get(format!("/authorize/mcp?access_token={good}"))).await), missing);
    for request in [
        Request::get(format!("/authorize?access_token={good}")),
        request(&format!("/authorize?access_token={good}"), &good),
        request(&format!("/authorize?token={good}"), &good),
    ] {
        let reply = send(&world, request).await;
        assert_eq!(reply.status, if reply.header("www-authenticate").is_empty() { 400 } else { 401 });
        assert!(!reply.text.contains(&good));
    }
    let twice = request("/authorize", &good).header(header::AUTHORIZATION, format!("Bearer {good}"));
    assert_eq!(send(&world, twice).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_permission_that_query_or_header_name_is_required() {
    let world = World::new().await;
    let reader = narrowed(&world, scopes(&["tools.read", "servers.*"], "server_id", Value::Null)).await;
    let unnamed = token(&world, |command| command.is_admin = true).await;
    let lacking = |scope: &str| format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{scope}\"");

    for permission in ["tools.read", "servers.use", "servers.*"] {
        assert_eq!(ask(&world, &format!("/authorize?permission={permission}"), &reader).await.status, 200);
        let by_header = request("/authorize", &reader).header("x-authorize-permission", permission);
        assert_eq!(send(&world, by_header).await.status, 200, "{permission}");
    }
    for token in [&reader, &unnamed] {
        let reply = ask(&world, "/authorize?permission=tools.write", token).await;
        assert_eq!(told(&reply), (403, "permission_missing".to_owned(), lacking("tools.write").as_str()));
    }
    // Whoever adds one asks for more, and takes nothing away.
    for (path, header) in
        [("?permission=tools.read", "tools.write"), ("?permission=tools.write", "tools.read"), ("", "tools.write")]
    {
        let both = request(&format!("/authorize{path}"), &reader).header("x-authorize-permission", header);
        assert_eq!(send(&world, both).await.status, 403, "{path} {header}");
    }
    let several = request("/authorize", &reader)
        .header("x-authorize-permission", "tools.read")
        .header("x-authorize-permission", "tools.write");
    let reply = send(&world, several).await;
    assert_eq!(told(&reply), (403, "permission_missing".to_owned(), lacking("tools.read tools.write").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_asks_for_wrongly_is_told_and_lets_nothing_pass() {
    let world = World::new().await;
    let good = token(&world, |command| command.scopes.permissions = vec![Permission::everything()]).await;

    for query in [
        "permission=Tools",
        "permission=",
        "permission=tools.read&permission=tools.write",
        "permissions=tools.read",
        "out_of_band=no",
        "server_id=",
        "server_id=a%20b",
    ] {
        let reply = ask(&world, &format!("/authorize?{query}"), &good).await;
        assert_eq!(told(&reply), refused(400, "malformed", ""), "{query}");
    }
    for (name, value) in [
        ("x-authorize-permission", &b""[..]),
        ("x-authorize-permission", b"Tools"),
        ("x-authorize-permission", b"tools.read tools.write"),
        ("x-authorize-out-of-band", b"yes"),
        ("x-authorize-server-id", b"\xff"),
    ] {
        let reply =
            send(&world, request("/authorize", &good).header(name, HeaderValue::from_bytes(value).unwrap())).await;
        assert_eq!(told(&reply), refused(400, "malformed", ""), "{name}");
        assert_eq!(reply.json()["errors"][0]["parameter"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_passes_at_its_server_alone() {
    let world = World::new().await;
    let bound = narrowed(&world, scopes(&[], "server_id", json!("one"))).await;
    let free = token(&world, |_| ()).await;
    let mismatch = format!("{CHALLENGE}, error=\"insufficient_scope\"");

    assert_eq!(ask(&world, "/authorize?server_id=one", &bound).await.status, 200);
    let by_header = request("/authorize", &bound).header("x-authorize-server-id", "one");
    assert_eq!(send(&world, by_header).await.status, 200);
    for query in ["", "?server_id=two"] {
        let reply = ask(&world, &format!("/authorize{query}"), &bound).await;
        assert_eq!(told(&reply), (403, "server_mismatch".to_owned(), mismatch.as_str()), "{query}");
        assert_eq!(ask(&world, &format!("/authorize{query}"), &free).await.status, 200, "{query}");
    }
    let both = request("/authorize?server_id=two", &bound).header("x-authorize-server-id", "one");
    assert_eq!(send(&world, both).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_those_of_peers_and_of_whom_trusted_proxies_name() {
    let world = World::new().await;
    let bound = narrowed(&world, scopes(&[], "ip_restrictions", json!(["10.0.0.0/16", "2001:db8::/32"]))).await;
    let from = async |peer: &str, forwarded: &[&str]| {
        let mut request = request("/authorize", &bound);
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        let peer = ConnectInfo(peer.parse::<SocketAddr>().unwrap());
        send(&world, request.extension(peer)).await
    };

    // 10.1.0.0/16 and ::1 are trusted proxies here.
    for (peer, forwarded) in [
        ("10.0.0.7:1", &[][..]),
        ("10.0.0.7:1", &["203.0.113.9"]),
        ("[::ffff:10.0.0.7]:1", &[]),
        ("10.1.0.1:1", &["10.0.0.7"]),
        ("10.1.0.1:1", &["203.0.113.9, 10.0.0.7, 10.1.0.2"]),
        ("[::1]:1", &["203.0.113.9", "2001:db8::7"]),
    ] {
        assert_eq!(from(peer, forwarded).await.status, 200, "{peer} {forwarded:?}");
    }
    let refusal = format!("{CHALLENGE}, error=\"insufficient_scope\"");
    for (peer, forwarded) in [
        ("203.0.113.9:1", &[][..]),
        ("203.0.113.9:1", &["10.0.0.7"]),
        ("10.1.0.1:1", &[]),
        ("10.1.0.1:1", &["nonsense"]),
        ("10.1.0.1:1", &["10.0.0.7, 203.0.113.9"]),
        ("10.1.0.1:1", &["10.0.0.7", "203.0.113.9, 10.1.0.2"]),
    ] {
        let reply = from(peer, forwarded).await;
        assert_eq!(told(&reply), (403, "address_not_allowed".to_owned(), refusal.as_str()), "{peer} {forwarded:?}");
    }
    assert_eq!(ask(&world, "/authorize", &bound).await.status, 403, "nobody knows from where");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_server_and_days_those_of_the_zone() {
    let world = World::new().await;
    // It is noon on a Sunday.
    for (times, passes) in [
        (json!({"business_hours_only": true}), true),
        (json!({"weekdays_only": true}), false),
        (json!({"start_time": "12:00", "end_time": "12:01"}), true),
        (json!({"start_time": "11:00", "end_time": "12:00"}), false),
        (json!({"start_time": "00:00", "end_time": "02:00", "timezone": "Pacific/Auckland", "days": ["Monday"]}), true),
        (
            json!({"start_time": "00:00", "end_time": "02:00", "timezone": "Pacific/Auckland", "days": ["Sunday"]}),
            false,
        ),
        (json!({"days": ["Sunday"]}), true),
    ] {
        let token = narrowed(&world, scopes(&[], "time_restrictions", times.clone())).await;
        let reply = ask(&world, "/authorize", &token).await;
        assert_eq!(reply.status, if passes { 200 } else { 403 }, "{times}");
        assert!(passes || reply.json()["code"] == "time_not_allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_shell_are_refused_where_the_place_takes_none() {
    let world = World::new().await;
    let admin = world.admin().await;
    let of_shell = token(&world, |_| ()).await;
    let issued = world.post("/tokens", &admin, json!({ "sub": "ci", "aud": ["gateway"] })).await;
    let of_api = issued.json()["access_token"].as_str().unwrap().to_owned();
    let denying = |path: &str, token: &str| request(path, token).header("x-authorize-out-of-band", "deny");

    for (path, by_header) in
        [("/authorize?out_of_band=deny", false), ("/authorize", true), ("/authorize?out_of_band=allow", true)]
    {
        let shape = |token| if by_header { denying(path, token) } else { request(path, token) };
        let reply = send(&world, shape(&of_shell)).await;
        assert_eq!(told(&reply).1, "issued_out_of_band", "{path}");
        assert_eq!(reply.status, 403);
        assert_eq!(send(&world, shape(&of_api)).await.status, 200, "{path}");
    }
    // A header takes back nothing.
    let allowing = request("/authorize?out_of_band=deny", &of_shell).header("x-authorize-out-of-band", "allow");
    assert_eq!(send(&world, allowing).await.status, 403);
    for path in ["/authorize", "/authorize?out_of_band=allow"] {
        assert_eq!(ask(&world, path, &of_shell).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_any_method_and_below_any_path_the_answer_is_the_same_and_a_body_is_not_read() {
    let world = World::new().await;
    let good = token(&world, |_| ()).await;

    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        for path in [
            "/authorize",
            "/authorize/",
            "/authorize/mcp/tools?permission=tools.write&x=%zz&x=1",
            "/authorize/../tokens",
        ] {
            let asked = |token: &str| request(path, token).method(method).header("content-length", "70000");
            let body = || Body::from("x".repeat(70_000));
            let reply = world.raw(asked(&good).body(body()).unwrap()).await;
            assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""), "{method} {path}");
            if method == "HEAD" {
                continue;
            }
            let reply = world.raw(asked("nonsense").header("x-original-uri", "/").body(body()).unwrap()).await;
            assert_eq!(reply.status, 401, "{method} {path}");
        }
    }
    // What its own query asks for, a request cannot ask for, nor be asked by it.
    let by_header =
        request("/authorize/mcp?permission=tools.read", &good).header("x-authorize-permission", "tools.read");
    assert_eq!(send(&world, by_header).await.status, 403);
    for path in ["/authorized", "/authorize.json"] {
        assert_eq!(ask(&world, path, &good).await.status, 404, "{path}");
    }
    assert_eq!(world.send("POST", "/healthz", "", Value::Null).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_eight_kibibytes_passes_with_all_that_it_names() {
    let world = World::new().await;
    let permissions: Vec<Permission> = (0..106).map(|n| format!("tools.{n:04}.read_it_all").parse().unwrap()).collect();
    let long = token(&world, |command| command.scopes.permissions.clone_from(&permissions)).await;
    assert!((7_400..=8_192).contains(&long.len()), "{} bytes", long.len());

    let reply = ask(&world, "/authorize?permission=tools.0105.read_it_all", &long).await;

    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("x-auth-permissions").split(',').count(), permissions.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_and_never_issued_is_recorded_with_the_address_that_it_came_from() {
    let world = World::new().await;
    let admin = world.admin().await;
    let genuine = world.issue_dev(plain("alice@example.com")).await;
    let (signed, _) = genuine.signed.expose().rsplit_once('.').unwrap();
    let mut claims = catalog::domain::claims::claims_of(signed).unwrap();
    claims.jti = world.catalog.new_id();

    let peer = ConnectInfo("10.1.0.1:1".parse::<SocketAddr>().unwrap());
    let forged = request("/authorize", &world.forge(&claims)).header("x-forwarded-for", "203.0.113.9").extension(peer);
    assert_eq!(send(&world, forged).await.status, 401);

    let evidence = until("the evidence is recorded", async || {
        let events = world.events(&admin).await;
        events.into_iter().find(|event| event["jti"] == json!(claims.jti))
    })
    .await;
    assert_eq!(evidence["address"], "203.0.113.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_and_never_sent_holds_up_no_answer() {
    let world = World::new().await;
    let (url, _serving) = world.listen().await;
    let good = token(&world, |_| ()).await;

    for (method, body) in [
        ("GET", "content-length: 70000"),
        ("POST", "content-length: 999999999999"),
        ("GET", "transfer-encoding: chunked"),
        ("POST", "content-length: 5\r\nexpect: 100-continue"),
    ] {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
        let head = format!("{method} /authorize HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {good}\r\n{body}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200 OK", "{method} {body}");
    }
}
