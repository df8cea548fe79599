//! Every reader of what comes from outside, tried with its corpus and with what a plain generator makes of it. The same
//! functions are fuzzed with feedback by `fuzz/run`.

#![allow(clippy::unwrap_used)]

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use server::fuzz::{TARGETS, Target};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long each reader is tried; `PARTYLINE_FUZZ_SECONDS` says otherwise.
const SHORTLY: Duration = Duration::from_millis(400);
/// What JSON, addresses, headers and positions are made of.
const WORDS: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e400",
    "18446744073709551616",
    "\\ud800",
    "\\u0000",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{200d}",
    "%",
    "%25",
    "%00",
    "+",
    "&",
    "=",
    ";",
    "..",
    "/",
    "//",
    "\\\\",
    " ",
    "\t",
    "\r\n",
    "-",
    ".",
    "0.0",
    "4294967295.18446744073709551615",
    "bearer.",
    "Bearer ",
    "partyline=",
    "kind",
    "type",
    "message_posted",
    "00000000-0000-0000-0000-000000000000",
    "-----BEGIN CERTIFICATE-----\n",
    "-----END ",
    "#insecure",
    "👍🏽",
    "İ",
    "ẞ",
    "ς",
    "ﬀ",
    "K",
];

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// One of the inputs, changed in a few places.
fn changed(random: &mut StdRng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut input = inputs.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=input.len());
        let upto = random.random_range(at..=input.len().min(at + 16));
        match random.random_range(0..7) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            1 => drop(input.drain(at..upto)),
            2 => input.insert(at, random.random()),
            3 => drop(input.splice(at..upto, WORDS.choose(random).unwrap().bytes())),
            4 => drop(input.splice(at..at, WORDS.choose(random).unwrap().bytes())),
            5 => {
                let other = inputs.choose(random).unwrap();
                let from = random.random_range(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let again = input[at..upto].to_vec();
                input.splice(at..at, again);
            }
        }
    }
    input.truncate(64 * 1024);
    input
}

fn attempt((name, run): &Target, input: &[u8], seed: u64) {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        panic!("{name} breaks its promise (seed {seed}) on: {}", input.escape_ascii());
    }
}

#[test]
fn readers_keep_their_promises_whatever_comes() {
    let seconds = std::env::var("PARTYLINE_FUZZ_SECONDS").ok();
    let each = seconds.map_or(SHORTLY, |s| Duration::from_secs(s.parse().expect("PARTYLINE_FUZZ_SECONDS is a number")));
    let seed = rand::random();
    println!("seed {seed}");
    for target in TARGETS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut inputs = corpus(target.0);
        inputs.push(Vec::new());
        inputs.iter().for_each(|input| attempt(target, input, seed));
        let (begun, mut tried) = (Instant::now(), 0);
        while begun.elapsed() < each {
            let input = changed(&mut random, &inputs);
            attempt(target, &input, seed);
            tried += 1;
            // What has changed often gets further from the corpus.
            if tried % 50 == 0 && inputs.len() < 500 {
                inputs.push(input);
            }
        }
        println!("{}: {tried} inputs", target.0);
    }
}
