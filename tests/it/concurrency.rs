//! Many writers over one log: several processes, callers that hang up, commands that meet in one batch.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use catalog::{
    app::{Catalog, CommandError, Requester},
    domain::{Authority, Path, Position, Refusal, RevokeToken, revoke::RevocationReason, text::Name},
    store::{
        AppendError, codec,
        log::{self, Selection},
    },
};
use uuid::Uuid;

use crate::support::{
    World,
    appending::{as_one_batch, head, issuance, revocation, unknown},
    world::{plain, shell},
};

/// What a writer was told of its operations.
#[derive(Default)]
struct Journal {
    /// Kind and token by position.
    acknowledged: Vec<(Position, &'static str, Uuid)>,
    hung_up: usize,
    refused: usize,
}

/// The chance of this test: the same every time, and unlike for every writer and step.
fn dice(writer: usize, step: usize) -> usize {
    let mut bits = (writer * 1_000 + step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits ^= bits >> 29;
    bits.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

/// Waits for an operation, or hangs up after a while: some callers do, at any moment of it.
async fn with_patience<T>(dice: usize, operation: impl Future<Output = T>) -> Option<T> {
    let turns = if dice.is_multiple_of(4) { dice % 61 } else { usize::MAX };
    let hang_up = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        outcome = operation => Some(outcome),
        () = hang_up => None,
    }
}

/// Issues, issues by name and revokes in turn, and remembers what was acknowledged.
async fn write(catalog: Arc<Catalog>, writer: usize, steps: usize) -> Journal {
    let mut journal = Journal::default();
    let mut last = None;
    for step in 0..steps {
        let dice = dice(writer, step);
        let outcome = match (step % 3, last) {
            (2, Some(jti)) => {
                let command = RevokeToken { jti, reason: RevocationReason::Superseded, note: None };
                let revoking = catalog.revoke(command, Requester::new(Authority::of_shell(), shell(Path::CliAdmin)));
                let revoked = with_patience(dice, revoking).await;
                revoked.map(|outcome| outcome.map(|position| (position, "token.revoked.v1", jti)))
            }
            (kind, _) => {
                let mut command = plain(&format!("subject-{}", dice % 8));
                command.name = (kind == 1).then(|| Name::parse(format!("name-{}", dice % 3)).unwrap());
                let issuing = catalog.issue(command, Requester::new(Authority::of_shell(), shell(Path::CliDev)));
                let issued = with_patience(dice, issuing).await;
                issued.map(|outcome| outcome.map(|issued| (issued.token.issued, "token.issued.v1", issued.token.jti)))
            }
        };
        match outcome {
            Some(Ok(acknowledged)) => {
                last = (acknowledged.1 == "token.issued.v1").then_some(acknowledged.2);
                journal.acknowledged.push(acknowledged);
            }
            Some(Err(CommandError::Append(AppendError::Refused(Refusal::NameInUse { .. })))) => journal.refused += 1,
            Some(Err(error)) => panic!("writer {writer}, step {step}: {error:?}"),
            None => journal.hung_up += 1,
        }
    }
    journal
}

/// Follows the log by its cursor until nothing comes after `is_over`, and asserts that nothing is left out or repeated.
async fn tail(world: &World, is_over: &AtomicBool) -> HashMap<Position, (&'static str, Option<Uuid>)> {
    let mut seen = HashMap::new();
    let mut cursor = Position(0);
    loop {
        let was_over = is_over.load(Ordering::SeqCst);
        let selection = Selection { after: cursor, ..Selection::default() };
        let page = log::page(world.catalog.database().reads(), &selection, 7).await.unwrap();
        if page.is_empty() && was_over {
            return seen;
        }
        for recorded in page {
            assert_eq!(recorded.position, cursor.next(), "the reader stepped over an event");
            cursor = recorded.position;
            let event = &recorded.occurrence.event;
            seen.insert(cursor, (codec::kind(event), event.jti()));
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_of_several_processes_leave_one_dense_log_that_a_reader_follows_without_a_gap() {
    let world = Arc::new(World::new().await);
    let processes = [world.another_process().await, world.another_process().await, world.another_process().await];
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (world, is_over) = (world.clone(), is_over.clone());
        async move { tail(&world, &is_over).await }
    });

    let writers: Vec<_> = (0..64)
        .map(|writer| tokio::spawn(write(processes[writer % processes.len()].catalog.clone(), writer, 12)))
        .collect();
    let mut journals = Vec::new();
    for writer in writers {
        journals.push(writer.await.unwrap());
    }
    // What was queued by those who hung up comes before these.
    for process in &processes {
        process.issue_dev(plain("last@example.com")).await;
    }
    is_over.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();

    let verification = world.verify().await;
    assert_eq!(verification.head.position.0, i64::try_from(seen.len()).unwrap());
    for (position, kind, jti) in journals.iter().flat_map(|journal| &journal.acknowledged) {
        assert_eq!(seen.get(position), Some(&(*kind, Some(*jti))), "acknowledged and not there: {position}");
    }
    let sum = |of: fn(&Journal) -> usize| journals.iter().map(of).sum::<usize>();
    let (acknowledged, hung_up, refused) = (sum(|j| j.acknowledged.len()), sum(|j| j.hung_up), sum(|j| j.refused));
    assert_eq!(acknowledged + hung_up + refused, 64 * 12);
    assert!(acknowledged > 64 && hung_up > 64 && refused > 0, "{acknowledged} {hung_up} {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_during_a_commit_is_recorded_together_in_the_order_of_its_arrival() {
    let world = World::new().await;
    let before = head(&world).await;
    let ids: Vec<Uuid> = (1..=20).map(Uuid::from_u128).collect();

    let outcomes = as_one_batch(&world, ids.iter().map(|jti| issuance(&world, *jti)).collect()).await;

    let recorded: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().events.remove(0)).collect();
    let positions: Vec<i64> = recorded.iter().map(|recorded| recorded.position.0).collect();
    assert_eq!(positions, (before.0 + 1..=before.0 + 20).collect::<Vec<_>>());
    assert!(recorded.iter().all(|event| event.recorded_at == recorded[0].recorded_at));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_does_not_fail_its_batch_mates_and_each_sees_those_before_it() {
    let world = World::new().await;
    let before = head(&world).await;
    let jti = Uuid::from_u128(1);

    let outcomes = as_one_batch(
        &world,
        vec![
            revocation(&world, jti),
            issuance(&world, jti),
            revocation(&world, unknown()),
            revocation(&world, jti),
            revocation(&world, jti),
            issuance(&world, Uuid::from_u128(2)),
        ],
    )
    .await;

    let seen: Vec<Option<usize>> = outcomes.iter().map(|o| o.as_ref().ok().map(|done| done.events.len())).collect();
    assert_eq!(seen, [None, Some(1), None, Some(1), Some(0), Some(1)]);
    assert_eq!(head(&world).await, Position(before.0 + 3));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_rows_the_database_refuses_does_not_fail_its_batch_mates() {
    let world = World::new().await;
    let taken = world.issue_dev(plain("alice@example.com")).await.token.jti;
    let before = head(&world).await;

    let outcomes = as_one_batch(
        &world,
        vec![
            issuance(&world, Uuid::from_u128(1)),
            issuance(&world, taken),
            revocation(&world, unknown()),
            issuance(&world, Uuid::from_u128(2)),
        ],
    )
    .await;

    assert!(matches!(outcomes[1], Err(AppendError::Rejected(_))), "{:?}", outcomes[1]);
    assert!(matches!(outcomes[2], Err(AppendError::Refused(Refusal::TokenUnknown { .. }))), "{:?}", outcomes[2]);
    assert!(outcomes[0].is_ok() && outcomes[3].is_ok(), "{outcomes:?}");
    assert_eq!(head(&world).await, Position(before.0 + 2));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_of_one_batch_cannot_take_the_same_identifier() {
    let world = World::new().await;
    let before = head(&world).await;
    let twin = Uuid::from_u128(1);

    let outcomes = as_one_batch(
        &world,
        vec![issuance(&world, twin), issuance(&world, twin), issuance(&world, Uuid::from_u128(2))],
    )
    .await;

    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(AppendError::Rejected(_))), "{:?}", outcomes[1]);
    assert_eq!(head(&world).await, Position(before.0 + 2));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_fails_only_the_commands_that_need_it() {
    for damage in ["path = 'window'", "restrictions = '[]'"] {
        let world = World::new().await;
        let damaged = world.issue_dev(plain("alice@example.com")).await.token.jti;
        let before = head(&world).await;
        world.database.tamper(&format!("update issued_tokens set {damage}")).await;

        let outcomes = as_one_batch(
            &world,
            vec![
                issuance(&world, Uuid::from_u128(1)),
                revocation(&world, damaged),
                issuance(&world, Uuid::from_u128(2)),
            ],
        )
        .await;

        assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{damage}: {outcomes:?}");
        assert!(matches!(outcomes[1], Err(AppendError::Rejected(_))), "{damage}: {:?}", outcomes[1]);
        assert_eq!(head(&world).await, Position(before.0 + 2));
    }
}
