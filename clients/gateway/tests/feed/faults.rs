//! The feed as it should not be. Whatever happens, a revoked token is good for no longer than the bound, which each look at the
//! set asserts.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use catalog_gateway::{Verdict, follow::Connection};

use super::{
    catalog::{Catalog, Fault},
    proxy::Way,
    stage::{STALENESS_MAX, Stage, revocation, settings},
};

const HOUR_MS: i64 = 3_600_000;

/// A feed that is gone: what is known stays known, and the rest is stale from the bound on.
async fn is_lost(stage: &Stage) {
    stage.revoke(1);
    stage.until(2, Verdict::Stale).await;
    let said = || (stage.check(0), stage.check(2));
    stage.during(STALENESS_MAX / 2, said, (Verdict::Revoked, Verdict::Stale)).await;
    assert_ne!(stage.check(1), Verdict::NotRevoked);
}

/// A feed that has come back.
async fn is_found(stage: &Stage) {
    stage.until(1, Verdict::Revoked).await;
    stage.until(2, Verdict::NotRevoked).await;
    stage.revoke(3);
    stage.until(3, Verdict::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_cut_off() {
    let stage = Stage::new().await;

    stage.proxy.set(Way::Cut);

    is_lost(&stage).await;
    stage.proxy.set(Way::Open);
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_which_nobody_says_that_it_is_dead() {
    let stage = Stage::new().await;

    stage.proxy.set(Way::Dead);

    is_lost(&stage).await;
    stage.proxy.set(Way::Open);
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_killed() {
    let mut stage = Stage::new().await;

    let address = stage.server.take().unwrap().address;
    // Connections that are open already are served on by tasks of their own.
    stage.catalog.log().is_down = true;

    is_lost(&stage).await;
    stage.catalog.log().is_down = false;
    stage.server = Some(stage.catalog.serve(Some(address)).await);
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_answers_503_while_it_is_restarted() {
    let stage = Stage::new().await;

    for round in 0..3 {
        stage.catalog.log().is_down = true;
        stage.revoke(10 + round);
        stage.until_so("the stream is gone", || stage.follower.status().connection != Connection::Streaming).await;
        stage.catalog.log().is_down = false;
        stage.until(10 + round, Verdict::Revoked).await;
    }

    stage.until(2, Verdict::NotRevoked).await;
    assert_eq!(stage.catalog.log().snapshots, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_is_left_for_pages_before_anything_is_stale() {
    let stage = Stage::new().await;

    stage.catalog.log().is_mute = true;
    stage.revoke(1);

    stage.until(1, Verdict::Revoked).await;
    stage.until_so("pages are asked for", || stage.follower.status().connection == Connection::Polling).await;
    stage.until(2, Verdict::NotRevoked).await;
    stage.catalog.log().is_mute = false;
    stage.until_so("the stream is back", || stage.follower.status().connection == Connection::Streaming).await;
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_holds_the_stream_back() {
    let stage = Stage::new().await;

    stage.proxy.set(Way::Buffering);
    stage.revoke(1);

    stage.until(1, Verdict::Revoked).await;
    stage.until_so("pages are asked for", || stage.follower.status().connection == Connection::Polling).await;
    stage.revoke(4);
    stage.until(4, Verdict::Revoked).await;
    stage.until(2, Verdict::NotRevoked).await;
    stage.proxy.set(Way::Open);
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_hangs_is_not_taken_for_a_proxy_that_holds_its_stream_back() {
    let stage = Stage::new().await;
    let connection = || stage.follower.status().connection;
    stage.until_so("it streams", || connection() == Connection::Streaming).await;

    stage.proxy.set(Way::Dead);
    stage.revoke(1);
    stage.during(STALENESS_MAX * 2, || connection() == Connection::Polling, false).await;
    stage.proxy.set(Way::Open);

    stage.until_so("it goes on", || matches!(connection(), Connection::Streaming | Connection::Polling)).await;
    assert_eq!(connection(), Connection::Streaming);
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_says_nothing_once_is_tried_again_before_pages_take_its_place() {
    let catalog = Catalog::new();
    catalog.append(vec![revocation(0)]);
    catalog.log().mute_streams = 1;
    let server = catalog.serve(None).await;
    let stage = Stage::before(catalog, server, None).await;
    stage.follower.loaded().await;

    stage
        .until_so("there is another stream", || {
            assert_ne!(stage.follower.status().connection, Connection::Polling);
            stage.catalog.log().streams == 2
        })
        .await;

    stage.revoke(1);
    is_found(&stage).await;
    assert_eq!((stage.follower.status().connection, stage.catalog.log().streams), (Connection::Streaming, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_fit_loads_the_snapshot_less_and_less_often() {
    let stage = Stage::new().await;
    stage.catalog.log().gaps = u32::MAX;
    stage.revoke(1);

    stage.until_so("it is loaded again and again", || stage.catalog.log().snapshots >= 8).await;

    let [Some(first), Some(second)] = stage.catalog.log().loaded else { panic!("two were loaded") };
    let pause_max = settings(stage.clock.clone(), None).pause_max;
    assert!(second - first >= pause_max / 2, "{:?}", second - first);
    stage.catalog.log().gaps = 0;
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_left_out() {
    let stage = Stage::new().await;
    stage.catalog.log().fault = Some(Fault::Skip);

    stage.revoke_several(&[1, 3]);

    stage.until_so("it is noticed", || stage.follower.status().reloads == 1).await;
    stage.until(1, Verdict::Revoked).await;
    stage.until(3, Verdict::Revoked).await;
    stage.until(2, Verdict::NotRevoked).await;
    assert_eq!(stage.catalog.log().snapshots, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_restored_is_loaded_anew() {
    let stage = Stage::new().await;
    stage.revoke(1);
    stage.until(1, Verdict::Revoked).await;

    stage.catalog.restore(1);

    stage.until_so("it is noticed", || stage.follower.status().reloads == 1).await;
    stage
        .until_so("the other log is known", || {
            stage.follower.status().set.mark.is_some_and(|mark| mark.log_id.as_u128() == 1)
        })
        .await;
    stage.until(2, Verdict::NotRevoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_asks_for_a_reload_gets_one() {
    let stage = Stage::new().await;

    stage.catalog.log().asks_for_reload = true;
    stage.revoke(1);

    stage.until_so("it is loaded again", || stage.catalog.log().snapshots == 2).await;
    stage.until(1, Verdict::Revoked).await;
    stage.until(2, Verdict::NotRevoked).await;
    assert_eq!(stage.follower.status().reloads, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_an_hour_ahead_tells_nothing_until_the_catalog_is_heard_again() {
    let stage = Stage::new().await;
    stage.proxy.set(Way::Dead);

    stage.off_by.store(HOUR_MS, SeqCst);

    assert_eq!((stage.check(0), stage.check(2)), (Verdict::Revoked, Verdict::Stale));
    stage.revoke(1);
    stage.proxy.set(Way::Open);
    is_found(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_an_hour_back_tells_nothing_until_it_is_right_again() {
    let stage = Stage::new().await;

    stage.off_by.store(-HOUR_MS, SeqCst);

    stage
        .during(Duration::from_millis(500), || (stage.check(0), stage.check(2)), (Verdict::Revoked, Verdict::Stale))
        .await;
    stage.revoke(1);
    stage.until(1, Verdict::Revoked).await;
    stage.off_by.store(0, SeqCst);
    is_found(&stage).await;
}
