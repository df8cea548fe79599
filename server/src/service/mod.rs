//! What may be done, by whom: steps 1 and 2 of a message's way, and every read.
//!
//! Pages and API come in through [`Backend`]; each method authorises, checks its
//! input, and turns what happens inside a room into a record of the log.

use crate::{
    auth::{Auth, password::Passwords},
    fanout::{Fanout, Notice},
    log::{AppendError, Log, Record},
    remember::Remembered,
    store::{RoomKey, RoomRow, Store, StoreError},
    time::now,
};
use app::{
    backend::{Backend, HistoryQuery, Member, NewMessage, Registration, SignedIn, Viewer},
    error::{ApiError, Outcome},
    model::{
        KnownEvent, MessageId, MessagePage, Position, Posted, Role, Room, RoomId, SessionId, UserId, Visibility,
        Written,
    },
};
use async_trait::async_trait;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

mod access;
mod accounts;
mod limits;
mod messages;
mod retries;
mod rooms;
mod welcome;

pub use access::Access;

/// How long a node trusts what it knows of a room or a role without asking again. Changes are told to every node at
/// once; this is how long an old answer lives where the telling failed.
const FRESH: Duration = Duration::from_secs(10);
/// How long known rooms and members may go on while the store is away.
const USABLE: Duration = Duration::from_secs(15 * 60);
const ROOMS_REMEMBERED: usize = 20_000;
const ROLES_REMEMBERED: usize = 200_000;
/// How long a read waits for the store to reach a position, and a change of members for being folded.
const CATCH_UP: Duration = Duration::from_millis(500);
const CATCH_UP_POLL: Duration = Duration::from_millis(5);

/// The chat.
pub struct Service {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    fanout: Arc<dyn Fanout>,
    auth: Arc<Auth>,
    passwords: Passwords,
    limits: limits::Limits,
    retries: retries::Retries,
    rooms: Remembered<RoomKey, RoomRow>,
    roles: Remembered<(RoomId, UserId), Option<Role>>,
    epoch: u32,
}

impl Service {
    /// `epoch`: the log's generation.
    pub fn new(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        fanout: Arc<dyn Fanout>,
        auth: Arc<Auth>,
        epoch: u32,
        messages_per_second: u32,
    ) -> Self {
        Self {
            log,
            store,
            fanout,
            auth,
            passwords: Passwords::default(),
            limits: limits::Limits::new(messages_per_second),
            retries: retries::Retries::default(),
            rooms: Remembered::new(FRESH, USABLE, ROOMS_REMEMBERED),
            roles: Remembered::new(FRESH, USABLE, ROLES_REMEMBERED),
            epoch,
        }
    }

    /// What other nodes tell: forget what no longer holds.
    pub fn heard(&self, notice: &Notice) {
        match notice {
            Notice::SessionsEnded { sessions } => self.auth.forget(sessions),
            Notice::MemberChanged { room, user, role } => self.roles.set((*room, *user), *role),
            Notice::Typing { .. } | Notice::Unknown => {}
        }
    }

    /// Appends one record to the room's partition: what happened, by whom, under which idempotency key.
    async fn append(&self, room: &RoomRow, by: UserId, id: Uuid, event: KnownEvent) -> Result<Position, ApiError> {
        let record = Record { v: 1, room: room.id, by, id, accepted_at: now(), event: event.into() };
        let begun = Instant::now();
        let offset = self.log.append(room.partition, room.id, record.encode()).await.map_err(|e| {
            tracing::warn!(error = %e, "an append was not acknowledged");
            metrics::counter!("partyline_appends_failed_total").increment(1);
            match e {
                AppendError::NotPersisted(_) => ApiError::unavailable(Outcome::NotPersisted),
                AppendError::Unknown(_) => ApiError::unavailable(Outcome::Unknown),
                AppendError::Full => ApiError::StorageFull,
            }
        })?;
        metrics::counter!("partyline_appends_total").increment(1);
        metrics::histogram!("partyline_append_seconds").record(begun.elapsed().as_secs_f64());
        Ok(Position::new(self.epoch, offset))
    }

    /// Waits until the store has `at`, [`CATCH_UP`] at most. Whether it has.
    async fn caught_up(&self, room: &RoomRow, at: Position) -> bool {
        let deadline = Instant::now() + CATCH_UP;
        loop {
            match self.store.progress(room.partition).await {
                Ok(next) if next > at.offset || at.epoch < self.epoch => return true,
                Ok(_) if Instant::now() < deadline => tokio::time::sleep(CATCH_UP_POLL).await,
                _ => return false,
            }
        }
    }

