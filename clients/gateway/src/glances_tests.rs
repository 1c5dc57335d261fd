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

fn page(after: Option<i64>, position: i64, items: Vec<Item>) -> Page {
    let mark = Mark { log_id: Uuid::from_u128(7), position, digest: Digest([0; 32]) };
    let time = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Page { mark, after, piece: 0, is_partial: false, time, staleness_ms: 0, next: None, has_more: false, items }
}

/// Each in a page of its own.
fn changes(of: impl IntoIterator<Item = Vec<Item>>) -> Vec<Page> {
    (0..).zip(of).map(|(after, items)| page(Some(after), after + 1, items)).collect()
}

/// One change in so many pieces.
fn pieces<const N: usize>(of: [Vec<Item>; N]) -> Vec<Page> {
    let piece = |(index, items)| {
        let is_partial = index + 1 < N;
        let page = page(Some(0), i64::from(!is_partial), items);
        Page { piece: u32::try_from(index).unwrap(), is_partial, ..page }
    };
    of.into_iter().enumerate().map(piece).collect()
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

/// A set that has learnt the first of these pages, one after the other.
struct History<'a> {
    set: RevocationSet,
    pages: &'a [Page],
    learnt: usize,
}

impl<'a> History<'a> {
    fn new(pages: &'a [Page]) -> Self {
        let set = RevocationSet::new(Duration::from_secs(5));
        set.apply(&page(None, 0, vec![]), now()).unwrap();
        Self { set, pages, learnt: 0 }
    }

    fn learn_up_to(&mut self, count: usize) -> &RevocationSet {
        for page in &self.pages[self.learnt..count] {
            self.set.apply(page, now()).unwrap();
        }
        self.learnt = count;
        &self.set
    }
}

/// What a check says that looks at the table, the token and the keys after so many pages each.
fn said(pages: &[Page], kid: &str, [table, token, keys]: [usize; 3]) -> Verdict {
    let mut history = History::new(pages);
    let set = history.learn_up_to(table);
    let asked = set.asked(TOKEN, kid, now());
    let known = set.known().load_full();
    history.learn_up_to(token);
    let state = known.table.get(TOKEN);
    history.learn_up_to(keys).weigh(&known, state, asked)
}

/// What a check says that nothing comes between.
fn truths(pages: &[Page], kid: &str) -> Vec<Verdict> {
    let truth = |count| History::new(pages).learn_up_to(count).check(TOKEN, kid, now());
    (0..=pages.len()).map(truth).collect()
}

fn every_verdict_was_right_at_some_instant(pages: &[Page]) {
    for kid in ["one", "two", "three"] {
        let truths = truths(pages, kid);
        for table in 0..=pages.len() {
            for token in table..=pages.len() {
                for keys in token..=pages.len() {
                    let verdict = said(pages, kid, [table, token, keys]);
                    assert!(
                        truths[table..=keys].contains(&verdict),
                        "{verdict:?} of a token of {kid} after {table}, {token} and {keys} of {pages:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_token_that_is_let_go_after_its_key_was_given_up_is_refused_however_often_that_happens_to_others() {
    let items = [suspended(), given_up("three"), resumed(), suspended(), given_up("one"), resumed(), given_up("two")];

    every_verdict_was_right_at_some_instant(&changes(items.map(|item| vec![item])));
}

#[test]
fn a_token_that_is_spared_is_good_before_and_after_its_key_is_given_up_and_so_in_between() {
    let together = [vec![given_up("two")], vec![given_up("one"), spared()], vec![suspended()]];
    let before = [suspended(), spared(), given_up("one"), resumed(), given_up("two")];

    for pages in
        [changes([vec![spared()], vec![given_up("one")]]), changes(together), changes(before.map(|item| vec![item]))]
    {
        every_verdict_was_right_at_some_instant(&pages);
    }
}

#[test]
fn where_a_key_comes_before_what_is_spared_of_it_a_token_is_good_or_nobody_can_tell() {
    for of in [
        [vec![given_up("one")], vec![spared()], vec![]],
        [vec![given_up("one")], growth(), vec![spared()]],
        [vec![given_up("one")], vec![spared()], growth()],
        [vec![suspended(), given_up("one")], vec![resumed()], vec![spared()]],
    ] {
        let pages = pieces(of);
        every_verdict_was_right_at_some_instant(&pages);
        assert!(
            !truths(&pages, "one")[2..].contains(&Verdict::Revoked) && truths(&pages, "one")[3] == Verdict::NotRevoked
        );
    }
    for of in [
        [vec![given_up("one")], vec![], vec![]],
        [vec![suspended(), given_up("one")], vec![resumed()], growth()],
        [vec![suspended()], vec![given_up("one"), resumed()], vec![given_up("two")]],
    ] {
        let pages = pieces(of);
        every_verdict_was_right_at_some_instant(&pages);
        assert_eq!(truths(&pages, "one")[2..], [Verdict::Stale, Verdict::Revoked]);
    }
}

#[test]
fn a_table_that_is_written_anew_meanwhile_changes_nothing_of_that() {
    let pages = changes([growth()]);
    let mut history = History::new(&pages);
    let before = history.set.known().load_full();
    let after = history.learn_up_to(1).known().load_full();
    assert!(!Arc::ptr_eq(&before.table, &after.table) && Arc::ptr_eq(&before.keys, &after.keys));

    let spared = [suspended(), spared(), given_up("one"), resumed()];
    let over = [suspended(), given_up("one"), resumed(), given_up("two")];
    for items in [spared, over] {
        for place in 0..=4 {
            let mut of: Vec<Vec<Item>> = items.iter().map(|item| vec![item.clone()]).collect();
            of.insert(place, growth());
            every_verdict_was_right_at_some_instant(&changes(of));
        }
    }
}
