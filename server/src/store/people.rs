//! Accounts as their owners and administrators change them.

use super::StoreError;
use app::model::{AccountChange, AccountInfo, AuditEntry, Millis, RoomInfo, SessionId, SessionInfo, User, UserId};
use async_trait::async_trait;

/// Something that an administrator does to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who does it; `None`: whoever runs the program.
    pub by: Option<UserId>,
    /// The user name of the account.
    pub subject: String,
    /// What is to become of it.
    pub change: AccountChange,
    /// All its sessions end, whatever else changes.
    pub end_sessions: bool,
    /// When.
    pub at: Millis,
}

/// What became of an [`Act`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    /// It is done, or was so before; these sessions ended by it.
    Done(Vec<SessionId>),
    /// Whoever would do it is no administrator (any more).
    NotAllowed,
    /// There is no such account.
    NoAccount,
    /// A guest cannot be an administrator.
    Guest,
    /// Nobody would be left to run the installation.
    LastAdmin,
    /// Nobody suspends themselves.
    Oneself,
}

/// Accounts as their owners and administrators change them.
///
/// Guarantees, each a test of the conformance suite under its name:
/// - *an act and its entry in the audit log are one*: neither is there without the other.
/// - *there is always an administrator* who can come in, whoever acts at the same time.
/// - *a suspended account has no live session*, from the act on.
///
/// No call waits longer than 10 s.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Somebody's live sessions at `now`, newest first, 100 at most; none of them is `current`.
    async fn sessions_of(&self, user: UserId, now: Millis) -> Result<Vec<SessionInfo>, StoreError>;
    /// Ends a session if it is live at `now` and theirs; whether it was.
    async fn end_session_of(&self, user: UserId, id: SessionId, now: Millis) -> Result<bool, StoreError>;
    /// Ends all of an account's sessions but one; which were not ended before.
    async fn end_other_sessions(&self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>, StoreError>;
    /// Forgets sessions that ended or expired before then, so many at most; how many there were.
    async fn forget_sessions(&self, before: Millis, limit: u32) -> Result<u32, StoreError>;

    /// Gives an account another display name; the account, if it is there.
    async fn rename(&self, user: UserId, display_name: &str) -> Result<Option<User>, StoreError>;
    /// Replaces a password hash, if it is still `old`, and ends all sessions but one. `None`: it is another by now.
    async fn change_password(
        &self,
        user: UserId,
        old: &str,
        new: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<SessionId>>, StoreError>;

    /// Does what an administrator wants, if they are one, and writes it into the audit log.
    async fn act(&self, act: &Act) -> Result<Acted, StoreError>;
    /// Accounts whose user name or display name has `q`, by user name after `after`.
    async fn accounts(&self, q: &str, after: &str, limit: u32, now: Millis) -> Result<Vec<AccountInfo>, StoreError>;
    /// The audit log before an entry, newest first.
    async fn audit_log(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
    /// All rooms but direct conversations, by slug after `after`.
    async fn all_rooms(&self, after: &str, limit: u32) -> Result<Vec<RoomInfo>, StoreError>;
}
