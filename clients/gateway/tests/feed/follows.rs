//! The feed as it should be.

use catalog_gateway::{Verdict, follow::Connection, wire::Item};

use super::{
    catalog::Fault,
    proxy::Way,
    stage::{Stage, jti},
};

const EXP: i64 = 4_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalog_says_is_known_as_it_is_said() {
    let stage = Stage::new().await;
    assert_eq!((stage.check(0), stage.check(1)), (Verdict::Revoked, Verdict::NotRevoked));

    stage.revoke(1);
    stage.until(1, Verdict::Revoked).await;
    stage.catalog.append(vec![Item::Suspended { jti: jti(2), exp: EXP }]);
    stage.until(2, Verdict::Revoked).await;
    stage.catalog.append(vec![Item::Resumed { jti: jti(2), exp: EXP }]);
    stage.until(2, Verdict::NotRevoked).await;
    stage.catalog.append(vec![Item::KeyCompromised { kid: "key".to_owned() }, Item::Spared { jti: jti(2), exp: EXP }]);
    stage.until(3, Verdict::Revoked).await;

    stage.until(2, Verdict::NotRevoked).await;
    let status = stage.follower.status();
    assert_eq!((status.connection, status.reloads), (Connection::Streaming, 0));
    assert_eq!(status.set.mark.unwrap().position, stage.catalog.head());
    assert_eq!(stage.catalog.log().snapshots, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_goes_on_where_it_ended() {
    let stage = Stage::new().await;
    stage.revoke(1);
    stage.until(1, Verdict::Revoked).await;
    let streams = stage.catalog.log().streams;

    stage.proxy.set(Way::Cut);
    stage.revoke(2);
    stage.until_so("the stream is gone", || stage.follower.status().connection != Connection::Streaming).await;
    stage.proxy.set(Way::Open);

    stage.until(2, Verdict::Revoked).await;
    stage.until(3, Verdict::NotRevoked).await;
    stage.until_so("there is another stream", || stage.catalog.log().streams > streams).await;
    assert_eq!(stage.catalog.log().snapshots, 1, "nothing has to be loaded again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_or_again_from_the_beginning_changes_nothing() {
    let stage = Stage::new().await;
    for (number, fault) in [(1, Fault::Twice), (2, Fault::Replay)] {
        stage.catalog.log().fault = Some(fault);

        stage.revoke(number);

        stage.until(number, Verdict::Revoked).await;
        stage.until(9, Verdict::NotRevoked).await;
    }
    assert_eq!((stage.catalog.log().snapshots, stage.follower.status().reloads), (1, 0));
}
