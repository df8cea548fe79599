//! A place in a room's order, as the wire has it: `epoch.offset`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Opaque to clients but for its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The generation of the log.
    pub epoch: u32,
    /// The place in the partition.
    pub offset: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { epoch: 0, offset: 0 };

    /// A place in the log's first generation.
    pub const fn first(offset: u64) -> Self {
        Self { epoch: 1, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.offset)
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPosition;

impl fmt::Display for NotAPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a position")
    }
}

impl FromStr for Position {
    type Err = NotAPosition;
    fn from_str(s: &str) -> Result<Self, NotAPosition> {
        let (epoch, offset) = s.split_once('.').ok_or(NotAPosition)?;
        Ok(Self { epoch: epoch.parse().map_err(|_| NotAPosition)?, offset: offset.parse().map_err(|_| NotAPosition)? })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
