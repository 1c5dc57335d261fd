//! Pages in any order, lost, repeated, held back and forged by accident, while clocks go on and jump.

use std::time::Duration;

use catalog_gateway::{
    Now, RevocationSet, Verdict,
    wire::{Item, Page},
};
use chrono::TimeDelta;
use proptest::prelude::*;

use super::{
    model::{Clocks, Model},
    pages::{jti, start},
    truth::{KEYS, TOKENS, Truth, elsewhere, forked, item},
};

const STALENESS_MS_MAX: i64 = 5_000;

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    /// Something is appended to the log.
    Append(Vec<Item>),
    /// Time goes by.
    Wait(i64),
    /// The own clock is set.
    Jump(i64),
    /// A page comes.
    Deliver(Delivery),
    /// A page is written now, and comes later.
    Hold(Delivery),
    /// What was held back the longest comes.
    Release,
}

#[derive(Debug, Clone)]
enum Delivery {
    Snapshot,
    OldSnapshot(i64),
    /// From what is known to the end, or less far by so many.
    Next(i64),
    Heartbeat,
    /// From so far before what is known, so many.
    Older(i64, i64),
    /// Past so many that are missing.
    Skipping(i64),
    /// So many of the next changes as one, of which each item comes by itself, and how many of them come.
    Pieces(i64, usize),
    Forked,
    Elsewhere,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        2 => Just(Delivery::Snapshot),
        1 => (1..5_i64).prop_map(Delivery::OldSnapshot),
        6 => (0..3_i64).prop_map(Delivery::Next),
        4 => Just(Delivery::Heartbeat),
        2 => (1..5_i64, 0..4_i64).prop_map(|(back, length)| Delivery::Older(back, length)),
        1 => (1..3_i64).prop_map(Delivery::Skipping),
        2 => (1..4_i64, 1..8_usize).prop_map(|(changes, count)| Delivery::Pieces(changes, count)),
        1 => Just(Delivery::Forked),
        1 => Just(Delivery::Elsewhere),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => prop::collection::vec(item(), 1..4).prop_map(Event::Append),
        4 => (0..3_000_i64).prop_map(Event::Wait),
        1 => prop::sample::select(vec![-3_600_000, -4_000, -900, 900, 4_000, 3_600_000]).prop_map(Event::Jump),
        8 => delivery().prop_map(Event::Deliver),
    ]
}

fn event_with_delays() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => event(),
        2 => delivery().prop_map(Event::Hold),
        2 => Just(Event::Release),
    ]
}

/// A log, a set that hears of it, and the clocks.
struct Stage {
    truth: Truth,
    set: RevocationSet,
    clocks: Clocks,
    held: Vec<(Now, Page)>,
}

impl Stage {
    fn new() -> Self {
        let clocks = Clocks { monotonic: 0, wall: 0 };
        let set = RevocationSet::new(Duration::from_millis(STALENESS_MS_MAX.unsigned_abs()));
        Self { truth: Truth::default(), set, clocks, held: Vec::new() }
    }

    fn now(&self) -> Now {
        let wall = start() + TimeDelta::milliseconds(self.clocks.wall);
        Now::new(wall, Duration::from_millis(self.clocks.monotonic.unsigned_abs()))
    }

    fn pages(&self, delivery: &Delivery) -> Vec<Page> {
        let (truth, ms, head) = (&self.truth, self.clocks.monotonic, self.truth.head());
        let known = self.set.status(self.now()).mark.map_or(0, |mark| mark.position).min(head);
        match *delivery {
            Delivery::Snapshot => vec![truth.page(None, head, ms)],
            Delivery::OldSnapshot(back) => vec![Page {
                staleness_ms: back.unsigned_abs() * 3_600_000,
                ..truth.page(None, (head - back).max(0), ms)
            }],
            Delivery::Next(less) => {
                let upto = (head - less).max(known);
                vec![Page { has_more: upto < head, ..truth.page(Some(known), upto, ms) }]
            }
            Delivery::Heartbeat if known < head => Vec::new(),
            Delivery::Heartbeat => vec![truth.page(Some(known), known, ms)],
            Delivery::Older(back, length) => {
                let after = (known - back).max(0);
                let upto = (after + length).clamp(after, known);
                // No end of the log, so it has not gone back.
                let page = truth.page(Some(after), upto, ms);
                if page.items.is_empty() { Vec::new() } else { vec![Page { has_more: true, ..page }] }
            }
            Delivery::Skipping(over) => vec![truth.page(Some((known + over).min(head)), head, ms)],
            Delivery::Pieces(changes, count) if known < head => self.pieces(known, (known + changes).min(head), count),
            Delivery::Pieces(..) => Vec::new(),
            Delivery::Forked => vec![Page { mark: forked(known), ..truth.page(Some(known), known, ms) }],
            Delivery::Elsewhere => vec![Page { mark: elsewhere(known), ..truth.page(Some(known), known, ms) }],
        }
    }

