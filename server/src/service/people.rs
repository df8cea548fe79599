//! One's own account and sessions, and what administrators do.

use super::{Service, accounts::check_password, store_failed, tell};
use crate::{
    fanout::Notice,
    store::{Act, Acted, StoreError},
    time::now,
};
use app::{
    backend::{People, Viewer},
    error::{ApiError, Outcome},
    model::{
        AccountChange, AccountList, AuditLog, DisplayName, MAX_PASSWORD_BYTES, RoomList, SessionId, SessionInfo, User,
        Username,
    },
};
use async_trait::async_trait;

/// Accounts, entries and rooms of a page.
const PAGE: usize = 50;
/// Longest text to look for people by, in characters.
const MAX_Q_CHARS: usize = 64;

impl Service {
    /// The viewer runs the installation; to all others there is nothing here.
    fn administrator(who: &Viewer) -> Result<(), ApiError> {
        if who.user.admin { Ok(()) } else { Err(ApiError::NotFound) }
    }

    /// Does what ends sessions, and tells every node of them, even if whoever asked has hung up meanwhile. The task ends
    /// by itself, since store and fan-out answer within their deadlines.
    async fn ending<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<(T, Vec<SessionId>), StoreError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (auth, fanout) = (self.auth.clone(), self.fanout.clone());
        let done = self.tasks.spawn(async move {
            let (done, sessions) = act.await.map_err(store_failed)?;
            if !sessions.is_empty() {
                auth.forget(&sessions);
                tell(&*fanout, Notice::SessionsEnded { sessions }).await;
            }
            Ok(done)
        });
        done.await.unwrap_or(Err(ApiError::unavailable(Outcome::Unknown)))
    }

    async fn act(&self, who: &Viewer, username: &str, change: AccountChange, ends: bool) -> Result<(), ApiError> {
        Self::administrator(who)?;
        let subject = Username::parse(username).map_err(|_| ApiError::NotFound)?.as_str().to_owned();
        let act = Act { by: Some(who.user.id), subject, change, end_sessions: ends, at: now() };
        let store = self.store.clone();
        let acted = self.ending(async move {
            Ok(match store.act(&act).await? {
                Acted::Done(ended) => (None, ended),
                refused => (Some(refused), Vec::new()),
            })
        });
        match acted.await? {
            None | Some(Acted::Done(_)) => Ok(()),
            Some(Acted::NotAllowed | Acted::NoAccount) => Err(ApiError::NotFound),
            Some(Acted::Guest) => Err(ApiError::conflict("a guest cannot be an administrator")),
            Some(Acted::LastAdmin) => Err(ApiError::conflict("somebody has to run this installation")),
            Some(Acted::Oneself) => Err(ApiError::conflict("nobody suspends themselves")),
        }
    }
}

/// A page of what was asked for with one more than fits; whether there is more.
fn cut<T>(all: &mut Vec<T>) -> bool {
    let more = all.len() > PAGE;
    all.truncate(PAGE);
    more
}

/// One more than a page.
const ASKED: u32 = PAGE as u32 + 1;

/// A text that both databases can be asked about.
fn askable(text: &str, most: usize) -> Result<&str, ApiError> {
    if text.contains('\0') || text.chars().count() > most {
        return Err(ApiError::invalid(format!("a text to look for has {most} characters at most")));
    }
    Ok(text)
}

#[async_trait]
impl People for Service {
    async fn own_sessions(&self, who: &Viewer) -> Result<Vec<SessionInfo>, ApiError> {
        let mut sessions = self.store.sessions_of(who.user.id, now()).await.map_err(store_failed)?;
        sessions.iter_mut().for_each(|session| session.current = session.id == who.session);
        Ok(sessions)
    }

    async fn end_session(&self, who: &Viewer, session: SessionId) -> Result<(), ApiError> {
        let (store, user) = (self.store.clone(), who.user.id);
        let ended = self.ending(async move {
            let ended = store.end_session_of(user, session, now()).await?;
            Ok((ended, if ended { vec![session] } else { Vec::new() }))
        });
        if ended.await? { Ok(()) } else { Err(ApiError::NotFound) }
    }

