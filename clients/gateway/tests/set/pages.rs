//! Pages one by one.

use std::time::Duration;

use catalog_gateway::{
    Applied, ApplyError, Loader, Now, RevocationSet, Verdict,
    wire::{Digest, Item, Mark, Page},
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub const LOG: Uuid = Uuid::from_u128(7);
pub const FAR: i64 = 4_000_000_000;

/// By the clock that people set, when the monotonic one began.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// So many milliseconds after the start.
pub fn at(ms: u64) -> Now {
    Now::new(time(ms), Duration::from_millis(ms))
}

pub fn time(ms: u64) -> DateTime<Utc> {
    start() + TimeDelta::milliseconds(i64::try_from(ms).unwrap())
}

pub fn mark(position: i64) -> Mark {
    let mut digest = [0x5a; 32];
    digest[..8].copy_from_slice(&position.to_be_bytes());
    Mark { log_id: LOG, position, digest: Digest(digest) }
}

pub fn page(after: Option<i64>, position: i64, items: Vec<Item>, ms: u64) -> Page {
    Page {
        mark: mark(position),
        after,
        piece: 0,
        is_partial: false,
        time: time(ms),
        staleness_ms: 0,
        next: None,
        has_more: false,
        items,
    }
}

pub fn heartbeat(position: i64, ms: u64) -> Page {
    page(Some(position), position, Vec::new(), ms)
}

pub fn jti(number: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | number)
}

pub fn revoked(number: u128) -> Item {
    Item::Revoked { jti: jti(number), exp: FAR, effective_from: None }
}

fn suspended(number: u128) -> Item {
    Item::Suspended { jti: jti(number), exp: FAR }
}

/// A set that knows the log up to 10, and that token 1 is revoked.
fn set() -> RevocationSet {
    let set = RevocationSet::new(Duration::from_secs(5));
    set.apply(&page(None, 10, vec![revoked(1)], 0), at(0)).unwrap();
    set
}

fn check(set: &RevocationSet, number: u128, now: Now) -> Verdict {
    set.check(jti(number), "key", now)
}

/// Whether it refuses what it knows as revoked, and anything else for want of knowledge.
fn is_lost(set: &RevocationSet, now: Now) -> bool {
    (check(set, 1, now), check(set, 2, now)) == (Verdict::Revoked, Verdict::Stale)
}

#[test]
fn a_set_that_heard_nothing_tells_nothing() {
    let set = RevocationSet::new(Duration::from_secs(5));

    assert_eq!(check(&set, 1, at(0)), Verdict::Stale);
    assert_eq!(set.apply(&heartbeat(0, 0), at(0)), Err(ApplyError::NeedsSnapshot));
    assert_eq!(check(&set, 1, at(0)), Verdict::Stale);
    assert!(set.status(at(0)).needs_snapshot && set.status(at(0)).staleness.is_none());
}

#[test]
fn what_was_heard_holds_for_five_seconds_less_the_catalogs_own_staleness() {
    let set = set();
    let late = Page { staleness_ms: 1_500, ..heartbeat(10, 1_000) };
    assert_eq!(set.apply(&late, at(1_000)), Ok(Applied::Followed));

    assert_eq!(check(&set, 2, at(4_500)), Verdict::NotRevoked);
    assert!(is_lost(&set, at(4_501)));
    assert_eq!(set.status(at(4_501)).staleness, Some(Duration::from_millis(5_001)));
}

#[test]
fn a_page_that_follows_is_learnt_and_one_that_came_before_is_ignored() {
    let set = set();
    let next = page(Some(10), 11, vec![revoked(2)], 100);

    assert_eq!(set.apply(&next, at(100)), Ok(Applied::Followed));
    assert_eq!((check(&set, 2, at(100)), check(&set, 3, at(100))), (Verdict::Revoked, Verdict::NotRevoked));
    for again in [next, page(Some(9), 10, vec![], 4_000), page(Some(3), 4, vec![], 4_000), heartbeat(10, 100)] {
        assert_eq!(set.apply(&again, at(4_000)), Ok(Applied::Ignored), "{again:?}");
    }
    assert_eq!(check(&set, 3, at(5_101)), Verdict::Stale, "what came again proves nothing of the present");
    assert_eq!(set.status(at(0)).mark, Some(mark(11)));
}

