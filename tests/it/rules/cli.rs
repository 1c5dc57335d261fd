//! `catalog revoke` by a rule: shown before it is done, done by a word alone, and the same as the API does.

use serde_json::{Value, json};

use crate::support::{Office, terminal};

const WHY: [&str; 2] = ["--reason", "privilege_withdrawn"];

async fn is_active(office: &Office, token: &str) -> bool {
    office.server.client.is_active(token, &office.admin).await
}

async fn rules(office: &Office) -> usize {
    office.events("tokens.revoked_by_rule.v1", "api").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_the_api_tells_and_changes_nothing() {
    let office = Office::new().await;
    let (jti, token) = office.issue(&["--sub", "ci", "--teams", "ops", "--name", "night build"]);
    office.issue(&["--sub", "bob"]);
    let asked = json!({"where": {"team": "ops", "name": "night build"}, "dry_run": true});
    let told = office.server.client.post("/revocations", &office.admin, asked).await.json();

    let where_ = "team=ops and name='night build'";
    let lines = office.run(&["revoke", "--where", where_, "--dry-run"]).good();
    let value = office.run(&["revoke", "--where", where_, "--dry-run", "--format", "ndjson"]).json();
    let everything = office.run(&["revoke", "--all", "--dry-run"]).good();

    assert_eq!(value, told);
    let issued = told["sample"][0]["issued_at"].as_str().unwrap();
    assert_eq!(
        lines,
        format!(
            "status\tactive\t1 token\nstatus\tsuspended\t0 tokens\nstatus\texpired\t0 tokens\nsubject\tci\t1 token\n\
             team\tops\t1 token\npath\tapi\t1 token\ntoken\t{jti}\tci, night build, api, issued {issued}\n\
             position\t{}\tthe place in the log that this holds for",
            told["position"]
        )
    );
    assert!(everything.starts_with("status\tactive\t3 tokens\n"), "{everything}");
    assert_eq!((rules(&office).await, is_active(&office, &token).await), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_subjects_some_are_named_and_the_others_counted() {
    let office = Office::new().await;
    for number in 0..23 {
        let wish = json!({"sub": format!("user-{number:02}"), "teams": ["ops"]});
        office.server.client.post("/tokens", &office.admin, wish).await;
    }

    let told = office.run(&["revoke", "--where", "path=api", "--dry-run"]).good();

    assert_eq!(told.matches("subject\tuser-").count(), 20, "{told}");
    assert!(told.contains("subject\tall others\t3 tokens\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_be_asked_a_rule_is_added_by_yes_alone() {
    let office = Office::new().await;
    let [(_, one), (_, other)] = [office.issue(&["--sub", "ci"]), office.issue(&["--sub", "bob"])];
    let run = |arguments: &[&str]| office.run(&[&["revoke"], arguments, &WHY].concat());

    let unasked = run(&["--sub", "ci"]).bad(2);
    let everything = run(&["--all"]).bad(2);
    assert!(is_active(&office, &one).await);
    let agreed = run(&["--sub", "ci", "--yes"]);
    let told = agreed.stderr.clone();
    let done = agreed.good();
    let again = run(&["--where", "sub=ci", "--yes", "--format", "json"]).json();

    assert!(
        unasked.contains("so much is revoked by --yes, or after a question; there is nobody to ask here"),
        "{unasked}"
    );
    assert!(unasked.contains("hint: see with --dry-run what would be revoked; nothing was"), "{unasked}");
    assert!(everything.contains("--all revokes every token there is, and is only done with --yes"), "{everything}");
    assert!(done.starts_with("sub=ci\trevoked\tby the rule at position "), "{done}");
    assert!(told.contains("the rule covers 1 active, 0 suspended and 0 expired tokens\n"), "{told}");
    assert_eq!((again, rules(&office).await), (json!([{"rule": null}]), 1));
    assert_eq!([is_active(&office, &one).await, is_active(&office, &other).await], [false, true]);
    let all = run(&["--all", "--yes"]);
    assert!(all.stderr.contains("warning: the rule also revokes the token that you ask with\n"), "{}", all.stderr);
    all.good();
    run(&["--sub", "ci", "--yes"]).bad(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_what_would_be_revoked_and_nothing_but_yes_does_it() {
    let office = Office::new().await;
    let (jti, token) = office.issue(&["--sub", "ci"]);
    let asked = |typed: &str, sub: &str| {
        let command = office.client.command(&[&["revoke", "--sub", sub], &WHY[..]].concat());
        terminal::answered(command, typed)
    };

    let (declined, code) = asked("y", "ci");
    let was_active = is_active(&office, &token).await;
    let (done, done_code) = asked("yes", "ci");
    let (nothing, nothing_code) = asked("no", "nobody");

    for part in ["status  active  1 token\n", &jti, "Revoke all tokens where sub=ci? Type yes to do it:\n"] {
        assert!(declined.contains(part) && done.contains(part), "{declined}");
    }
    assert!(declined.contains("catalog: error: nothing was revoked"), "{declined}");
    assert!(done.contains("by the rule at position "), "{done}");
    assert_eq!((code, was_active, done_code), (Some(1), true, Some(0)));
    assert!(!is_active(&office, &token).await);
    assert!(nothing.contains("there was nothing left to revoke") && !nothing.contains("Type yes"), "{nothing}");
    assert_eq!((nothing_code, rules(&office).await), (Some(0), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_rule_or_none_of_the_callers_ends_nothing() {
    let office = Office::new().await;
    let (jti, token) = office.issue(&["--sub", "ci"]);
    let run = |arguments: &[&str]| office.run(&[&["revoke"], arguments].concat());

    for (arguments, said) in [
        (&["--where", "user=ci"][..], "there is no field 'user'; there are sub, team, path, kid, permission, name, "),
        (&["--where", "issued_before<2026-11-01"], "has no '=', which is the only operator; found '<'"),
        (&["--where", "sub=ci and sub=bob"], "sub is named twice; a token must meet all conditions"),
        (&["--where", "issued_before=2026-11-01T00:00:00"], "'2026-11-01T00:00:00' has no zone"),
        (&["--where", ""], "there is no condition in it; if every token is meant, say --all"),
        (&["--where", "sub=ci", "--all"], "cannot be used with"),
        (&["--where", "sub=ci", "--sub", "ci"], "cannot be used with"),
        (&["--sub", "ci", &jti], "cannot be used with"),
        (&["--sub", "ci", "--yes", "--dry-run"], "cannot be used with"),
        (&[&jti, "--dry-run"], "cannot be used with"),
        (&[], "required arguments were not provided"),
    ] {
        let told = run(&[arguments, &WHY].concat()).bad(2);
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    assert!(run(&["--sub", "ci", "--yes"]).bad(2).contains("--reason"));
    let limited = office.caller(&["--sub", "bob", "--permissions", "tokens.revoke"]);
    let refused = limited.cli(&[&["revoke", "--where", "sub=ci", "--yes"], &WHY[..]].concat());
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("add sub=bob, or name the tokens by their identifiers (rule_too_wide)"),
        "{}",
        refused.stderr
    );
    assert!(is_active(&office, &token).await);
    let events: Vec<Value> = office.server.client.events(0, &office.admin).await;
    assert!(events.iter().all(|event| event["kind"] != "tokens.revoked_by_rule.v1"));
}
