//! Those who use a Partyline, as its clients do: they write with one id until it
//! is acknowledged, at any node, and they resume from the last that they had.

pub mod reader;
pub mod site;
pub mod watcher;
pub mod writer;

pub use site::{Person, Place, Site};
pub use watcher::{Mood, Progress, Watcher};
pub use writer::Writer;

use crate::history::Room;
use std::time::Duration;
use uuid::Uuid;

/// A room as the history numbers it and as its address names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomRef {
    /// In the history.
    pub number: Room,
    /// In addresses.
    pub id: Uuid,
}

/// Chance that can be repeated: the same seed, the same numbers, in every version (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n as u64) as usize
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }

    /// A time between two.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + (most - least).mul_f64((self.roll() >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// Other dice, thrown from these.
    pub fn fork(&mut self) -> Self {
        Self(self.roll())
    }
}

/// Waits between tries: 50 ms, doubled up to a second, and of that a random part.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(crate) const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    pub(crate) async fn wait(&mut self, dice: &mut Dice) {
        tokio::time::sleep(dice.between(self.next / 2, self.next)).await;
        self.next = (self.next * 2).min(Self::LONGEST);
    }
}
