//! Is it sound after all that time? Each thing that is not, in words.

use crate::scenario::TEXT_BYTES;

/// What was seen of the server's process at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Seconds since the beginning.
    pub at_s: f64,
    /// Resident bytes.
    pub rss: f64,
    /// Open file descriptors.
    pub files: u64,
    /// Threads.
    pub threads: u64,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In order of time.
    pub samples: Vec<Sample>,
    /// Messages a second.
    pub messages_per_s: f64,
    /// Deliveries that should have been and were not.
    pub missed: u64,
    /// Deliveries that were once more.
    pub doubled: u64,
    /// Deliveries out of their order, or in the wrong room.
    pub disordered: u64,
    /// Publishes that were not acknowledged.
    pub failed: u64,
    /// Connections that the server ended or refused, slow readers' aside.
    pub lost: u64,
    /// What a reader or editor got instead of an answer, the first of it.
    pub wrong_answer: Option<String>,
    /// Open descriptors before anybody came, and after all had gone.
    pub files: (u64, u64),
}

/// Descriptors that a server may have more than at first, with nobody there: connections of its own to its databases, which
/// it opens when it needs them and keeps.
pub const KEPT_FILES: u64 = 24;
/// What an allocator's book-keeping, caches of pages and the like come and go by in however short a time.
const COMES_AND_GOES: f64 = 4.0 * 1024.0 * 1024.0;
/// In less, a slow reader's queue that fills looks like a leak.
const LONG_ENOUGH_S: f64 = 60.0;
/// A node knows for twenty minutes who posted what under which id (`CLAIM_LIFE` in server/src/fanout/claims.rs): so long
/// it keeps something of each message by design.
const CLAIMS_FILL_S: f64 = 21.0 * 60.0;
/// No more than this of each.
const CLAIM_BYTES: f64 = 1024.0;

/// Bytes a second that the memory may grow by, over a window that begins and ends at these seconds.
///
/// Whoever kept no more than the text of each message would grow by that text each time: the bound is a little below
/// what such a leak comes to, and likewise below two thirds of a KiB for each of twenty sockets that come and go in a
/// second. At 100 messages a second that is 42 MiB an hour. Over a window too short to tell that from what comes and goes
/// anyway, the latter is allowed; and in one that begins before claims are as many as they will be, these.
pub fn bound(messages_per_s: f64, from_s: f64, to_s: f64) -> f64 {
    let claims = if from_s < CLAIMS_FILL_S { CLAIM_BYTES * messages_per_s } else { 0.0 };
    (0.95 * TEXT_BYTES as f64 * messages_per_s).max(COMES_AND_GOES / (to_s - from_s).max(1.0)) + claims
}

/// What is judged: all after the first third, in which caches fill; later, if claims fill longer and enough is left.
pub fn settled(samples: &[Sample]) -> &[Sample] {
    let end = samples.last().map_or(0.0, |last| last.at_s);
    let from = if end * 0.7 >= CLAIMS_FILL_S - 60.0 { CLAIMS_FILL_S.max(end / 3.0) } else { end / 3.0 };
    &samples[samples.partition_point(|sample| sample.at_s < from)..]
}

/// Where the line that fits best begins, in bytes at 0 s, and how it rises, in bytes a second (least squares). `None`: fewer
/// than two moments.
pub fn trend(samples: &[Sample]) -> Option<(f64, f64)> {
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|sample| sample.at_s), mean(|sample| sample.rss));
    let (mut above, mut below) = (0.0, 0.0);
    for sample in samples {
        above += (sample.at_s - x) * (sample.rss - y);
        below += (sample.at_s - x).powi(2);
    }
    (below > 0.0).then(|| {
        let rise = above / below;
        (y - rise * x, rise)
    })
}

/// MiB an hour.
pub fn per_hour(bytes_per_s: f64) -> f64 {
    bytes_per_s * 3600.0 / 1_048_576.0
}

