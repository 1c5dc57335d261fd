//! A check takes three glances: at the table, at the token, at the keys. Whatever is learnt in between, the verdict is one that
//! was right at some instant of the check. Every way in which changes can fall between the glances is gone through.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    Now, RevocationSet, Verdict,
    wire::{Digest, Item, Mark, Page},
};

const TOKEN: Uuid = Uuid::from_u128(1);
const EXP: i64 = 4_000_000_000;

fn now() -> Now {
    Now { wall: 1_800_000_000_000_000, monotonic: 0 }
}

/// One change of one item, or none: a heartbeat.
fn page(after: Option<i64>, position: i64, items: Vec<Item>) -> Page {
    let mark = Mark { log_id: Uuid::from_u128(7), position, digest: Digest([0; 32]) };
    let time = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Page { mark, after, piece: 0, is_partial: false, time, staleness_ms: 0, next: None, has_more: false, items }
}

fn suspended() -> Item {
    Item::Suspended { jti: TOKEN, exp: EXP }
}

fn resumed() -> Item {
    Item::Resumed { jti: TOKEN, exp: EXP }
}

fn spared() -> Item {
    Item::Spared { jti: TOKEN, exp: EXP }
}

fn given_up(kid: &str) -> Item {
    Item::KeyCompromised { kid: kid.to_owned() }
}

/// Another token, and so many of them that the table is written anew.
fn growth() -> Vec<Item> {
    (2..2_000).map(|number| Item::Revoked { jti: Uuid::from_u128(number), exp: EXP, effective_from: None }).collect()
}

/// A set that has learnt the first of these changes, one after the other.
struct History {
    set: RevocationSet,
    changes: Vec<Vec<Item>>,
    learnt: usize,
}

impl History {
    fn new(changes: &[Vec<Item>]) -> Self {
        let set = RevocationSet::new(Duration::from_secs(5));
        set.apply(&page(None, 0, vec![]), now()).unwrap();
        Self { set, changes: changes.to_vec(), learnt: 0 }
    }

    fn learn_up_to(&mut self, count: usize) -> &RevocationSet {
        for index in self.learnt..count {
            let after = i64::try_from(index).unwrap();
            self.set.apply(&page(Some(after), after + 1, self.changes[index].clone()), now()).unwrap();
        }
        self.learnt = count;
        &self.set
    }
}

/// What a check says that looks at the table, the token and the keys after so many changes each.
fn said(changes: &[Vec<Item>], kid: &str, [table, token, keys]: [usize; 3]) -> Verdict {
    let mut history = History::new(changes);
    let set = history.learn_up_to(table);
    let asked = set.asked(TOKEN, kid, now());
    let known = set.known().load_full();
    history.learn_up_to(token);
    let state = known.table.get(TOKEN);
    history.learn_up_to(keys).weigh(&known, state, asked)
}

/// What a check says that nothing comes between.
fn truth(changes: &[Vec<Item>], kid: &str, count: usize) -> Verdict {
    History::new(changes).learn_up_to(count).check(TOKEN, kid, now())
}

fn every_verdict_was_right_at_some_instant(changes: &[Vec<Item>]) {
    for kid in ["one", "two", "three"] {
        let truths: Vec<Verdict> = (0..=changes.len()).map(|count| truth(changes, kid, count)).collect();
        for table in 0..=changes.len() {
            for token in table..=changes.len() {
                for keys in token..=changes.len() {
                    let verdict = said(changes, kid, [table, token, keys]);
                    assert!(
                        truths[table..=keys].contains(&verdict),
                        "{verdict:?} of a token of {kid} after {table}, {token} and {keys} of {changes:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_token_that_is_let_go_after_its_key_was_given_up_is_refused_however_often_that_happens_to_others() {
    let changes = [suspended(), given_up("three"), resumed(), suspended(), given_up("one"), resumed(), given_up("two")];

    every_verdict_was_right_at_some_instant(&changes.map(|item| vec![item]));
}

#[test]
fn a_token_that_is_spared_is_good_before_and_after_its_key_is_given_up_and_so_in_between() {
    every_verdict_was_right_at_some_instant(&[vec![spared()], vec![given_up("one")]]);
    every_verdict_was_right_at_some_instant(&[
        vec![given_up("two")],
        vec![given_up("one"), spared()],
        vec![suspended()],
    ]);
    let items = [suspended(), spared(), given_up("one"), resumed(), given_up("two")];
    every_verdict_was_right_at_some_instant(&items.map(|item| vec![item]));
}

#[test]
fn a_table_that_is_written_anew_meanwhile_changes_nothing_of_that() {
    let mut history = History::new(&[growth()]);
    let before = history.set.known().load_full();
    let after = history.learn_up_to(1).known().load_full();
    assert!(!Arc::ptr_eq(&before.table, &after.table) && Arc::ptr_eq(&before.keys, &after.keys));

    for place in 0..=4 {
        let items = [suspended(), spared(), given_up("one"), resumed()];
        let mut changes: Vec<Vec<Item>> = items.into_iter().map(|item| vec![item]).collect();
        changes.insert(place, growth());
        every_verdict_was_right_at_some_instant(&changes);

        let items = [suspended(), given_up("one"), resumed(), given_up("two")];
        let mut changes: Vec<Vec<Item>> = items.into_iter().map(|item| vec![item]).collect();
        changes.insert(place, growth());
        every_verdict_was_right_at_some_instant(&changes);
    }
}
