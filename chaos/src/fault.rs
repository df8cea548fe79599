//! What can be broken, and the dice that choose.

use crate::{
    client::Dice,
    proxy::{Direction, Way},
    stage::{Mode, Service},
};
use std::{fmt, time::Duration};

/// A process that can be killed, held or asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of the three.
    Service(Service),
    /// A node, by its index in the installation.
    Node(usize),
}

/// How a process is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// SIGKILL; started again afterwards.
    Kill,
    /// SIGSTOP; SIGCONT afterwards.
    Pause,
    /// SIGTERM; started again afterwards.
    End,
}

/// Something that breaks, for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// A process.
    Process {
        /// Which.
        target: Target,
        /// How.
        how: How,
    },
    /// A node's connections to a service.
    Link {
        /// Which node.
        node: usize,
        /// To which service.
        service: Service,
        /// `None`: both.
        direction: Option<Direction>,
        /// What becomes of what is sent.
        way: Way,
    },
    /// Published messages that do not reach a node, which is not told.
    LostPublish {
        /// Which node.
        node: usize,
        /// How many.
        messages: u64,
    },
    /// An owner of partitions far from its store is held until others have them, and wakes up.
    StaleOwner {
        /// Which node.
        node: usize,
    },
    /// The store is put back to what it had a while ago: a backup, or a standby that lagged.
    StoreBack,
    /// A member is removed in the middle of a burst, and comes back.
    Removal,
    /// Somebody's sessions are ended at another node.
    SessionEnded,
    /// A watcher stops reading for a while.
    SlowClient,
    /// The topic gets more partitions.
    MorePartitions,
}

/// Kinds of fault, as reports and `--only` call them.
pub const KINDS: [&str; 15] = [
    "broker",
    "persister",
    "relay",
    "node",
    "postgresql",
    "redis",
    "link",
    "lost-publish",
    "stale-owner",
    STORE_BACK,
    "removal",
    "session",
    "slow-client",
    "partitions",
    "none",
];

/// Only where it is asked for: sessions and tokens, which no log has, go back as well, and whoever has a newer one has
/// to sign in again.
const STORE_BACK: &str = "store-back";

impl Fault {
    /// Which of [`KINDS`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Process { target: Target::Service(Service::Kafka), .. } => "broker",
            Self::Process { target: Target::Service(Service::Redis), .. } => "redis",
            Self::Process { target: Target::Service(Service::Postgresql), .. } => "postgresql",
            Self::Process { target: Target::Node(PERSISTER), .. } => "persister",
            Self::Process { target: Target::Node(RELAY), .. } => "relay",
            Self::Process { target: Target::Node(_), .. } => "node",
            Self::Link { .. } => "link",
            Self::LostPublish { .. } => "lost-publish",
            Self::StaleOwner { .. } => "stale-owner",
            Self::StoreBack => STORE_BACK,
            Self::Removal => "removal",
            Self::SessionEnded => "session",
            Self::SlowClient => "slow-client",
            Self::MorePartitions => "partitions",
        }
    }

    /// Done by people: it needs an installation that works, and what breaks afterwards finds it half told.
    const fn is_deed(&self) -> bool {
        matches!(self, Self::Removal | Self::SessionEnded | Self::SlowClient | Self::MorePartitions)
    }

    /// Both cannot be at once.
    fn excludes(&self, other: &Self) -> bool {
        let node = |fault: &Self| match fault {
            Self::Process { target: Target::Node(node), .. }
            | Self::Link { node, .. }
            | Self::LostPublish { node, .. }
            | Self::StaleOwner { node } => Some(*node),
            _ => None,
        };
        let of_the_store = |fault: &Self| ["postgresql", STORE_BACK].contains(&fault.kind());
        let same = self.kind() == other.kind() || of_the_store(self) && of_the_store(other);
        same || node(self).is_some() && node(self) == node(other)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |node: usize| NODE_NAMES[node];
        match self {
            Self::Process { target, how } => {
                let signal = match how {
                    How::Kill => "SIGKILL",
                    How::Pause => "SIGSTOP",
                    How::End => "SIGTERM",
                };
                match target {
                    Target::Service(service) => write!(f, "{signal} {}", service.name()),
                    Target::Node(node) => write!(f, "{signal} {}", of(*node)),
                }
            }
            Self::Link { node, service, direction, way } => {
                write!(f, "{way:?} between {} and {}", of(*node), service.name())?;
                direction.map_or(Ok(()), |direction| write!(f, ", {direction:?}"))
            }
            Self::LostPublish { node, messages } => write!(f, "{messages} publishes lost before {}", of(*node)),
            Self::StaleOwner { node } => write!(f, "{} held while it writes to a far store", of(*node)),
            Self::StoreBack => f.write_str("the store put back"),
            Self::Removal => f.write_str("a member removed"),
            Self::SessionEnded => f.write_str("sessions ended elsewhere"),
            Self::SlowClient => f.write_str("a watcher asleep"),
            Self::MorePartitions => f.write_str("more partitions"),
        }
    }
}

const NODE_NAMES: [&str; 5] = ["node 1", "node 2", "node 3", "persister", "relay"];
const PERSISTER: usize = 3;
const RELAY: usize = 4;
/// Longer than Kafka waits for a member's heartbeat (10 s): its partitions go to others.
pub const PAST_THE_SESSION: Duration = Duration::from_secs(13);

/// The faults of one round, and how long they last.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// What breaks, one after the other.
    pub faults: Vec<Fault>,
    /// How long all of it stays broken.
    pub hold: Duration,
}