    async fn tell(&self, notice: Notice) {
        // Not told, the other nodes find out when what they remember is no longer fresh.
        if let Err(e) = self.fanout.tell(&notice).await {
            tracing::warn!(error = %e, "a notice did not reach the other nodes");
        }
    }

    async fn end_sessions(&self, sessions: Vec<SessionId>) {
        if !sessions.is_empty() {
            self.auth.forget(&sessions);
            self.tell(Notice::SessionsEnded { sessions }).await;
        }
    }
}

/// The store's failure as the caller of a read gets to see it.
fn store_failed(e: StoreError) -> ApiError {
    tracing::warn!(error = %e, "the store failed");
    match e {
        StoreError::Unavailable(_) => ApiError::unavailable(Outcome::NotPersisted),
        StoreError::Full => ApiError::StorageFull,
        StoreError::Broken(_) => ApiError::Internal,
    }
}

#[async_trait]
impl Backend for Service {
    async fn register(&self, new: Registration) -> Result<SignedIn, ApiError> {
        self.do_register(new).await
    }
    async fn sign_in(&self, username: &str, password: &str) -> Result<SignedIn, ApiError> {
        self.do_sign_in(username, password).await
    }
    async fn sign_in_as_guest(&self) -> Result<SignedIn, ApiError> {
        self.do_sign_in_as_guest().await
    }
    async fn sign_out(&self, who: &Viewer) -> Result<(), ApiError> {
        self.do_sign_out(who).await
    }
    fn sign_out_cookie(&self) -> String {
        self.auth.clear_cookie()
    }
    async fn rooms(&self, who: Option<&Viewer>) -> Result<Vec<Room>, ApiError> {
        self.store.rooms(who.map(|w| w.user.id)).await.map_err(store_failed)
    }
    async fn room(&self, who: Option<&Viewer>, room: &str) -> Result<Room, ApiError> {
        self.do_room(who, room).await
    }
    async fn members(&self, who: Option<&Viewer>, room: &str) -> Result<Vec<Member>, ApiError> {
        let access = self.readable(who, room).await?;
        self.store.members(access.room.id).await.map_err(store_failed)
    }
    async fn create_room(&self, who: &Viewer, name: &str, v: Visibility) -> Result<(Room, Written), ApiError> {
        self.do_create_room(who, name, v).await
    }
    async fn join(&self, who: &Viewer, room: &str) -> Result<Written, ApiError> {
        self.do_join(who, room).await
    }
    async fn leave(&self, who: &Viewer, room: &str) -> Result<Written, ApiError> {
        self.do_leave(who, room).await
    }
    async fn add_member(&self, who: &Viewer, room: &str, username: &str) -> Result<Written, ApiError> {
        self.do_add_member(who, room, username).await
    }
    async fn remove_member(&self, who: &Viewer, room: &str, username: &str) -> Result<Written, ApiError> {
        self.do_remove_member(who, room, username).await
    }
    async fn history(&self, who: Option<&Viewer>, room: &str, query: &HistoryQuery) -> Result<MessagePage, ApiError> {
        self.do_history(who, room, query).await
    }
    async fn post(&self, who: &Viewer, room: &str, message: NewMessage) -> Result<Posted, ApiError> {
        self.do_post(who, room, message).await
    }
    async fn edit(&self, who: &Viewer, room: &str, id: MessageId, body: &str) -> Result<Written, ApiError> {
        self.do_edit(who, room, id, body).await
    }
    async fn delete(&self, who: &Viewer, room: &str, id: MessageId) -> Result<Written, ApiError> {
        self.do_delete(who, room, id).await
    }
    async fn react(&self, who: &Viewer, room: &str, id: MessageId, emoji: &str, on: bool) -> Result<Written, ApiError> {
        self.do_react(who, room, id, emoji, on).await
    }
    async fn mark_read(&self, who: &Viewer, room: &str, at: Position) -> Result<(), ApiError> {
        let access = self.readable(Some(who), room).await?;
        self.store.mark_read(access.room.id, who.user.id, at).await.map_err(store_failed)
    }
    async fn typing(&self, who: &Viewer, room: &str) -> Result<(), ApiError> {
        let access = self.writable(who, room).await?;
        self.tell(Notice::Typing { room: access.room.id, user: who.user.username.clone() }).await;
        Ok(())
    }
}
