//! What `catalog audit verify` says to whoever runs it.

use serde_json::json;

use crate::support::Office;

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
