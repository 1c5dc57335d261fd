//! The names of requests are forgotten after a day, a few at a time, by every server that runs.

use catalog::store::idempotency::SWEEP_MAX;
use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};

use crate::support::{
    Site, TestDatabase, World,
    process::{until, until_true},
};

/// Remembers so many requests of an hour, as SQL.
fn remembered(count: u64, at: &str) -> String {
    format!(
        "insert into idempotency (credential, key, request_digest, position, at)
         select gen_random_uuid()::text, 'k' || n, sha256('x'), 1, {at} from generate_series(1, {count}) as n"
    )
}

async fn names(connection: &mut PgConnection, that: &str) -> u64 {
    let sql = format!("select count(*) from idempotency where {that}");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap();
    count.cast_unsigned()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_forgotten_after_24_hours_and_not_a_microsecond_earlier_however_many_there_are() {
    let world = World::new().await;
    let now = world.catalog.ambient().clock.now();
    let (old, young) = (now - TimeDelta::hours(24), now - TimeDelta::hours(24) + TimeDelta::microseconds(1));
    world.database.tamper(&remembered(2 * SWEEP_MAX + 1, &format!("'{old}'"))).await;
    world.database.tamper(&remembered(3, &format!("'{young}'"))).await;

    let swept = world.catalog.sweep().await.unwrap();
    let again = world.catalog.sweep().await.unwrap();
    world.clock.advance(TimeDelta::microseconds(1));
    let later = world.catalog.sweep().await.unwrap();

    assert_eq!((swept, again, later), (2 * SWEEP_MAX + 1, 0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_being_taken_over_is_not_waited_for() {
    let world = World::new().await;
    let old = world.catalog.ambient().clock.now() - TimeDelta::hours(25);
    world.database.tamper(&remembered(2, &format!("'{old}'"))).await;
    let mut other = world.database.superuser().connect().await.unwrap();
    other.execute("begin").await.unwrap();
    other.execute("update idempotency set position = 2 where key = 'k1'").await.unwrap();

    let meanwhile = world.catalog.sweep().await.unwrap();
    other.execute("commit").await.unwrap();
    let afterwards = world.catalog.sweep().await.unwrap();

    assert_eq!((meanwhile, afterwards), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_sweeps_soon_after_its_start_and_goes_on_where_it_cannot() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.admin();
    let mut connection = database.superuser().connect().await.unwrap();
    database.tamper(&remembered(5, "now() - interval '25 hours'")).await;
    database.tamper(&remembered(2, "now() - interval '23 hours'")).await;

    let server = site.serve().await;
    until("old names are gone", async || {
        (names(&mut connection, "at < now() - interval '24 hours'").await == 0).then_some(())
    })
    .await;
    server.stop().await;
    assert_eq!(names(&mut connection, "true").await, 2);

    database.tamper("alter table idempotency rename to elsewhere").await;
    let server = site.serve().await;
    until_true("it is told", || {
        server.said().contains("WARN catalog::app::sweep: names of requests could not be swept")
    })
    .await;
    assert_eq!(server.client.get("/readyz", "").await.status, 200);
    server.stop().await;
}
