//! What the one writer of a process does when the head is held, sessions end and callers go away.

use std::{sync::Arc, time::Duration};

use catalog::{
    app::Requester,
    domain::{Authority, Path, text::Subject},
    store::{
        AppendError, Appender,
        appender::{BATCH_MAX, QUEUE_MAX},
        postgres::{IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT},
    },
};
use futures_util::FutureExt;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{
    World,
    appending::{Holder, appender, head, issuance, queued, revocation, unknown},
    world::{plain, shell},
};

/// The longest that anybody waits for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_command_past_the_end_of_the_queue_is_refused_at_once() {
    let world = World::new().await;
    let appender = appender(&world);
    let mut holder = Holder::new(&world).await;
    let first = queued(&appender, issuance(&world, Uuid::from_u128(1))).await;
    holder.waiter().await;

    // Nobody waits for these, and they wait all the same.
    let accepted = (0..=QUEUE_MAX + BATCH_MAX)
        .take_while(|_| match appender.append(revocation(&world, unknown())).now_or_never() {
            None => true,
            Some(outcome) => {
                assert!(matches!(outcome, Err(AppendError::QueueFull)), "{outcome:?}");
                false
            }
        })
        .count();

    assert_eq!(accepted, QUEUE_MAX);
    holder.let_go().await;
    assert!(first.await.unwrap().is_ok());
    loop {
        match appender.append(issuance(&world, Uuid::from_u128(2))).await {
            Err(AppendError::QueueFull) => tokio::task::yield_now().await,
            outcome => break assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_leaves_a_command_that_runs_to_its_end() {
    let world = World::new().await;
    let before = head(&world).await;
    let (appender, task) =
        Appender::start(world.database.open(), world.catalog.ambient().entropy.clone(), Arc::default());

    // Few enough for a busy machine to record in the time that a command has.
    for number in 1..=20 {
        assert!(appender.append(issuance(&world, Uuid::from_u128(number))).now_or_never().is_none());
    }
    drop(appender);
    task.await.unwrap();

    assert_eq!(head(&world).await.0, before.0 + 20);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_else_holds_the_head_callers_are_told_in_time_and_afterwards_all_is_well() {
    let world = World::new().await;
    let before = head(&world).await;
    let appender = appender(&world);
    let mut holder = Holder::new(&world).await;
    let begun = Instant::now();

    let first = queued(&appender, issuance(&world, Uuid::from_u128(1))).await;
    holder.waiter().await;
    let behind_it = queued(&appender, issuance(&world, Uuid::from_u128(2))).await;
    let first = first.await.unwrap();
    let first_took = begun.elapsed();
    let behind_it = behind_it.await.unwrap();
    let both_took = begun.elapsed();
    holder.alone().await;
    holder.let_go().await;
    let after = appender.append(issuance(&world, Uuid::from_u128(3))).await;

    assert!(matches!(first, Err(AppendError::Unavailable(_))), "{first:?}");
    assert!(first_took >= LOCK_TIMEOUT && first_took < ANSWER_MAX, "{first_took:?}");
    // It was still waiting for its turn when its time was over, so nobody could tell it how that would end.
    assert!(matches!(behind_it, Err(AppendError::OutcomeUnknown | AppendError::Unavailable(_))), "{behind_it:?}");
    assert!(both_took < ANSWER_MAX, "{both_took:?}");
    assert_eq!(after.unwrap().position, before.next());
    assert_eq!(world.verify().await.head.position, before.next());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_of_ours_holds_the_others_up_no_longer_than_they_wait() {
    let world = World::new().await;
    let mut stopped = world.database.open().connect_as_writer().await.unwrap();
    stopped.execute("begin").await.unwrap();
    stopped.execute(sqlx::raw_sql(concat!(include_str!("../../src/store/head_now.sql"), " for update"))).await.unwrap();
    let begun = Instant::now();

    let issued = world
        .catalog
        .issue(plain("alice@example.com"), Requester::new(Authority::of_shell(), shell(Path::CliDev)))
        .await;

    let took = begun.elapsed();
    assert!(issued.is_ok(), "{:?}", issued.err());
    assert!(took < LOCK_TIMEOUT, "{took:?}");
    assert!(took > IDLE_IN_TRANSACTION_TIMEOUT / 2, "nothing was held: {took:?}");
    assert!(stopped.execute("commit").await.is_err());
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_between_two_batches_is_replaced_without_anybody_noticing() {
    let world = World::new().await;
    let mut superuser = world.database.superuser().connect().await.unwrap();

    for number in 1..=3 {
        let ended: i64 = sqlx::query_scalar(
            "select count(*) filter (where pg_terminate_backend(pid, 5000)) from pg_stat_activity
              where datname = current_database() and application_name = 'catalog'",
        )
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        assert!(ended > 0);
        let issued = world.issue_dev(plain(&format!("subject-{number}"))).await;
        assert_eq!(issued.token.sub, Some(Subject::parse(format!("subject-{number}")).unwrap()));
    }

    superuser.close().await.unwrap();
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_it_waits_records_nothing_and_says_so() {
    let world = World::new().await;
    let before = head(&world).await;
    let appender = appender(&world);
    let mut holder = Holder::new(&world).await;
    let outcome = queued(&appender, issuance(&world, Uuid::from_u128(1))).await;
    let waiting = holder.waiter().await;
    let begun = Instant::now();

    holder.end(waiting).await;
    let outcome = outcome.await.unwrap();
    holder.let_go().await;

    assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "{outcome:?}");
    assert!(begun.elapsed() < LOCK_TIMEOUT);
    assert_eq!(head(&world).await, before);
    assert_eq!(appender.append(issuance(&world, Uuid::from_u128(1))).await.unwrap().position, before.next());
    world.verify().await;
}