    async fn end_other_sessions(&self, who: &Viewer) -> Result<(), ApiError> {
        let (store, user, keep) = (self.store.clone(), who.user.id, who.session);
        self.ending(async move { Ok(((), store.end_other_sessions(user, keep).await?)) }).await
    }

    async fn rename(&self, who: &Viewer, display_name: &str) -> Result<User, ApiError> {
        self.limits.signal(who.user.id)?;
        let name = DisplayName::parse(display_name)?;
        let renamed = self.store.rename(who.user.id, name.as_str()).await.map_err(store_failed)?;
        // Other nodes have the old name until they ask again, which is soon.
        self.auth.forget(&[who.session]);
        renamed.ok_or(ApiError::Unauthenticated)
    }

    async fn change_password(&self, who: &Viewer, old: &str, new: String) -> Result<(), ApiError> {
        check_password(&new)?;
        if old.len() > MAX_PASSWORD_BYTES {
            return Err(ApiError::forbidden("the old password does not fit"));
        }
        // Whoever sits down at an open page guesses no faster than at the door.
        self.limits.sign_in(&who.user.username)?;
        let account = self.store.account(&who.user.username).await.map_err(store_failed)?;
        let Some(hash) = account.and_then(|account| account.password_hash) else {
            return Err(ApiError::forbidden("a guest has no password"));
        };
        if !self.passwords.verify(old.to_owned(), Some(hash.clone())).await? {
            return Err(ApiError::forbidden("the old password does not fit"));
        }
        let new = self.passwords.hash(new).await?;
        let (store, user, keep) = (self.store.clone(), who.user.id, who.session);
        let changed = self.ending(async move {
            let ended = store.change_password(user, &hash, &new, keep).await?;
            Ok((ended.is_some(), ended.unwrap_or_default()))
        });
        if changed.await? { Ok(()) } else { Err(ApiError::forbidden("the old password does not fit")) }
    }

    async fn accounts(&self, who: &Viewer, q: &str, after: &str) -> Result<AccountList, ApiError> {
        Self::administrator(who)?;
        let (q, after) = (askable(q.trim(), MAX_Q_CHARS)?, askable(after, MAX_Q_CHARS)?);
        let mut users = self.store.accounts(q, after, ASKED, now()).await.map_err(store_failed)?;
        let more = cut(&mut users);
        let next = users.last().filter(|_| more).map(|last| last.user.username.clone());
        Ok(AccountList { users, next })
    }

    async fn change_account(&self, who: &Viewer, username: &str, change: AccountChange) -> Result<(), ApiError> {
        Self::administrator(who)?;
        if change == AccountChange::default() {
            return Err(ApiError::invalid("say what is to change: suspended, admin"));
        }
        self.act(who, username, change, false).await
    }

    async fn end_sessions_of(&self, who: &Viewer, username: &str) -> Result<(), ApiError> {
        self.act(who, username, AccountChange::default(), true).await
    }

    async fn audit_log(&self, who: &Viewer, before: Option<i64>) -> Result<AuditLog, ApiError> {
        Self::administrator(who)?;
        let mut entries = self.store.audit_log(before, ASKED).await.map_err(store_failed)?;
        let more = cut(&mut entries);
        let next = entries.last().filter(|_| more).map(|last| last.id);
        Ok(AuditLog { entries, next })
    }

    async fn all_rooms(&self, who: &Viewer, after: &str) -> Result<RoomList, ApiError> {
        Self::administrator(who)?;
        let after = askable(after, 4 * MAX_Q_CHARS)?;
        let mut rooms = self.store.all_rooms(after, ASKED).await.map_err(store_failed)?;
        let more = cut(&mut rooms);
        let next = rooms.last().filter(|_| more).map(|last| last.slug.clone());
        Ok(RoomList { rooms, next })
    }
}
