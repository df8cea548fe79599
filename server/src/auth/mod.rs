//! Who is it? Step 1 of a message's way.
//!
//! A session is a row in the store. Two tokens speak for it: a short-lived
//! access token (`Authorization: Bearer`, and the WebSocket's handshake) and the
//! longer-lived cookie of browsers. Both are JWTs that name the session; both
//! are worth nothing once the session has ended, on every node within a second.

use crate::{
    config::Secret,
    remember::Remembered,
    store::{NewSession, Rotation, Store, StoreError},
    time::now,
};
use app::{
    backend::{SignedIn, Viewer},
    model::{Millis, SessionId, User},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};

pub mod password;
pub mod token;

pub use token::Kind;

/// An access token's life.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// A session's life, and so the cookie's and the refresh token's.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a node trusts what it knows of a session without asking again. Ends are told to every node at once; this
/// is how long one lives on where the telling failed.
const SESSION_FRESH: Duration = Duration::from_secs(10);
/// How long a known session may go on while the store is away.
const SESSION_USABLE: Duration = Duration::from_secs(15 * 60);
const SESSIONS_REMEMBERED: usize = 100_000;

/// A credential that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who it is.
    pub viewer: Viewer,
    /// The credential itself ends then.
    pub expires_at: Millis,
}

/// Why a credential was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Forged, expired, or of a session that has ended.
    #[error("the credential is not valid (any more)")]
    Rejected,
    /// Nobody can tell just now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes and checks credentials.
pub struct Auth {
    store: Arc<dyn Store>,
    keys: token::Keys,
    sessions: Remembered<SessionId, User>,
    secure: bool,
    admin_token: String,
}

impl Auth {
    /// `secure`: browsers reach us by https only.
    pub fn new(store: Arc<dyn Store>, secret: &Secret, previous: Option<&Secret>, secure: bool) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"partyline first administrator\0");
        digest.update(secret.expose());
        Self {
            store,
            keys: token::Keys::new(secret, previous),
            sessions: Remembered::new(SESSION_FRESH, SESSION_USABLE, SESSIONS_REMEMBERED),
            secure,
            admin_token: BASE64_URL_SAFE_NO_PAD.encode(digest.finalize()),
        }
    }

    /// The secret of the link that makes the first administrator. The same on every node; good until there is one.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Is that the secret of the administrator's link? Takes the same time whatever is given.
    pub fn is_admin_token(&self, given: &str) -> bool {
        Sha256::digest(given) == Sha256::digest(&self.admin_token)
    }

    /// Begins a session.
    pub async fn begin(&self, user: User) -> Result<SignedIn, StoreError> {
        let session = SessionId::new();
        let (refresh_token, refresh_hash) = refresh_token();
        let at = now();
        let new = NewSession {
            id: session,
            user: user.id,
            refresh_hash,
            created_at: at,
            expires_at: after(at, SESSION_LIFE),
        };
        self.store.create_session(&new).await?;
        Ok(self.signed_in(user, session, refresh_token))
    }

    /// Takes a refresh token for new tokens. A used one ends its session: see [`Refreshed::Reused`].
    pub async fn refresh(&self, refresh_token_text: &str) -> Result<Refreshed, StoreError> {
        let old: [u8; 32] = Sha256::digest(refresh_token_text).into();
        let (fresh_token, fresh_hash) = refresh_token();
        Ok(match self.store.rotate(&old, &fresh_hash, now()).await? {
            Rotation::Rotated { session, user } => {
                Refreshed::SignedIn(Box::new(self.signed_in(user, session, fresh_token)))
            }
            Rotation::Reused { session } => {
                self.forget(&[session]);
                Refreshed::Reused(session)
            }
            Rotation::Unknown => Refreshed::Unknown,
        })
    }

    fn signed_in(&self, user: User, session: SessionId, refresh_token: String) -> SignedIn {
        let at = now();
        let access_token = self.keys.sign(Kind::Access, user.id, session, at, after(at, ACCESS_TOKEN_LIFE));
        let cookie = self.keys.sign(Kind::Cookie, user.id, session, at, after(at, SESSION_LIFE));
        SignedIn {
            user,
            access_token,
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token,
            cookie: self.set_cookie(&cookie, SESSION_LIFE.as_secs()),
        }
    }

    /// Checks a token and that its session lives.
    pub async fn verify(&self, kind: Kind, token: &str) -> Result<Verified, AuthError> {
        let claims = self.keys.verify(kind, token, now()).ok_or(AuthError::Rejected)?;
        let user = self.whose(claims.sid).await?.filter(|user| user.id == claims.sub).ok_or(AuthError::Rejected)?;
        let viewer = Viewer { user, session: claims.sid };
        Ok(Verified { viewer, expires_at: claims.exp.saturating_mul(1000) })
    }

    async fn whose(&self, session: SessionId) -> Result<Option<User>, StoreError> {
        self.sessions.recall(session, self.store.session(session, now())).await
    }

    /// Has the session ended, for all that can be told? For a socket, whose credential was checked long ago.
    pub async fn has_ended(&self, session: SessionId) -> bool {
        matches!(self.whose(session).await, Ok(None))
    }

    /// An end may have been missed: asks again before it trusts.
    pub fn doubt(&self) {
        self.sessions.doubt();
    }

    /// Forgets sessions that have ended.
    pub fn forget(&self, ended: &[SessionId]) {
        self.sessions.forget(|id| ended.contains(id));
    }

    /// The session cookie's name. `__Host-` ties it to this host and to https.
    pub fn cookie_name(&self) -> &'static str {
        if self.secure { "__Host-partyline" } else { "partyline" }
    }

    /// The `Set-Cookie` that takes the cookie away.
    pub fn clear_cookie(&self) -> String {
        self.set_cookie("", 0)
    }

    fn set_cookie(&self, value: &str, max_age_s: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}", self.cookie_name())
    }
}

/// What became of a refresh token.
pub enum Refreshed {
    /// New tokens.
    SignedIn(Box<SignedIn>),
    /// It had been used: the session is ended, to be told to every node.
    Reused(SessionId),
    /// Not known.
    Unknown,
}

fn after(at: Millis, life: Duration) -> Millis {
    at.saturating_add(Millis::try_from(life.as_millis()).unwrap_or(Millis::MAX))
}

/// 32 random bytes for the client, and the hash that the store keeps instead.
fn refresh_token() -> (String, [u8; 32]) {
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = Sha256::digest(&token).into();
    (token, hash)
}