#[test]
fn a_page_that_does_not_fit_makes_it_stale_until_a_snapshot_comes() {
    let other_log = Mark { log_id: Uuid::from_u128(8), ..mark(11) };
    let other_digest = Mark { digest: Digest([9; 32]), ..mark(10) };
    for (misfit, expected) in [
        (page(Some(11), 12, vec![], 100), ApplyError::Gap { known: 10, pieces: 0, after: 11, piece: 0 }),
        (page(Some(9), 12, vec![], 100), ApplyError::Gap { known: 10, pieces: 0, after: 9, piece: 0 }),
        (heartbeat(12, 100), ApplyError::Gap { known: 10, pieces: 0, after: 12, piece: 0 }),
        (
            Page { piece: 1, ..page(Some(10), 11, vec![], 100) },
            ApplyError::Gap { known: 10, pieces: 0, after: 10, piece: 1 },
        ),
        (Page { mark: other_log, ..heartbeat(11, 100) }, ApplyError::OtherLog { known: mark(10), said: other_log }),
        (
            Page { mark: other_digest, ..heartbeat(10, 100) },
            ApplyError::OtherDigest { known: mark(10), said: other_digest },
        ),
        (heartbeat(9, 2_001), ApplyError::WentBack { known: mark(10), said: mark(9) }),
        (page(Some(12), 11, vec![], 100), ApplyError::Malformed("ends before it begins")),
        (page(Some(-1), 11, vec![], 100), ApplyError::Malformed("ends before it begins")),
        (Page { piece: 1, ..page(None, 11, vec![], 100) }, ApplyError::Malformed("is no whole snapshot")),
    ] {
        let set = set();

        assert_eq!(set.apply(&misfit, at(2_100)), Err(expected), "{misfit:?}");

        assert!(is_lost(&set, at(2_100)), "{misfit:?}");
        assert_eq!(set.apply(&heartbeat(10, 2_100), at(2_100)), Err(ApplyError::NeedsSnapshot));
        assert!(is_lost(&set, at(2_100)) && set.with_items(|_, items| items.count()).is_none());
        assert_eq!(set.apply(&page(None, 5, vec![revoked(3)], 2_100), at(2_100)), Ok(Applied::Replaced));
        assert_eq!((check(&set, 1, at(2_100)), check(&set, 3, at(2_100))), (Verdict::NotRevoked, Verdict::Revoked));
    }
}

#[test]
fn a_server_that_is_a_little_behind_is_ignored() {
    let set = set();

    assert_eq!(set.apply(&heartbeat(9, 2_000), at(2_000)), Ok(Applied::Ignored));
    let behind = Page { staleness_ms: 3_000, ..heartbeat(9, 5_000) };
    assert_eq!(set.apply(&behind, at(5_000)), Ok(Applied::Ignored));

    assert!(is_lost(&set, at(5_001)));
}

#[test]
fn a_snapshot_from_before_what_is_known_changes_nothing() {
    let set = set();

    let older = set.apply(&page(None, 9, vec![], 100), at(100));

    assert_eq!(older, Err(ApplyError::OlderSnapshot { known: mark(10), said: mark(9) }));
    assert_eq!((check(&set, 1, at(100)), check(&set, 2, at(100))), (Verdict::Revoked, Verdict::NotRevoked));
}

#[test]
fn a_snapshot_is_as_old_as_the_question() {
    let set = RevocationSet::new(Duration::from_secs(5));
    let head = page(None, 10, vec![], 200);
    let mut loader = Loader::new(at(0));
    loader.push(&revoked(1));

    assert_eq!(set.replace(loader, &head, at(300)), Ok(Applied::Replaced));

    assert_eq!(check(&set, 2, at(5_000)), Verdict::NotRevoked);
    assert!(is_lost(&set, at(5_001)));
}

