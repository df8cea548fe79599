//! What may be done, by whom: steps 1 and 2 of a message's way, and every read.
//!
//! Pages and API come in through [`Backend`]; each method authorises, checks its
//! input, and turns what happens inside a room into a record of the log.

use crate::{
    auth::{Auth, password::Passwords},
    fanout::{Fanout, Notice, Signal},
    log::{AppendError, Log, Record},
    pipeline::watch::Watch,
    store::{RoomRow, Store, StoreError},
    time::now,
};
use app::{
    backend::{
        Backend, HistoryQuery, Invitation, InviteWanted, Member, NewInviteLink, NewMessage, Registration, SignedIn,
        Viewer,
    },
    error::{ApiError, Outcome},
    model::{
        DirectoryPage, DirectoryQuery, Invite, KnownEvent, MessageId, MessagePage, NotificationLevel, PinList,
        Position, Posted, Role, Room, RoomChange, SearchPage, SearchQuery, SessionId, Thread, Unread, UserId,
        Visibility, Written,
    },
};
use async_trait::async_trait;
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

mod access;
mod accounts;
mod asked;
mod direct;
mod files;
mod invites;
mod known;
mod limits;
mod messages;
mod once;
mod people;
mod pins;
mod posted;
mod retries;
mod roles;
mod rooms;
mod search;
mod settings;
mod tail;
mod welcome;

pub use access::Access;
pub use files::Upload;
use known::Rooms;
use posted::PostedIds;
use roles::{Roles, Standing};

/// How long a node trusts what it knows of a room or a role without asking again. Changes are told to every node at
/// once; this is how long an old answer lives where the telling failed.
const FRESH: Duration = Duration::from_secs(10);
/// How long known rooms and members may go on while the store is away.
const USABLE: Duration = Duration::from_secs(15 * 60);
const ROOMS_REMEMBERED: usize = 20_000;
/// How long a read waits for the store to reach a position, and a change of members for being folded.
const CATCH_UP: Duration = Duration::from_millis(500);
/// How often it asks meanwhile: at once, then less and less.
const CATCH_UP_POLL: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(64));
/// How many reads wait for the store at once; more are answered with what there is.
const CATCHING_UP: usize = 64;
/// How many search at once. More take turns: the store has other things to do.
const SEARCHING: usize = 2;

/// The chat.
pub struct Service {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    fanout: Arc<dyn Fanout>,
    auth: Arc<Auth>,
    passwords: Passwords,
    limits: limits::Limits,
    retries: retries::Retries,
    rooms: Arc<Rooms>,
    roles: Arc<Roles>,
    once: Arc<once::Once>,
    /// Appends under way, and what follows from them.
    tasks: TaskTracker,
    stop: CancellationToken,
    catching_up: tokio::sync::Semaphore,
    searching: tokio::sync::Semaphore,
    /// In KiB of memory.
    uploading: Arc<tokio::sync::Semaphore>,
    epoch: u32,
}

impl Service {
    /// `epoch`: the log's generation.
    pub fn new(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        fanout: Arc<dyn Fanout>,
        auth: Arc<Auth>,
        watch: Arc<Watch>,
        epoch: u32,
        messages_per_second: u32,
    ) -> Self {
        let tails = Arc::default();
        let roles = Arc::new(Roles::new(log.clone(), store.clone(), watch.clone(), Arc::clone(&tails), epoch));
        let rooms = Rooms::new(store.clone(), roles.clone());
        let once = once::Once {
            log: log.clone(),
            asked: asked::Asked::new(store.clone()),
            alone: OnceLock::new(),
            fanout: fanout.clone(),
            watch,
            epoch,
            tails,
            store_away: Default::default(),
        };
        Self {
            log,
            store,
            fanout,
            auth,
            passwords: Passwords::default(),
            limits: limits::Limits::new(messages_per_second),
            retries: retries::Retries::default(),
            rooms: Arc::new(rooms),
            roles,
            once: Arc::new(once),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            catching_up: tokio::sync::Semaphore::new(CATCHING_UP),
            searching: tokio::sync::Semaphore::new(SEARCHING),
            uploading: Arc::new(tokio::sync::Semaphore::new(files::UPLOAD_MEMORY_KIB)),
            epoch,
        }
    }

    /// This process takes all posts of the log, from now on. It learns which there were, and then knows by itself which
    /// are new.
    pub fn posts_alone(self: Arc<Self>) -> impl Future<Output = ()> {
        self.once.alone.get_or_init(PostedIds::default);
        async move {
            let Some(ids) = self.once.alone.get() else { return };
            ids.learn(&*self.store, &self.once.watch, self.log.partitions()).await;
        }
    }

