//! What somebody can do who knows what `verify` looks at, and where it used not to look.

use catalog::{
    domain::{Path, Predicate},
    store::{
        rebuild::{Projection, rebuild},
        verify::{verify, verify_by},
    },
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    people::{alice, office, token_with},
    rules::{none, revoke},
    support::{Site, World, world::plain},
};

/// Position and detail of every finding, the same ones however many events are in memory; 0 for a row that no event explains.
async fn found(world: &World) -> Vec<(i64, String)> {
    let database = world.catalog.database();
    let whole = verify(database, &[], &mut |_, _| ()).await.unwrap();
    let by_few = verify_by(database, &[], 1, &mut |_, _| ()).await.unwrap();
    assert_eq!(by_few.findings, whole.findings);
    let findings = whole.findings.into_iter();
    findings.map(|finding| (finding.position.map_or(0, |position| position.0), finding.detail)).collect()
}

/// Erases the personal part of events, as the owner may.
async fn erase(world: &World, which: &str) {
    let fences_down = "alter table events disable trigger all;";
    world.database.tamper(&format!("{fences_down} update events set personal = null, salt = null where {which}")).await;
}

/// A rule whose subject was erased, from its row of what is personal only what it needs to hold; where it stands.
async fn erased_rule() -> (World, i64) {
    let world = World::new().await;
    let held = world.issue_dev(plain("alice@example.com")).await.token;
    world.issue_dev(plain("bob@example.com")).await;
    let rule = revoke(&world, Predicate { sub: held.sub.clone(), path: Some(Path::CliDev), ..none() }).await;
    world.catalog.fill_rules().await.unwrap();
    let position = rule.rule.unwrap().0;
    erase(&world, &format!("position = {position}")).await;
    world
        .database
        .tamper(
            "update revocation_rules set note = null, revoked_by = null;
             update token_revocations set revocation_note = null, revoked_by = null;
             create table untouched as select * from revocation_rules",
        )
        .await;
    (world, position)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_rule_whatever_its_body_still_says_is_held_against_its_row() {
    let (world, position) = erased_rule().await;
    assert_eq!(found(&world).await, []);

    for change in [
        "issued_from = 1",
        "team = 'red'",
        "path = 'api'",
        "path = null",
        "kid = 'other'",
        "permission = 'tools.read'",
        "issued_after = revoked_at",
        "issued_before = revoked_at",
        "family = gen_random_uuid()",
        "successors = true",
        "revoked_at = revoked_at + interval '1 second'",
        "reason = 'superseded'",
    ] {
        world.database.tamper(&format!("update revocation_rules set {change}")).await;
        let told = found(&world).await;
        let [(at, detail)] = told.as_slice() else { panic!("{change}: {told:?}") };
        assert_eq!(*at, position, "{change}");
        assert!(detail.starts_with("the row of the rule is not what its event says: "), "{change}: {detail}");
        assert!(!detail.contains("as a whole") && !detail.contains("is_whole"), "{change}: {detail}");
        let again = "delete from revocation_rules; insert into revocation_rules select * from untouched";
        world.database.tamper(again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_whose_conditions_were_erased_are_named_for_what_they_cover_cannot_be_shown() {
    let (world, position) = erased_rule().await;
    let site = Site::on(&world.database.url());

    let text = site.cli(&["audit", "verify"]).good();
    let verified = site.cli(&["audit", "verify", "--format", "json"]).json();

    let line = format!("\nerased rules  {position}: what they cover stands only in their rows");
    assert!(text.contains(&line), "{text}");
    assert_eq!(verified["erased_rules"], json!([position]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_login_all_but_who_it_was_is_held_against_its_row() {
    let (world, provider) = office().await;
    assert_eq!(world.get("/whoami", &alice(&world, &provider)).await.status, 200);
    erase(&world, "kind = 'person.seen.v1'").await;
    world.database.tamper("create table untouched as select * from people").await;
    assert_eq!(found(&world).await, []);

    for sql in [
        "update people set teams = '{blue}'",
        "update people set is_admin = true, teams = null",
        "update people set permissions = '{*}'",
        "update people set logged_in = logged_in + 1",
        "update people set issuer = 'https://evil.example'",
        "update people set position = position - 1",
        "insert into people select 'mallory', issuer, is_admin, teams, permissions, logged_in, position from people",
    ] {
        world.database.tamper(sql).await;
        let told = found(&world).await;
        let [(_, detail)] = told.as_slice() else { panic!("{sql}: {told:?}") };
        assert!(detail.starts_with("a row of people is not what its event says: "), "{sql}: {detail}");
        assert!(!detail.contains("as a whole"), "{sql}: {detail}");
        world.database.tamper("delete from people; insert into people select * from untouched").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_login_does_not_bring_back_what_a_later_one_took() {
    let (world, provider) = office().await;
    assert_eq!(world.get("/whoami", &alice(&world, &provider)).await.status, 200);
    world.database.tamper("create table earlier as select * from people").await;
    world.clock.advance(TimeDelta::seconds(60));
    let later = token_with(&world, &provider, &json!({"groups": ["site/ops"]}));
    assert_eq!(world.get("/whoami", &later).await.status, 200);
    erase(&world, "position = (select position from earlier)").await;
    assert_eq!(found(&world).await, []);

    world.database.tamper("delete from people; insert into people select * from earlier").await;

    let told = found(&world).await;
    let [(_, detail)] = told.as_slice() else { panic!("{told:?}") };
    assert!(detail.starts_with("a row of people is not what its event says: "), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_whose_row_cannot_be_read_is_found_beside_all_else_and_made_anew_filled_or_not() {
    for is_filled in [false, true] {
        let world = World::new().await;
        let held = world.issue_dev(plain("alice@example.com")).await.token;
        let bob = world.issue_dev(plain("bob@example.com")).await.token.issued.0;
        let rule = revoke(&world, Predicate { sub: held.sub.clone(), ..none() }).await.rule.unwrap().0;
        if is_filled {
            world.catalog.fill_rules().await.unwrap();
        }
        let other = format!("update issued_tokens set kid = 'other' where issued_pos = {bob}");
        world.database.tamper(&format!("update revocation_rules set reason = 'zzz'; {other}")).await;

        let told = found(&world).await;

        let [(other, _), (position, detail)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((*other, *position), (bob, rule));
        assert!(detail.starts_with("the row of revocation_rules cannot be read: "), "{detail}");
        rebuild(world.catalog.database(), &Projection::ALL, &mut |_, _| ()).await.unwrap();
        world.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_row_cannot_be_read_is_found_beside_all_else_and_made_anew() {
    let (world, provider) = office().await;
    world.get("/whoami", &alice(&world, &provider)).await;
    let bob = world.issue_dev(plain("bob@example.com")).await.token.issued.0;
    let other = format!("update issued_tokens set kid = 'other' where issued_pos = {bob}");
    world.database.tamper(&format!("update people set permissions = '{{\"bad perm\"}}'; {other}")).await;

    let told = found(&world).await;

    let [(seen, detail), (other, _)] = told.as_slice() else { panic!("{told:?}") };
    assert!(*seen < bob && *other == bob, "{told:?}");
    assert!(detail.starts_with("the row of people cannot be read: "), "{detail}");
    rebuild(world.catalog.database(), &Projection::ALL, &mut |_, _| ()).await.unwrap();
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_difference_elsewhere_hides_what_was_done_to_what_tokens_are_listed_by() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.begin_list().await;
    let named = |sub: &str| {
        let mut command = plain(sub);
        command.name = Some("ci".parse().unwrap());
        command
    };
    let alice = world.issue_dev(named("alice@example.com")).await.token;
    world.issue_dev(named("bob@example.com")).await;
    for how in ["suspend", "resume"] {
        assert_eq!(world.post(&format!("/tokens/{}/{how}", alice.jti), &admin, json!({})).await.status, 204);
    }
    world.verify().await;
    let tables = [
        "past_suspensions",
        "past_revocations",
        "status_list_entries",
        "token_names",
        "token_teams",
        "token_permissions",
    ];
    let tables = [tables.as_slice(), &["token_spans", "issued_tokens", "events"]].concat();
    let each = |how: &dyn Fn(&str) -> String| tables.iter().map(|table| how(table)).collect::<Vec<_>>().join("; ");
    world.database.tamper(&each(&|table| format!("create table untouched_{table} as select * from {table}"))).await;
    world.database.tamper("alter table events disable trigger all").await;
    let issued = alice.issued.0;
    let gap = "the row of past_revocations is not what the log says: nothing is to be there, and {";
    let other = [
        "update issued_tokens set kid = 'other' where sub = 'bob@example.com'",
        "update events set request_id = 'other' where position = 1",
    ];
    for (sql, detail) in [
        ("delete from past_suspensions".to_owned(), "past_suspensions has no row for a suspension of the token"),
        (
            format!("insert into past_revocations values ({issued}, 900, now(), null, 'superseded', null, null, 901)"),
            gap,
        ),
        (
            format!("delete from status_list_entries where issued_pos = {issued}"),
            "status_list_entries has no row for the token",
        ),
        (format!("delete from token_names where issued_pos = {issued}"), "token_names has no row for the token"),
        (
            format!("insert into token_teams values ('red', {issued})"),
            "the rows of token_teams are not what the token says",
        ),
        (
            format!("delete from token_permissions where issued_pos = {issued}"),
            "token_permissions has no row for the token",
        ),
        ("delete from token_spans".to_owned(), "token_spans has no row for the tokens from here on"),
    ] {
        for other in other {
            world.database.tamper(&format!("{other}; {sql}")).await;
            let told = found(&world).await;
            assert!(
                told.len() == 2 && told.iter().any(|(_, told)| told.starts_with(detail)),
                "{other}; {sql}: {told:?}"
            );
            let again =
                each(&|table| format!("delete from {table}; insert into {table} select * from untouched_{table}"));
            world.database.tamper(&format!("set session_replication_role to replica; {again}")).await;
        }
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_row_of_a_token_is_found_and_so_is_an_entry_of_a_status_list_below_its_first() {
    let world = World::new().await;
    world.begin_list().await;
    let alice = world.issue_dev(plain("alice@example.com")).await.token;
    let issued = alice.issued.0;
    world
        .database
        .tamper(&format!(
            "alter table issued_tokens drop constraint tokens_pkey; drop index tokens_issued_pos_idx;
             insert into issued_tokens select * from issued_tokens where issued_pos = {issued};
             alter table status_list_entries drop constraint status_list_entries_idx_counts;
             update status_list_entries set idx = -1 - idx where issued_pos = {issued};
             update status_list_entries set idx = - idx where issued_pos < {issued}"
        ))
        .await;

    let told = found(&world).await;

    let twice = format!("token {} has more than one row", alice.jti);
    assert_eq!(told.iter().filter(|(_, detail)| *detail == twice).count(), 1, "{told:?}");
    let differs = "the row of status_list_entries is not what the event says: idx is ";
    let entries = told.iter().filter(|(_, told)| told.starts_with(differs));
    assert_eq!(entries.count(), 2, "{told:?}");
}
