//! One token's life: told whole, traced to what its asker held, and the same whether all of the log is read for it or not.

use catalog::{
    app::{Requester, policy_file},
    domain::{
        Authority, Path, Predicate, RevokeToken,
        audit::token_life::{Life, TokenLife, What},
        claims::Teams,
        revoke::RevocationReason,
    },
    store::{life, tokens},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    authority::apply,
    clients::{Secret, add},
    rotation::long_lived_admin,
    rules::{none, revoke},
    support::{
        Site, World,
        process::until,
        world::{plain, shell},
    },
    time_travel::{self, Chance, happen},
};

const NOWHERE: &str = "01990000-0000-7000-8000-000000000000";

const POLICY: &str = "\
[api]
permissions = [\"audit.read\", \"servers.*\", \"tokens.*\", \"tools.*\"]

[teams.red.api]
permissions = [\"tools.*\", \"tokens.*\"]
";

/// The identifier of what a reply issued, and its text.
fn held(reply: &crate::support::world::Reply) -> (String, String) {
    let body = reply.json();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    (text(&body["token"]["jti"]), text(&body["access_token"]))
}

/// A token that most things happen to, and by whom they were done.
struct Story {
    world: World,
    admin: String,
    /// Its first one, and its successor.
    tokens: [String; 2],
    lead: String,
}

async fn story() -> Story {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    apply(&world, policy_file::parse(POLICY).unwrap(), POLICY.to_owned()).await;
    let permissions = ["tokens.*", "tools.*"].map(|name| name.parse().unwrap()).to_vec();
    let lead = world
        .caller("lead@example.com", |command| {
            command.teams = Some(Teams::These(vec!["red".parse().unwrap(), "blue".parse().unwrap()]));
            command.scopes.permissions = permissions;
            command.ttl_seconds = Some(86_400);
        })
        .await;
    let stranger = world
        .caller("bob@example.com", |command| command.scopes.permissions = vec!["tokens.revoke".parse().unwrap()])
        .await;
    let body = json!({"sub": "lead@example.com", "name": "deploy", "teams": ["red"], "reason": "nightly",
        "expires_in": 7_200, "scopes": {"permissions": ["tools.read", "tools.execute"]}});
    let (first, text) = held(&world.post("/tokens", &lead, body).await);
    assert_eq!(world.delete(&format!("/tokens/{first}"), &stranger, json!({})).await.status, 404);
    world.clock.advance(TimeDelta::minutes(1));
    world.post(&format!("/tokens/{first}/suspend"), &admin, json!({"note": "looks odd"})).await;
    world.clock.advance(TimeDelta::minutes(1));
    world.post(&format!("/tokens/{first}/resume"), &admin, json!({"note": "is fine"})).await;
    let rotated = world.post(&format!("/tokens/{first}/rotate"), &lead, json!({"overlap": "10m"})).await;
    let (second, _) = held(&rotated);
    world.clock.advance(TimeDelta::minutes(10));
    world.introspect(&text, &admin).await;
    until("the reuse is recorded", async || {
        let events = world.events(&admin).await;
        events.iter().any(|event| event["kind"] == "rotated_token.reused.v1").then_some(())
    })
    .await;
    revoke(&world, Predicate { sub: Some("lead@example.com".parse().unwrap()), ..none() }).await;
    let bridge = Secret::of("bridge", &add(&world, "bridge", &["tokens.courier"], Some("*")).await);
    let request = axum::http::Request::post(format!("/tokens/{second}/courier"))
        .header("authorization", bridge.header())
        .header("content-type", "application/json");
    assert_eq!(world.raw(request.body(axum::body::Body::from("{}")).unwrap()).await.status, 201);
    Story { world, admin, tokens: [first, second], lead }
}

/// What is another one each time, by a name that is the same.
fn named(text: &str, names: &[(&str, &str)], world: &World) -> String {
    let kid = catalog::signing::Keyring::open(&world.keys()).unwrap().kids().next().unwrap().to_string();
    let text = names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace(&kid, "KID")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_is_told_whole_and_each_permission_is_traced_to_what_was_held_and_let_through() {
    let Story { world, admin, tokens: [first, second], lead } = story().await;
    let site = world.site();
    // The rule ended it, too: its identifier is read from its claims.
    let claims: catalog::domain::Claims =
        catalog::domain::claims::decode_part(lead.split('.').nth(1).unwrap()).unwrap();
    let lead_jti = claims.jti.to_string();
    let names = [(&*first, "FIRST"), (&*second, "SECOND"), (&*lead_jti, "LEAD")];

    let of_first = site.cli(&["audit", "token", &first]).good();
    let of_second = site.cli(&["audit", "token", &second]).good();
    let of_lead = site.cli(&["audit", "token", &lead_jti]).good();

    insta::assert_snapshot!("token_life_first", named(&of_first, &names, &world));
    insta::assert_snapshot!("token_life_second", named(&of_second, &names, &world));
    insta::assert_snapshot!("token_life_from_a_shell", named(&of_lead, &names, &world));
    let json = site.cli(&["audit", "token", &first, "--format", "json"]).json();
    let what: Vec<&str> =
        json["life"].as_array().unwrap().iter().map(|step| step["what"]["kind"].as_str().unwrap()).collect();
    let expected = ["issued", "refused", "suspended", "resumed", "rotated", "deadline_passed", "reused", "rule_added"];
    assert_eq!(what, expected);
    assert_eq!((&json["jti"], &json["status"]), (&json!(first), &json!("revoked")));
    let traced = &json["life"][0]["what"]["issuance"]["provenance"]["permissions"][0];
    assert_eq!(traced["held"], json!({"by": "named", "entry": "tools.*"}));
    let entry = |table: &str| json!({"table": table, "entry": "tools.*"});
    assert_eq!(traced["allowed"], json!([entry("api"), entry("teams.red.api")]));
    let of_api = world.get(&format!("/tokens/{first}/events"), &admin).await.json();
    assert_eq!(of_api["life"], json["life"], "the API tells the same");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_log_is_told_no_attempts_of_others_and_no_authority() {
    let Story { world, tokens: [first, _], lead, .. } = story().await;

    let told = world.get(&format!("/tokens/{first}/events"), &lead).await;

    // The rule that covers its subject's tokens ended the caller's own, too.
    assert_eq!(told.status, 401);
    let reader = world
        .caller("lead@example.com", |command| command.scopes.permissions = vec!["tokens.read".parse().unwrap()])
        .await;
    let told = world.get(&format!("/tokens/{first}/events"), &reader).await.json();
    let life = told["life"].as_array().unwrap();
    let issuance = &life[0]["what"]["issuance"];
    assert_eq!(issuance["sub"], "lead@example.com");
    assert_eq!((issuance.get("authority"), issuance.get("provenance")), (None, None));
    let is = |kind: &str| life.iter().any(|step| step["what"]["kind"] == kind);
    assert!(is("rotated") && !is("refused") && !is("reused"), "{told}");
}

async fn selected(world: &World, jti: Uuid) -> Option<Life> {
    let reads = world.catalog.database().reads();
    let token = tokens::get(reads, jti).await.unwrap().unwrap();
    let own = life::own(reads, &token, false).await.unwrap();
    let mut told = TokenLife::of(jti);
    life::with_authority(reads, &token, &own).await.unwrap().iter().for_each(|event| told.apply(event));
    told.finish(world.catalog.ambient().clock.now())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_random_histories_the_life_that_is_told_is_the_fold_of_the_whole_log() {
    let mut steps = 0;
    for seed in [5, 2_027] {
        let world = World::new().await;
        let admin = long_lived_admin(&world).await;
        let (mut chance, mut ids) = (Chance(seed), Vec::new());
        for _ in 0..150 {
            happen(&world, &admin, &mut chance, &mut ids).await;
        }
        let log = time_travel::events(&world).await;
        let now = world.catalog.ambient().clock.now();
        for jti in ids.iter().map(|jti| jti.parse().unwrap()) {
            let mut whole = TokenLife::of(jti);
            for event in &log {
                whole.apply(event);
            }
            let whole = whole.finish(now).unwrap();

            assert_eq!(selected(&world, jti).await.as_ref(), Some(&whole));
            let token = tokens::get(world.catalog.database().reads(), jti).await.unwrap().unwrap();
            assert_eq!((whole.status, whole.inactive), (token.status(now), token.inactive(now)));
            let granted = whole.steps.iter().filter_map(|step| match &step.what {
                What::Issued(issuance) => Some(&issuance.provenance),
                _ => None,
            });
            for traced in granted.flat_map(|provenance| &provenance.permissions) {
                assert!(traced.held.is_some() && !traced.allowed.is_empty(), "{traced:?}");
            }
            steps += whole.steps.len();
        }
    }
    assert!(steps > 200, "{steps}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_may_have_is_told_in_the_life_of_what_it_signed() {
    let site = Site::new().await;
    site.admin();
    let issued = site.cli(&["issue", "--dev", "--sub", "alice@example.com", "--format", "json"]).json();
    let jti = issued["token"]["jti"].as_str().unwrap();
    let old = site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned();
    let next = site.cli(&["keys", "add"]).good();
    site.cli(&["keys", "compromise", &old, "--activate", &next, "--yes", "--note", "a laptop was lost"]).good();

    let life = site.cli(&["audit", "token", jti, "--format", "json"]).json();

    let last = life["life"].as_array().unwrap().last().unwrap()["what"].clone();
    assert_eq!(
        (&last["kind"], &last["kid"], &last["reach"], &last["note"]),
        (&json!("key_compromised"), &json!(old), &json!("ended"), &json!("a laptop was lost"))
    );
    assert!(site.cli(&["audit", "token", jti]).good().contains("revoked with its compromised key by "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_over_by_time_alone_says_so_where_it_was() {
    let world = World::new().await;
    let mut command = plain("alice@example.com");
    command.ttl_seconds = Some(60);
    let token = world.issue_dev(command).await.token;
    world.clock.advance(TimeDelta::minutes(2));
    let by = Requester::new(Authority::of_shell(), shell(Path::CliAdmin));
    let late = RevokeToken { jti: token.jti, reason: RevocationReason::Unspecified, note: None };
    world.catalog.revoke(late, by).await.unwrap();

    let life = selected(&world, token.jti).await.unwrap();

    let told: Vec<&str> = life.steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(told, ["issued", "expired", "revoked"]);
    assert_eq!(life.steps[1].at, token.expires_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_and_what_commands_a_terminal_is_told_in_plain_words() {
    let world = World::new().await;
    let site = world.site();
    let token = world.issue_dev(plain("alice@example.com")).await.token;
    world
        .database
        .tamper(&format!(
            r#"alter table events disable trigger all;
               update events set personal = convert_to(replace(convert_from(personal, 'utf8'), '"workstation"', '"\u001b[2J\u202e\n@9  expired"'), 'utf8')
                where jti = '{}'"#,
            token.jti
        ))
        .await;

    let text = site.cli(&["audit", "token", &token.jti.to_string()]).good();

    assert!(text.contains("alice@\u{FFFD}[2J\u{FFFD}\u{FFFD}@9  expired, path cli-dev"), "{text:?}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    assert!(site.cli(&["audit", "token", NOWHERE]).bad(1).contains(&format!("no token {NOWHERE}")));
    for malformed in ["x", "0199D7A8-5C3E-7B11-9A0E-0D5C4A3F2B10"] {
        assert!(site.cli(&["audit", "token", malformed]).bad(2).contains("JTI"), "{malformed}");
    }
    assert!(site.cli(&["audit", "token"]).bad(2).contains("<JTI>"));
}
