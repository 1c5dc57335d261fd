//! Readers beside the writer.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

use catalog_gateway::{
    RevocationSet, Verdict,
    wire::{Item, Page},
};

use super::pages::{FAR, at, jti, page, revoked};

const CHANGES: u64 = 20_000;

#[test]
fn what_the_writer_has_learnt_every_reader_knows_while_the_table_grows_under_them() {
    let set = RevocationSet::new(Duration::from_secs(5));
    set.apply(&page(None, 0, vec![], 0), at(0)).unwrap();
    let learnt = AtomicU64::new(0);

    thread::scope(|scope| {
        for reader in 0..2_u64 {
            let (set, learnt) = (set.clone(), &learnt);
            scope.spawn(move || {
                let (mut seed, mut own) = (reader, set.reader());
                loop {
                    let done = learnt.load(SeqCst);
                    if done == CHANGES {
                        break;
                    }
                    for _ in 0..64 {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let number = u128::from(seed >> 33) % u128::from(CHANGES);
                        let verdict = set.check(jti(number), "key", at(0));
                        assert!(number >= u128::from(done) || verdict == Verdict::Revoked, "{number} after {done}");
                        assert_ne!(verdict, Verdict::Stale);
                        let verdict = own.check(jti(number), "key", at(0));
                        assert!(number >= u128::from(done) || verdict == Verdict::Revoked, "{number} after {done}");
                        // What nobody ever revokes.
                        assert_eq!(set.check(jti(number + (1 << 40)), "key", at(0)), Verdict::NotRevoked);
                    }
                }
            });
        }
        for (position, number) in (0..).zip(0..CHANGES) {
            set.apply(&page(Some(position), position + 1, vec![revoked(number.into())], 0), at(0)).unwrap();
            learnt.store(number + 1, SeqCst);
        }
    });

    assert_eq!(set.status(at(0)).tokens, usize::try_from(CHANGES).unwrap());
}

#[test]
fn a_reader_never_sees_a_revoked_token_good_while_it_is_suspended_and_resumed() {
    let set = RevocationSet::new(Duration::from_secs(5));
    set.apply(&page(None, 0, vec![revoked(1)], 0), at(0)).unwrap();
    let is_done = AtomicU64::new(0);

    thread::scope(|scope| {
        for _ in 0..2 {
            let (set, is_done) = (set.clone(), &is_done);
            scope.spawn(move || {
                while is_done.load(SeqCst) == 0 {
                    assert_eq!(set.check(jti(1), "key", at(0)), Verdict::Revoked);
                }
            });
        }
        for position in 0..5_000 {
            let (jti, exp) = (jti(1), FAR);
            let items = vec![Item::Suspended { jti, exp }, Item::Resumed { jti, exp }, Item::Spared { jti, exp }];
            set.apply(&page(Some(position), position + 1, items, 0), at(0)).unwrap();
        }
        is_done.store(1, SeqCst);
    });
}

#[test]
fn a_token_that_is_fresh_by_a_snapshot_is_judged_by_that_snapshot() {
    // Before each snapshot the set is astray. A reader that is told "not revoked" must have read what the last one says.
    let set = RevocationSet::new(Duration::from_secs(5));
    let is_done = AtomicU64::new(0);

    thread::scope(|scope| {
        for _ in 0..2 {
            let (set, is_done) = (set.clone(), &is_done);
            scope.spawn(move || {
                let mut own = set.reader();
                while is_done.load(SeqCst) == 0 {
                    assert_ne!(own.check(jti(1), "key", at(0)), Verdict::NotRevoked);
                    assert_ne!(set.check(jti(1), "key", at(0)), Verdict::NotRevoked);
                }
            });
        }
        for position in 0..3_000 {
            set.apply(&page(None, position, vec![revoked(1)], 0), at(0)).unwrap();
            set.apply(&page(Some(position + 5), position + 6, vec![], 0), at(0)).unwrap_err();
        }
        is_done.store(1, SeqCst);
    });
}

#[test]
fn a_token_that_is_resumed_with_the_end_of_its_key_is_never_good_in_between() {
    let set = RevocationSet::new(Duration::from_secs(5));
    set.apply(&page(None, 0, vec![], 0), at(0)).unwrap();
    let is_done = AtomicU64::new(0);
    let kid = |position: i64| format!("key-{position}");

    thread::scope(|scope| {
        for _ in 0..2 {
            let (set, is_done) = (set.clone(), &is_done);
            scope.spawn(move || {
                while is_done.load(SeqCst) == 0 {
                    // Suspended at this position, and of a compromised key at the next.
                    let number = (set.status(at(0)).mark.unwrap().position + 1) / 2;
                    let verdict = set.check(jti(number.unsigned_abs().into()), &kid(number), at(0));
                    assert!(verdict == Verdict::Revoked || number == 0, "{number}");
                }
            });
        }
        for number in 1..=1_000_i64 {
            let (jti, exp, after) = (jti(number.unsigned_abs().into()), FAR, 2 * number - 2);
            set.apply(&page(Some(after), after + 1, vec![Item::Suspended { jti, exp }], 0), at(0)).unwrap();
            let over = vec![Item::Resumed { jti, exp }, Item::KeyCompromised { kid: kid(number) }];
            set.apply(&page(Some(after + 1), after + 2, over, 0), at(0)).unwrap();
        }
        is_done.store(1, SeqCst);
    });
}

#[test]
fn a_spared_token_is_never_refused_and_one_that_is_over_never_good_once_its_key_has_come() {
    let set = RevocationSet::new(Duration::from_secs(5));
    set.apply(&page(None, 0, vec![], 0), at(0)).unwrap();
    let (came, is_done) = (AtomicU64::new(0), AtomicU64::new(0));
    let kid = |number: u64| format!("key-{number}");
    let over = jti(1 << 40);

    thread::scope(|scope| {
        for _ in 0..2 {
            let (set, came, is_done) = (set.clone(), &came, &is_done);
            scope.spawn(move || {
                let mut own = set.reader();
                while is_done.load(SeqCst) == 0 {
                    // The one that comes now, and the one that has come.
                    let number = came.load(SeqCst);
                    for kid in [kid(number), kid(number + 1)] {
                        let token = jti(kid[4..].parse().unwrap());
                        assert_ne!(set.check(token, &kid, at(0)), Verdict::Revoked, "{kid}");
                        assert_ne!(own.check(token, &kid, at(0)), Verdict::Revoked, "{kid}");
                    }
                    assert!(number == 0 || set.check(over, &kid(number), at(0)) != Verdict::NotRevoked);
                }
            });
        }
        for (after, number) in (0..).zip(1..=1_500_u64) {
            let key = Page {
                is_partial: true,
                ..page(Some(after), after, vec![Item::KeyCompromised { kid: kid(number) }], 0)
            };
            let spared = Item::Spared { jti: jti(number.into()), exp: FAR };
            set.apply(&key, at(0)).unwrap();
            came.store(number, SeqCst);
            set.apply(&Page { piece: 1, ..page(Some(after), after + 1, vec![spared], 0) }, at(0)).unwrap();
        }
        is_done.store(1, SeqCst);
    });

    assert_eq!(set.check(over, "key-1", at(0)), Verdict::Revoked);
}