    /// What other nodes tell: what is remembered here follows.
    pub fn heard(&self, signal: &Signal) {
        match signal {
            Signal::Notice(Notice::SessionsEnded { sessions }) => self.auth.forget(sessions),
            Signal::Notice(Notice::MemberChanged { room, user, role, at, removed }) => {
                self.roles.learn(*room, *user, Standing { role: *role, removed: *removed, at: *at });
            }
            Signal::Notice(Notice::RoomChanged { room, at, change }) => {
                self.rooms.learn(*room, change.clone(), *at);
            }
            Signal::Gap => {
                self.auth.doubt();
                self.rooms.doubt();
                self.roles.doubt();
            }
            Signal::Notice(
                Notice::Typing { .. }
                | Notice::Read { .. }
                | Notice::Level { .. }
                | Notice::Here { .. }
                | Notice::WhoIsHere { .. }
                | Notice::Unknown,
            )
            | Signal::Event { .. } => {}
        }
    }

    /// Appends one record to the room's partition: what happened, by whom, under which idempotency key.
    async fn append(&self, room: &RoomRow, by: UserId, id: Uuid, event: KnownEvent) -> Result<Position, ApiError> {
        self.append_and(room, by, id, event, |_| std::future::ready(())).await
    }

    /// Appends, and does what follows from it even if whoever asked has hung up meanwhile: what the log has, happened.
    /// The task ends by itself, since the log answers within its deadline.
    async fn append_and<F: Future<Output = ()> + Send>(
        &self,
        room: &RoomRow,
        by: UserId,
        id: Uuid,
        event: KnownEvent,
        then: impl FnOnce(Position) -> F + Send + 'static,
    ) -> Result<Position, ApiError> {
        let record = Record { v: 1, room: room.id, by, id, accepted_at: now(), event: event.into() };
        let (log, epoch, partition) = (self.log.clone(), self.epoch, room.partition);
        #[cfg(feature = "sabotage")]
        let guess = if crate::sabotage::breaks(crate::sabotage::Promise::AckBeforeLog) {
            Some(Position::new(epoch, log.end(partition).await.unwrap_or_default()))
        } else {
            None
        };
        let appended = self.tasks.spawn(async move {
            let at = Position::new(epoch, append(&*log, partition, &record).await.map_err(not_appended)?);
            then(at).await;
            Ok(at)
        });
        #[cfg(feature = "sabotage")]
        if let Some(guess) = guess {
            return Ok(guess);
        }
        appended.await.unwrap_or(Err(ApiError::unavailable(Outcome::Unknown)))
    }

    /// Waits until what was begun is in the log or refused, and everybody has been told. The log answers within its
    /// deadline, and so does this.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until the store has `at`, [`CATCH_UP`] at most. Whether it has.
    async fn caught_up(&self, room: &RoomRow, at: Position) -> bool {
        // A position that the log cannot have, and a crowd that waits: no reason to ask the store again and again.
        let Ok(_place) = self.catching_up.try_acquire() else { return false };
        if at.epoch > self.epoch {
            return false;
        }
        let (mut pause, longest) = CATCH_UP_POLL;
        let reached = async {
            loop {
                match self.store.progress(room.partition).await {
                    Ok(next) if next > at.offset || at.epoch < self.epoch => return true,
                    Ok(_) => tokio::time::sleep(pause).await,
                    Err(_) => return false,
                }
                pause = (pause * 2).min(longest);
            }
        };
        tokio::time::timeout(CATCH_UP, reached).await.unwrap_or(false)
    }

    async fn tell(&self, notice: Notice) {
        tell(&*self.fanout, notice).await;
    }

    async fn end_sessions(&self, sessions: Vec<SessionId>) {
        if !sessions.is_empty() {
            self.auth.forget(&sessions);
            self.tell(Notice::SessionsEnded { sessions }).await;
        }
    }
}

async fn append(log: &dyn Log, partition: u32, record: &Record) -> Result<u64, AppendError> {
    let begun = Instant::now();
    let offset = log.append(partition, record.room, record.encode()).await?;
    metrics::counter!("partyline_appends_total").increment(1);
    metrics::histogram!("partyline_append_seconds").record(begun.elapsed().as_secs_f64());
    Ok(offset)
}

async fn tell(fanout: &dyn Fanout, notice: Notice) {
    // Not told, the other nodes find out when what they remember is no longer fresh.
    if let Err(e) = fanout.tell(&notice).await {
        tracing::warn!(error = %e, "a notice did not reach the other nodes");
    }
}