#[test]
fn what_comes_in_pieces_is_learnt_piece_by_piece_and_is_no_news_until_the_last() {
    let set = set();
    let piece = |number: u32, is_partial: bool, token: u128| {
        let mut page = page(Some(10), if is_partial { 10 } else { 11 }, vec![revoked(token)], 4_000);
        (page.piece, page.is_partial) = (number, is_partial);
        page
    };

    assert_eq!(set.apply(&piece(0, true, 2), at(4_000)), Ok(Applied::Followed));
    assert_eq!(set.apply(&piece(1, true, 3), at(4_000)), Ok(Applied::Followed));
    assert_eq!(set.apply(&heartbeat(10, 4_000), at(4_000)), Ok(Applied::Ignored));
    assert_eq!((check(&set, 3, at(4_000)), check(&set, 4, at(5_001))), (Verdict::Revoked, Verdict::Stale));
    // The stream broke off, and begins with the change again.
    assert_eq!(set.apply(&piece(0, true, 2), at(4_000)), Ok(Applied::Followed));
    assert_eq!(set.apply(&piece(1, true, 3), at(4_000)), Ok(Applied::Followed));
    assert_eq!(set.apply(&piece(2, false, 4), at(4_000)), Ok(Applied::Followed));

    assert_eq!((check(&set, 4, at(5_001)), check(&set, 5, at(5_001))), (Verdict::Revoked, Verdict::NotRevoked));
    assert_eq!(set.status(at(5_001)).mark, Some(mark(11)));
    assert_eq!(set.apply(&page(Some(11), 12, vec![], 5_000), at(5_000)), Ok(Applied::Followed));
}

#[test]
fn a_missing_piece_is_missed() {
    let set = set();
    let mut piece = page(Some(10), 10, vec![revoked(2)], 100);
    piece.is_partial = true;
    set.apply(&piece, at(100)).unwrap();
    piece.piece = 2;

    let gap = set.apply(&piece, at(100));

    assert_eq!(gap, Err(ApplyError::Gap { known: 10, pieces: 1, after: 10, piece: 2 }));
}

#[test]
fn a_page_before_others_that_have_happened_already_is_no_news_of_the_end() {
    let set = set();
    let page = Page { has_more: true, ..page(Some(10), 11, vec![revoked(2)], 4_000) };

    assert_eq!(set.apply(&page, at(4_000)), Ok(Applied::Followed));

    assert_eq!((check(&set, 2, at(5_001)), check(&set, 3, at(5_001))), (Verdict::Revoked, Verdict::Stale));
}

#[test]
fn a_revocation_of_the_future_holds_from_its_instant_by_either_clock() {
    let from = time(3_000);
    let item = Item::Revoked { jti: jti(2), exp: FAR, effective_from: Some(from) };
    let set = set();
    set.apply(&page(Some(10), 11, vec![item], 0), at(0)).unwrap();

    let a_microsecond_before = Now::new(from - TimeDelta::microseconds(1), Duration::from_micros(2_999_999));
    assert_eq!(check(&set, 2, a_microsecond_before), Verdict::NotRevoked);
    assert_eq!(check(&set, 2, at(3_000)), Verdict::Revoked);
    // The own clock was set back; the catalog's goes on.
    assert_eq!(check(&set, 2, Now::new(start() - TimeDelta::hours(1), Duration::from_secs(3))), Verdict::Revoked);
    assert_eq!(set.latest(Now::new(start() - TimeDelta::hours(1), Duration::from_secs(3))), from);
}

