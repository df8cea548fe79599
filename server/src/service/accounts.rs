//! Accounts and sessions.

use super::{Service, store_failed};
use crate::{
    auth::Refreshed,
    store::{AccountMade, NewAccount},
    time::now,
};
use app::{
    backend::{Registration, SignedIn, Viewer},
    error::ApiError,
    model::{DisplayName, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, User, UserId, Username},
};

/// Names that nobody may take: the program speaks under the first, the others would be taken for it.
const RESERVED: &[&str] = &["partyline", "admin", "administrator", "system", "me", "all", "here", "everyone"];

impl Service {
    pub(super) async fn do_register(&self, new: Registration) -> Result<SignedIn, ApiError> {
        let username = Username::parse(&new.username)?;
        if RESERVED.contains(&username.as_str()) || username.as_str().starts_with("guest-") {
            return Err(ApiError::conflict("that user name is reserved"));
        }
        let wanted = new.display_name.as_deref().map(str::trim).filter(|n| !n.is_empty());
        let display_name = DisplayName::parse(wanted.unwrap_or(new.username.trim()))?;
        check_password(&new.password)?;
        let token = new.admin_token.as_deref().filter(|t| !t.is_empty());
        if token.is_some_and(|t| !self.auth.is_admin_token(t)) {
            return Err(ApiError::forbidden("this administrator link is not valid"));
        }
        let user = User {
            id: UserId::new(),
            username: username.as_str().to_owned(),
            display_name: display_name.as_str().to_owned(),
            guest: false,
            admin: token.is_some(),
        };
        let password_hash = Some(self.passwords.hash(new.password).await?);
        let account =
            NewAccount { user: user.clone(), password_hash, created_at: now(), only_first_admin: token.is_some() };
        match self.store.create_account(&account).await.map_err(store_failed)? {
            AccountMade::Made => {}
            AccountMade::NameTaken => return Err(ApiError::conflict("that user name is taken")),
            AccountMade::AdminExists => {
                return Err(ApiError::forbidden("this administrator link has been used: register without it"));
            }
        }
        self.begin(user).await
    }

    pub(super) async fn do_sign_in(&self, username: &str, password: &str) -> Result<SignedIn, ApiError> {
        // A name that cannot be an account's is answered like one that is not: slowly, and with the same words.
        let name = Username::parse(username).map(|n| n.as_str().to_owned()).unwrap_or_default();
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(ApiError::BadCredentials);
        }
        self.limits.sign_in(&name)?;
        let account = match name.as_str() {
            "" => None,
            name => self.store.account(name).await.map_err(store_failed)?,
        };
        let hash = account.as_ref().and_then(|a| a.password_hash.clone());
        let fits = self.passwords.verify(password.to_owned(), hash).await?;
        match account {
            Some(account) if fits && account.suspended => Err(ApiError::forbidden("this account is suspended")),
            Some(account) if fits => self.auth.begin(account.user).await.map_err(store_failed),
            _ => Err(ApiError::BadCredentials),
        }
    }

    pub(super) async fn do_sign_in_as_guest(&self) -> Result<SignedIn, ApiError> {
        self.limits.guest()?;
        let id = UserId::new();
        let tail = format!("{:x}", id.0.as_u128() & 0xffff_ffff_ffff);
        let user = User {
            id,
            username: format!("guest-{tail}"),
            display_name: format!("Guest {}", &tail[tail.len().saturating_sub(4)..]),
            guest: true,
            admin: false,
        };
        let account =
            NewAccount { user: user.clone(), password_hash: None, created_at: now(), only_first_admin: false };
        match self.store.create_account(&account).await.map_err(store_failed)? {
            AccountMade::Made => self.begin(user).await,
            AccountMade::NameTaken | AccountMade::AdminExists => Err(ApiError::Internal),
        }
    }

    async fn begin(&self, user: User) -> Result<SignedIn, ApiError> {
        self.join_welcome(&user).await;
        self.auth.begin(user).await.map_err(store_failed)
    }

    pub(super) async fn do_sign_out(&self, who: &Viewer) -> Result<(), ApiError> {
        self.store.end_session(who.session).await.map_err(store_failed)?;
        self.end_sessions(vec![who.session]).await;
        Ok(())
    }

    /// Ends every session of the viewer.
    ///
    /// # Errors
    /// As the store's.
    pub async fn sign_out_everywhere(&self, who: &Viewer) -> Result<(), ApiError> {
        let ended = self.store.end_sessions(who.user.id).await.map_err(store_failed)?;
        self.end_sessions(ended).await;
        Ok(())
    }

    /// New tokens for a refresh token.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] if it is not known, or had been used: then its session is over.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedIn, ApiError> {
        match self.auth.refresh(refresh_token).await.map_err(store_failed)? {
            Refreshed::SignedIn(signed_in) => Ok(*signed_in),
            Refreshed::Reused(session) => {
                tracing::warn!(%session, "a used refresh token came again: its session is ended");
                self.end_sessions(vec![session]).await;
                Err(ApiError::Unauthenticated)
            }
            Refreshed::Unknown => Err(ApiError::Unauthenticated),
        }
    }
}

pub(super) fn check_password(password: &str) -> Result<(), ApiError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(ApiError::invalid("a password has 8 characters at least"));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(ApiError::invalid("a password has 256 bytes at most"));
    }
    Ok(())
}
