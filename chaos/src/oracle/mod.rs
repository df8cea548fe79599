//! Judges a history: was anything lost, doubled, out of order, or shown to whom
//! it was not for?
//!
//! The file is read twice. First [`archive`] gathers what was acknowledged and
//! what the rooms hold in the end, and compares the two. Then [`readers`] walks
//! with every reader through what it was shown, beside the rooms as they are.
//! Neither holds the file in memory.

use crate::{
    history::{Client, Line, Room},
    position::Position,
};
use std::{collections::BTreeMap, fmt, io, path::Path};

mod archive;
mod readers;
#[cfg(test)]
mod tests;

/// How many examples of each kind of violation are kept.
const EXAMPLES: usize = 5;

/// A promise that can be seen to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// An acknowledged message is in the history.
    Lost,
    /// Once: in the history, and shown to a reader.
    Doubled,
    /// Where its sender was told; and every acknowledgement of one id tells the same.
    Moved,
    /// What was acknowledged before another was written comes before it; live positions only rise.
    Inverted,
    /// A reader who goes on from a position is shown everything after it.
    Hole,
    /// What is shown, is in the history; what is there, somebody wrote; what was refused for good, is not there.
    Phantom,
    /// Nobody is shown anything later than their removal.
    Leak,
    /// Two readings agree: a later one only adds, and a page has everything that it says it covers.
    Disagreement,
}

/// What the oracle found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Different messages that somebody tried to post.
    pub posted: u64,
    /// Different messages that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledgements that came only after a failure: retries that settled it.
    pub retried: u64,
    /// Events shown to readers live or by resume.
    pub shown: u64,
    /// How often a reader was told to read the history again.
    pub resyncs: u64,
    /// Violations by promise.
    pub broken: BTreeMap<Promise, u64>,
    /// The first few of each, for people.
    pub examples: Vec<(Promise, String)>,
}

impl Verdict {
    /// Every promise was kept.
    pub fn is_good(&self) -> bool {
        self.broken.is_empty()
    }

    /// How often a promise was broken.
    pub fn count(&self, promise: Promise) -> u64 {
        self.broken.get(&promise).copied().unwrap_or(0)
    }

    fn found(&mut self, promise: Promise, text: impl FnOnce() -> String) {
        let count = self.broken.entry(promise).or_default();
        *count += 1;
        if *count <= EXAMPLES as u64 {
            self.examples.push((promise, text()));
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} posted, {} acknowledged ({} by a retry), {} events shown, {} resyncs",
            self.posted, self.acknowledged, self.retried, self.shown, self.resyncs
        )?;
        for promise in Promise::ALL {
            write!(f, "{} {}  ", promise.word(), self.count(promise))?;
        }
        for (promise, example) in &self.examples {
            write!(f, "\n  {}: {example}", promise.word())?;
        }
        Ok(())
    }
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Doubled,
        Self::Moved,
        Self::Inverted,
        Self::Hole,
        Self::Phantom,
        Self::Leak,
        Self::Disagreement,
    ];

    /// As reports call its violation.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Moved => "moved",
            Self::Inverted => "inverted",
            Self::Hole => "holes",
            Self::Phantom => "phantoms",
            Self::Leak => "leaks",
            Self::Disagreement => "disagreements",
        }
    }
}

/// Judges the history in a file.
///
/// # Errors
/// The file cannot be read, or lacks the end that every whole history has.
pub fn judge(path: &Path) -> anyhow::Result<Verdict> {
    judge_lines(|| crate::history::read(path))
}

/// Judges a history, which is asked for twice.
fn judge_lines<I: Iterator<Item = io::Result<Line>>>(lines: impl Fn() -> io::Result<I>) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut gathering = archive::Gathering::default();
    for line in lines()? {
        gathering.take(line?, &mut verdict);
    }
    let archive = gathering.close(&mut verdict)?;
    let mut readers = readers::Readers::new(&archive);
    for line in lines()? {
        readers.take(line?, &mut verdict);
    }
    Ok(verdict)
}

/// The one who was shown something, for examples.
struct Place(u64, Client, Room, Position);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s, client {}, room {}, position {}", self.0 as f64 / 1e6, self.1, self.2, self.3)
    }
}