#[test]
fn suspension_ends_with_resumption_and_revocation_never() {
    let set = set();
    let items = vec![suspended(1), suspended(2), revoked(3), suspended(3)];
    set.apply(&page(Some(10), 11, items, 0), at(0)).unwrap();
    for number in [1, 2, 3] {
        assert_eq!(check(&set, number, at(0)), Verdict::Revoked);
    }

    let resumed = [1, 2, 3, 4].map(|number| Item::Resumed { jti: jti(number), exp: FAR });
    set.apply(&page(Some(11), 12, resumed.to_vec(), 0), at(0)).unwrap();

    let verdicts = [1, 2, 3, 4].map(|number| check(&set, number, at(0)));
    assert_eq!(verdicts, [Verdict::Revoked, Verdict::NotRevoked, Verdict::Revoked, Verdict::NotRevoked]);
}

#[test]
fn a_compromised_key_is_dead_save_for_spared_tokens_that_were_not_revoked() {
    let set = set();
    let spared = |number: u128| Item::Spared { jti: jti(number), exp: FAR };
    let items = vec![Item::KeyCompromised { kid: "key".to_owned() }, spared(1), spared(2)];

    set.apply(&page(Some(10), 11, items, 0), at(0)).unwrap();

    assert_eq!(
        [1, 2, 3].map(|number| check(&set, number, at(0))),
        [Verdict::Revoked, Verdict::NotRevoked, Verdict::Revoked]
    );
    assert_eq!(set.check(jti(3), "another", at(0)), Verdict::NotRevoked);
    assert_eq!(check(&set, 3, at(60_000)), Verdict::Revoked, "whatever else is known");
}

#[test]
fn nobody_can_tell_of_a_token_whether_it_is_spared_until_all_are_known_that_are() {
    let set = set();
    let piece = |number: u32, is_partial: bool, items: Vec<Item>| {
        let page = page(Some(10), if is_partial { 10 } else { 11 }, items, 0);
        Page { piece: number, is_partial, ..page }
    };
    let key = || Item::KeyCompromised { kid: "key".to_owned() };
    let spared = |number: u128| Item::Spared { jti: jti(number), exp: FAR };
    let verdicts = || [1, 2, 3, 4].map(|number| check(&set, number, at(0)));

    set.apply(&piece(0, true, vec![key(), spared(1), spared(2)]), at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::NotRevoked, Verdict::Stale, Verdict::Stale]);
    assert_eq!(set.check(jti(3), "another", at(0)), Verdict::NotRevoked);
    assert_eq!(set.status(at(0)).keys, 1);
    let kept = set.with_items(|_, items| items.filter(|item| *item == key()).count());
    assert_eq!(kept, Some(0), "after a restart at the place that is known the key comes again");

    set.apply(&piece(1, true, vec![spared(3)]), at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::NotRevoked, Verdict::NotRevoked, Verdict::Stale]);
    set.apply(&heartbeat(10, 0), at(0)).unwrap();
    assert_eq!(check(&set, 4, at(0)), Verdict::Stale, "that nothing has happened since says nothing of it");

    set.apply(&piece(2, false, vec![]), at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::NotRevoked, Verdict::NotRevoked, Verdict::Revoked]);

    // More of what the key signed is over. That it has come before is known wholly.
    let wider = Page { is_partial: true, ..page(Some(11), 11, vec![key(), spared(2)], 0) };
    set.apply(&wider, at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::NotRevoked, Verdict::NotRevoked, Verdict::Revoked]);
    set.apply(&page(None, 12, vec![key(), spared(2), revoked(3)], 0), at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::NotRevoked, Verdict::Revoked, Verdict::Revoked]);
}

#[test]
fn what_comes_whole_before_a_key_that_came_in_part_says_nothing_of_the_key() {
    let set = set();
    let key = || Item::KeyCompromised { kid: "key".to_owned() };
    let spared = |number: u128| Item::Spared { jti: jti(number), exp: FAR };
    let verdicts = || [2, 3, 4].map(|number| check(&set, number, at(0)));

    // A stream tells two changes as one, and is cut; pages tell them one by one.
    set.apply(&Page { is_partial: true, ..page(Some(10), 10, vec![revoked(2), key()], 0) }, at(0)).unwrap();
    set.apply(&page(Some(10), 11, vec![revoked(2)], 0), at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::Stale, Verdict::Stale]);
    assert_eq!(set.with_items(|_, items| items.filter(|item| *item == key()).count()), Some(0));

    set.apply(&page(Some(11), 12, vec![key(), spared(3)], 0), at(0)).unwrap();
    assert_eq!(verdicts(), [Verdict::Revoked, Verdict::NotRevoked, Verdict::Revoked]);
}

