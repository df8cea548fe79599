//! Why a log and a store do not belong together: one judgement for the start, for
//! the watch beside serving, and for the operator's commands.

use super::Range;
use std::fmt;

/// What does not fit, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Rooms are in partitions that the log does not have.
    Partitions {
        /// How many there have to be.
        used: u32,
        /// How many there are.
        there: u32,
    },
    /// There is no log, or another file or topic in its place.
    Gone(String),
    /// More is folded than the log has.
    Ahead {
        /// The partition.
        partition: u32,
        /// It is folded up to here.
        progress: u64,
        /// The log ends here.
        end: u64,
    },
    /// The log ends before where it ended.
    Shrunk {
        /// The partition.
        partition: u32,
        /// It ended here.
        seen: u64,
        /// It ends here.
        end: u64,
    },
    /// The log has something else where the store was folded.
    Another {
        /// The partition.
        partition: u32,
    },
    /// It is an older copy of the log.
    Older {
        /// The partition.
        partition: u32,
    },
    /// The log has rooms that the store has never heard of, and nothing of it is folded.
    Strange {
        /// The partition.
        partition: u32,
    },
    /// The log has forgotten what was not folded yet.
    Forgotten {
        /// The partition.
        partition: u32,
        /// It is folded up to here.
        progress: u64,
        /// The oldest that the log has.
        oldest: u64,
    },
}

impl Misfit {
    /// Why a store that is folded up to `progress` cannot belong to what the log has of the partition.
    pub fn of_offsets(partition: u32, Range { oldest, end }: Range, progress: u64) -> Option<Self> {
        if progress > end {
            Some(Self::Ahead { partition, progress, end })
        } else if progress < oldest {
            Some(Self::Forgotten { partition, progress, oldest })
        } else {
            None
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LOST: &str = "If the log is only away, put it back. If it was lost or recreated, `partyline doctor --new-epoch` \
                            lets the store go on with the new one; what the store had not folded is lost with the old";
        match self {
            Self::Partitions { used, there } => {
                write!(f, "rooms are spread over {used} partitions and the log has {there}: give it as many again")
            }
            Self::Gone(what) => write!(f, "{what}. {LOST}"),
            Self::Ahead { partition, progress, end } => write!(
                f,
                "the store is ahead of the log: partition {partition} is folded up to {progress}, and the log ends at \
                 {end}. {LOST}"
            ),
            Self::Shrunk { partition, seen, end } => {
                write!(f, "partition {partition} of the log ends at {end}, and did at {seen} before. {LOST}")
            }
            Self::Another { partition } => {
                write!(
                    f,
                    "partition {partition} has something else where the store was folded: it is another log. {LOST}"
                )
            }
            Self::Older { partition } => {
                write!(f, "partition {partition} of the log is an older copy: it ends before where it was folded to")
            }
            Self::Strange { partition } => write!(
                f,
                "partition {partition} of the log has rooms that the store has never heard of, and the store is new: it was \
                 lost, or log and store are of different installations. Restore the store from a backup; what came after \
                 it is read from the log"
            ),
            Self::Forgotten { partition, progress, oldest } => write!(
                f,
                "the log has forgotten what was not folded yet: partition {partition} is folded up to {progress}, and the \
                 log begins at {oldest}. If it cannot be brought back, `partyline doctor --skip-lost` lets the store go on \
                 behind what is lost"
            ),
        }
    }
}

impl std::error::Error for Misfit {}