/// Chooses rounds: the same seed, the same rounds.
#[derive(Clone, Debug)]
pub struct Plan {
    mode: Mode,
    only: Vec<String>,
    dice: Dice,
}

impl Plan {
    /// `only`: which of [`KINDS`]; empty: all.
    pub fn new(mode: Mode, only: Vec<String>, dice: Dice) -> Self {
        Self { mode, only, dice }
    }

    fn allows(&self, kind: &str) -> bool {
        let embedded = ["node", "removal", "session", "slow-client"].contains(&kind);
        (self.only.is_empty() || self.only.iter().any(|only| only == kind)) && (self.mode == Mode::Cluster || embedded)
    }

    /// The next round.
    pub fn round(&mut self) -> Round {
        // Two thirds of the rounds break one thing, the others two or three.
        let wanted = [1, 1, 1, 1, 2, 2, 3][self.dice.below(7)];
        let mut faults: Vec<Fault> = Vec::new();
        let mut hold = Duration::ZERO;
        for _ in 0..2_000 {
            if faults.len() == wanted {
                break;
            }
            let fault = self.fault();
            if self.allows(fault.kind()) && !faults.iter().any(|other| fault.excludes(other)) {
                hold = hold.max(self.how_long(&fault));
                faults.push(fault);
            }
        }
        faults.sort_by_key(|fault| !fault.is_deed());
        Round { faults, hold }
    }

    fn how_long(&mut self, fault: &Fault) -> Duration {
        let of = |least, most| (Duration::from_millis(least), Duration::from_millis(most));
        let (least, most) = match fault {
            Fault::StaleOwner { .. } => return PAST_THE_SESSION,
            // Now and then so long that its partitions go to others.
            Fault::Process { target: Target::Node(_), how: How::Pause } if self.dice.below(6) == 0 => {
                return PAST_THE_SESSION;
            }
            Fault::Process { how: How::Pause, .. } | Fault::Link { .. } => of(500, 6_000),
            Fault::Process { .. } => of(0, 3_000),
            Fault::LostPublish { .. } => of(200, 1_000),
            Fault::StoreBack => of(500, 3_000),
            Fault::Removal | Fault::SlowClient => of(500, 3_000),
            Fault::SessionEnded | Fault::MorePartitions => of(100, 500),
        };
        self.dice.between(least, most)
    }

    fn fault(&mut self) -> Fault {
        let dice = &mut self.dice;
        if self.only.iter().any(|only| only == STORE_BACK) && dice.below(4) == 0 {
            return Fault::StoreBack;
        }
        let how = *dice.one_of(&[How::Kill, How::Kill, How::Pause, How::End]);
        if self.mode == Mode::Embedded {
            return match dice.below(8) {
                0..5 => Fault::Process { target: Target::Node(0), how },
                5 => Fault::Removal,
                6 => Fault::SessionEnded,
                _ => Fault::SlowClient,
            };
        }
        let process = |target| Fault::Process { target, how };
        match dice.below(32) {
            0..4 => process(Target::Service(Service::Kafka)),
            4..8 => process(Target::Service(Service::Postgresql)),
            8..12 => process(Target::Service(Service::Redis)),
            12..15 => process(Target::Node(PERSISTER)),
            15..18 => process(Target::Node(RELAY)),
            18..22 => process(Target::Node(dice.below(PERSISTER))),
            22..26 => {
                let (node, service) = (dice.below(NODE_NAMES.len()), *dice.one_of(&Service::ALL));
                let direction = *dice.one_of(&[None, Some(Direction::There), Some(Direction::Back)]);
                let delay = dice.between(Duration::from_millis(20), Duration::from_millis(400));
                let way = *dice.one_of(&[Way::Closed, Way::Hole, Way::Delayed(delay)]);
                Fault::Link { node, service, direction, way }
            }
            26 => Fault::LostPublish { node: dice.below(PERSISTER), messages: 1 + dice.roll() % 20 },
            27 => Fault::StaleOwner { node: *dice.one_of(&[0, 1, PERSISTER]) },
            28 => Fault::Removal,
            29 => Fault::SessionEnded,
            30 => Fault::SlowClient,
            // Now and then: the consumers of all partitions are shared out again each time.
            _ if dice.below(4) == 0 => Fault::MorePartitions,
            _ => Fault::Removal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let plan = |seed| {
            let mut plan = Plan::new(Mode::Cluster, Vec::new(), Dice::new(seed));
            (0..200).map(|_| plan.round()).collect::<Vec<_>>()
        };
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn every_kind_comes_and_only_those_that_are_wanted() {
        let kinds = |mode, only: &[&str]| {
            let only = only.iter().map(|kind| (*kind).to_owned()).collect();
            let mut plan = Plan::new(mode, only, Dice::new(1));
            (0..500)
                .flat_map(|_| plan.round().faults)
                .map(|fault| fault.kind())
                .collect::<std::collections::BTreeSet<_>>()
        };
        // All but none, and the one that has to be asked for.
        assert_eq!(kinds(Mode::Cluster, &[]).len(), KINDS.len() - 2);
        assert_eq!(kinds(Mode::Cluster, &[STORE_BACK]).into_iter().collect::<Vec<_>>(), [STORE_BACK]);
        assert_eq!(kinds(Mode::Cluster, &["redis"]).into_iter().collect::<Vec<_>>(), ["redis"]);
        assert_eq!(kinds(Mode::Embedded, &[]).len(), 4);
        assert!(kinds(Mode::Cluster, &["none"]).is_empty());
    }
}