#[test]
fn a_token_leaves_a_minute_after_it_is_over_by_both_clocks() {
    let second = |ms: u64| time(ms).timestamp();
    let set = RevocationSet::new(Duration::from_secs(5));
    let items = (0..100).map(|number| Item::Revoked { jti: jti(number), exp: second(10_000), effective_from: None });
    set.apply(&page(None, 10, items.chain([revoked(500)]).collect(), 0), at(0)).unwrap();
    let tokens = |ms: u64, now: Now| {
        set.apply(&heartbeat(10, ms), now).unwrap();
        set.status(now).tokens
    };

    assert_eq!(tokens(69_000, at(69_000)), 101);
    assert_eq!(tokens(190_000, Now::new(start(), Duration::from_secs(190))), 101, "the own clock was set back");
    assert_eq!(tokens(260_000, at(260_000)), 1);
    assert_eq!(check(&set, 500, at(260_000)), Verdict::Revoked);
}

#[test]
fn what_was_known_before_a_restart_is_known_after_it_and_vouches_for_nothing() {
    let before = set();
    let item = Item::Revoked { jti: jti(5), exp: FAR, effective_from: Some(time(100)) };
    let items = vec![
        suspended(4),
        item,
        Item::KeyCompromised { kid: "old".to_owned() },
        Item::Spared { jti: jti(6), exp: FAR },
    ];
    before.apply(&page(Some(10), 11, items, 0), at(0)).unwrap();
    let mut loader = Loader::new(at(0));
    let said = before.with_items(|mark, items| {
        items.for_each(|item| loader.push(&item));
        mark
    });

    let after = RevocationSet::new(Duration::from_secs(5));
    after.restore(loader, &page(None, said.unwrap().position, vec![], 0)).unwrap();

    for number in 0..8 {
        for kid in ["key", "old"] {
            let expected = match before.check(jti(number), kid, at(1_000)) {
                Verdict::NotRevoked => Verdict::Stale,
                verdict => verdict,
            };
            assert_eq!(after.check(jti(number), kid, at(1_000)), expected, "{number} {kid}");
        }
    }
    assert_eq!(after.apply(&heartbeat(11, 1_000), at(1_000)), Ok(Applied::Followed));
    assert_eq!(check(&after, 2, at(1_000)), Verdict::NotRevoked);
    assert_eq!(after.restore(Loader::new(at(0)), &page(None, 20, vec![], 0)), Ok(Applied::Ignored));
}

#[test]
fn what_is_heard_first_after_a_restart_is_as_old_as_its_question() {
    let set = RevocationSet::new(Duration::from_secs(5));
    set.restore(Loader::new(at(0)), &page(None, 10, vec![], 0)).unwrap();

    // It was written at an instant that nobody knows between the question and the answer.
    assert_eq!(set.apply_answer(&heartbeat(10, 1_000), at(1_000), at(4_000)), Ok(Applied::Followed));
    assert_eq!(set.check(jti(1), "key", at(6_000)), Verdict::NotRevoked);
    assert_eq!(set.check(jti(1), "key", at(6_001)), Verdict::Stale);

    // From then on pages are compared with each other.
    assert_eq!(set.apply_answer(&heartbeat(10, 5_000), at(5_000), at(8_000)), Ok(Applied::Followed));
    assert_eq!(set.check(jti(1), "key", at(13_000)), Verdict::NotRevoked);
    assert_eq!(set.check(jti(1), "key", at(13_001)), Verdict::Stale);
}
