//! One's own sessions, and what administrators see of people and rooms.

use super::{Millis, RoomId, SessionId, User, Visibility};
use serde::{Deserialize, Serialize};

/// One of somebody's own sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// When it was begun, in ms since 1970.
    pub begun_at: Millis,
    /// When its tokens were renewed last; browsers do not renew theirs.
    pub renewed_at: Option<Millis>,
    /// It ends by itself then.
    pub expires_at: Millis,
    /// The one that asks.
    pub current: bool,
}

/// An account as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// Who it is.
    #[serde(flatten)]
    pub user: User,
    /// When it was made, in ms since 1970.
    pub created_at: Millis,
    /// May not come in, since then.
    pub suspended_at: Option<Millis>,
    /// How many sessions are live.
    pub sessions: u64,
}

/// Accounts by user name, 50 at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountList {
    /// By user name.
    pub users: Vec<AccountInfo>,
    /// Where it goes on, if there is more.
    pub next: Option<String>,
}

/// What is to become of an account. What is not given stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChange {
    /// May not come in; either way all its sessions end.
    #[serde(default)]
    pub suspended: Option<bool>,
    /// Runs this installation. Who no longer does has to sign in again.
    #[serde(default)]
    pub admin: Option<bool>,
}

/// Something that an administrator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Rises with time.
    pub id: i64,
    /// When, in ms since 1970.
    pub at: Millis,
    /// Their user name; `None`: whoever runs the program, by its commands.
    pub by: Option<String>,
    /// What: `suspend`, `reinstate`, `make_admin`, `unmake_admin`, `end_sessions`, `set_password`.
    pub action: String,
    /// To whom: a user name.
    pub subject: String,
    /// What followed, in words.
    pub detail: String,
}

/// What administrators did, newest first, 50 at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLog {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// Older ones come before this id, if there are any.
    pub next: Option<i64>,
}

/// A room as administrators see it, whether they are in it or not: nothing of what is said there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// Stable id.
    pub id: RoomId,
    /// The name in addresses.
    pub slug: String,
    /// The name for people.
    pub name: String,
    /// Who may see and write.
    pub visibility: Visibility,
    /// How many are in it.
    pub members: u64,
    /// When the newest message was sent, in ms since 1970.
    pub last_message_at: Option<Millis>,
}

/// Rooms by slug, 50 at most; direct conversations are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomList {
    /// By slug.
    pub rooms: Vec<RoomInfo>,
    /// Where it goes on, if there is more.
    pub next: Option<String>,
}
