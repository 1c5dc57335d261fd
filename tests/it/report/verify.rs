//! Whether a report is what the log says; where it goes; and that it leaves a trace.

use std::fs;

use rustix::process::Signal;
use serde_json::json;
use sqlx::{ConnectOptions, Connection, Executor};

use super::{Format, projected, site};
use crate::support::{
    Site, TestDatabase,
    process::{Server, until_true},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_report_in_any_format_is_made_again_and_compared_byte_for_byte() {
    let (_database, site) = site(21, 300).await;
    for format in Format::ALL.map(Format::as_str) {
        let file = site.data().join(format!("report.{format}"));
        let path = file.to_str().unwrap();
        let more = ["--from", "@20", "--to", "@250", "--as-of", "@280", "--sub", "alice@example.com", "--team", "red"];
        site.cli(&[&["audit", "report", "--format", format, "-o", path], &more[..]].concat());

        let verified = site.cli(&["audit", "report", "--verify", path]).good();
        assert!(verified.starts_with("verified  the log gives the same "), "{verified}");
        assert!(verified.contains("positions 20 to 250, as of 280"), "{verified}");

        let text = fs::read_to_string(&file).unwrap();
        let middle = text.len() / 2;
        let at = middle + text[middle..].find("2026-0").unwrap();
        let forged = format!("{}2027-0{}", &text[..at], &text[at + 6..]);
        fs::write(&file, &forged).unwrap();
        let line = forged[..at].matches('\n').count() + 1;
        let differs = site.cli(&["audit", "report", "--verify", path]);
        assert_eq!(differs.code, 1, "{format}: {}", differs.stderr);
        assert!(differs.stdout.starts_with(&format!("DIFFERS   line {line} is the first")), "{}", differs.stdout);
        assert!(differs.stdout.contains("2027-0") && differs.stdout.contains("2026-0"), "{}", differs.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_of_this_log_is_told_apart() {
    let (_database, site) = site(22, 60).await;
    let file = site.data().join("report.json");
    let path = file.to_str().unwrap();
    site.cli(&["audit", "report", "--format", "json", "-o", path]);
    let text = fs::read_to_string(&file).unwrap();
    let verify = |text: &str| {
        fs::write(&file, text).unwrap();
        site.cli(&["audit", "report", "--verify", path])
    };

    let both = site.cli(&["audit", "report", "-o", path, "--save-state", path]).bad(2);
    assert!(both.contains("cannot be both the report and the state"), "{both}");
    let future = site.cli(&["audit", "report", "--from", "2099-01-01"]).bad(2);
    assert!(future.contains("has not come yet: the log goes from @1 to @6"), "{future}");
    let other = verify(&text.replacen("01900000-0000-7000", "01900000-0000-7fff", 1));
    assert_eq!((other.code, other.stdout.contains("it is of the log 01900000-0000-7fff")), (1, true));
    let ahead = verify(&text.replacen("\"end\": 60", "\"end\": 6000", 1));
    assert_eq!((ahead.code, ahead.stdout.contains("it was read up to @6000, and the log ends at @61")), (1, true));
    assert!(verify("hello").bad(2).contains("it is no report of a catalog"));
    let newer = verify(&text.replacen("\"version\": 1", "\"version\": 9", 1)).bad(2);
    assert!(newer.contains("a report of version 9, and this program makes those of version 1"), "{newer}");
    assert!(site.cli(&["audit", "report", "--verify", path, "--from", "@1"]).bad(2).contains("cannot be used with"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_report_is_recorded_before_it_is_shown_and_is_not_a_part_of_itself() {
    let site = Site::new().await;
    site.admin();

    let report = |more: &[&str]| -> serde_json::Value {
        let done = site.cli(&[&["audit", "report", "--format", "json"], more].concat());
        serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))
    };

    let first = report(&["--from", "@2", "--sub", "alice@example.com"]);
    let second = report(&[]);

    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    let reads: Vec<_> = events.iter().filter(|event| event["kind"] == "audit.read.v1").collect();
    assert_eq!(reads.len(), 2);
    let expected =
        json!({"what": "report", "format": "json", "first": 2, "last": 5, "end": 5, "sub": "alice@example.com"});
    assert_eq!(
        (&reads[0]["data"], &reads[0]["position"], &reads[0]["path"]),
        (&expected, &json!(6), &json!("cli-admin"))
    );
    assert_eq!(reads[0]["actor"]["kind"], "os-user");
    assert_eq!((&first["scope"]["end"], &first["reads"]["total"]), (&json!(5), &json!(0)));
    assert_eq!((&second["scope"]["end"], &second["reads"]["total"]), (&json!(6), &json!(1)), "it knows the one before");
    assert_eq!(site.cli(&["audit", "verify", "--format", "json"]).json()["holds"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_there_is_not_is_told_with_the_limits_of_the_log() {
    let (_database, site) = site(23, 50).await;
    let bad = |more: &[&str]| site.cli(&[&["audit", "report"], more].concat()).bad(2);

    assert!(bad(&["--from", "@51"]).contains("@51 is beyond the end of the log, which goes from @1 to @50"));
    assert!(bad(&["--as-of", "@99"]).contains("@99 is beyond the end of the log, which goes from @1 to @50"));
    assert!(bad(&["--from", "@0"]).contains("there is no @0: the log goes from @1 to @50"));
    let backwards = bad(&["--from", "@9", "--to", "@4"]);
    assert!(backwards.contains("the range ends before it starts: it is from @9 to @4"), "{backwards}");
    let later = bad(&["--to", "@9", "--as-of", "@4"]);
    assert!(later.contains("the report goes up to @9 and is as of @4"), "{later}");
    let later = bad(&["--from", "@9", "--as-of", "@4"]);
    assert!(later.contains("the report begins at @9 and is as of @4"), "{later}");
    let ahead = bad(&["--as-of", "2999-01-01"]);
    assert!(ahead.contains("2999-01-01T00:00:00Z has not come yet: the log goes from @1 to @50"), "{ahead}");
    assert!(bad(&["--from", "2026-03-01T12:00:00 Mars/Olympus"]).contains("invalid value"));
    assert!(bad(&["--format", "pdf"]).contains("possible values: text, json, csv, html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_interrupted_leaves_what_was_there_before_and_nothing_else() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.admin();
    let directory = site.data().join("out");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("report.html");
    fs::write(&file, "before").unwrap();
    let names = || fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let mut holder = database.superuser().connect().await.unwrap();
    holder.execute("begin; lock table events in access exclusive mode").await.unwrap();
    let command = site.command(&["audit", "report", "--format", "html", "-o", file.to_str().unwrap()]);

    let mut report = Server::spawn(command);
    let waits = "select count(*) from pg_locks where not granted and relation = 'events'::regclass";
    let mut looker = database.superuser().connect().await.unwrap();
    crate::support::process::until("the report has begun", async || {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&mut looker).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    report.signal(Signal::INT);
    let code = report.ended().await;
    holder.close().await.unwrap();

    assert_eq!(code, 130, "{}", report.said());
    assert_eq!((names(), fs::read_to_string(&file).unwrap()), (vec!["report.html".into()], "before".to_owned()));
    site.cli(&["audit", "report", "--format", "html", "-o", file.to_str().unwrap()]);
    until_true("the report is there", || fs::read_to_string(&file).unwrap().starts_with("<!DOCTYPE html>")).await;
    assert_eq!(names(), ["report.html"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_to_the_log_is_a_finding_with_its_position() {
    let (database, site) = site(24, 80).await;
    let fences_down = "set session_replication_role to replica; alter table events disable trigger all;";
    let tamper = "update events set body = convert_to(convert_from(body, 'utf8') || ' ', 'utf8') where position = 9;
                  update events set personal = convert_to(convert_from(personal, 'utf8') || ' ', 'utf8') where position = 12;
                  delete from events where position = 30;
                  update events set recorded_at = '2020-01-01' where position = 40";
    database.tamper(&format!("{fences_down} {tamper}")).await;

    let report = site.cli(&["audit", "report", "--format", "json"]);

    assert_eq!(report.code, 1, "there are findings: {}", report.stderr);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    let found = |rule: &str| -> Vec<i64> {
        let of_rule = report["findings"].as_array().unwrap().iter().find(|of_rule| of_rule["rule"] == rule);
        let rows = of_rule.map(|of_rule| of_rule["findings"]["rows"].as_array().unwrap().clone()).unwrap_or_default();
        rows.iter().map(|row| row["positions"][0].as_i64().unwrap()).collect()
    };
    assert_eq!(found("digest"), [9, 12, 31, 40]);
    assert_eq!(found("gap"), [30]);
    assert_eq!(found("order"), [40]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_of_a_live_token_otherwise_than_the_log_says_is_a_finding_with_its_position() {
    let database = projected(26, 300).await;
    let site = Site::on(&database.url());
    let report = || -> serde_json::Value {
        let done = site.cli(&["audit", "report", "--as-of", "@300", "--format", "json"]);
        serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))
    };
    let found = |report: &serde_json::Value| {
        let findings = report["findings"].as_array().unwrap().iter();
        let rows =
            findings.filter(|of_rule| of_rule["rule"] == "projection").map(|of_rule| &of_rule["findings"]["rows"]);
        rows.flat_map(|rows| rows.as_array().unwrap().clone()).map(|row| row["positions"].clone()).collect::<Vec<_>>()
    };
    let before = report();
    assert!(found(&before).is_empty());
    let live = before["live"]["tokens"]["rows"].as_array().unwrap();
    let [first, last] = [live.first(), live.last()].map(|row| row.unwrap()["position"].as_i64().unwrap());
    assert!(first < last, "there are two");

    let ended = format!("update issued_tokens set exp = iat + interval '1 second' where issued_pos = {first}");
    let gone = format!("delete from issued_tokens where issued_pos = {last}");
    let made_up = "insert into issued_tokens select (jsonb_populate_record(issued, jsonb_build_object( \
                       'jti', gen_random_uuid(), 'issued_pos', 9000, 'exp', now() + interval '10 years'))).* \
                     from issued_tokens as issued limit 1";
    database.tamper(&format!("set session_replication_role to replica; {ended}; {gone}; {made_up}")).await;

    assert_eq!(found(&report()), [json!([first]), json!([last]), json!([9_000])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_judged_as_of_what_is_left_of_it() {
    let database = projected(26, 300).await;
    let site = Site::on(&database.url());
    let report = |to: &str| -> serde_json::Value {
        let done = site.cli(&["audit", "report", "--to", to, "--format", "json"]);
        serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))
    };
    let before = report("@299");
    database
        .tamper("set session_replication_role to replica; alter table events disable trigger all; delete from events where position = 300")
        .await;

    let after = report("@300");

    let of_rule = |rule: &str| after["findings"].as_array().unwrap().iter().find(|found| found["rule"] == rule);
    assert_eq!(of_rule("gap").unwrap()["findings"]["rows"][0]["positions"], json!([300]));
    assert_eq!(after["scope"]["judged_at"], before["scope"]["judged_at"]);
    assert_eq!(after["live"]["tokens"], before["live"]["tokens"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_kind_that_nobody_knows_stops_the_report_at_its_position() {
    let (database, site) = site(25, 40).await;
    let fences_down = "set session_replication_role to replica; alter table events disable trigger all;";
    let tamper = "update events set kind = 'token.minted.v9',
                         body = convert_to(replace(convert_from(body, 'utf8'), kind, 'token.minted.v9'), 'utf8')
                   where position = 20";
    database.tamper(&format!("{fences_down} {tamper}")).await;

    let said = site.cli(&["audit", "report"]).bad(2);

    assert!(said.contains("the event at position 20 cannot be read"), "{said}");
    assert!(said.contains("the kind 'token.minted.v9' is unknown to this program"), "{said}");
}
