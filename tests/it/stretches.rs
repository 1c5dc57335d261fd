//! `verify` has a few events in memory at a time, and what is said of a token much later counts as if all were there.

use catalog::{
    app::Requester,
    domain::{Authority, Path, Predicate, RevokeToken, Token, revoke::RevocationReason},
    store::verify::{Finding, verify, verify_by},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    rules::{none, revoke},
    seed::seeded,
    support::{World, world::plain, world::shell},
};

/// Position and detail of every finding: the same ones, however many events are in memory.
async fn found(world: &World) -> Vec<(i64, String)> {
    let database = world.catalog.database();
    let whole = verify(database, &[], &mut |_, _| ()).await.unwrap();
    for events_at_once in [1, 2, 7] {
        let by_few = verify_by(database, &[], events_at_once, &mut |_, _| ()).await.unwrap();
        assert_eq!(by_few.findings, whole.findings, "{events_at_once} events at once");
        assert_eq!(
            (by_few.events, by_few.tokens, by_few.erased, by_few.head),
            (whole.events, whole.tokens, whole.erased, whole.head.clone()),
        );
    }
    let place = |finding: Finding| (finding.position.map_or(0, |position| position.0), finding.detail);
    whole.findings.into_iter().map(place).collect()
}

/// Tokens of a quarter of an hour, and then, when they are long over, others.
async fn long_over(world: &World) -> Vec<Token> {
    let mut tokens = Vec::new();
    for sub in ["alice@example.com", "bob@example.com", "carol@example.com"] {
        let mut command = plain(sub);
        command.ttl_seconds = Some(900);
        command.name = Some("ci".parse().unwrap());
        tokens.push(world.issue_dev(command).await.token);
    }
    world.clock.advance(TimeDelta::days(90));
    for number in 0..9 {
        world.issue_dev(plain(&format!("later-{number}@example.com"))).await;
    }
    tokens
}

async fn end(world: &World, token: &Token) {
    let command = RevokeToken { jti: token.jti, reason: RevocationReason::KeyCompromise, note: None };
    world.catalog.revoke(command, Requester::new(Authority::of_shell(), shell(Path::CliAdmin))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_long_after_a_token_was_over_is_held_against_its_row() {
    let world = World::new().await;
    let tokens = long_over(&world).await;
    end(&world, &tokens[1]).await;
    world.issue_dev(plain("last@example.com")).await;

    assert_eq!(found(&world).await, []);
    world.database.tamper("update token_revocations set revocation_reason = 'superseded'").await;
    let told = found(&world).await;

    let [(position, detail)] = told.as_slice() else { panic!("{told:?}") };
    assert!(*position > tokens[2].issued.0 + 9 && detail.contains(&tokens[1].jti.to_string()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_over_tokens_that_were_long_over_is_held_against_their_rows_filled_or_not() {
    let world = World::new().await;
    let tokens = long_over(&world).await;
    let rule = revoke(
        &world,
        Predicate { issued_before: Some(world.catalog.ambient().clock.now() - TimeDelta::days(1)), ..none() },
    )
    .await;

    assert_eq!(found(&world).await, []);
    world.catalog.fill_rules().await.unwrap();
    assert_eq!(found(&world).await, []);
    let issued = tokens[0].issued.0;
    world.database.tamper(&format!("delete from token_revocations where issued_pos = {issued}")).await;
    let told = found(&world).await;

    let [(position, detail)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*position, rule.rule.unwrap().0);
    assert!(detail.contains(&tokens[0].jti.to_string()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_and_came_back_is_held_against_its_rows_wherever_the_events_lie() {
    let world = World::new().await;
    let admin = world.admin().await;
    let held = world.issue_dev(plain("alice@example.com")).await.token;
    for how in ["suspend", "resume", "suspend"] {
        world.issue_dev(plain("between@example.com")).await;
        assert_eq!(world.post(&format!("/tokens/{}/{how}", held.jti), &admin, json!({})).await.status, 204);
    }
    revoke(&world, Predicate { sub: held.sub.clone(), ..none() }).await;
    world.catalog.fill_rules().await.unwrap();

    assert_eq!(found(&world).await, []);
    world.database.tamper("delete from past_suspensions").await;
    let told = found(&world).await;

    let expected = "past_suspensions has no row for a suspension of the token".to_owned();
    assert_eq!(told, [(held.issued.0, expected)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_log_the_same_rows_are_told_however_many_events_are_in_memory() {
    let world = World::new().await;
    seeded(&world, 2_500, 7).await.unwrap();
    world.catalog.fill_rules().await.unwrap();
    world.database.tamper("update issued_tokens set exp = exp + interval '1 year' where issued_pos % 301 = 0").await;
    let database = world.catalog.database();

    let one = verify_by(database, &[], 10_000, &mut |_, _| ()).await.unwrap();

    assert!(one.findings.len() > 3, "{:?}", one.findings);
    for events_at_once in [64, 1_000] {
        let other = verify_by(database, &[], events_at_once, &mut |_, _| ()).await.unwrap();
        assert_eq!((other.findings, other.tokens), (one.findings.clone(), one.tokens));
    }
}
