//! What another policy would have made of the past: exactly what comes to something else, and nothing that the log does not
//! tell.

use std::collections::BTreeSet;

use catalog::{
    app::policy_file,
    domain::{
        Event, Recorded, Settings, State,
        audit::what_if::{Decided, Outcome, Verdict, WhatIf, Why},
        claims::Teams,
        policy::Rules,
    },
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    authority::{by_door, table::rows},
    people,
    rotation::long_lived_admin,
    support::{Site, World, provider::apply, terminal},
    time_travel::{Chance, events, happen},
};

/// What these rules make of every decision about an issuance in a log.
fn verdicts(log: &[Recorded], rules: &Rules) -> Vec<(Recorded, Verdict)> {
    let mut what_if = WhatIf::new(rules.clone());
    log.iter().filter_map(|event| Some((event.clone(), what_if.judge(event)?))).collect()
}

fn parsed(text: &str) -> Rules {
    policy_file::parse(text).unwrap()
}

fn issued_for(expires_in: i64) -> Outcome {
    Outcome::Issued { expires_in }
}

fn refused(rule: &str) -> Outcome {
    Outcome::Refused { rule: rule.to_owned() }
}

fn outcomes(now: &[Decided]) -> Vec<Outcome> {
    now.iter().map(|decided| decided.outcome.clone()).collect()
}

/// A request that may be granted or not, as chance has it.
async fn ask(world: &World, callers: &[String], chance: &mut Chance) {
    let caller = &callers[chance.below(callers.len())];
    let pick = |chance: &mut Chance, choices: &[Value]| choices[chance.below(choices.len())].clone();
    let mut body = json!({ "sub": pick(chance, &[json!("lead@example.com"), json!("bob@example.com"), json!("ci")]) });
    body["scopes"] = json!({ "permissions": pick(chance, &[
        json!(["tools.read"]), json!(["tools.execute"]), json!(["servers.read", "tools.*"]), json!([]), json!(["*"]),
    ]) });
    for (member, choices) in [
        ("expires_in", &[json!(600), json!(3_600), json!(90_000), json!(3_000_000)][..]),
        ("teams", &[json!(["red"]), json!(["red", "blue"]), json!([]), json!(["green"])]),
        ("name", &[json!("a"), json!("b")]),
        ("aud", &[json!(["gateway"]), json!(["billing"]), json!(["catalog"])]),
        ("is_admin", &[json!(true)]),
        ("reason", &[json!("on call")]),
        ("email", &[json!("robot@example.com")]),
        ("full_name", &[json!("Robot")]),
        ("namespaces", &[json!(["dev"]), json!(["prod"])]),
    ] {
        if chance.below(3) == 0 || (member == "expires_in" && chance.below(2) == 0) {
            body[member] = pick(chance, choices);
        }
    }
    let reply = world.post("/tokens", caller, body).await;
    assert!([201, 400, 403, 409, 422].contains(&reply.status.as_u16()), "{reply:?}");
}

