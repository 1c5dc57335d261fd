//! What `catalog audit verify` says to whoever runs it.

use serde_json::json;

use crate::support::{Office, Site, World, terminal, world::plain};

#[tokio::test(flavor = "multi_thread")]
async fn every_head_that_was_kept_is_compared_also_two_of_one_position() {
    let office = Office::new().await;
    let kept = office.home.cli(&["audit", "verify", "--format", "json"]).json()["head"].clone();
    let mut other = kept.clone();
    other["digest"] = json!("11".repeat(32));

    for heads in [[&kept, &other], [&other, &kept]] {
        let [first, last] = heads.map(ToString::to_string);
        let done = office.home.cli(&["audit", "verify", "--against", &first, "--against", &last]);
        assert!(done.code == 1 && done.stdout.contains("something up to here was rewritten"), "{done:?}");
    }
    for position in [0, -1] {
        other["position"] = json!(position);
        let done = office.home.cli(&["audit", "verify", "--against", &other.to_string()]);
        assert!(done.code == 1 && done.stdout.contains("of the empty log is none"), "{done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_head_is_no_file_of_kept_heads() {
    let office = Office::new().await;
    for empty in ["", "\n \n"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), empty).unwrap();
        let against = format!("@{}", file.path().display());
        let refused = office.home.cli(&["audit", "verify", "--against", &against]).bad(2);
        assert!(refused.contains("holds no head"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_end_nobody_wrote_down_is_found_to_be_so() {
    let world = World::new().await;
    world.issue_dev(plain("alice@example.com")).await;
    world.database.tamper("set session_replication_role to replica; delete from log_head").await;
    let site = Site::on(&world.database.url());

    let text = site.cli(&["audit", "verify"]);
    let verified = site.cli(&["audit", "verify", "--format", "json"]);

    assert_eq!((text.code, verified.code), (1, 1), "{text:?}");
    assert!(text.stdout.contains("log_head has no row"), "{text:?}");
    assert!(verified.stdout.contains("log_head has no row"), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_findings_twenty_are_told_and_the_others_are_counted() {
    let world = World::new().await;
    for number in 0..25 {
        world.issue_dev(plain(&format!("user-{number}@example.com"))).await;
    }
    let site = Site::on(&world.database.url());
    for (sql, more) in [
        ("update issued_tokens set kid = 'other'", 5),
        ("alter table events disable trigger all; update events set request_id = 'other'", 5 + 29),
    ] {
        world.database.tamper(sql).await;
        let text = site.cli(&["audit", "verify"]);
        let verified = site.cli(&["audit", "verify", "--format", "json"]);
        assert!(text.stdout.contains(&format!("\n  and {more} more\n")), "{}", text.stdout);
        let verified: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
        assert_eq!((verified["findings"].as_array().unwrap().len(), &verified["more"]), (20, &json!(more)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_at_a_terminal_sees_how_far_it_has_come_and_how_fast() {
    let office = Office::new().await;
    office.issue(&["--sub", "alice@example.com"]);

    let seen = terminal::seen(office.home.command(&["audit", "verify"]), 120);

    assert!(seen.contains(" events, ") && seen.contains("/s, "), "{seen}");
}