fn not_appended(e: AppendError) -> ApiError {
    tracing::warn!(error = %e, "an append was not acknowledged");
    metrics::counter!("partyline_appends_failed_total").increment(1);
    match e {
        AppendError::NotPersisted(_) => ApiError::unavailable(Outcome::NotPersisted),
        AppendError::Unknown(_) => ApiError::unavailable(Outcome::Unknown),
        AppendError::Full => ApiError::StorageFull,
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
    async fn rooms(&self, who: Option<&Viewer>, archived: bool) -> Result<Vec<Room>, ApiError> {
        self.store.rooms(who.map(|w| w.user.id), archived).await.map_err(store_failed)
    }
    async fn directory(&self, who: Option<&Viewer>, query: &DirectoryQuery) -> Result<DirectoryPage, ApiError> {
        self.do_directory(who, query).await
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
    async fn change_room(&self, who: &Viewer, room: &str, change: RoomChange) -> Result<Written, ApiError> {
        self.do_change_room(who, room, change).await
    }
    async fn set_role(&self, who: &Viewer, room: &str, username: &str, role: Role) -> Result<Written, ApiError> {
        self.do_set_role(who, room, username, role).await
    }
    async fn create_invite(&self, who: &Viewer, room: &str, wanted: InviteWanted) -> Result<NewInviteLink, ApiError> {
        self.do_create_invite(who, room, wanted).await
    }
    async fn invites(&self, who: &Viewer, room: &str) -> Result<Vec<Invite>, ApiError> {
        self.do_invites(who, room).await
    }
    async fn revoke_invite(&self, who: &Viewer, room: &str, id: Uuid) -> Result<(), ApiError> {
        self.do_revoke_invite(who, room, id).await
    }
    async fn invitation(&self, who: Option<&Viewer>, secret: &str) -> Result<Invitation, ApiError> {
        self.do_invitation(who, secret).await
    }
    async fn accept_invite(&self, who: &Viewer, secret: &str) -> Result<(String, Written), ApiError> {
        self.do_accept_invite(who, secret).await
    }
    async fn direct(&self, who: &Viewer, people: &[String]) -> Result<(Room, Written, bool), ApiError> {
        self.do_direct(who, people).await
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
    async fn thread(
        &self,
        who: Option<&Viewer>,
        room: &str,
        id: MessageId,
        query: &HistoryQuery,
    ) -> Result<Thread, ApiError> {
        self.do_thread(who, room, id, query).await
    }
    async fn search(&self, who: Option<&Viewer>, query: &SearchQuery) -> Result<SearchPage, ApiError> {
        self.do_search(who, query).await
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
    async fn pin(&self, who: &Viewer, room: &str, id: MessageId, on: bool) -> Result<Written, ApiError> {
        self.do_pin(who, room, id, on).await
    }
    async fn pins(&self, who: Option<&Viewer>, room: &str) -> Result<PinList, ApiError> {
        let access = self.readable(who, room).await?;
        self.store.pins(&access.room).await.map_err(store_failed)
    }
    async fn mark_read(&self, who: &Viewer, room: &str, at: Position) -> Result<(), ApiError> {
        let access = self.readable(Some(who), room).await?;
        self.limits.signal(who.user.id)?;
        if at.epoch > self.epoch {
            return Err(ApiError::invalid("the log has no such position"));
        }
        let (room, user) = (access.room.id, who.user.id);
        self.store.mark_read(room, user, at).await.map_err(store_failed)?;
        self.tell(Notice::Read { room, user, at }).await;
        Ok(())
    }
    async fn mark_all_read(&self, who: &Viewer) -> Result<(), ApiError> {
        self.limits.signal(who.user.id)?;
        let user = who.user.id;
        for Unread { room, upto, .. } in self.unread(who).await?.into_iter().filter(|room| room.unread > 0) {
            self.store.mark_read(room, user, upto).await.map_err(store_failed)?;
            self.tell(Notice::Read { room, user, at: upto }).await;
        }
        Ok(())
    }
    async fn set_level(&self, who: &Viewer, room: &str, level: NotificationLevel) -> Result<(), ApiError> {
        let access = self.readable(Some(who), room).await?;
        self.limits.signal(who.user.id)?;
        if access.role.is_none() {
            return Err(ApiError::forbidden("only members of a room are told of it"));
        }
        let (room, user) = (access.room.id, who.user.id);
        self.store.set_level(room, user, level).await.map_err(store_failed)?;
        self.tell(Notice::Level { room, user, level }).await;
        Ok(())
    }
    async fn read_marker(&self, who: &Viewer, room: &str) -> Result<Option<Position>, ApiError> {
        let access = self.readable(Some(who), room).await?;
        if access.role.is_none() {
            return Ok(None);
        }
        self.store.read_marker(access.room.id, who.user.id).await.map_err(store_failed)
    }
    async fn unread(&self, who: &Viewer) -> Result<Vec<Unread>, ApiError> {
        let mut all = self.store.unread(&who.user).await.map_err(store_failed)?;
        // A room that was quiet since the log before this one has nothing to bring of it.
        let before = Position::before(self.epoch);
        all.iter_mut().for_each(|unread| unread.upto = unread.upto.max(before));
        Ok(all)
    }
    async fn typing(&self, who: &Viewer, room: &str) -> Result<(), ApiError> {
        let access = self.writable(who, room).await?;
        self.limits.signal(who.user.id)?;
        self.tell(Notice::Typing { room: access.room.id, user: who.user.username.clone() }).await;
        Ok(())
    }
}
