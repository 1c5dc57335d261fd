//! Clients: gateways and services that come with a name and a secret, where tokens are checked and revoked.

mod cli;

use std::sync::Arc;

use axum::{body::Body, http::Request};
use base64::{Engine, prelude::BASE64_STANDARD};
use catalog::{
    app::{OpenError, Settled},
    domain::{
        Authority, Path, Refusal, RevokeToken,
        claims::Teams,
        client::{ChangeClient, Client, ClientAdded, ClientRefusal, ClientSecret, SecretDigest},
        revoke::RevocationReason,
        text::IdempotencyKey,
    },
    store::AppendError,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    World,
    process::until,
    world::{Reply, plain, shell},
};

/// A name and a secret as they are presented.
#[derive(Debug, Clone)]
pub struct Secret(String);

impl Secret {
    pub fn of(name: &str, secret: &str) -> Self {
        Self(format!("{name}:{secret}"))
    }

    /// The value of `Authorization`.
    pub fn header(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(&self.0))
    }
}

async fn change(world: &World, change: ChangeClient) -> Result<Settled<Client>, OpenError> {
    world.catalog.change_client(change, shell(Path::CliAdmin)).await
}

fn generate(world: &World) -> ClientSecret {
    ClientSecret::generate(&*world.catalog.ambient().entropy)
}

/// Adds a client; `*` is every team. Its secret.
pub async fn add(world: &World, name: &str, permissions: &[&str], teams: Option<&str>) -> String {
    let secret = generate(world);
    let permissions = permissions.iter().map(|text| text.parse().unwrap()).collect();
    let teams = teams.map(|teams| match teams {
        "*" => Teams::Every,
        teams => Teams::These(teams.split(',').map(|team| team.parse().unwrap()).collect()),
    });
    let added = ClientAdded::new(name.parse().unwrap(), permissions, teams, secret.digest()).unwrap();
    change(world, ChangeClient::Add(added)).await.unwrap();
    secret.expose().to_owned()
}

async fn rotate(world: &World, name: &str, overlap: &str) -> String {
    let secret = generate(world);
    let (name, overlap) = (name.parse().unwrap(), overlap.parse().unwrap());
    change(world, ChangeClient::Rotate { name, secret_sha256: secret.digest(), overlap }).await.unwrap();
    secret.expose().to_owned()
}

async fn revoke(world: &World, name: &str) -> Settled<Client> {
    change(world, ChangeClient::Revoke { name: name.parse().unwrap() }).await.unwrap()
}

/// Sends a form with a token, under this `Authorization`.
async fn form(world: &World, path: &str, authorization: &str, token: &str) -> Reply {
    let request = Request::post(path)
        .header("authorization", authorization)
        .header("content-type", "application/x-www-form-urlencoded");
    world.raw(request.body(Body::from(format!("token={token}"))).unwrap()).await
}

async fn introspect(world: &World, secret: &Secret, token: &str) -> Reply {
    form(world, "/introspect", &secret.header(), token).await
}

