//! `make bench-status-lists`: how long it takes to make a list of ten million entries, beside the bare compression.

use std::{hint::black_box, io::Write, time::Instant};

use catalog::{
    domain::{
        key::Algorithm,
        status_list::{BITS, PackedList, StatusType},
    },
    signing::{Keyring, StatusList, StatusListClaims, gzip},
};
use clap::Args;
use flate2::{Compression, write::ZlibEncoder};

use crate::support::{
    figures::{Figures, machine},
    stand::Error,
};

/// A status list made, beside the bare compression.
#[derive(Args)]
pub struct Arguments {
    /// How many entries
    #[arg(long, default_value = "10000000")]
    entries: u32,
    /// How many rounds
    #[arg(long, default_value = "15")]
    rounds: usize,
}

/// One entry in so many is set; a tenth of those are suspended, the others revoked.
const SHARES: [u32; 2] = [100, 10_000];
/// What zlib calls its default.
const LEVEL: u32 = 6;

/// Prints the table of the lists.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let home = tempfile::tempdir()?;
    let mut keyring = Keyring::open(&home.path().join("keys"))?;
    let kid = keyring.ensure_generated(Algorithm::EdDsa)?;
    let make = |packed: &PackedList| -> Result<(usize, usize), Error> {
        // What the task does from the lock on: the entries are copied, compressed, signed, and compressed to be sent.
        let packed = packed.clone();
        let claims = StatusListClaims {
            sub: "https://catalog.example.com/status-lists/1".to_owned(),
            iat: 1_800_000_000,
            exp: 1_800_000_120,
            ttl: 60,
            status_list: StatusList::of(&packed)?,
        };
        let token = keyring.sign_status_list((&kid, Algorithm::EdDsa), &claims)?;
        let sent = gzip(token.as_bytes())?;
        Ok((token.len(), sent.len()))
    };
    println!("machine: {}", machine());
    println!(
        "{} entries of {BITS} bits, {} rounds; median (least–most) of the rounds",
        arguments.entries, arguments.rounds
    );
    println!();
    println!("| set | bare compression ms | list made ms | ratio | compressed bytes | sent bytes (gzip) |");
    println!("|---|---|---|---|---|---|");
    for one_in in SHARES {
        let packed = list(arguments.entries, one_in);
        let (mut bare, mut whole, mut ratio) = (Figures::default(), Figures::default(), Figures::default());
        let (mut compressed, mut sent) = (0, 0);
        for _ in 0..arguments.rounds {
            let begun = Instant::now();
            compressed = black_box(zlib(packed.bytes())?).len();
            bare.push(begun.elapsed().as_secs_f64() * 1_000.0);
            let begun = Instant::now();
            (_, sent) = black_box(make(&packed)?);
            whole.push(begun.elapsed().as_secs_f64() * 1_000.0);
            ratio.push(whole.last() / bare.last());
        }
        let (bare, whole, ratio) = (bare.spread(1), whole.spread(1), ratio.spread(2));
        println!("| one in {one_in} | {bare} | {whole} | {ratio} | {compressed} | {sent} |");
    }
    Ok(())
}

/// A list of which one entry in so many is set, at places that look like chance.
fn list(entries: u32, one_in: u32) -> PackedList {
    let mut packed = PackedList::new(entries);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..entries / one_in {
        // SplitMix64.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let idx = u32::try_from((mixed ^ mixed >> 31) % u64::from(entries)).unwrap_or(0);
        packed.set(idx, if number % 10 == 0 { StatusType::Suspended } else { StatusType::Invalid });
    }
    packed
}

fn zlib(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
