use super::Invalid;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// How much of what is said in a room somebody wants to be told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationLevel {
    /// Every message.
    #[default]
    All,
    /// Only those that mention them.
    Mentions,
    /// Nothing.
    Mute,
}

impl NotificationLevel {
    /// The word in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::Mute => "mute",
        }
    }
}

impl FromStr for NotificationLevel {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "all" => Ok(Self::All),
            "mentions" => Ok(Self::Mentions),
            "mute" => Ok(Self::Mute),
            _ => Err(Invalid("a level is all, mentions or mute")),
        }
    }
}
