//! What a list says of a token, through everything that can happen to it.

use catalog::{
    app::{IssuedToken, Requester, SigningKey},
    domain::{
        Authority, Path, Position, Predicate, RevokeByRule, RotateToken,
        key::Algorithm,
        key_life::{ActivateKey, CompromiseKey},
        revoke::RevocationReason,
    },
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    URL, begin, reference,
    verifier::{entry, fetch, status},
};
use crate::support::{
    World,
    world::{plain, shell},
};

const VALID: Result<u8, String> = Ok(0);
const INVALID: Result<u8, String> = Ok(1);
const SUSPENDED: Result<u8, String> = Ok(2);

fn operator() -> Requester {
    Requester::new(Authority::of_shell(), shell(Path::CliDev))
}

async fn told(world: &World, token: &IssuedToken) -> Result<u8, String> {
    world.publish().await;
    status(world, token.signed.expose()).await
}

async fn done(world: &World, admin: &str, token: &IssuedToken, what: &str) {
    let path = format!("/tokens/{}{what}", token.token.jti);
    let reply = if what.is_empty() {
        world.delete(&path, admin, Value::Null).await
    } else {
        world.post(&path, admin, json!({})).await
    };
    assert!(reply.status.is_success(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_that_has_lists_no_token_has_an_entry_and_there_is_no_list() {
    let world = World::new().await;
    let token = world.issue_dev(plain("alice@example.com")).await;

    world.publish().await;

    assert_eq!(reference(&token), None);
    assert_eq!(world.list_begun().await, None);
    let reply = world.get("/status-lists/01990000-0000-4000-8000-000000000000", "").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (404, &json!("route_unknown")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_keys_alone_reads_in_the_list_what_becomes_of_a_token_whatever_it_is_signed_with() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let world = World::signing_with(SigningKey::FromLog(alg)).await;
        let admin = world.admin().await;
        begin(&world, URL).await;
        let (token, other) = (world.issue_dev(plain("a")).await, world.issue_dev(plain("a")).await);

        assert_eq!(told(&world, &token).await, VALID, "{alg:?}");
        done(&world, &admin, &token, "/suspend").await;
        assert_eq!(told(&world, &token).await, SUSPENDED, "{alg:?}");
        done(&world, &admin, &token, "/resume").await;
        assert_eq!(told(&world, &token).await, VALID, "{alg:?}");
        done(&world, &admin, &token, "/suspend").await;
        done(&world, &admin, &token, "").await;
        assert_eq!(told(&world, &token).await, INVALID, "{alg:?}");

        assert_eq!(told(&world, &other).await, VALID, "{alg:?}");
        assert_eq!(told(&world.another_process().await, &token).await, INVALID, "as it is loaded anew");
        world.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_and_the_history_show_where_the_status_of_a_token_stands() {
    let world = World::new().await;
    let admin = world.admin().await;
    begin(&world, URL).await;
    let token = world.issue_dev(plain("a")).await;
    let reference = reference(&token).unwrap();

    let shown = world.introspect(token.signed.expose(), &admin).await.json();
    let history = world.get(&format!("/tokens/{}/events", token.token.jti), &admin).await.json();

    let list = world.list_begun().await.unwrap();
    assert_eq!(reference.uri, format!("{URL}/{list}"));
    assert_eq!(shown["status"], json!({ "status_list": { "idx": reference.idx, "uri": reference.uri } }));
    let data = &history["events"][0]["data"];
    assert_eq!(data["status_list"], json!({ "idx": reference.idx, "list": list }));
    assert_eq!(data["claims"]["status"], shown["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_is_valid_until_its_deadline_and_its_successor_has_an_entry_of_its_own() {
    let world = World::new().await;
    begin(&world, URL).await;
    let (old, held) = (world.issue_dev(plain("a")).await, world.issue_dev(plain("a")).await);
    let rotate =
        |token: &IssuedToken| RotateToken { jti: token.token.jti, overlap: "5m".parse().unwrap(), ttl_seconds: None };

    let new = world.catalog.rotate(rotate(&old), operator()).await.unwrap();
    world.catalog.rotate(rotate(&held), operator()).await.unwrap();
    done(&world, &world.admin().await, &held, "/suspend").await;

    assert_ne!(reference(&new), reference(&old));
    assert_eq!((told(&world, &old).await, told(&world, &held).await), (VALID, SUSPENDED));
    world.clock.advance(TimeDelta::seconds(299));
    assert_eq!((told(&world, &old).await, told(&world, &held).await), (VALID, SUSPENDED));
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!((told(&world, &old).await, told(&world, &held).await), (INVALID, INVALID));
    assert_eq!(told(&world, &new).await, VALID);
    assert_eq!(told(&world.another_process().await, &old).await, INVALID);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_covers_is_invalid_and_nothing_else_is() {
    let world = World::new().await;
    begin(&world, URL).await;
    let (covered, spared) = (world.issue_dev(plain("alice")).await, world.issue_dev(plain("bob")).await);
    assert_eq!((told(&world, &covered).await, told(&world, &spared).await), (VALID, VALID));

    let predicate = Predicate { sub: Some("alice".parse().unwrap()), ..Predicate::default() };
    let rule = RevokeByRule { predicate, reason: RevocationReason::Unspecified, note: None };
    world.catalog.revoke_by_rule(rule, operator()).await.unwrap();
    let after = world.issue_dev(plain("alice")).await;

    // Before the rule is filled into the rows, and after.
    for _ in 0..2 {
        assert_eq!((told(&world, &covered).await, told(&world, &spared).await), (INVALID, VALID));
        assert_eq!(told(&world, &after).await, VALID);
        let anew = world.another_process().await;
        assert_eq!((told(&anew, &covered).await, told(&anew, &after).await), (INVALID, VALID));
        world.catalog.fill_rules().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_compromised_key_every_token_from_the_named_position_on_is_invalid() {
    let world = World::new().await;
    begin(&world, URL).await;
    let before = world.issue_dev(plain("a")).await;
    let stolen = world.issue_dev(plain("a")).await;
    world.publish().await;
    let kid = world.catalog.live().settings.active.clone().unwrap();
    let next = world.add_key(Algorithm::EdDsa, false).await;
    world.catalog.activate_key(ActivateKey { kid: next, early: true }, shell(Path::CliAdmin)).await.unwrap();
    world.catalog.follow_settings().await.unwrap();
    let after = world.issue_dev(plain("a")).await;

    let from = Position(stolen.token.issued.0);
    let command = CompromiseKey { kid, from, since: None, note: None, successor: None };
    world.catalog.compromise_key(command, shell(Path::CliAdmin)).await.unwrap();

    // The key is in the set no more, so that of its own tokens whoever goes by that can say nothing: what the list says of
    // them is read with the list's own key.
    assert_eq!(told(&world, &after).await, VALID);
    for (token, expected) in [(&before, 0), (&stolen, 1)] {
        assert!(told(&world, token).await.is_err());
        assert_eq!(entry(&world, token).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_stays_so_for_whoever_is_lenient_and_a_list_goes_when_nobody_refers_to_it() {
    let world = World::new().await;
    begin(&world, URL).await;
    let mut command = plain("a");
    command.ttl_seconds = Some(60);
    let (token, admin) = (world.issue_dev(command).await, world.admin().await);
    done(&world, &admin, &token, "").await;
    world.publish().await;
    let first = reference(&token).unwrap().uri;
    // Another list, so that the first is not the one in which tokens get their entries.
    begin(&world, "https://catalog.example.com/other/status-lists").await;
    world.issue_dev(plain("b")).await;
    let anew = async |seconds: i64| {
        world.clock.advance(TimeDelta::seconds(seconds));
        let world = world.another_process().await;
        world.publish().await;
        world
    };

    // The token is over after a minute, the administrator's after twenty, and both have ten minutes of leeway.
    assert_eq!(entry(&anew(60 + 599).await, &token).await, 1);
    assert_eq!(entry(&anew(1).await, &token).await, 0);
    assert_eq!(fetch(&anew(1_139).await, &first).await.status, 200);
    assert_eq!(fetch(&anew(1).await, &first).await.status, 404);
    let open = world.list_begun().await.unwrap();
    assert_eq!(
        fetch(&anew(86_400).await, &format!("{URL}/{open}")).await.status,
        200,
        "the one in which tokens are entered"
    );
}
