use super::Viewer;
use crate::{
    error::ApiError,
    model::{AccountChange, AccountList, AuditLog, RoomList, SessionId, SessionInfo, User},
};
use async_trait::async_trait;

/// One's own account and sessions, and what administrators do. Every method authorises.
///
/// To everybody else what is for administrators is [`ApiError::NotFound`].
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// The viewer's live sessions, newest first, 100 at most.
    async fn own_sessions(&self, who: &Viewer) -> Result<Vec<SessionInfo>, ApiError>;
    /// Ends one of the viewer's sessions.
    async fn end_session(&self, who: &Viewer, session: SessionId) -> Result<(), ApiError>;
    /// Ends all of the viewer's sessions but the one that asks.
    async fn end_other_sessions(&self, who: &Viewer) -> Result<(), ApiError>;
    /// Gives the viewer another display name.
    async fn rename(&self, who: &Viewer, display_name: &str) -> Result<User, ApiError>;
    /// Gives the viewer another password and ends the other sessions.
    async fn change_password(&self, who: &Viewer, old: &str, new: String) -> Result<(), ApiError>;

    /// Accounts whose user name or display name has `q`, after a user name.
    async fn accounts(&self, who: &Viewer, q: &str, after: &str) -> Result<AccountList, ApiError>;
    /// Suspends, reinstates, makes or unmakes an administrator.
    async fn change_account(&self, who: &Viewer, username: &str, change: AccountChange) -> Result<(), ApiError>;
    /// Ends all sessions of somebody.
    async fn end_sessions_of(&self, who: &Viewer, username: &str) -> Result<(), ApiError>;
    /// What administrators did before an entry, newest first.
    async fn audit_log(&self, who: &Viewer, before: Option<i64>) -> Result<AuditLog, ApiError>;
    /// All rooms after a slug, private ones too.
    async fn all_rooms(&self, who: &Viewer, after: &str) -> Result<RoomList, ApiError>;
}