    fn pieces(&self, known: i64, end: i64, count: usize) -> Vec<Page> {
        let items = self.truth.items(known, end);
        let last = items.len() - 1;
        let piece = |(index, item): (usize, Item)| {
            let is_partial = index < last;
            let upto = if is_partial { known } else { end };
            let page = self.truth.page(Some(known), known, self.clocks.monotonic);
            Page {
                mark: super::pages::mark(upto),
                piece: u32::try_from(index).unwrap(),
                is_partial,
                has_more: end < self.truth.head(),
                items: vec![item],
                ..page
            }
        };
        items.into_iter().enumerate().take(count).map(piece).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_set_says_what_the_model_says(events in prop::collection::vec(event(), 1..60)) {
        let (mut stage, mut model) = (Stage::new(), Model::default());
        for event in events {
            match event {
                Event::Append(items) => stage.truth.append(stage.clocks.monotonic, items),
                Event::Wait(ms) => {
                    stage.clocks.monotonic += ms;
                    stage.clocks.wall += ms;
                }
                Event::Jump(ms) => stage.clocks.wall += ms,
                Event::Deliver(delivery) => for page in stage.pages(&delivery) {
                    let result = stage.set.apply(&page, stage.now());
                    model.apply(&page, stage.clocks);
                    let status = stage.set.status(stage.now());
                    prop_assert_eq!((status.mark, status.needs_snapshot), (model.mark(), model.needs_snapshot()), "{:?}", result);
                },
                Event::Hold(_) | Event::Release => {}
            }
            for number in 0..TOKENS {
                for kid in KEYS {
                    let said = stage.set.check(jti(number), kid, stage.now());
                    prop_assert_eq!(said, model.check(jti(number), kid, stage.clocks, start()), "{} {}", number, kid);
                }
            }
        }
    }

    #[test]
    fn nothing_that_was_refused_for_longer_than_the_bound_is_ever_good(
        events in prop::collection::vec(event_with_delays(), 1..80),
    ) {
        let mut stage = Stage::new();
        for event in events {
            match event {
                Event::Append(items) => stage.truth.append(stage.clocks.monotonic, items),
                Event::Wait(ms) => {
                    stage.clocks.monotonic += ms;
                    stage.clocks.wall += ms;
                }
                Event::Jump(ms) => stage.clocks.wall += ms,
                Event::Deliver(delivery) => for page in stage.pages(&delivery) {
                    let _ = stage.set.apply(&page, stage.now());
                },
                Event::Hold(delivery) => {
                    let (asked, pages) = (stage.now(), stage.pages(&delivery));
                    stage.held.extend(pages.into_iter().map(|page| (asked, page)));
                }
                Event::Release if stage.held.is_empty() => {}
                Event::Release => {
                    let (asked, page) = stage.held.remove(0);
                    if page.after.is_none() {
                        let mut loader = catalog_gateway::Loader::new(asked);
                        page.items.iter().for_each(|item| loader.push(item));
                        let _ = stage.set.replace(loader, &page, asked);
                    } else {
                        let _ = stage.set.apply(&page, stage.now());
                    }
                }
            }
            // What clocks may drift apart in the time.
            let since = stage.clocks.monotonic - STALENESS_MS_MAX - stage.clocks.monotonic / 1_000 - 1;
            for number in 0..TOKENS {
                for kid in KEYS {
                    if stage.set.check(jti(number), kid, stage.now()) == Verdict::NotRevoked {
                        let now = start() + TimeDelta::milliseconds(stage.clocks.monotonic);
                        prop_assert!(!stage.truth.refused_since(since, jti(number), kid, now), "{} {}", number, kid);
                    }
                }
            }
        }
    }
}
