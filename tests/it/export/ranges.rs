//! Ranges: by times and by positions, and what is told where there is no such range.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Site, TestDatabase};

fn positions(site: &Site, more: &[&str]) -> Vec<i64> {
    let events = site.cli(&[&["audit", "export"], more].concat()).ndjson();
    events.iter().map(|event| event["position"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_from_a_place_that_counts_to_a_position_that_counts_or_a_time_that_does_not() {
    let site = Site::new().await;
    site.admin();
    site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    let events = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson();
    let at = |position: usize| events[position - 1]["recorded_at"].as_str().unwrap().to_owned();
    let after = |position: usize| {
        let at: DateTime<Utc> = at(position).parse().unwrap();
        (at + TimeDelta::microseconds(1)).to_rfc3339()
    };

    assert_eq!(positions(&site, &[]), [1, 2, 3, 4, 5, 6]);
    assert_eq!(positions(&site, &["--from", "@2", "--to", "@4"]), [2, 3, 4]);
    assert_eq!(positions(&site, &["--from", "@6", "--to", "@6"]), [6]);
    assert_eq!(positions(&site, &["--from", &at(5), "--to", &at(6)]), [5]);
    assert_eq!(positions(&site, &["--from", &at(5), "--to", &after(6)]), [5, 6]);
    assert_eq!(positions(&site, &["--from", &after(5)]), [6]);
    assert!(positions(&site, &["--from", &after(6)]).is_empty(), "nothing was recorded since");
    assert!(positions(&site, &["--from", "2020-01-01", "--to", "2020-02-01"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_there_is_not_is_told_with_the_limits_of_the_log() {
    let site = Site::new().await;
    site.admin();
    let bad = |more: &[&str]| site.cli(&[&["audit", "export"], more].concat()).bad(2);

    let beyond = bad(&["--from", "@7"]);
    assert!(beyond.contains("@7 is beyond the end of the log, which goes from @1 to @5"), "{beyond}");
    let beyond = bad(&["--to", "@6"]);
    assert!(beyond.contains("@6 is beyond the end of the log, which goes from @1 to @5"), "{beyond}");
    let backwards = bad(&["--from", "@4", "--to", "@2"]);
    let expected = "the range ends before it starts: it is from @4 to @2, in a log that goes from @1 to @5";
    assert!(backwards.contains(expected), "{backwards}");
    assert!(bad(&["--from", "2026-02-01", "--to", "2026-01-01"]).contains("ends before it starts"));
    assert!(bad(&["--from", "@3", "--to", "2020-01-01"]).contains("ends before it starts"));
    for more in [&["--from", "2100-01-01"][..], &["--from", "2100-01-01", "--follow"]] {
        let ahead = bad(more);
        assert!(ahead.contains("has not come yet: the log goes from @1 to @5"), "{ahead}");
    }
    assert!(bad(&["--from", "@0"]).contains("there is no @0: the log goes from @1 to @5"));
    assert!(bad(&["--from", "2026-03-01T12:00:00 Mars/Olympus"]).contains("invalid value"));
    assert!(bad(&["--follow", "-o", "f"]).contains("without --position-file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_the_log_is_told_and_the_rest_is_exported() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.admin();
    database
        .tamper("alter table events disable trigger all; delete from events where position in (2, 3, (select position from log_head))")
        .await;

    let exported = site.cli(&["audit", "export"]);

    assert_eq!(exported.code, 1, "{exported:?}");
    assert!(exported.stderr.contains("no event at the positions from 2 to 3"), "{exported:?}");
    assert!(exported.stderr.contains("no event at the positions from 5 to 5"), "{exported:?}");
    let lines = exported.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(lines.map(|event| event["position"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 4]);

    let policy = tempfile::NamedTempFile::new().unwrap();
    let replayed = site.cli(&["policy", "replay", policy.path().to_str().unwrap()]);
    assert_eq!(replayed.code, 1, "{replayed:?}");
    assert!(replayed.stderr.contains("no event at the positions from 2 to 3"), "{replayed:?}");
}