const BUSY: &str = "\
[api]
ttl_default = \"1h\"
ttl_max = \"2days\"
audiences = [\"billing\", \"catalog\", \"gateway\"]
permissions = [\"servers.read\", \"tokens.*\", \"tools.*\"]
active_max = 9

[teams.red.api]
reason_required = true
";

/// A log in which much was issued, rotated, revoked and refused under one policy, from position 5 on.
async fn busy(seed: u64) -> (World, String) {
    let world = World::new().await;
    apply(&world, BUSY).await;
    let admin = long_lived_admin(&world).await;
    let named = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
    let mut callers = vec![admin.clone()];
    for (sub, is_admin, teams, permissions) in [
        ("lead@example.com", false, &["red", "blue"][..], &["tokens.*", "tools.*"][..]),
        ("bob@example.com", false, &["red"], &["tokens.create", "tools.read"]),
        ("chief@example.com", true, &["red"], &[]),
        ("ci", false, &[], &["tools.read"]),
    ] {
        let caller = world.caller(sub, |command| {
            command.is_admin = is_admin;
            command.teams = Some(Teams::These(teams.iter().map(|team| team.parse().unwrap()).collect()));
            command.scopes.permissions = named(permissions);
            command.ttl_seconds = Some(172_800);
        });
        callers.push(caller.await);
    }
    let (mut chance, mut ids) = (Chance(seed), Vec::new());
    for _ in 0..240 {
        match chance.below(3) {
            0 if !ids.is_empty() => happen_or_not(&world, &admin, &mut chance, &mut ids).await,
            _ => ask(&world, &callers, &mut chance).await,
        }
        if chance.below(4) == 0 {
            let seconds = i64::try_from(chance.below(400)).unwrap();
            world.clock.advance(TimeDelta::seconds(seconds));
        }
        if ids.is_empty() {
            let first = json!({"sub": "user-0@example.com", "scopes": {"permissions": ["tools.read"]}});
            let reply = world.post("/tokens", &admin, first).await;
            ids.push(reply.json()["token"]["jti"].as_str().unwrap().to_owned());
        }
    }
    (world, admin)
}

/// Something else that happens to tokens that are there. Where it would issue one, it is left.
async fn happen_or_not(world: &World, admin: &str, chance: &mut Chance, ids: &mut Vec<String>) {
    let jti = ids[chance.below(ids.len())].clone();
    match chance.below(4) {
        0 => _ = world.post(&format!("/tokens/{jti}/suspend"), admin, json!({})).await,
        1 => _ = world.post(&format!("/tokens/{jti}/resume"), admin, json!({})).await,
        2 => _ = world.delete(&format!("/tokens/{jti}"), admin, json!({})).await,
        _ => {
            let expires_in = [600, 86_400, 400_000][chance.below(3)];
            let body = json!({"overlap": "5m", "expires_in": expires_in});
            let reply = world.post(&format!("/tokens/{jti}/rotate"), admin, body).await;
            ids.extend(reply.json()["token"]["jti"].as_str().map(str::to_owned));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_that_was_in_force_changes_nothing_and_leaves_nothing_untold() {
    let (mut issuances, mut refusals) = (0, 0);
    for seed in [1, 29, 2_028] {
        let (world, _) = busy(seed).await;
        let log = events(&world).await;

        for (event, verdict) in verdicts(&log, &parsed(BUSY)) {
            assert_eq!(verdict, Verdict::Same, "{event:?}");
            match event.occurrence.event {
                Event::TokenIssued(_) => issuances += 1,
                _ => refusals += 1,
            }
        }
    }
    assert!(issuances > 40 && refusals > 40, "{issuances} {refusals}");

    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let (mut chance, mut ids) = (Chance(7), Vec::new());
    for _ in 0..200 {
        happen(&world, &admin, &mut chance, &mut ids).await;
    }
    let log = events(&world).await;
    let judged = verdicts(&log, &Rules::initial());
    assert!(judged.iter().all(|(_, verdict)| *verdict == Verdict::Same), "{judged:?}");
    assert!(judged.len() > 40, "{}", judged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_is_decided_again_as_it_was() {
    let files = tempfile::tempdir().unwrap();
    for (number, row) in rows().into_iter().enumerate() {
        let world = World::new().await;
        let file = files.path().join(format!("{number}.json"));
        by_door(&world, &row, &file).await;
        let (rules, _) = crate::authority::rules(&row, file.to_str().unwrap());
        let log = events(&world).await;
        let applied = log.iter().rposition(|event| matches!(event.occurrence.event, Event::PolicyApplied(_))).unwrap();

        let judged = verdicts(&log, &rules);

        let after: Vec<_> = judged.iter().filter(|(event, _)| event.position > log[applied].position).collect();
        assert_eq!(after.len(), 1, "{}: {judged:?}", row.rule);
        assert_eq!(after[0].1, Verdict::Same, "{}", row.rule);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_maximum_and_a_removed_permission_list_exactly_what_they_affect() {
    let (world, admin) = busy(11).await;
    for (expires_in, permission) in [(90_000, "tools.read"), (7_200, "tools.execute"), (3_600, "tools.*")] {
        let body =
            json!({"sub": "dora@example.com", "expires_in": expires_in, "scopes": {"permissions": [permission]}});
        assert_eq!(world.post("/tokens", &admin, body).await.status, 201);
    }
    let log = events(&world).await;
    let by_api = |event: &Recorded| match &event.occurrence.event {
        Event::TokenIssued(issued) if !issued.out_of_band => Some(issued.clone()),
        _ => None,
    };
    let shorter = BUSY.replace("2days", "1h");
    let narrower = BUSY.replace("\"tools.*\"]", "\"tools.read\"]");

    for (text, rule, is_affected) in [
        (
            &shorter,
            "ttl_too_long",
            (|issued| issued.exp - issued.iat > 3_600) as fn(&catalog::domain::TokenIssued) -> bool,
        ),
        (&narrower, "permissions_not_grantable", |issued| {
            issued.permissions.iter().any(|permission| ["tools.*", "tools.execute"].contains(&permission.as_str()))
        }),
    ] {
        let expected: BTreeSet<i64> = log
            .iter()
            .filter(|event| by_api(event).is_some_and(|issued| is_affected(&issued)))
            .map(|event| event.position.0)
            .collect();
        let judged = verdicts(&log, &parsed(text));

        let mut found = BTreeSet::new();
        for (event, verdict) in judged {
            match (&event.occurrence.event, verdict) {
                (_, Verdict::Same) => {}
                (Event::TokenIssued(_), Verdict::Changed { now, .. }) => {
                    assert_eq!(outcomes(&now), [refused(rule)]);
                    found.insert(event.position.0);
                }
                // What was refused by another rule may be refused by this one now.
                (_, Verdict::Changed { was: Outcome::Refused { .. }, now }) => {
                    assert_eq!(outcomes(&now), [refused(rule)]);
                }
                (_, other) => panic!("{event:?}: {other:?}"),
            }
        }

        assert_eq!(found, expected, "{rule}");
        assert!(found.len() >= 2, "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_let_through_by_a_wider_policy_and_a_door_can_be_closed() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let asked = json!({"sub": "alice@example.com", "expires_in": 4_000_000});
    assert_eq!(world.post("/tokens", &admin, asked).await.status, 403);
    let log = events(&world).await;

    let wider = verdicts(&log, &parsed("[api]\nttl_max = \"60days\"\n"));
    let closed = verdicts(&log, &parsed("[cli-dev]\nout_of_band = \"deny\"\n"));

    let changed = |verdicts: &[(Recorded, Verdict)]| -> Vec<(Outcome, Vec<Outcome>)> {
        let changed = verdicts.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Changed { was, now } => Some((was.clone(), outcomes(now))),
            _ => None,
        });
        changed.collect()
    };
    assert_eq!(changed(&wider), [(refused("ttl_too_long"), vec![issued_for(4_000_000)])]);
    assert_eq!(changed(&closed), [(issued_for(604_800), vec![refused("out_of_band_denied")])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_does_not_tell_is_said_and_not_guessed() {
    let files = tempfile::tempdir().unwrap();
    let members = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let policy = |name: &str, more: &str| format!("[membership]\nfile = \"{}\"\n{more}", members(name));
    std::fs::write(members("a"), r#"{"bob@example.com": ["red"]}"#).unwrap();
    let world = World::new().await;
    apply(&world, &policy("a", "")).await;
    let admin = long_lived_admin(&world).await;
    let ask = |sub: &str, expires_in: u32| json!({"sub": sub, "teams": ["red"], "expires_in": expires_in});
    assert_eq!(world.post("/tokens", &admin, ask("bob@example.com", 600)).await.status, 201);
    assert_eq!(world.post("/tokens", &admin, ask("eve@example.com", 600)).await.status, 403);
    assert_eq!(world.post("/tokens", &admin, json!({"sub": "usual"})).await.status, 201);
    let log = events(&world).await;
    // What the policy before it decided is none of this.
    let last = |rules: &str| -> Vec<Verdict> {
        let judged = verdicts(&log, &parsed(rules));
        judged.into_iter().rev().take(3).map(|(_, verdict)| verdict).rev().collect()
    };
    let untold = |verdict: &Verdict| match verdict {
        Verdict::Untold { why, now, .. } => (*why, outcomes(now)),
        other => panic!("{other:?}"),
    };

    assert_eq!(last(&policy("a", "")), [Verdict::Same, Verdict::Same, Verdict::Same]);
    let allowed = last(&policy("a", "unknown = \"allow\"\n"));
    assert_eq!((&allowed[0], &allowed[2]), (&Verdict::Same, &Verdict::Same));
    let (why, mut now) = untold(&allowed[1]);
    now.sort_by_key(|outcome| *outcome != issued_for(600));
    assert_eq!((why, now), (Why::MembershipNotRecorded, vec![issued_for(600), refused("membership_unknown")]));
    let elsewhere = last(&policy("b", ""));
    assert_eq!(untold(&elsewhere[0]).0, Why::MembershipNotRecorded);
    assert_eq!(elsewhere[2], Verdict::Same, "nobody is asked for a token without teams");
    let shorter = last(&policy("a", "\n[api]\nttl_default = \"10m\"\n"));
    assert_eq!(shorter[0], Verdict::Same, "ten minutes were no default, and so were asked for");
    let (why, now) = untold(&shorter[2]);
    assert_eq!((why, now.len()), (Why::LifetimeNotRecorded, 2));
    assert!(now.contains(&issued_for(600)) && now.contains(&issued_for(3_600)), "{now:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_was_granted_is_recorded_and_the_groups_that_it_was_made_of_are_not() {
    let (world, provider) = people::office().await;
    let alice = people::alice(&world, &provider);
    let wish = json!({"sub": "alice@example.com", "teams": ["red"], "scopes": {"permissions": ["tools.read"]}});
    assert_eq!(world.post("/tokens", &alice, wish.clone()).await.status, 201);
    let beyond = json!({"sub": "alice@example.com", "teams": ["blue"], "scopes": {"permissions": ["tools.read"]}});
    assert_eq!(world.post("/tokens", &alice, beyond).await.status, 403);
    let log = events(&world).await;
    let judged =
        |text: &str| -> Vec<Verdict> { verdicts(&log, &parsed(text)).into_iter().map(|(_, one)| one).collect() };

    assert_eq!(judged(&provider.policy()), [Verdict::Same, Verdict::Same]);
    for verdict in judged(&provider.policy().replace("engineers = \"red\"", "engineers = \"green\"")) {
        assert!(matches!(verdict, Verdict::Untold { why: Why::GroupsNotRecorded, .. }), "{verdict:?}");
    }
    let narrower = format!("[api]\npermissions = [\"servers.read\", \"tokens.create\"]\n{}", provider.policy());
    let narrower = judged(&narrower);
    assert!(
        matches!(&narrower[0], Verdict::Changed { now, .. } if outcomes(now) == [refused("permissions_not_grantable")])
    );
    assert_eq!(narrower[1], Verdict::Same, "the asker's own teams come before what the policy grants");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lists_what_changes_writes_nothing_and_ends_with_1_when_something_does() {
    let (world, _) = busy(3).await;
    let site = world.site();
    let file = |name: &str, text: &str| {
        let path = site.data().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (same, shorter) = (file("same.toml", BUSY), file("shorter.toml", &BUSY.replace("2days", "1h")));
    let head = || site.cli(&["audit", "verify", "--format", "json"]).json()["head"].clone();
    let before = head();

    let unchanged = site.cli(&["policy", "replay", &same]);
    let text = site.cli(&["policy", "replay", &shorter]);
    let json = site.cli(&["policy", "replay", &shorter, "--format", "json"]);

    assert_eq!((unchanged.code, unchanged.stdout.as_str()), (0, ""), "{unchanged:?}");
    assert!(unchanged.stderr.contains(": 0 come to something else, of 0 the log does not tell"), "{unchanged:?}");
    assert_eq!((text.code, json.code), (1, 1));
    let found: Value = serde_json::from_str(&json.stdout).unwrap();
    let listed = found["verdicts"].as_array().unwrap();
    assert_eq!(json!(listed.len()), found["changed"]);
    assert_eq!((&found["head"], &found["untold"], &found["from"]), (&before, &json!(0), &json!(1)));
    assert_eq!(text.stdout.lines().count(), listed.len());
    let first = &listed[0];
    assert_eq!((&first["verdict"], &first["was"]["outcome"]), (&json!("changed"), &json!("issued")));
    assert_eq!(first["now"][0]["rule"], "ttl_too_long");
    let cells: Vec<&str> = text.stdout.lines().next().unwrap().split('\t').collect();
    assert_eq!((cells[0], cells.len()), (&*first["position"].to_string(), 8));
    assert!(cells[7].starts_with("refused: ttl_too_long (a ttl of "), "{cells:?}");
    assert_eq!(head(), before, "nothing is appended");

    let last = listed.last().unwrap()["position"].as_i64().unwrap();
    let part = |from: &str, to: &str| {
        let arguments = ["policy", "replay", &shorter, "--from", from, "--to", to, "--format", "json"];
        let part: Value = serde_json::from_str(&site.cli(&arguments).stdout).unwrap();
        part["verdicts"].as_array().unwrap().clone()
    };
    assert_eq!(part(&format!("@{last}"), &format!("@{last}")), [listed.last().unwrap().clone()]);
    assert_eq!(part("@1", &format!("@{}", last - 1)), listed[..listed.len() - 1]);

    let watched = terminal::seen(site.command(&["policy", "replay", &shorter]), 200);
    assert!(watched.contains(" events, ") && watched.contains(" left"), "a bar: {watched:?}");
    assert!(watched.contains("DECIDED AT") && watched.contains("ttl_too_long"), "{watched:?}");
    assert!(!text.stderr.contains(" left") && !json.stderr.contains(" left"), "none in a pipe: {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_kind_that_nobody_knows_stops_the_replay_at_its_position() {
    let world = World::new().await;
    for _ in 0..3 {
        world.caller("alice@example.com", |_| ()).await;
    }
    world
        .database
        .tamper(
            "alter table events disable trigger all;
             update events set body = convert_to(replace(convert_from(body, 'utf8'), 'token.issued.v1', 'token.issued.v9'), 'utf8')
              where position = 6",
        )
        .await;
    let site = world.site();
    let path = site.data().join("policy.toml");
    std::fs::write(&path, "").unwrap();

    let said = site.cli(&["policy", "replay", path.to_str().unwrap()]);

    assert_eq!(said.code, 2);
    assert!(
        said.stderr.contains("position 6") && said.stderr.contains("the kind 'token.issued.v9' is unknown"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_policy_and_no_range_is_told_and_nothing_is_replayed() {
    let site = Site::new().await;
    site.admin();
    let path = site.data().join("policy.toml");
    let file = path.to_str().unwrap();
    std::fs::write(&path, "[api]\nttl_maxx = \"1d\"\n").unwrap();
    assert!(site.cli(&["policy", "replay", file]).bad(2).contains("line 2: api.ttl_maxx: unknown field"));
    assert!(site.cli(&["policy", "replay", "/nowhere.toml"]).bad(2).contains("cannot read /nowhere.toml"));
    std::fs::write(&path, "").unwrap();
    for (from, to, told) in [
        ("@3", "@2", "the range ends before it starts"),
        ("@99", "@99", "@99 is beyond the end of the log, which goes from @1 to @5"),
        ("@0", "@5", "there is no @0"),
    ] {
        let said = site.cli(&["policy", "replay", file, "--from", from, "--to", to]).bad(2);
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(site.cli(&["policy", "replay", file]).code, 0);
    assert!(site.cli(&["policy", "replay", file, "--from", "someday"]).bad(2).contains("--from"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_on_the_way_is_looked_at_by_no_decision() {
    let world = World::new().await;
    let admin = long_lived_admin(&world).await;
    let (mut chance, mut ids) = (Chance(41), Vec::new());
    for _ in 0..150 {
        happen(&world, &admin, &mut chance, &mut ids).await;
        world.clock.advance(TimeDelta::seconds(90));
    }
    let (mut whole, mut forgetful) = (State::new(Settings::default()), State::new(Settings::default()));
    let mut forgotten = 0;
    for event in events(&world).await {
        let now = event.occurrence.occurred_at;
        whole.apply(&event);
        forgetful.apply(&event);
        forgetful.forget(now);

        let kept = |state: &State| {
            let mut kept: Vec<_> = state.tokens().filter(|token| token.is_kept(now)).cloned().collect();
            kept.sort_by_key(|token| token.issued);
            kept
        };
        assert_eq!(kept(&forgetful), kept(&whole), "at {}", event.position);
        for sub in whole.tokens().filter_map(|token| token.sub.as_ref()) {
            assert_eq!(forgetful.active_of(sub, now), whole.active_of(sub, now));
        }
        assert!(forgetful.tokens().all(|token| token.expires_at > now));
        forgotten = whole.known() - forgetful.known();
    }
    assert!(forgotten > 10, "{forgotten}");
}
