//! A list in memory, whatever has happened and however it came to be known, says of every token what the log says.

use catalog::domain::{
    Event, Recorded, Status,
    claims::Teams,
    event::Position,
    index::{LiveIndex, LiveToken},
    status_list::{ENTRIES, Entry, PackedList, StatusListBegun, StatusType},
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use crate::lifecycle::{at, clocks, fold, happenings, jti, tell};

/// The list that begins before everything, and what tokens of a log get in it: the place of their number.
fn begun() -> StatusListBegun {
    let id = Uuid::from_u128(77);
    StatusListBegun { id, uri: format!("https://catalog.example.com/status-lists/{id}"), entries: ENTRIES }
}

fn entry(number: usize) -> Entry {
    // Neighbours and strangers in a byte.
    Entry { list: begun().id, idx: u32::try_from(number * 3 % 16 + number / 16).unwrap() }
}

/// A log in which every second token has an entry, one position later for the list.
fn with_entries(log: &[Recorded]) -> Vec<Recorded> {
    let mut first = log.first().cloned().into_iter().collect::<Vec<_>>();
    for recorded in &mut first {
        recorded.occurrence.event = Event::StatusListBegun(begun());
    }
    let rest = log.iter().cloned().map(|mut recorded| {
        recorded.position = recorded.position.next();
        if let Event::TokenIssued(issued) = &mut recorded.occurrence.event {
            issued.status_list = number(issued.jti).filter(|number| number % 2 == 0).map(entry);
        }
        recorded
    });
    first.into_iter().chain(rest).collect()
}

fn number(id: Uuid) -> Option<usize> {
    usize::try_from(id.as_u128()).ok()?.checked_sub(1)
}

fn packed(index: &mut LiveIndex, now: DateTime<Utc>) -> Option<PackedList> {
    index.status_lists(now).next().map(|list| list.packed.clone())
}

/// What the log says at an instant, an expired token being what it was before.
fn expected(log: &[Recorded], told: usize, now: DateTime<Utc>) -> PackedList {
    let state = fold(log);
    let mut list = PackedList::new(ENTRIES);
    for number in (0..told).step_by(2) {
        let token = state.token(jti(number)).unwrap();
        let before_exp = LiveToken { exp: i64::MAX, ..LiveToken::from(token) };
        list.set(
            entry(number).idx,
            match before_exp.status(now) {
                Status::Active | Status::Expired => StatusType::Valid,
                Status::Revoked => StatusType::Invalid,
                Status::Suspended => StatusType::Suspended,
            },
        );
    }
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_that_is_followed_and_one_that_is_loaded_say_what_the_log_says(
        happenings in happenings(),
        clock in proptest::sample::select(clocks().step_by(7).collect::<Vec<_>>()),
        half in 0..24_usize,
    ) {
        let (log, told) = tell(&happenings);
        let log = with_entries(&log);
        if log.is_empty() {
            return Ok(());
        }
        let half = half.min(log.len());

        // Looked at in between, too: what was due then must not be lost.
        let mut followed = LiveIndex::default();
        followed.follow(&log[..half]);
        followed.status_lists(at(clock / 2)).for_each(drop);
        followed.follow(&log);

        let state = fold(&log);
        let position = Position(i64::try_from(log.len()).unwrap());
        let mut loaded = LiveIndex::new(position, [], &state.settings.status_lists, told.len());
        for token in state.into_tokens() {
            let entry = number(token.jti).filter(|number| number % 2 == 0).map(entry);
            let like = loaded.shared().of(&token);
            loaded.insert(token.jti, LiveToken::from(&token), like, entry);
        }
        let expected = expected(&log, told.len(), at(clock));
        prop_assert!(packed(&mut followed, at(clock)) == Some(expected.clone()));
        prop_assert!(packed(&mut loaded, at(clock)) == Some(expected));
    }

    #[test]
    fn what_a_rule_covers_is_invalid_and_what_is_forgotten_leaves_no_trace(
        happenings in happenings(),
        covered in proptest::collection::btree_set(0..24_usize, 0..24),
    ) {
        let (log, told) = tell(&happenings);
        let log = with_entries(&log);
        if log.is_empty() {
            return Ok(());
        }
        let mut index = LiveIndex::default();
        index.follow(&log);

        index.cover(Position(1), covered.iter().copied().map(jti));
        index.expanded(Position(1));
        let mut list = expected(&log, told.len(), at(60));
        for number in covered.iter().copied().filter(|number| number % 2 == 0 && *number < told.len()) {
            list.set(entry(number).idx, StatusType::Invalid);
        }
        prop_assert!(packed(&mut index, at(60)) == Some(list));

        // Past the last exp, and the leeway that somebody may grant.
        let over = at(120) + TimeDelta::minutes(10);
        index.forget_expired(over, usize::MAX);
        prop_assert_eq!(index.len(), 0);
        prop_assert!(packed(&mut index, over) == Some(PackedList::new(ENTRIES)));
        prop_assert!(index.has_status_list(begun().id));
        let next = StatusListBegun { id: Uuid::from_u128(78), ..begun() };
        let mut recorded = log[0].clone();
        recorded.position = index.position().next();
        recorded.occurrence.event = Event::StatusListBegun(next);
        index.follow([&recorded]);
        prop_assert!(!index.has_status_list(begun().id) && index.has_status_list(Uuid::from_u128(78)));
    }
}

#[test]
fn a_token_without_an_entry_is_forgotten_at_its_exp_and_one_with_an_entry_ten_minutes_later() {
    let ttl = 10;
    let (log, _) = tell(&[]);
    assert!(log.is_empty());
    let mut index = LiveIndex::new(Position(1), [], &[begun()], 2);
    let token = LiveToken {
        claims_digest: None,
        issued: Position(1),
        path: catalog::domain::Path::Api,
        out_of_band: false,
        exp: at(ttl).timestamp(),
        end: catalog::domain::index::End::AtOnce,
        is_suspended: false,
        lineage: None,
    };
    let common = [index.shared().kid(&"k1".parse().unwrap()), index.shared().teams(&Teams::Every)];
    let like = index.shared().likeness(None, None, at(0), [common[0], common[1], common[1]]);
    index.insert(jti(0), token.clone(), like, Some(entry(0)));
    index.insert(jti(1), token, like, None);

    index.forget_expired(at(ttl), 10);
    assert!(index.get(jti(0)).is_some() && index.get(jti(1)).is_none());
    index.forget_expired(at(ttl) + TimeDelta::seconds(599), 10);
    assert!(index.get(jti(0)).is_some());
    index.forget_expired(at(ttl) + TimeDelta::seconds(600), 10);
    assert!(index.get(jti(0)).is_none());
}
