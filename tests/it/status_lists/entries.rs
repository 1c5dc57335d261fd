//! Which entry a token gets: one by chance, that no other has had.

use std::collections::{BTreeMap, BTreeSet};

use catalog::domain::{
    Act, Authority, Command, Event, Path, Position, Recorded, State,
    ambient::Entropy,
    command::Decision,
    event::Occurrence,
    policy::Rules,
    status_list::{Draw, ENTRIES, Entry, StatusListBegun, StatusListRules, enter},
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use sqlx::ConnectOptions;
use uuid::Uuid;

use super::{URL, begin, reference};
use crate::support::{
    World,
    appending::{as_one_batch, issuance},
    settings::settings,
    world::{plain, shell},
};

/// What a policy with lists says.
pub(super) fn rules(url: &str) -> Rules {
    let status_lists = Some(StatusListRules { url: url.to_owned(), ttl_seconds: 60 });
    Rules { status_lists, ..Rules::initial() }
}

fn draw(list: u128, indexes: [u32; 16]) -> Draw {
    Draw { list: Uuid::from_u128(list), indexes }
}

/// A state with a list that is open, of so many entries.
fn open(entries: u32) -> State {
    let mut settings = settings(rules(URL));
    let id = Uuid::from_u128(1);
    settings.status_lists.push(StatusListBegun { id, uri: format!("{URL}/{id}"), entries });
    State::new(settings)
}

#[test]
fn the_first_free_place_of_those_that_chance_offers_is_taken_and_a_list_without_any_is_full_enough() {
    let mut state = open(64);
    let list = Uuid::from_u128(1);
    let offered: [u32; 16] = std::array::from_fn(|n| u32::try_from(n).unwrap() * 3 + 64);

    for expected in offered {
        let entered = enter(&state, &draw(2, offered)).unwrap();
        assert_eq!((entered.begun, entered.entry), (None, Entry { list, idx: expected - 64 }));
        state.insert_taken(entered.entry);
    }
    let entered = enter(&state, &draw(2, offered)).unwrap();

    let id = Uuid::from_u128(2);
    assert_eq!(entered.begun, Some(StatusListBegun { id, uri: format!("{URL}/{id}"), entries: ENTRIES }));
    assert_eq!(entered.entry, Entry { list: id, idx: 64 });
    assert!(entered.claim.names(entered.entry) && !entered.claim.names(Entry { list, ..entered.entry }));
}

#[test]
fn a_list_that_is_fetched_elsewhere_gets_no_entries_any_more() {
    let mut state = open(64);
    let begun = |state: &State| enter(state, &draw(2, [0; 16])).unwrap().begun.map(|begun| begun.uri);

    assert_eq!(begun(&state), None);
    let applied = state.settings.policy.as_mut().unwrap();
    applied.rules = rules("https://catalog.example.com/status-list");
    assert_eq!(begun(&state).unwrap(), format!("https://catalog.example.com/status-list/{}", Uuid::from_u128(2)));
    state.settings.policy.as_mut().unwrap().rules = Rules::initial();
    assert_eq!(enter(&state, &draw(2, [0; 16])), None);
}

#[test]
fn chance_offers_every_place_of_a_list_alike() {
    /// Bytes that go through all there are.
    struct Every;
    impl Entropy for Every {
        fn fill(&self, buffer: &mut [u8]) {
            for (n, byte) in buffer.iter_mut().enumerate() {
                *byte = u8::try_from(n * 37 % 256).unwrap();
            }
        }
    }

    let drawn = Draw::new(&Every);

    assert!(drawn.indexes.iter().all(|idx| *idx < ENTRIES));
    assert_eq!(drawn.indexes.iter().collect::<BTreeSet<_>>().len(), 16);
    assert!(drawn.indexes.iter().any(|idx| *idx > ENTRIES / 2) && drawn.indexes.iter().any(|idx| *idx < ENTRIES / 2));
    assert_eq!(drawn.list.get_version_num(), 4);
}

/// What is decided on an issuance, and what it leaves.
fn decided(state: &mut State, number: usize, draw: Draw) -> Vec<Event> {
    let (jti, signer) = (Uuid::from_u128(u128::try_from(number).unwrap() + 1), "k1".parse().unwrap());
    let command = Box::new(plain("a"));
    let act = Act::Issue { command, jti, signer, membership: None, draw: Box::new(draw) };
    let (authority, origin, now) = (Authority::of_shell(), shell(Path::CliDev), crate::authority::noon());
    let command = Command { act, authority, origin: origin.clone(), now, idempotency: None };
    let Ok(Decision::Events(events)) = command.decide(state) else { panic!("nothing is decided") };
    for (place, event) in events.iter().enumerate() {
        let position = Position(i64::try_from(2 * number + place).unwrap() + 10);
        let occurrence = Occurrence { event: event.clone(), occurred_at: now, origin: origin.clone() };
        state.apply(&Recorded { position, recorded_at: now, occurrence });
    }
    events
}

proptest! {
    #[test]
    fn no_entry_is_given_away_twice_and_every_token_says_where_its_own_is(
        draws in vec(proptest::array::uniform16(0..40_u32), 1..60),
    ) {
        let mut state = State::new(settings(rules(URL)));
        let mut lists: BTreeMap<Uuid, String> = BTreeMap::new();
        let mut given = BTreeSet::new();

        for (number, indexes) in draws.into_iter().enumerate() {
            let events = decided(&mut state, number, draw(u128::try_from(number).unwrap() + 1_000, indexes));
            for event in events {
                match event {
                    Event::StatusListBegun(begun) => drop(lists.insert(begun.id, begun.uri)),
                    Event::TokenIssued(issued) => {
                        let entry = issued.status_list.unwrap();
                        let claim = issued.claims().unwrap().status.unwrap();
                        prop_assert!(issued.says_what_was_signed() && claim.names(entry));
                        prop_assert_eq!(Some(&claim.status_list.uri), lists.get(&entry.list));
                        prop_assert!(given.insert(entry), "{entry:?} was given away before");
                    }
                    event => panic!("{event:?}"),
                }
            }
        }
        prop_assert_eq!(state.settings.status_lists.len(), lists.len());
    }
}

#[test]
fn an_event_whose_entry_is_not_the_one_that_was_signed_is_seen_through() {
    let mut state = State::new(settings(rules(URL)));
    let events = decided(&mut state, 0, draw(9, [5; 16]));
    let Event::TokenIssued(issued) = &events[1] else { panic!("{events:?}") };
    let entry = issued.status_list.unwrap();

    for lie in [None, Some(Entry { idx: 6, ..entry }), Some(Entry { list: Uuid::from_u128(10), ..entry })] {
        let mut issued = issued.clone();
        issued.status_list = lie;
        assert!(!issued.says_what_was_signed(), "{lie:?}");
    }
    assert!(issued.says_what_was_signed());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_one_batch_and_by_several_processes_every_token_gets_an_entry_of_its_own() {
    let world = World::new().await;
    begin(&world, URL).await;
    let other = world.another_process().await;
    // All of them are offered the same places, so that whoever looked before the others would take theirs.
    let offered: [u32; 16] = std::array::from_fn(|n| u32::try_from(n).unwrap());
    let commands = (0..12_u128).map(|number| {
        let mut command = issuance(&world, world.catalog.new_id());
        if let Act::Issue { draw: drawn, .. } = &mut command.act {
            **drawn = draw(number + 1, offered);
        }
        command
    });

    let outcomes = as_one_batch(&world, commands.collect()).await;
    let more = as_one_batch(
        &other,
        vec![{
            let mut command = issuance(&other, other.catalog.new_id());
            if let Act::Issue { draw: drawn, .. } = &mut command.act {
                **drawn = draw(100, offered);
            }
            command
        }],
    )
    .await;

    let entries: Vec<Entry> = outcomes
        .into_iter()
        .chain(more)
        .flat_map(|outcome| outcome.unwrap().events)
        .filter_map(|recorded| match recorded.occurrence.event {
            Event::TokenIssued(issued) => issued.status_list,
            _ => None,
        })
        .collect();
    let list = world.list_begun().await.unwrap();
    assert_eq!(entries, (0..13).map(|idx| Entry { list, idx }).collect::<Vec<_>>());
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_with_which_a_list_begins_gets_the_same_answer_when_it_is_repeated() {
    let world = World::new().await;
    let admin = world.admin().await;
    begin(&world, URL).await;
    let send = async || {
        let request = axum::http::Request::post("/tokens")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "k1");
        world.raw(request.body(axum::body::Body::from(json!({ "sub": "a" }).to_string())).unwrap()).await
    };

    let (first, again) = (send().await, send().await);

    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201), "{again:?}");
    assert_eq!(first.json(), again.json());
    let kinds =
        world.events(&admin).await.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds[5..], ["policy.applied.v1", "catalog.status_list_begun.v1", "token.issued.v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rows_say_of_entries_is_held_against_the_log() {
    for (sql, found) in [
        ("update status_list_entries set idx = (idx + 1) % 1048576", "is not what the event says"),
        ("update status_list_entries set list = gen_random_uuid()", "is not what the event says"),
        ("delete from status_list_entries", "has no row for the token"),
        ("update status_list_entries set issued_pos = 1", "has no event"),
    ] {
        let world = World::new().await;
        begin(&world, URL).await;
        let token = world.issue_dev(plain("a")).await;
        assert!(reference(&token).is_some());
        world.verify().await;
        world.database.tamper(sql).await;

        let verification = catalog::store::verify::verify(world.catalog.database(), &[], &mut |_, _| ()).await.unwrap();

        let details: Vec<&str> = verification.findings.iter().map(|finding| finding.detail.as_str()).collect();
        assert!(details.iter().any(|detail| detail.contains(found)), "{sql}: {details:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_taken_cannot_be_given_away_whatever_a_process_thinks() {
    let world = World::new().await;
    begin(&world, URL).await;
    world.issue_dev(plain("a")).await;
    let mut connection = world.database.superuser().connect().await.unwrap();

    let again = "insert into status_list_entries select list, idx, issued_pos + 1 from status_list_entries";
    let refused = sqlx::query(again).execute(&mut connection).await.unwrap_err();

    assert_eq!(refused.as_database_error().unwrap().constraint(), Some("status_list_entries_pkey"));
}