impl Outcome {
    /// Bytes a second that the memory may grow by.
    pub fn bound(&self) -> f64 {
        let at = |sample: Option<&Sample>| sample.map_or(0.0, |sample| sample.at_s);
        let settled = settled(&self.samples);
        bound(self.messages_per_s, at(settled.first()), at(settled.last()))
    }

    /// What is wrong, a sentence each; nothing: it is sound.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = vec![];
        let most = self.bound();
        let judged = settled(&self.samples);
        let long =
            judged.first().zip(judged.last()).is_some_and(|(first, last)| last.at_s - first.at_s >= LONG_ENOUGH_S);
        match trend(judged).filter(|_| long) {
            None => faults.push("it was too short to see whether memory grows".into()),
            Some((_, rise)) if rise > most => faults.push(format!(
                "memory grows by {:.0} MiB an hour once caches are full, and may by {:.0}",
                per_hour(rise),
                per_hour(most)
            )),
            Some(_) => {}
        }
        for (count, what) in [
            (self.missed, "deliveries were missed"),
            (self.doubled, "deliveries came twice"),
            (self.disordered, "deliveries came out of their order"),
            (self.failed, "publishes failed"),
            (self.lost, "connections were lost"),
        ] {
            if count > 0 {
                faults.push(format!("{count} {what}"));
            }
        }
        if let Some(answer) = &self.wrong_answer {
            faults.push(format!("a reader got a wrong answer: {answer}"));
        }
        let (before, after) = self.files;
        if after > before + KEPT_FILES {
            faults.push(format!("{after} files are open with nobody there, and were {before} before anybody came"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rss_at: impl Fn(f64) -> f64) -> Outcome {
        let sample = |n: u32| {
            let at_s = f64::from(n) * 10.0;
            Sample { at_s, rss: rss_at(at_s), files: 100, threads: 10 }
        };
        Outcome {
            samples: (0..180).map(sample).collect(),
            messages_per_s: 100.0,
            files: (50, 60),
            ..Outcome::default()
        }
    }

    #[test]
    fn memory_that_fills_in_the_first_third_and_stays_is_sound() {
        let outcome = run(|at| 1e8 + 5e7 * (at / 500.0).min(1.0) + 2e6 * (at / 7.0).sin());
        assert_eq!(outcome.faults(), Vec::<String>::new());
    }

    #[test]
    fn whoever_keeps_the_text_of_each_message_is_found() {
        let outcome = run(|at| 1e8 + TEXT_BYTES as f64 * 100.0 * at);
        assert_eq!(outcome.faults(), ["memory grows by 44 MiB an hour once caches are full, and may by 42"]);
    }

    #[test]
    fn a_short_run_may_grow_by_what_is_known_of_each_message_for_a_while_and_a_long_one_may_not() {
        let claims = |at: f64| 1e8 + 0.9 * CLAIM_BYTES * 100.0 * at.min(20.0 * 60.0);
        let mut outcome = run(claims);
        assert_eq!(outcome.faults(), Vec::<String>::new());
        assert!((settled(&outcome.samples)[0].at_s - CLAIMS_FILL_S).abs() < 1.0);
        outcome.samples.truncate(60);
        assert_eq!(outcome.faults(), Vec::<String>::new());
        outcome.samples.iter_mut().for_each(|sample| sample.rss += 50_000.0 * sample.at_s);
        assert_eq!(outcome.faults().len(), 1);
    }

    #[test]
    fn the_line_that_fits_best_is_found() {
        let (begin, rise) = trend(&run(|at| 5.0 + 3.0 * at).samples).expect("many moments");
        assert!((begin - 5.0).abs() < 1e-6 && (rise - 3.0).abs() < 1e-9, "{begin} {rise}");
        assert_eq!(trend(&run(|_| 1.0).samples[..1]), None);
    }

    #[test]
    fn what_was_lost_and_what_stays_open_is_said() {
        let mut outcome = run(|_| 1e8);
        (outcome.missed, outcome.files) = (3, (50, 500));
        let faults = outcome.faults();
        assert_eq!(faults[0], "3 deliveries were missed");
        assert_eq!(faults[1], "500 files are open with nobody there, and were 50 before anybody came");
    }
}