/// Whether a client is let in.
async fn is_let_in(world: &World, secret: &Secret) -> bool {
    match introspect(world, secret, "x").await.status.as_u16() {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7662_section_2_1_a_client_that_may_check_tokens_introspects_by_its_secret() {
    let world = World::new().await;
    let edge = Secret::of("edge", &add(&world, "edge", &["tokens.check"], None).await);
    let issued = world.issue_dev(plain("alice@example.com")).await;

    let active = introspect(&world, &edge, issued.signed.expose()).await;
    let inactive = introspect(&world, &edge, "nonsense").await;

    assert_eq!((active.status.as_u16(), &active.json()["sub"]), (200, &json!("alice@example.com")));
    assert_eq!((inactive.status.as_u16(), inactive.text.as_str()), (200, r#"{"active":false}"#));
    for authorization in [edge.header(), edge.header().replace("Basic ", "bAsIc   ")] {
        assert_eq!(form(&world, "/introspect", &authorization, "x").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_6749_section_2_3_1_name_and_secret_may_be_written_as_in_a_form() {
    let world = World::new().await;
    let secret = add(&world, "edge.gateway-1", &["tokens.check"], None).await;
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    let encoded =
        |text: &str| text.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect::<String>();

    assert!(is_let_in(&world, &Secret::of("edge.gateway-1", &secret)).await);
    assert!(is_let_in(&world, &Secret::of(&encoded("edge.gateway-1"), &encoded(&secret))).await);
    assert!(!is_let_in(&world, &Secret::of("edge.gateway-1", &encoded(&encoded(&secret)))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_6749_section_5_2_whoever_is_no_client_gets_401_and_the_same_bytes_whatever_is_wrong() {
    let world = World::new().await;
    let secret = add(&world, "edge", &["tokens.check"], None).await;
    let over = add(&world, "over", &["tokens.check"], None).await;
    revoke(&world, "over").await;
    let replaced = add(&world, "replaced", &["tokens.check"], None).await;
    rotate(&world, "replaced", "0s").await;
    let mut answers = Vec::new();

    for wrong in [
        Secret::of("unknown", &secret).header(),
        Secret::of("edge", "wrong").header(),
        Secret::of("edge", "").header(),
        Secret::of("", &secret).header(),
        Secret::of("edge", &over).header(),
        Secret::of("Edge", &secret).header(),
        Secret::of("edge ", &secret).header(),
        Secret::of("over", &over).header(),
        Secret::of("replaced", &replaced).header(),
        Secret::of("edge", &format!("{secret}x")).header(),
        Secret::of("edge", &String::from(SecretDigest::of(&secret))).header(),
        "Basic ".to_owned(),
        "Basic edge".to_owned(),
        format!("Basic edge:{secret}"),
        format!("Basic {}", BASE64_STANDARD.encode("edge")),
        format!("{} {}", Secret::of("edge", &secret).header(), "x"),
    ] {
        for path in ["/introspect", "/revoke"] {
            let reply = form(&world, path, &wrong, "x").await;
            assert_eq!(reply.header("cache-control"), "no-store");
            answers.push((reply.status.as_u16(), reply.header("www-authenticate").to_owned(), reply.text));
        }
    }

    assert_eq!((answers[0].0, answers[0].1.as_str()), (401, "Basic realm=\"catalog\""));
    assert!(answers[0].2.starts_with(r#"{"error":"invalid_client","error_description":"#), "{}", answers[0].2);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let bearer = form(&world, "/introspect", "Bearer nonsense", "x").await;
    assert!(bearer.header("www-authenticate").starts_with("Bearer "), "{bearer:?}");
    assert_eq!(
        world.events(&world.admin().await).await.len(),
        9 + 1,
        "nobody knows who it was, and nothing is recorded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_permission_of_the_route_is_refused_by_its_own_challenge() {
    let world = World::new().await;
    let checks = Secret::of("checks", &add(&world, "checks", &["tokens.check"], None).await);
    let revokes = Secret::of("revokes", &add(&world, "revokes", &["tokens.revoke"], Some("*")).await);
    let issued = world.issue_dev(plain("alice@example.com")).await;
    let jti = issued.token.jti;

    let cannot_check = introspect(&world, &revokes, issued.signed.expose()).await;
    let cannot_revoke = form(&world, "/revoke", &checks.header(), issued.signed.expose()).await;
    let cannot_ask = ask(&world, &revokes, "GET", &format!("/revocations/{jti}"), Value::Null).await;

    for reply in [cannot_check, cannot_revoke] {
        assert_eq!((reply.status.as_u16(), reply.json()["error"].clone()), (401, json!("invalid_client")));
        assert_eq!(reply.header("www-authenticate"), "Basic realm=\"catalog\"");
    }
    assert_eq!((cannot_ask.status.as_u16(), cannot_ask.json()["code"].clone()), (403, json!("permission_missing")));
    assert_eq!(cannot_ask.header("www-authenticate"), "Basic realm=\"catalog\"");
    let admin = world.admin().await;
    let refused =
        world.events(&admin).await.into_iter().find(|event| event["kind"] == "revocation.refused.v1").unwrap();
    assert_eq!(refused["actor"], json!({"kind": "client", "name": "checks"}));
    assert_eq!((&refused["jti"], &refused["data"]["rule"]), (&json!(jti), &json!("permission_missing")));
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_7009_section_2_1_a_client_ends_tokens_of_its_teams_and_no_others() {
    let world = World::new().await;
    let admin = world.admin().await;
    let of_red = Secret::of("of-red", &add(&world, "of-red", &["tokens.revoke"], Some("red,pink")).await);
    let of_all = Secret::of("of-all", &add(&world, "of-all", &["tokens.revoke"], Some("*")).await);
    let of_teams = async |sub: &str, teams: &[&str]| {
        let mut command = plain(sub);
        command.teams = Some(Teams::These(teams.iter().map(|team| team.parse().unwrap()).collect()));
        world.issue_dev(command).await.signed.expose().to_owned()
    };
    let cases = [
        (of_teams("a", &["red"]).await, true),
        (of_teams("b", &["red", "pink"]).await, true),
        (of_teams("c", &["red", "blue"]).await, false),
        (of_teams("d", &["blue"]).await, false),
        (of_teams("e", &[]).await, false),
        (world.admin().await, false),
    ];

    for (token, is_ended) in &cases {
        let reply = form(&world, "/revoke", &of_red.header(), token).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""), "no oracle");
        assert_eq!(world.introspect(token, &admin).await.json()["active"], !is_ended);
    }
    for (token, _) in &cases {
        assert_eq!(form(&world, "/revoke", &of_all.header(), token).await.status, 200);
        assert_eq!(world.introspect(token, &admin).await.json()["active"], false);
    }
    let events = world.events(&admin).await;
    let by = |name: &str, kind: &str| {
        let actor = json!({"kind": "client", "name": name});
        events.iter().filter(|event| event["kind"] == kind && event["actor"] == actor).count()
    };
    assert_eq!((by("of-red", "token.revoked.v1"), by("of-all", "token.revoked.v1")), (2, 4));
    assert_eq!(by("of-red", "revocation.refused.v1"), 1, "one of a kind a minute");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_by_a_client_names_it_in_the_record_and_a_second_one_is_no_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    let bot = Secret::of("bot", &add(&world, "bot", &["tokens.revoke"], Some("*")).await);
    let issued = world.issue_dev(plain("alice@example.com")).await;

    for _ in 0..2 {
        assert_eq!(form(&world, "/revoke", &bot.header(), issued.signed.expose()).await.status, 200);
    }

    let record = world.get(&format!("/tokens/{}", issued.token.jti), &admin).await.json();
    assert_eq!(record["revocation"]["revoked_by"], "client bot");
    let events = world.events(&admin).await;
    assert_eq!(events.iter().filter(|event| event["kind"] == "token.revoked.v1").count(), 1);
    world.verify().await;
}

async fn ask(world: &World, secret: &Secret, method: &str, path: &str, body: Value) -> Reply {
    let request = Request::builder().method(method).uri(path).header("authorization", secret.header());
    let request = request.header("content-type", "application/json");
    world.raw(request.body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) }).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_checks_by_identifier_and_is_told_where_else_its_secret_is_taken() {
    let world = World::new().await;
    let edge = Secret::of("edge", &add(&world, "edge", &["tokens.check"], None).await);
    let wrong = Secret::of("edge", "wrong");
    let jti = world.issue_dev(plain("alice@example.com")).await.token.jti;
    let one = format!("/revocations/{jti}");

    assert_eq!(ask(&world, &edge, "GET", &one, Value::Null).await.json()["status"], "active");
    let many = ask(&world, &edge, "POST", "/revocations/check", json!({"jtis": [jti]})).await;
    assert_eq!(many.json()["results"][0]["status"], "active");
    let refused = ask(&world, &wrong, "GET", &one, Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (401, json!("client_invalid")));
    assert_eq!(refused.header("www-authenticate"), "Basic realm=\"catalog\"");
    for (method, path) in [
        ("GET", "/tokens".to_owned()),
        ("POST", "/tokens".to_owned()),
        ("DELETE", format!("/tokens/{jti}")),
        ("POST", "/revocations".to_owned()),
        ("GET", "/whoami".to_owned()),
        ("GET", "/audit/events".to_owned()),
    ] {
        for secret in [&edge, &wrong] {
            let reply = ask(&world, secret, method, &path, Value::Null).await;
            assert_eq!(
                (reply.status.as_u16(), reply.json()["code"].clone()),
                (401, json!("basic_not_taken")),
                "{path}"
            );
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"catalog\"");
            assert!(reply.json()["detail"].as_str().unwrap().contains("/introspect, /revoke, /revocations/{jti}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_overlap_both_secrets_are_good_until_the_deadline_and_not_a_microsecond_longer() {
    let world = World::new().await;
    let first = Secret::of("edge", &add(&world, "edge", &["tokens.check"], None).await);
    let second = Secret::of("edge", &rotate(&world, "edge", "1h").await);

    world.clock.advance(TimeDelta::hours(1) - TimeDelta::microseconds(1));
    assert!(is_let_in(&world, &first).await && is_let_in(&world, &second).await);
    world.clock.advance(TimeDelta::microseconds(1));

    assert!(!is_let_in(&world, &first).await);
    assert!(is_let_in(&world, &second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_secret_never_gets_more_time_than_it_had() {
    let world = World::new().await;
    let mut secrets = vec![Secret::of("edge", &add(&world, "edge", &["tokens.check"], None).await)];
    for overlap in ["1h", "2h"] {
        secrets.push(Secret::of("edge", &rotate(&world, "edge", overlap).await));
    }
    let mut let_in = Vec::new();

    for _ in 0..3 {
        let mut now = Vec::new();
        for secret in &secrets {
            now.push(is_let_in(&world, secret).await);
        }
        let_in.push(now);
        world.clock.advance(TimeDelta::hours(1));
    }
    let last = Secret::of("edge", &rotate(&world, "edge", "0s").await);

    assert_eq!(let_in, [[true, true, true], [false, true, true], [false, false, true]]);
    assert!(!is_let_in(&world, &secrets[2]).await, "without an overlap the old one ends at once");
    assert!(is_let_in(&world, &last).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_refused_where_its_end_was_decided_at_once_and_it_stays_over() {
    let world = World::new().await;
    let edge = Secret::of("edge", &add(&world, "edge", &["tokens.check"], None).await);
    assert!(is_let_in(&world, &edge).await);

    let revoked = revoke(&world, "edge").await;
    assert!(!is_let_in(&world, &edge).await);
    let again = revoke(&world, "edge").await;

    assert!(revoked.position.is_some() && again.position.is_none(), "one event");
    let name = || "edge".parse().unwrap();
    let refused = async |change: ChangeClient| match self::change(&world, change).await {
        Err(OpenError::Append(AppendError::Refused(Refusal::Client(refusal)))) => refusal,
        other => panic!("{:?}", other.map(|settled| settled.now)),
    };
    let secret_sha256 = SecretDigest::of("another");
    let added = ClientAdded::new(name(), vec!["tokens.check".parse().unwrap()], None, secret_sha256).unwrap();
    let rotation =
        |name, overlap: &str| ChangeClient::Rotate { name, secret_sha256, overlap: overlap.parse().unwrap() };
    assert_eq!(refused(ChangeClient::Add(added)).await, ClientRefusal::NameTaken { name: name(), is_revoked: true });
    assert_eq!(refused(rotation(name(), "0s")).await, ClientRefusal::Revoked { name: name() });
    let unknown = || "unknown".parse().unwrap();
    assert_eq!(refused(rotation(unknown(), "0s")).await, ClientRefusal::Unknown { name: unknown() });
    assert_eq!(refused(ChangeClient::Revoke { name: unknown() }).await, ClientRefusal::Unknown { name: unknown() });
    add(&world, "another", &["tokens.check"], None).await;
    rotate(&world, "another", "30d").await;
    let too_long = refused(rotation("another".parse().unwrap(), "2592001s")).await;
    assert!(matches!(too_long, ClientRefusal::OverlapTooLong { .. }), "{too_long:?}");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_may_do_is_said_whole_or_it_is_not_added() {
    let added = |permissions: &[&str], teams: Option<Teams>| {
        let permissions = permissions.iter().map(|text| text.parse().unwrap()).collect();
        ClientAdded::new("edge".parse().unwrap(), permissions, teams, SecretDigest::of("x")).is_ok()
    };
    let red = || Some(Teams::These(vec!["red".parse().unwrap()]));

    assert!(added(&["tokens.check"], None));
    assert!(added(&["tokens.revoke", "tokens.check", "tokens.revoke"], red()));
    assert!(added(&["tokens.revoke"], Some(Teams::Every)));
    assert!(!added(&[], None), "it could do nothing");
    assert!(!added(&["tokens.revoke"], None), "whose tokens?");
    assert!(!added(&["tokens.revoke"], Some(Teams::These(Vec::new()))), "nobody's");
    assert!(!added(&["tokens.check"], red()), "it would look as if it bounded the checks");
    assert!(!added(&["tokens.check"], Some(Teams::Every)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_ended_while_its_command_waited_causes_no_event() {
    let world = World::new().await;
    let admin = world.admin().await;
    let secret = add(&world, "bot", &["tokens.revoke"], Some("*")).await;
    let authority = world.catalog.authenticate_client("bot", &secret).await.unwrap().unwrap();
    let authority = Arc::unwrap_or_clone(authority);
    let jti = world.issue_dev(plain("alice@example.com")).await.token.jti;
    let ask = async |authority: Authority, key: Option<&str>| {
        let key = key.map(|key| IdempotencyKey::parse(key).unwrap());
        let requester = catalog::app::Requester { authority, origin: shell(Path::Api), key };
        let command = RevokeToken { jti, reason: RevocationReason::Unspecified, note: None };
        world.catalog.revoke(command, requester).await
    };

    rotate(&world, "bot", "0s").await;
    let after_rotation = ask(authority.clone(), None).await;
    revoke(&world, "bot").await;
    let after_revocation = ask(authority, Some("once")).await;

    for outcome in [after_rotation, after_revocation] {
        let error = outcome.unwrap_err().to_string();
        assert_eq!(error, "the presented credential is no longer good");
    }
    assert_eq!(world.get(&format!("/tokens/{jti}"), &admin).await.json()["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_that_does_not_follow_asks_the_log_and_one_that_follows_knows_soon() {
    let (here, there) = {
        let world = World::new().await;
        let another = world.another_process().await;
        (world, another)
    };
    let edge = Secret::of("edge", &add(&here, "edge", &["tokens.check"], None).await);
    assert!(is_let_in(&there, &edge).await, "it does not follow, and asks");
    let catalog = there.catalog.clone();
    let following = tokio::spawn(async move { catalog.keep_house().await });

    until("the other process knows", async || there.catalog.live().settings.client(&"edge".parse().unwrap()).cloned())
        .await;
    revoke(&here, "edge").await;

    until("the other process knows of the end", async || (!is_let_in(&there, &edge).await).then_some(())).await;
    following.abort();
}

#[test]
fn a_secret_is_known_by_its_beginning_and_has_256_bits_of_entropy() {
    struct Counting;
    impl catalog::domain::ambient::Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            assert_eq!(buffer.len(), 32);
            buffer.iter_mut().zip(0..).for_each(|(byte, count)| *byte = count);
        }
    }

    let secret = ClientSecret::generate(&Counting);

    assert_eq!(secret.expose(), "catsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assert!(secret.digest().is(&SecretDigest::of(secret.expose())));
    assert!(!secret.digest().is(&SecretDigest::of("catsec_")));
}
