//! A gateway that is started again.

use catalog_gateway::Verdict;

use super::{
    catalog::Catalog,
    proxy::Way,
    stage::{Stage, revocation},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_the_catalog_still_knows_what_was_revoked_and_goes_on_from_there() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("revocations.json");
    let stage = Stage::with_file(Some(file.clone())).await;
    stage.revoke(1);
    stage.until(1, Verdict::Revoked).await;
    let Stage { catalog, server, proxy, follower, .. } = stage;
    drop(proxy);
    follower.stop().await;
    catalog.log().is_down = true;

    let stage = Stage::before(catalog, server.unwrap(), Some(file)).await;

    stage.until(1, Verdict::Revoked).await;
    assert_eq!((stage.check(0), stage.check(2)), (Verdict::Revoked, Verdict::Stale));
    stage.revoke(3);
    stage.catalog.log().is_down = false;
    stage.until(3, Verdict::Revoked).await;
    stage.until(2, Verdict::NotRevoked).await;
    assert_eq!(stage.catalog.log().snapshots, 1, "nothing has to be loaded again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_log_that_was_restored_since_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("revocations.json");
    let stage = Stage::with_file(Some(file.clone())).await;
    stage.until_so("it is written", || file.exists()).await;
    let Stage { catalog, server, follower, .. } = stage;
    follower.stop().await;
    catalog.restore(0);

    let stage = Stage::before(catalog, server.unwrap(), Some(file)).await;

    stage.until(2, Verdict::NotRevoked).await;
    assert_eq!(stage.follower.status().reloads, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_left_and_written_anew() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("revocations.json");
    std::fs::write(&file, "nothing of the kind").unwrap();

    let stage = Stage::with_file(Some(file.clone())).await;

    stage
        .until_so("it is written", || {
            std::fs::read_to_string(&file).is_ok_and(|text| text.starts_with("{\"version\":1,"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_not_there_yet_is_waited_for() {
    let catalog = Catalog::new();
    catalog.append(vec![revocation(0)]);
    let server = catalog.serve(None).await;
    catalog.log().is_down = true;
    let stage = Stage::before(catalog, server, None).await;
    stage.proxy.set(Way::Open);

    assert_eq!((stage.check(0), stage.check(2)), (Verdict::Stale, Verdict::Stale));
    stage.catalog.log().is_down = false;
    stage.follower.loaded().await;

    assert_eq!(stage.check(0), Verdict::Revoked);
}
