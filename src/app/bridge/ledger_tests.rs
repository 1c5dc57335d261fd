//! What is owed, and up to where everything was told.

use std::collections::HashSet;

use catalog_gateway::wire::Digest;
use proptest::prelude::*;

use super::*;

const EXP: i64 = 10_000;

fn at(seconds: i64) -> Instant {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn mark(position: i64) -> Mark {
    Mark { log_id: Uuid::from_u128(7), position, digest: Digest([9; 32]) }
}

fn jti(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn revoked(number: u128, from: Option<i64>) -> Item {
    Item::Revoked { jti: jti(number), exp: EXP, effective_from: from.map(at) }
}

fn position(ledger: &Ledger, now: i64) -> Option<i64> {
    ledger.place(at(now)).map(|place| place.mark.position)
}

/// A ledger of a bridge that was told everything up to position 10 by the instant 100.
fn ledger(has_keys: bool) -> Ledger {
    let mut ledger = Ledger::new(has_keys);
    ledger.resume(Place { mark: mark(10), deadlines_to: at(100) }, &[], at(100));
    ledger
}

fn errands(ledger: &mut Ledger, now: i64) -> Vec<Uuid> {
    std::iter::from_fn(|| ledger.errand(at(now)).map(|errand| errand.jti)).collect()
}

#[test]
fn the_place_moves_past_a_page_when_all_of_it_and_all_before_it_was_told() {
    let mut ledger = ledger(false);
    ledger.learn(&[revoked(1, None), revoked(2, None)], at(100));
    ledger.close(mark(20));
    ledger.learn(&[revoked(3, None)], at(101));
    ledger.close(mark(30));
    ledger.close(mark(31));

    assert_eq!(errands(&mut ledger, 101), [1, 2, 3].map(jti));
    assert_eq!(position(&ledger, 101), Some(10));
    ledger.delivered(jti(3), at(102));
    ledger.delivered(jti(1), at(102));
    assert_eq!(position(&ledger, 102), Some(10), "one of the first page is owed");
    assert_eq!(ledger.figures(at(103)).courier_since, Some(at(100)));
    ledger.delivered(jti(2), at(103));
    assert_eq!(position(&ledger, 103), Some(31), "nothing is owed of the pages behind it, either");
    assert_eq!(ledger.figures(at(103)), Figures::default());
}

#[test]
fn pieces_of_one_change_count_as_one_page() {
    let mut ledger = ledger(false);
    ledger.learn(&[revoked(1, None)], at(100));
    assert_eq!(errands(&mut ledger, 100), [jti(1)]);
    ledger.delivered(jti(1), at(100));
    assert_eq!(position(&ledger, 100), Some(10), "the rest of the change was not read");
    ledger.learn(&[revoked(2, None)], at(100));
    ledger.close(mark(20));

    assert_eq!(position(&ledger, 100), Some(10));
    assert_eq!(errands(&mut ledger, 100), [jti(2)]);
    ledger.delivered(jti(2), at(100));
    assert_eq!(position(&ledger, 100), Some(20));
}

#[test]
fn what_begins_later_holds_the_instant_and_not_the_place() {
    let mut ledger = ledger(false);
    ledger.learn(&[revoked(1, Some(500))], at(100));
    ledger.close(mark(20));

    assert!(errands(&mut ledger, 499).is_empty());
    assert_eq!((position(&ledger, 499), ledger.figures(at(499)).waiting), (Some(20), 1));
    assert_eq!(errands(&mut ledger, 500), [jti(1)]);
    let place = ledger.place(at(600)).unwrap();
    assert!(place.deadlines_to < at(500), "{place:?}");
    ledger.delivered(jti(1), at(600));
    assert_eq!(ledger.place(at(600)).unwrap().deadlines_to, at(600));
}

#[test]
fn after_a_restart_what_begins_after_the_instant_is_owed_and_the_rest_is_heard_again() {
    let in_force = [(1, Some(90)), (2, Some(100)), (3, Some(101)), (4, Some(900)), (5, None)];
    let in_force = in_force.map(|(number, from)| Revoked { jti: jti(number), exp: EXP, from: from.map(at) });
    let mut ledger = Ledger::new(false);
    ledger.resume(Place { mark: mark(10), deadlines_to: at(100) }, &in_force, at(200));

    assert_eq!(errands(&mut ledger, 200), [jti(3)]);
    assert_eq!(errands(&mut ledger, 900), [jti(4)]);
    let mut anew = Ledger::new(false);
    anew.begin(mark(50), &in_force, at(200));
    assert_eq!(errands(&mut anew, 200).len(), 4);
    assert_eq!(position(&anew, 200), None, "nobody knows what the gateway was told");
    for number in [1, 2, 3, 5] {
        anew.delivered(jti(number), at(200));
    }
    assert_eq!(position(&anew, 200), Some(50));
}

#[test]
fn a_sooner_revocation_takes_the_place_of_a_later_one_and_belongs_to_its_page() {
    let mut ledger = ledger(true);
    ledger.learn(&[revoked(1, Some(500)), revoked(1, Some(700))], at(100));
    ledger.close(mark(20));
    ledger.learn(&[revoked(1, None)], at(200));
    ledger.close(mark(30));

    assert_eq!(errands(&mut ledger, 200), [jti(1)]);
    assert_eq!(position(&ledger, 200), Some(20));
    ledger.delivered(jti(1), at(201));
    assert_eq!(ledger.keys_set([jti(1)]), [at(200)]);
    assert_eq!((position(&ledger, 201), errands(&mut ledger, 800)), (Some(30), Vec::new()));
    assert_eq!(ledger.place(at(800)).unwrap().deadlines_to, at(800));
}

#[test]
fn a_key_waits_for_its_courier_but_not_for_long() {
    let mut ledger = ledger(true);
    ledger.learn(&[revoked(1, None), revoked(2, None), revoked(3, None)], at(100));
    ledger.close(mark(20));
    assert_eq!(errands(&mut ledger, 100).len(), 3);

    assert_eq!(ledger.keys(at(100), 9), []);
    ledger.delivered(jti(1), at(101));
    ledger.failed(jti(2), None, false, at(101));
    assert_eq!(ledger.keys(at(101), 9), [(jti(1), EXP)]);
    ledger.keys_set([jti(1)]);
    assert_eq!((ledger.keys(at(101), 9), ledger.next_key()), (Vec::new(), Some(at(102))));
    assert_eq!(ledger.keys(at(102), 9), [(jti(2), EXP), (jti(3), EXP)]);
    assert_eq!(ledger.keys(at(102), 1).len(), 1);
    assert!(!ledger.owes_key(jti(1)) && ledger.owes_key(jti(3)));
    ledger.keys_set([jti(2), jti(3)]);
    assert_eq!(position(&ledger, 102), Some(10), "two couriers are owed");
}

#[test]
fn a_courier_that_did_not_arrive_is_kept_and_carried_again_later_if_that_is_its_own_fault() {
    let mut ledger = ledger(false);
    ledger.learn(&[revoked(1, None)], at(100));
    ledger.close(mark(20));

    for (now, is_its_own, next) in
        [(100, false, 100), (100, true, 101), (101, true, 103), (103, true, 107), (107, false, 107)]
    {
        let errand = ledger.errand(at(now)).unwrap();
        assert_eq!(errand.made.is_some(), now > 100 || is_its_own);
        assert!(ledger.errand(at(EXP - 1)).is_none(), "it is under way");
        ledger.failed(errand.jti, Some(SecretString::from("courier")), is_its_own, at(now));
        assert_eq!(ledger.next_courier(), Some(at(next)));
    }
}

#[test]
fn what_expires_is_owed_no_more() {
    let mut ledger = ledger(true);
    let short = |number, exp| Item::Revoked { jti: jti(number), exp, effective_from: None };
    ledger.learn(&[short(1, 100), short(2, 105), short(3, 110), revoked(4, Some(EXP))], at(100));
    ledger.close(mark(20));

    assert_eq!(
        ledger.figures(at(100)),
        Figures { couriers: 2, keys: 2, waiting: 0, courier_since: Some(at(100)), key_since: Some(at(100)) }
    );
    assert_eq!((errands(&mut ledger, 105), position(&ledger, 105)), (vec![jti(3)], Some(10)));
    ledger.sweep(at(110));
    assert_eq!((ledger.figures(at(110)), position(&ledger, 110)), (Figures::default(), Some(20)));
    assert_eq!((ledger.next_key(), ledger.next_courier()), (None, None));
}

/// What becomes of a bridge in a random history.
#[derive(Debug, Clone)]
enum Step {
    /// A page comes, with tokens and how many seconds later each is revoked, in one piece or as a piece of more.
    Page(Vec<(u8, u8)>, bool),
    /// So many couriers set out, and those of which it is true arrive.
    Carry(Vec<bool>),
    /// Keys are set.
    Keys,
    /// Time passes.
    Wait(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let page = (prop::collection::vec((0..30_u8, 0..9_u8), 0..5), any::<bool>());
    prop::collection::vec(
        prop_oneof![
            page.prop_map(|(items, is_whole)| Step::Page(items, is_whole)),
            prop::collection::vec(any::<bool>(), 0..6).prop_map(Step::Carry),
            Just(Step::Keys),
            (0..5_u8).prop_map(Step::Wait),
        ],
        1..80,
    )
}

proptest! {
    #[test]
    fn whoever_goes_on_from_a_place_misses_nothing(steps in steps(), has_keys in any::<bool>()) {
        let (mut ledger, mut now, mut end) = (ledger(has_keys), 100, 10);
        // Every revocation: its token, the position of its page, and from when on.
        let mut all: Vec<(Uuid, i64, Instant)> = Vec::new();
        let (mut told, mut keyed) = (HashSet::new(), HashSet::new());
        for step in steps {
            match step {
                Step::Page(items, is_whole) => {
                    let items: Vec<Item> = items.iter().map(|(number, after)| {
                        let from = now + i64::from(*after);
                        all.push((jti((*number).into()), end + 1, at(from)));
                        revoked((*number).into(), (*after > 0).then_some(from))
                    }).collect();
                    ledger.learn(&items, at(now));
                    if is_whole {
                        end += 1;
                        ledger.close(mark(end));
                    }
                }
                Step::Carry(arrives) => for is_there in arrives {
                    let Some(errand) = ledger.errand(at(now)) else { break };
                    if is_there {
                        told.insert(errand.jti);
                        ledger.delivered(errand.jti, at(now));
                    } else {
                        ledger.failed(errand.jti, None, false, at(now));
                    }
                }
                Step::Keys => {
                    let keys: Vec<Uuid> = ledger.keys(at(now), 3).into_iter().map(|(jti, _)| jti).collect();
                    keyed.extend(keys.iter().copied());
                    ledger.keys_set(keys);
                }
                Step::Wait(seconds) => now += i64::from(seconds),
            }
            let place = ledger.place(at(now)).unwrap();
            // What is past the place a restart does not hear of again.
            let is_past = |position: i64, from: Instant| from <= place.deadlines_to && position <= place.mark.position;
            for (jti, position, from) in all.iter().filter(|(_, position, from)| is_past(*position, *from)) {
                let is_told = told.contains(jti) && (!has_keys || keyed.contains(jti));
                let is_heard_again = all.iter().any(|(other, position, from)| {
                    other == jti && *from <= at(now) && !is_past(*position, *from)
                });
                prop_assert!(is_told || is_heard_again, "{jti} {position} {from} {place:?}");
            }
        }
        // In the end all of it is told, and nothing is owed.
        if end > 10 {
            ledger.close(mark(end));
        }
        now = EXP - 1;
        while let Some(errand) = ledger.errand(at(now)) {
            ledger.delivered(errand.jti, at(now));
        }
        let keys: Vec<Uuid> = ledger.keys(at(now), usize::MAX).into_iter().map(|(jti, _)| jti).collect();
        ledger.keys_set(keys);
        prop_assert_eq!(ledger.figures(at(now)), Figures::default());
        prop_assert_eq!(ledger.place(at(now)).unwrap(), Place { mark: mark(end), deadlines_to: at(now) });
    }
}
