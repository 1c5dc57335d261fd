//! What a check costs, beside a lookup in a hashbrown map of the same tokens, in one run: `make bench-gateway`.
//!
//! Rounds alternate between the two, so that whatever else the machine does meets both. Each lookup is of a token that is
//! drawn anew, which costs both the same.

#![expect(clippy::unwrap_used, reason = "a bench ends where it finds something else than it expects")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded")]

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use catalog_gateway::{
    Loader, Now, RevocationSet, Verdict,
    wire::{Digest, Item, Mark, Page},
};
use hashbrown::HashMap;
use uuid::Uuid;

const FAR: i64 = 4_000_000_000;
/// Pages a second, of one revocation each.
const PAGES_A_SECOND: u32 = 1_000;

struct Arguments {
    tokens: Vec<u64>,
    rounds: usize,
    checks: u64,
}

/// `--tokens 1000000,10000000 --rounds 7 --checks 4000000`
fn arguments() -> Arguments {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let of = |name: &str| given.iter().position(|word| word == name).and_then(|at| given.get(at + 1)).cloned();
    let tokens = of("--tokens").unwrap_or_else(|| "1000000,10000000".to_owned());
    Arguments {
        tokens: tokens.split(',').map(|count| count.parse().unwrap()).collect(),
        rounds: of("--rounds").map_or(7, |rounds| rounds.parse().unwrap()),
        checks: of("--checks").map_or(4_000_000, |checks| checks.parse().unwrap()),
    }
}

fn main() {
    let Arguments { tokens, rounds, checks } = arguments();
    println!("nanoseconds a lookup: the median of {rounds} rounds of {checks} lookups (least to most)\n");
    for tokens in tokens {
        Bench::new(tokens).run(rounds, checks);
    }
}

struct Bench {
    tokens: u64,
    set: RevocationSet,
    map: HashMap<Uuid, u64>,
    map_bytes: usize,
}

impl Bench {
    fn new(tokens: u64) -> Self {
        let set = RevocationSet::new(Duration::from_hours(1));
        let mut loader = Loader::new(Now::read());
        (0..tokens).for_each(|number| loader.push(&revoked(number)));
        set.replace(loader, &page(None, 0, Vec::new()), Now::read()).unwrap();
        let map: HashMap<Uuid, u64> = (0..tokens).map(|number| (jti(number), 1)).collect();
        let map_bytes = map.allocation_size();
        Self { tokens, set, map, map_bytes }
    }

    fn run(&self, rounds: usize, checks: u64) {
        let now = Now::read();
        let mut reader = self.set.reader();
        let mut figures: [Figures; 10] = Default::default();
        for round in 0..rounds as u64 {
            let unknown = |seed: u64| jti(self.tokens + 1 + (round << 40) + seed);
            let known = |seed: u64| jti(seed.wrapping_mul(0x9e37_79b9) % self.tokens);
            let check = |seed| self.set.check(unknown(seed), "key", now) == Verdict::NotRevoked;
            figures[0].time(checks, |seed| self.map.get(&unknown(seed)).is_none());
            figures[1].time(checks, check);
            figures[2].time(checks, |seed| reader.check(unknown(seed), "key", now) == Verdict::NotRevoked);
            figures[3].time(checks, |seed| self.set.check(unknown(seed), "key", Now::read()) == Verdict::NotRevoked);
            figures[4].time(checks, |seed| self.map.get(&known(seed)).is_some());
            figures[5].time(checks, |seed| self.set.check(known(seed), "key", now) == Verdict::Revoked);
            figures[6].time(checks, |seed| reader.check(known(seed), "key", now) == Verdict::Revoked);
            figures[7].of_two_readers(checks, |seed| self.map.get(&unknown(seed)).is_none());
            figures[8].of_two_readers(checks, check);
            self.beside_a_writer(|| figures[9].of_two_readers(checks, check));
        }
        let bytes = |bytes: usize| bytes as f64 / self.tokens as f64;
        let (own, map) = (bytes(self.set.status(now).bytes), bytes(self.map_bytes));
        println!("{} revocations: {own:.1} bytes each, hashbrown {map:.1}", self.tokens);
        let what = [
            "not revoked: hashbrown, nothing around it",
            "not revoked: check",
            "not revoked: check by a reader of its own",
            "not revoked: check, reading the clocks for each",
            "revoked: hashbrown",
            "revoked: check",
            "revoked: check by a reader of its own",
            "not revoked: hashbrown, two readers",
            "not revoked: check, two readers",
            "not revoked: check, two readers, and a writer of 1,000 pages a second",
        ];
        for (what, figures) in what.iter().zip(&mut figures) {
            println!("  {:>22}  {what}", figures.spread());
        }
        let ratio = figures[9].median() / figures[8].median();
        println!("  {ratio:>22.2}  of that: with the writer to without\n");
    }

    /// Runs something while pages come.
    fn beside_a_writer(&self, run: impl FnOnce()) {
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let start = Instant::now();
                let first = self.set.status(Now::read()).mark.unwrap().position;
                let mut written = 0;
                while !is_done.load(Relaxed) {
                    let number = self.tokens + (1 << 62) + u64::try_from(first).unwrap() + u64::from(written);
                    let position = first + i64::from(written);
                    let next = page(Some(position), position + 1, vec![revoked(number)]);
                    self.set.apply(&next, Now::read()).unwrap();
                    written += 1;
                    thread::sleep((Duration::from_secs(1) * written / PAGES_A_SECOND).saturating_sub(start.elapsed()));
                }
            });
            run();
            is_done.store(true, Relaxed);
        });
    }
}

#[derive(Default)]
struct Figures(Vec<f64>);

impl Figures {
    fn time(&mut self, checks: u64, check: impl FnMut(u64) -> bool) {
        self.0.push(nanoseconds(checks, check));
    }

    fn of_two_readers(&mut self, checks: u64, check: impl Fn(u64) -> bool + Sync) {
        let both = thread::scope(|scope| {
            let reader = |from: u64| {
                let check = &check;
                scope.spawn(move || nanoseconds(checks, |seed| check(from + seed)))
            };
            [reader(0), reader(1 << 32)].map(|reader| reader.join().unwrap())
        });
        self.0.push(both.iter().sum::<f64>() / 2.0);
    }

    fn median(&mut self) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0[self.0.len() / 2]
    }

    fn spread(&mut self) -> String {
        let median = self.median();
        format!("{median:.1} ({:.1}–{:.1})", self.0[0], self.0[self.0.len() - 1])
    }
}

fn nanoseconds(checks: u64, mut check: impl FnMut(u64) -> bool) -> f64 {
    let start = Instant::now();
    for seed in 0..checks {
        assert!(check(black_box(seed)), "{seed}");
    }
    start.elapsed().as_secs_f64() * 1e9 / checks as f64
}

/// The identifier of a token, as good as drawn at random.
fn jti(number: u64) -> Uuid {
    let mix = |number: u64| {
        let word = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    Uuid::from_u64_pair(mix(number), mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

fn revoked(number: u64) -> Item {
    Item::Revoked { jti: jti(number), exp: FAR, effective_from: None }
}

fn page(after: Option<i64>, position: i64, items: Vec<Item>) -> Page {
    let mark = Mark { log_id: Uuid::nil(), position, digest: Digest([0; 32]) };
    let (time, next) = (Now::read().wall(), None);
    Page { mark, after, piece: 0, is_partial: false, time, staleness_ms: 0, next, has_more: false, items }
}
